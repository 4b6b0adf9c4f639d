from datetime import timedelta

import boxes
import numpy as np
import pyarrow as pa
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.composition.depth_order import footprints
from pipeline.core import masks
from pipeline.core.skeletons import COCO_17
from pipeline.core.tables import CUTOUTS, RECONSTRUCTED, TRACKS, to_table
from pipeline.reconstruction.outline_fit import ReconstructSettings, place_by_outline
from pipeline.reconstruction.shape_priors import KINDS, PERSON

CAMERA = Camera(np.array([[1000.0, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]]), (720, 1280))
PLANE = GroundPlane.from_tilt(18, 0, 8.0)
SETTINGS = ReconstructSettings()


def cutout(number, kind, xy_m, yaw, size_m, *, speed=5.0, track=0, change=lambda mask: mask):
    """A row of CUTOUTS that shows a kind's hull."""
    R, t = PLANE.pose(np.array(xy_m, float), yaw)
    mask = change(boxes.hull_mask(kind.points * size_m @ R.T + t, CAMERA))
    ys, xs = np.nonzero(mask)
    x, y, w, h = int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
    foot = PLANE.to_world(PLANE.intersect(CAMERA, np.array([x + w / 2 - 0.5, y + h - 0.5])))[:2]
    return {
        "cutout_id": number, "frame_id": number, "category": "person" if kind is PERSON else "vehicle",
        "subcategory": None, "score": 0.9, "bbox_xywh": [x, y, w, h],
        "mask_rle": masks.encode(mask[y : y + h, x : x + w], (x, y), CAMERA.size_hw),
        "timestamp": boxes.START + timedelta(seconds=0.2 * number), "bucket": "noon", "sequence": 0, "track_id": track,
        "foot_xy_m": foot.tolist(), "velocity_xy_mps": [speed * np.cos(yaw), speed * np.sin(yaw)],
        "stationary": speed == 0, "sprite": b"", "sprite_xy": [x, y], "shadow": None, "shadow_xy": None, "halo": None,
    }  # fmt: skip


def reconstruct(rows, category="vehicle"):
    cutouts = to_table(rows, CUTOUTS)
    names = ["detection_id" if n == "cutout_id" else n for n in cutouts.column_names]
    tracks = cutouts.rename_columns(names).select(TRACKS.names)
    return place_by_outline(category, cutouts, tracks, CAMERA, PLANE, SETTINGS).table


def placed(table):
    """World xy (N, 2), yaw (N,) and sizes (N, 3)."""
    rows = table.to_pylist()
    R, t = np.array([r["R"] for r in rows]).reshape(-1, 3, 3), np.array([r["t"] for r in rows])
    return PLANE.to_world(t)[:, :2], PLANE.yaw(R), np.array([r["dims_lwh_m"] for r in rows])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_passing_vehicle_is_placed_with_one_size(kind):
    places = [(-9.0 + 3 * i, 26.0 + i) for i in range(4)]
    yaw = np.arctan2(1, 3)
    table = reconstruct([cutout(i, kind, xy, yaw, kind.size_m) for i, xy in enumerate(places)])
    assert table.schema == RECONSTRUCTED
    assert table["refusal"].null_count == 4 and all(table["fit_ok"].to_pylist())
    xy, found, size = placed(table)
    assert np.linalg.norm(xy - places, axis=1).max() < 0.35
    assert np.abs(found - yaw).max() < np.radians(3)
    assert np.abs(np.log(size / kind.size_m)).max() < 0.08
    assert np.ptp(np.log(size), axis=0).max() < 0.02
    np.testing.assert_allclose(table["z_m"].to_numpy(), np.array(table["t"].to_pylist())[:, 2])


def test_a_waiting_vehicle_is_turned_as_its_outline_tells():
    kind = KINDS[3]
    table = reconstruct([cutout(0, kind, (-2.0, 24.0), 0.6, kind.size_m, speed=0.0)])
    xy, yaw, _ = placed(table)
    assert np.linalg.norm(xy[0] - [-2, 24]) < 0.5
    assert abs(np.sin(yaw[0] - 0.6)) < 0.1


def test_a_wrong_velocity_does_not_turn_a_vehicle():
    kind = KINDS[0]
    row = cutout(0, kind, (2.0, 18.0), 0.6, kind.size_m)
    row["velocity_xy_mps"] = [-4.0, 3.0]
    _, yaw, _ = placed(reconstruct([row]))
    assert abs(np.sin(yaw[0] - 0.6)) < 0.1


def test_a_lost_underside_moves_a_car_little():
    def lose(mask):
        bottom = np.flatnonzero(mask.any(axis=1)).max()
        return mask & (np.arange(len(mask)) < bottom - 3)[:, None]

    kind = KINDS[0]
    table = reconstruct([cutout(0, kind, (2.0, 18.0), 0.4, kind.size_m, change=lose)])
    assert np.linalg.norm(placed(table)[0][0] - [2, 18]) < 0.5


