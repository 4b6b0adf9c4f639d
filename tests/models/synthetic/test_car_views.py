import numpy as np
import pytest

from models.synthetic.car_views import directions, read_views, render_views
from models.synthetic.plans import SEEN, UNSEEN, CarViewSettings, plan_views


def test_cameras_show_the_keypoints_where_the_sprites_have_them(car_views):
    for view in car_views.views:
        seen = (view.points @ view.R.T + view.t) @ view.K.T
        np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], view.sprite.keypoints, atol=1e-3)
        assert np.isclose(np.linalg.det(view.R), 1)


def test_views_of_a_vehicle_lie_together_and_differ(car_views, small_views):
    instances = [view.instance for view in car_views.views]
    assert instances == sorted(instances) and len(set(instances)) == small_views.vehicles
    eyes = np.array([-view.R.T @ view.t for view in car_views.views])
    assert len(np.unique(eyes.round(3), axis=0)) == len(eyes)


def test_directions_are_vertices_of_the_icosphere_that_look_down():
    found = directions()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert 3000 < len(found) < 10_242  # level 5, without what looks up or straight down
    assert np.sin(np.radians(2)) <= found[:, 2].min() and found[:, 2].max() <= np.sin(np.radians(60))


def test_splits_share_no_vehicle_and_unseen_bodies_are_unseen(views_folder):
    splits = {name: read_views(views_folder / name).views for name in ("train", "val", "test", "unseen")}
    instances = [{view.instance for view in views} for views in splits.values()]
    assert sum(map(len, instances)) == len(set.union(*instances))
    for name, views in splits.items():
        assert {view.sprite.kind for view in views} <= set((UNSEEN if name == "unseen" else SEEN)["wide"])


def test_same_job_same_bytes(views_folder, small_views, tmp_path):
    job = next(job for job in plan_views(small_views, tmp_path) if job.split == "unseen")
    render_views(job)
    assert job.out.read_bytes() == (views_folder / "unseen" / job.name).read_bytes()


def test_too_few_views_are_refused():
    with pytest.raises(ValueError, match="views: the trifocal loss needs at least 3"):
        CarViewSettings(views=2)


def test_a_folder_without_shards_names_the_task(tmp_path):
    with pytest.raises(FileNotFoundError, match="RenderCarViews"):
        read_views(tmp_path)
