"""Scenes of a car, a bus and a stranger: whose order is right, and who stands in whom, is known."""

import boxes
import numpy as np
import pytest
from exact_truth import actor, write_camera

from benchmarks.composition.composition_truth import crossings, measure, truly_nearer
from pipeline.core.storage import write_table
from pipeline.core.tables import IMAGES, OBJECTS, to_table

NEAR, FAR = boxes.rows(1, (0.5, 14.0)), boxes.rows(2, (0.0, 20.0), np.pi / 2, (9.0, 2.5, 3.2))
ALONE, STRANGER = boxes.rows(3, (-6.5, 22.0)), boxes.rows(4, (7.0, 24.0))
BODIES = {1: "sedan", 2: "bus", 3: "sedan"}


def truth_row(pair):
    cutout, place = pair
    known = {name: place[name] for name in ("R", "t", "dims_lwh_m")} | {"mask_amodal_rle": cutout["mask_rle"]}
    return actor(cutout["frame_id"], cutout["cutout_id"], (0, 0, 1, 1), body=BODIES[cutout["cutout_id"]], **known)


def scene(name, *nearest_first):
    """Rows of OBJECTS."""
    return [
        dict.fromkeys(OBJECTS.names)
        | {name: place[name] for name in ("cutout_id", "R", "t", "dims_lwh_m")}
        | {
            "scene_id": name,
            "depth_order": k,
            "source_frame": cutout["frame_id"],
            "mask_amodal_rle": cutout["mask_rle"],
        }
        for k, (cutout, place) in enumerate(nearest_first)
    ]


def judged(folder, *scenes):
    """The row of scenes that were written to a camera's folder."""
    write_camera(folder, [truth_row(pair) for pair in (NEAR, FAR, ALONE)], size_hw=boxes.SIZE_HW)
    image = dict.fromkeys(IMAGES.names) | {"ground_plane": [*boxes.PLANE.n.tolist(), boxes.PLANE.d]}
    write_table(folder / "clipart" / "images" / "part-0.parquet", to_table([image], IMAGES))
    rows = [row for k, pairs in enumerate(scenes) for row in scene(str(k), *pairs)]
    write_table(folder / "clipart" / "objects" / "part-0.parquet", to_table(rows, OBJECTS))
    return measure(folder, "walt3d")


def test_order_is_right_where_the_nearer_is_painted_last(tmp_path):
    row = judged(tmp_path / "hand", [NEAR, FAR], [FAR, NEAR], [ALONE, NEAR, FAR], [ALONE])
    assert (row["camera"], row["mode"], row["scenes"], row["objects"]) == ("hand", "walt3d", 4, 8)
    assert (row["pairs"], row["order_right"]) == (3, pytest.approx(2 / 3))
    assert (row["bus_lorry_pairs"], row["bus_lorry_right"]) == (3, pytest.approx(2 / 3))
    assert (row["footprints_crossing"], row["true_footprints_crossing"], row["objects_without_actor"]) == (0, 0, 0)


def test_who_is_nobodys_is_counted_and_not_judged(tmp_path):
    row = judged(tmp_path / "hand", [STRANGER, FAR], [STRANGER])
    assert row["objects_without_actor"] == 2 and row["pairs"] == 0 and np.isnan(row["order_right"])


def test_footprints_cross_where_they_were_placed_whatever_is_true(tmp_path):
    cutout, place = FAR
    moved = cutout, place | {"t": NEAR[1]["t"]}
    row = judged(tmp_path / "hand", [NEAR, moved])
    assert (row["footprints_crossing"], row["true_footprints_crossing"]) == (1, 0)
    assert row["order_right"] == 1  # by where they truly are


def test_a_car_before_a_bus_is_nearer_though_the_buss_front_is_closer():
    along, across = np.array([10.0, 22]) / 2, np.array([2.2, -1]) / 2
    bus = np.array([1.0, 19]) + [along + across, across - along, -along - across, along - across]
    car = np.array([[1.2, 17.0], [2.8, 17], [2.8, 19], [1.2, 19]])
    assert np.linalg.norm(bus, axis=1).min() < np.linalg.norm(car, axis=1).min()
    assert truly_nearer(car, bus) and not truly_nearer(bus, car)
    beside = car + [-30, 0]  # on no common ray: whose corner is nearer
    assert truly_nearer(bus, beside) and not truly_nearer(beside, bus)


def test_footprints_that_touch_do_not_cross():
    square = np.array([[0.0, 5], [2, 5], [2, 7], [0, 7]])
    assert crossings(np.stack([square, square + [2, 0], square + [0, 2]])) == 0
    assert crossings(np.stack([square, square + [1.9, 0], square + [1, 1]])) == 3
