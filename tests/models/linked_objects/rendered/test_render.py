"""Two boxes before a camera at half their height: the near one hides the left of the far one, and who says so."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.pictures import NOBODY, OCCLUDED, SELF_OCCLUDED, TRUNCATED, VISIBLE
from models.linked_objects.plan import SIZE_PX, LinkedJob, LinkedSettings, plan_linked
from models.linked_objects.rendered.bodies import Body, make_body, people_of
from models.linked_objects.rendered.render import render_linked, render_scene
from models.linked_objects.rendered.scenes import EVEN, Manner, Standing, sample_scene
from models.linked_objects.shards import read_linked
from models.synthetic.sprites import Placed
from pipeline.simulate.vehicles.parts import STEEL, box

TABLE = CATALOGUE.index("table")
FOCAL = 320.0
# Front, as the camera sees it, is x < 0 of a body that faces away: points in the class's order, of a cube of 1 m.
CORNERS = np.array([[x, y, z] for z in (1, 0) for x in (0.5, -0.5) for y in (0.5, -0.5)])
FAR_LEFT, FAR_RIGHT, NEAR_LEFT, NEAR_RIGHT = range(4)  # of the upper four; lower ones four later


def cube(name: int) -> Body:
    return Body(TABLE, name, box((-0.5, -0.5, 0), (0.5, 0.5, 1), STEEL), CORNERS, 0.01)


def at(body: Body, x: float, y: float) -> Standing:
    """A body whose own x axis points away from the camera, x to the right of it and y away."""
    K = np.array([[FOCAL, 0, SIZE_PX / 2 - 0.5], [0, FOCAL, SIZE_PX / 2 - 0.5], [0, 0, 1]])
    away = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])
    place = Placed(Camera(K, (SIZE_PX, SIZE_PX)), GroundPlane.from_tilt(0, 0, 0.5), away, np.array([x, y, 0]))
    return Standing(body, place)


def rendered(*scene: Standing):
    """The scene in some light, without a pole or leaves before it."""
    pictures = (render_scene(scene, "train", np.random.default_rng(seed)) for seed in range(20))
    return next(p for p in pictures if p is not None and p.objects[0].hidden_fraction == 0)


def silhouette(one: Standing, scale: int = 8) -> np.ndarray:
    corners = one.place.project(one.body.points) * scale
    mask = np.zeros((SIZE_PX * scale, SIZE_PX * scale), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners.astype(np.float32)).astype(np.int32), 1)
    return mask > 0


def test_who_hides_what_and_how_much_of_it():
    near, far = at(cube(1), 0, 4), at(cube(2), 0.8, 7)
    one, other = rendered(near, far).objects
    assert one.state.reshape(2, 4).tolist() == [[SELF_OCCLUDED] * 2 + [VISIBLE] * 2] * 2
    # The far cube's left side faces the camera's axis: its near left edge lies behind the near cube, so does the far.
    assert other.state[[NEAR_LEFT, NEAR_LEFT + 4]].tolist() == [OCCLUDED, OCCLUDED]
    assert other.occluder[[NEAR_LEFT, NEAR_LEFT + 4]].tolist() == [0, 0]
    assert other.state[[NEAR_RIGHT, NEAR_RIGHT + 4]].tolist() == [VISIBLE, VISIBLE]
    assert other.state[FAR_RIGHT] == SELF_OCCLUDED and other.occluder[FAR_RIGHT] == NOBODY
    mask = silhouette(far)
    assert other.hidden_fraction == pytest.approx((mask & silhouette(near)).sum() / mask.sum(), abs=0.02)


def test_a_box_holds_all_of_an_object_and_points_are_where_they_project():
    far = at(cube(2), 0.8, 7)
    _, other = rendered(at(cube(1), 0, 4), far).objects
    low, high = far.place.extent(far.body.mesh)
    assert np.allclose(other.box_xywh, np.r_[low, high - low], atol=1)
    assert np.allclose(other.xy, far.place.project(CORNERS))


def test_what_leaves_the_picture_is_truncated_and_its_box_is_not():
    (one,) = rendered(at(cube(1), -1.75, 4)).objects
    assert (one.state[one.xy[:, 0] < 0] == TRUNCATED).all() and (one.xy[:, 0] < 0).any()
    assert one.box_xywh[0] == 0


def test_somebody_wholly_hidden_is_not_there():
    picture = rendered(at(cube(1), 0, 4), at(cube(2), 0, 9))
    assert [o.body for o in picture.objects] == [1]


def test_objects_cover_what_the_alpha_says():
    near = at(cube(1), 0, 4)
    picture = rendered(near)
    inside = cv2.resize(silhouette(near).astype(np.float32), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.alpha / 255 - inside).mean() < 0.004


def test_shadows_fall_from_one_onto_the_ground():
    lit = [render_scene([at(cube(1), 0, 4)], "train", np.random.default_rng(seed)) for seed in range(6)]
    assert any(p is not None and p.sun.max() > 0.1 and (p.ground[..., 0] == 0).any() for p in lit)


def test_scenes_keep_bodies_apart_and_name_the_nearest_first():
    from shapely.geometry import Polygon

    bin_id = CATALOGUE.index("bin")
    crowd = Manner(EVEN.weights, (0.0, 0.0, 0.0, 1.0))
    for seed in range(6):
        scene = sample_scene(crowd, lambda k, rng: make_body(bin_id, "train", int(rng.integers(3)), 0),
                             np.random.default_rng(seed))  # fmt: skip
        shapes = [Polygon(one.footprint()) for one in scene]
        assert all(a.intersection(b).area < 1e-9 for k, a in enumerate(shapes) for b in shapes[:k])
        away = [np.linalg.norm(one.place.t) for one in scene]
        assert away == sorted(away)


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_every_class_has_a_body_with_its_points(name):
    class_id = CATALOGUE.index(name)
    body = make_body(class_id, "val", 1, 0)
    assert body.points.shape == (len(CATALOGUE[class_id]), 3)
    assert (body.points > body.low - 0.1).all() and (body.points < body.high + 0.1).all()


def test_no_two_splits_share_a_body_or_a_person():
    seen = [{make_body(CATALOGUE.index("bin"), split, n, 0).name for n in range(3)} for split in ("train", "test")]
    assert not seen[0] & seen[1]
    people = [set(people_of(split).tolist()) for split in ("train", "val", "test", "other")]
    assert sum(map(len, people)) == len(set().union(*people)) and all(len(p) > 3 for p in people)


def test_a_persons_poses_are_many_and_their_body_is_one():
    person = CATALOGUE.index("person")
    one, again, other = (make_body(person, "train", 0, 0, pose) for pose in (0, 0, 1))
    assert one.name == other.name and (one.points == again.points).all()
    assert np.abs(one.points - other.points).max() > 0.05


def test_a_shard_is_a_function_of_its_job(tmp_path):
    jobs = [LinkedJob("test", 0, 2, 4, seed, tmp_path / str(n) / "test" / "part-00000.parquet")
            for n, seed in enumerate((0, 0, 1))]  # fmt: skip
    assert [render_linked(job) for job in jobs] == [2, 2, 2]
    first, second, third = (job.out.read_bytes() for job in jobs)
    assert first == second != third
    pictures = read_linked(tmp_path / "0", "test")
    assert pictures.table == CATALOGUE and pictures[0].image.shape == (SIZE_PX, SIZE_PX, 3)
    assert all(len(p.objects) for p in pictures)


def test_other_backdrops_change_what_is_behind_and_nothing_else(tmp_path):
    job = LinkedJob("test", 0, 2, 4, 0, tmp_path / "test" / "part-00000.parquet")
    render_linked(job)
    green = np.zeros((384, 384, 3), np.uint8)
    green[..., 1] = 200
    own, behind = read_linked(tmp_path, "test"), read_linked(tmp_path, "test", [green])
    assert (own[0].image == behind[0].image).all()  # every other picture keeps its own
    changed = (own[1].image != behind[1].image).any(axis=2)
    assert changed.mean() > 0.3
    x, y, w, h = own[1].objects[0].box_xywh.astype(int)
    assert not changed[y : y + h, x : x + w].all()
    assert (behind[1].image[changed].argmax(axis=1) == 1).mean() > 0.8
    assert (behind[1].image == behind[1].image).all()


def test_every_picture_is_planned_once():
    settings = LinkedSettings(pictures=130, val_pictures=10, test_pictures=61, other_pictures=1, per_shard=60)
    jobs = plan_linked(settings, Path("set"))
    assert {s: sum(j.count for j in jobs if j.split == s) for s in ("train", "val", "test", "other")} == {
        "train": 130, "val": 10, "test": 61, "other": 1,
    }  # fmt: skip
    assert len({tuple(job.stream) for job in jobs}) == len({job.out for job in jobs}) == len(jobs)


def test_a_setting_below_one_is_named():
    with pytest.raises(ValueError, match="linked objects: bodies: expected at least 1, got 0"):
        LinkedSettings(bodies=0)