def test_two_cars_in_one_mask_are_refused():
    kind = KINDS[0]

    def join(mask):
        return mask | np.roll(mask, (95, 170), axis=(0, 1))

    row = cutout(0, kind, (-5.0, 18.0), 0.4, kind.size_m, change=join)
    assert reconstruct([row])["refusal"].to_pylist() == ["notched"]


def test_what_stands_above_the_horizon_has_no_ground():
    row = cutout(0, KINDS[0], (0.0, 25.0), 0.0, KINDS[0].size_m)
    row["bbox_xywh"][1] = -150
    assert reconstruct([row | {"foot_xy_m": [np.nan, np.nan]}])["refusal"].to_pylist() == ["no_ground"]


def test_a_person_stands_at_the_foot_point_as_tall_as_seen():
    size = (PERSON.size_m[0], PERSON.size_m[1], 1.62)
    table = reconstruct([cutout(0, PERSON, (3.0, 16.0), 1.2, size, speed=1.3)], "person")
    xy, _, dims = placed(table)
    assert np.linalg.norm(xy[0] - [3, 16]) < 0.15
    assert dims[0, 2] == pytest.approx(1.62, abs=0.06)
    assert len(table["keypoints_3d"][0]) == 51
    heights = PLANE.to_world(np.reshape(table["keypoints_3d"][0].as_py(), (17, 3)))[:, 2]
    np.testing.assert_allclose(heights, PERSON.keypoints[:, 2] * dims[0, 2], atol=1e-5)


@pytest.mark.parametrize(("yaw", "side"), [(-np.pi / 2, 1), (np.pi / 2, -1)], ids=["coming", "going"])
def test_the_left_of_who_comes_is_right_in_the_picture_and_of_who_goes_left(yaw, side):
    table = reconstruct([cutout(0, PERSON, (1.0, 16.0), yaw, PERSON.size_m, speed=1.3)], "person")
    x = dict(zip(COCO_17.names, np.reshape(table["keypoints_2d"][0].as_py(), (-1, 2))[:, 0], strict=True))
    for name in COCO_17.names:
        if "left" in name:
            assert side * (x[name] - x[name.replace("left", "right")]) > 1


def test_a_giant_is_refused():
    size = (PERSON.size_m[0], PERSON.size_m[1], 3.4)
    table = reconstruct([cutout(0, PERSON, (3.0, 16.0), 1.2, size, speed=1.3)], "person")
    assert table["refusal"].to_pylist()[0] in ("height", "outline")


def test_a_place_that_the_outline_does_not_tell_is_refused():
    table = reconstruct([cutout(0, PERSON, (3.0, 90.0), 1.2, PERSON.size_m, speed=1.3)], "person")
    assert table["refusal"].to_pylist() == ["unsure"] and table["fit_ok"].to_pylist() == [False]


def test_lost_feet_move_a_person_less_than_the_foot_point_says():
    def lose(mask):
        top, bottom = np.flatnonzero(mask.any(axis=1))[[0, -1]]
        return mask & (np.arange(len(mask)) < bottom - 0.2 * (bottom - top))[:, None]

    row = cutout(0, PERSON, (3.0, 20.0), 1.2, PERSON.size_m, speed=1.3, change=lose)
    fitted = np.linalg.norm(placed(reconstruct([row], "person"))[0][0] - [3, 20])
    assert fitted < 0.5 * np.linalg.norm(np.array(row["foot_xy_m"]) - [3, 20])


def test_each_function_takes_its_category_and_nothing_gives_an_empty_table():
    rows = [cutout(0, PERSON, (3, 16), 0, PERSON.size_m), cutout(1, KINDS[0], (0, 20), 0, KINDS[0].size_m, track=1)]
    assert reconstruct(rows)["cutout_id"].to_pylist() == [1]
    assert reconstruct(rows, "person")["cutout_id"].to_pylist() == [0]
    empty = reconstruct(rows[:1])
    assert empty.num_rows == 0 and empty.schema == RECONSTRUCTED
    assert isinstance(pa.concat_tables([reconstruct(rows), empty]), pa.Table)


def test_footprints_of_two_lanes_do_not_cross():
    kind = KINDS[3]
    rows = [cutout(i, kind, (x, 24.0), np.pi / 2, kind.size_m, track=i) for i, x in enumerate((-2.0, 1.5))]
    rows_placed = reconstruct(rows).to_pylist()
    R, t, dims = (np.array([r[n] for r in rows_placed]) for n in ("R", "t", "dims_lwh_m"))
    quads = footprints(R.reshape(-1, 3, 3), t, dims, PLANE)
    assert quads[0, :, 0].max() < quads[1, :, 0].min()
