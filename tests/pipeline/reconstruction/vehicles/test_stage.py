"""Fits in place of outlines: a rendered vehicle whose network is a stand-in that knows the true points."""

import boxes
import numpy as np
import pyarrow as pa
import pytest

from calibration.camera import Camera, GroundPlane
from models.shape_basis import load_bases
from models.topdown.keypoints import Keypoints
from pipeline.core import masks
from pipeline.core.tables import RECONSTRUCTED
from pipeline.reconstruction.headings import Headings
from pipeline.reconstruction.outline_fit import Outlined
from pipeline.reconstruction.support_function import outline_of_mask
from pipeline.reconstruction.vehicles.stage import MetricSettings, fit_vehicle_rows

CAMERA = Camera(np.array([[1000.0, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]]), (720, 1280))
PLANE = GroundPlane.from_tilt(18, 0, 8.0)
BASES = load_bases()
SHAPE = np.array([0.8, -0.5, 0.3, 0, 0, 0, 0, 0])


def rendered(xy_m, yaw_rad, group="car"):
    """Points (12, 2), mask box, and the pose of one vehicle of SHAPE."""
    R, t = PLANE.pose(np.array(xy_m, float), yaw_rad)
    points = CAMERA.project(BASES[group].keypoints(SHAPE) @ R.T + t)
    mask = boxes.hull_mask(BASES[group].mesh(SHAPE) @ R.T + t, CAMERA)
    ys, xs = np.nonzero(mask)
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    rle = masks.encode(mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]], (box[0], box[1]), CAMERA.size_hw)
    return points, box, rle, R, t


def outlined(count, refusal, poses=(), tracks=None):
    """RECONSTRUCTED rows that the outline refused, or placed at poses (R, t)."""
    blank = {name: None for name in RECONSTRUCTED.names}
    rows = [blank | {"cutout_id": i, "track_id": tracks[i] if tracks else 3, "frame_id": i, "bucket": "noon",
                     "category": "vehicle", "fit_ok": refusal is None, "refusal": refusal}
            for i in range(count)]  # fmt: skip
    for row, (R, t) in zip(rows, poses, strict=False):
        row |= {"R": R.ravel().tolist(), "t": t.tolist(), "dims_lwh_m": [5.0, 2.2, 1.7]}
    return pa.Table.from_pylist(rows, schema=RECONSTRUCTED)


def fitted(scenes, *, score=0.95, boxes_xywh=None, refusal="outline", scores=None, tracks=None):
    points = np.stack([scene[0] for scene in scenes])
    count = len(points)
    scores = np.full((count, 12), score) if scores is None else scores
    known = Keypoints(points, scores, np.ones((count, 12)), np.zeros((count, 12), np.int64))
    cutouts = pa.table(
        {"bbox_xywh": boxes_xywh or [scene[1] for scene in scenes], "mask_rle": [scene[2] for scene in scenes]}
    )
    headings = Headings(np.full(count, np.nan), np.full(count, np.inf), np.zeros(count, bool))
    support = np.stack([outline_of_mask(scene[2], CAMERA).support for scene in scenes])
    poses = [scene[3:] for scene in scenes] if refusal is None else ()
    given = Outlined("vehicle", cutouts, outlined(count, refusal, poses, tracks), headings, support)
    return fit_vehicle_rows(given, known, CAMERA, PLANE, BASES, MetricSettings()).to_pylist()


def test_true_points_give_the_true_pose_and_one_shape_a_track():
    scenes = [rendered((-6 + 3 * i, 20 + 2 * i), 0.6) for i in range(4)]
    rows = fitted(scenes)
    for row, (points, _, _, R, t) in zip(rows, scenes, strict=True):
        assert row["refusal"] is None and row["shape_basis"] == "car"
        assert np.linalg.norm(np.array(row["t"]) - t) < 0.15
        assert np.degrees(np.arccos(np.clip((np.trace(np.reshape(row["R"], (3, 3)).T @ R) - 1) / 2, -1, 1))) < 1
        assert np.abs(np.reshape(row["keypoints_2d"], (12, 2)) - points).max() < 1.5
        assert row["shape"] == rows[0]["shape"]
        assert np.allclose(row["dims_lwh_m"], BASES["car"].dims_lwh_m(SHAPE), rtol=0.04)
        assert {"visible", "self_occluded"} == set(row["keypoint_state"])


def test_without_points_the_outline_stays():
    (row,) = fitted([rendered((0, 20), 0.3)], score=0.0)
    assert row["refusal"] == "outline" and row["shape"] is None


def test_a_track_has_one_shape_where_some_of_its_cutouts_show_too_few_points():
    scenes = [rendered((-6 + 3 * i, 20 + 2 * i), 0.6) for i in range(4)]
    scores = np.full((4, 12), 0.95)
    scores[3] = 0.0  # nothing is seen of it: no fit has the track's shape
    rows = fitted(scenes, refusal=None, scores=scores)
    assert [row["refusal"] for row in rows] == [None, None, None, "other_shape"]
    assert [row["fit_ok"] for row in rows] == [True, True, True, False]
    assert all(row["dims_lwh_m"] == rows[0]["dims_lwh_m"] for row in rows[:3])
    alone = fitted(scenes[:2], refusal=None, score=0.0)
    assert all(row["fit_ok"] and row["shape"] is None for row in alone)  # outlines agree with each other


def test_a_fit_that_is_not_where_the_mask_is_is_not_taken():
    scene = rendered((0, 20), 0.3)
    x, y, w, h = scene[1]
    (row,) = fitted([scene], boxes_xywh=[[x + w, y, w, h]])
    assert row["refusal"] == "outline"


@pytest.mark.parametrize("refusal", ["notched", "no_ground", "too_far"])
def test_what_no_keypoint_can_mend_stays_refused(refusal):
    (row,) = fitted([rendered((0, 20), 0.3)], refusal=refusal)
    assert row["refusal"] == refusal and row["shape"] is None


@pytest.mark.parametrize("bad", [np.nan, 1e9])
def test_points_far_from_anything_crash_nothing(bad):
    scene = rendered((0, 20), 0.3)
    (row,) = fitted([(np.full((12, 2), bad), *scene[1:])])
    assert row["refusal"] == "outline"


def test_where_nothing_tells_front_from_rear_both_ways_are_kept_and_no_keypoints():
    """Four wheels, which the network is not sure of, of a car that nobody saw move: the outline stays."""
    scenes = [rendered((0, 20), 0.3), rendered((5, 26), 1.4)]
    scores = np.zeros((2, 12))
    scores[0, :4], scores[1] = 0.5, 0.95
    wheels, whole = fitted(scenes, refusal=None, scores=scores, tracks=[3, 4])
    assert wheels["fit_ok"] and wheels["shape"] is None
    assert 0.1 < wheels["turned_probability"] < 0.9
    assert all(wheels[name] == [] for name in ("keypoints_2d", "keypoint_state", "keypoint_score", "keypoints_3d"))
    assert whole["turned_probability"] < 0.01 and len(whole["keypoint_state"]) == 12
