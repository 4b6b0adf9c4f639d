"""A camera's folder of one drawn drive: its views, what they cover, and folders that hold none."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from drives import Detector, drive
from models.occlusion_net.views import MOTIONS, coverage, covered, main, motions, views_of_camera

from models.geometry.view_sets import view_sets
from models.occlusion_net.trifocal import transfer


def test_a_track_is_read_as_views_of_one_object(drive_folder, passing):
    views = views_of_camera(drive_folder, passing.camera, Detector(passing))
    np.testing.assert_array_equal(views.row, np.arange(10, 17))
    np.testing.assert_array_equal(views.of, 4)
    np.testing.assert_allclose(views.cameras, passing.views().cameras, rtol=1e-4, atol=1e-3)
    assert (views.visible == passing.visible).all() and (views.hidden == ~passing.visible).all()


def test_its_hidden_points_are_taught_by_its_other_times(drive_folder, passing, monkeypatch):
    views = views_of_camera(drive_folder, passing.camera, Detector(passing))
    sets = view_sets(views)
    target, weight = transfer(*(torch.from_numpy(a) for a in vars(sets).values()))
    told = covered(views, sets)
    monkeypatch.setattr("models.occlusion_net.views._AT_ONCE", 2)
    assert np.array_equal(covered(views, sets), told)  # whatever is in memory at once
    away = np.linalg.norm(target.numpy() - passing.views().xy, axis=-1)[told & (weight.numpy() > 0)]
    assert told.sum() > 0.8 * views.hidden.sum() and np.median(away) < 0.05


def test_coverage_is_printed_by_motion(drive_folder, passing):
    lines = list(coverage(views_of_camera(drive_folder, passing.camera, Detector(passing))))
    assert lines[0].split() == ["motion", "vehicles", "hidden", "covered", "with", "mirrors"]
    total, turning = (line.split() for line in lines[1:])
    assert (total[0], turning[0]) == ("all", "turning") and total[1:] == turning[1:]
    assert float(total[3]) < float(total[4]) > 0.8


@pytest.mark.parametrize(
    ("places", "yaw", "motion"),
    [
        ([[0, 20], [0.3, 20.2]], [0.0, 0.02], "standing"),
        ([[1, 60], [1, 40]], [-1.57, -1.57], "approaching"),
        ([[-9, 20], [9, 20]], [0.0, 0.0], "passing"),
        ([[-3, 20], [5, 24]], [0.0, 0.9], "turning"),
        ([[0, 20]], [0.0], "standing"),
    ],
)
def test_motion_is_told_by_the_cameras_place_about_the_object(places, yaw, motion):
    views = drive(np.array(places, float), np.array(yaw)).views()
    assert {MOTIONS[k] for k in motions(views)} == {motion}


def test_folders_without_other_views_are_named(drive_folder, passing, capsys):
    with pytest.raises(ValueError, match=r"no visible keypoint scored 0.3 or more in 7 vehicles"):
        views_of_camera(drive_folder, passing.camera, Detector(passing, score=0.1))
    path = folder / "reconstructed" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 1), path)
    with pytest.raises(ValueError, match="no track has two vehicles fitted to keypoints"):
        views_of_camera(drive_folder, passing.camera, Detector(passing))
    pq.write_table(table, path)
    cutouts = folder / "cutouts" / "part-00000.parquet"
    pq.write_table(pq.read_table(cutouts).slice(1), cutouts)
    with pytest.raises(ValueError, match="names cutouts that are not in cutouts"):
        views_of_camera(drive_folder, passing.camera, Detector(passing))
    assert main(["--camera", "cam07", "--data-root", str(folder / "nowhere")]) == 1
    assert len(capsys.readouterr().out.strip().splitlines()) == 1
