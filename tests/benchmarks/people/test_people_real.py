import cv2
import numpy as np
import pyarrow as pa
import pytest

from benchmarks.people.people_real import bodies_of, reprojected, tile
from pipeline.core import masks
from pipeline.core.tables import CUTOUTS, RECONSTRUCTED

SIZE_HW = (120, 160)
BOX = [40.0, 20.0, 30.0, 80.0]


def cutouts():
    rows = [dict.fromkeys(CUTOUTS.names) | {"cutout_id": i, "bbox_xywh": [0.0, 0.0, 10.0, 10.0 * i]} for i in (4, 9, 5)]
    return pa.Table.from_pylist(rows, CUTOUTS)


def placed(*rows):
    known = dict.fromkeys(RECONSTRUCTED.names) | {"keypoints_2d": [0.0] * 34, "smpl_theta": [0.0] * 72}
    return pa.Table.from_pylist([known | row for row in rows], RECONSTRUCTED)


def test_bodies_are_those_of_annotated_frames_with_their_own_boxes():
    table = placed(
        {"cutout_id": 9, "frame_id": 399},
        {"cutout_id": 4, "frame_id": 400},
        {"cutout_id": 5, "frame_id": 3},
        {"cutout_id": 4, "frame_id": 3, "smpl_theta": None},
    )
    found = bodies_of(table, cutouts()).to_pylist()
    assert [(row["cutout_id"], row["bbox_xywh"][3], row["row"]) for row in found] == [(9, 90, 1), (5, 50, 2)]


def test_confident_points_within_a_tenth_of_the_longer_side_are_right():
    bodies = bodies_of(placed({"cutout_id": 9, "frame_id": 0}), cutouts())
    xy, score = np.full((3, 17, 2), np.nan), np.zeros((3, 17))
    xy[1, :4] = [[8.9, 0], [9.1, 0], [0, 0], [500, 500]]
    score[1, :4] = [0.9, 0.5, 0.6, 0.4]
    assert reprojected(bodies, xy, score) == pytest.approx(2 / 3)
    assert np.isnan(reprojected(bodies, xy, np.zeros((3, 17))))


def test_a_tile_shows_the_box_with_the_mask_in_blue_and_bones_in_yellow():
    crop = np.ones((80, 30), bool)
    rle = masks.encode(crop, (40, 20), SIZE_HW)
    points = np.tile([54.5, 59.5], (17, 1))
    points[5:11:2] = [44.5, 40]
    shown = tile(np.full((*SIZE_HW, 3), 100, np.uint8), rle, points, np.array(BOX)).astype(int)
    assert shown.shape == (240, 160, 3)
    blue = (shown[..., 0] > 150) & (shown[..., 2] < 90)
    x, y, w, h = cv2.boundingRect(blue.astype(np.uint8))
    scale = 240 / (1.4 * 80)
    np.testing.assert_allclose([x + w / 2, y + h / 2, w, h], [80, 120, scale * 30, scale * 80], atol=3)
    assert ((shown[..., 0] < 140) & (shown[..., 2] > 180)).sum() > 10
