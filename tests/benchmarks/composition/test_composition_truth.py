"""Scenes of a car, a bus and a stranger: whose order is right, and who stands in whom, is known."""

from itertools import combinations

import boxes
import numpy as np
import pandas as pd
import pytest
from exact_truth import actor, write_camera
from shapely import Polygon

from benchmarks.common.actors import TrueActors
from benchmarks.common.job import QUICK_SITE
from benchmarks.composition.composition_truth import crossings, hidden, main_occluders, measure, truly_nearer
from data_manifest import load_camera
from pipeline.core import masks
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
            "object_id": k,
            "depth_order": k,
            "category": "vehicle",
            "visible_fraction": 1.0,
            "occluder_ids": [],
            "source_frame": cutout["frame_id"],
            "mask_amodal_rle": cutout["mask_rle"],
        }
        for k, (cutout, place) in enumerate(nearest_first)
    ]


def judged(folder, *scenes):
    """The row of scenes that were written to a camera's folder."""
    write_camera(folder, [truth_row(pair) for pair in (NEAR, FAR, ALONE)], size_hw=boxes.SIZE_HW)
    seen = {"ground_plane": [*boxes.PLANE.n.tolist(), boxes.PLANE.d], "background": "noon"}
    images = [dict.fromkeys(IMAGES.names) | seen | {"scene_id": str(k)} for k in range(len(scenes))]
    write_table(folder / "clipart" / "images" / "part-0.parquet", to_table(images, IMAGES))
    rows = [row for k, pairs in enumerate(scenes) for row in scene(str(k), *pairs)]
    write_table(folder / "clipart" / "objects" / "part-0.parquet", to_table(rows, OBJECTS))
    return measure(folder, "walt3d")


def test_order_is_right_where_the_nearer_is_painted_last(tmp_path):
    row = judged(tmp_path / "hand", [NEAR, FAR], [FAR, NEAR], [ALONE, NEAR, FAR], [ALONE])
    assert (row["camera"], row["mode"], row["scenes"], row["objects"]) == ("hand", "walt3d", 4, 8)
    assert (row["pairs"], row["order_right"]) == (3, pytest.approx(2 / 3))
    assert (row["bus_lorry_pairs"], row["bus_lorry_right"]) == (3, pytest.approx(2 / 3))
    assert (row["crossing_in_10000"], row["worst_crossing"], row["objects_without_actor"]) == (0, 0, 0)
    assert (row["objects_per_scene"], row["most_used"]) == (2, 0.75)


def test_who_is_nobodys_is_counted_and_not_judged(tmp_path):
    row = judged(tmp_path / "hand", [STRANGER, FAR], [STRANGER])
    assert row["objects_without_actor"] == 2 and row["pairs"] == 0 and np.isnan(row["order_right"])


def test_what_is_true_counts_and_not_where_they_were_placed(tmp_path):
    cutout, place = FAR
    moved = cutout, place | {"t": NEAR[1]["t"]}
    row = judged(tmp_path / "hand", [NEAR, moved])
    assert row["crossing_in_10000"] == 0 and row["order_right"] == 1


def test_how_much_is_hidden_and_by_whom_is_counted():
    rles = [boxes.rows(i, (x, 20.0))[0]["mask_rle"] for i, x in enumerate((0.0, 1.0, 3.0, -9.0))]
    objects = pd.DataFrame(
        {
            "scene_id": ["a", "a", "a", "b"],
            "object_id": [0, 1, 2, 0],
            "cutout_id": [10, 11, 12, 10],
            "category": ["vehicle", "person", "vehicle", "vehicle"],
            "visible_fraction": [1.0, 0.95, 0.45, 0.02],
            "occluder_ids": [[], [0], [0, 1], []],
            "mask_amodal_rle": rles,
        }
    )
    assert main_occluders(objects[objects["scene_id"] == "a"], boxes.SIZE_HW) == [11]
    found = hidden(objects[:3], pd.Series({"a": "noon"}), boxes.SIZE_HW)
    assert (found["hidden_over_10"], found["vehicles_over_40"]) == (pytest.approx(1 / 3), 0.5)
    assert (found["main_occluder_most"], found["most_used"], found["objects_per_scene"]) == (1, 1, 3)
    uses = hidden(objects.assign(visible_fraction=1.0), pd.Series({"a": "noon", "b": "noon"}), boxes.SIZE_HW)
    assert uses["most_used"] == 1 and uses["main_occluder_most"] == 0 and uses["objects_per_scene"] == 2


def test_the_simulators_own_solids_tell_who_is_nearer(tmp_path):
    site = QUICK_SITE
    entry = load_camera(site.camera, site.manifests)
    camera, plane = entry.calibrated((720, 1280))
    actors = TrueActors(entry, camera, plane)
    state = actors._states(0)[0]
    standing = [(0, actor) for actor in state if len(actors.footprint(0, actor)) > 2][:6]
    whole = masks.encode(np.ones(camera.size_hw, bool), (0, 0), camera.size_hw)
    for key in standing:
        assert actors.nearer((*key, whole), (*key, whole)) in (0.0, None)  # nobody is nearer than itself
    for first, second in combinations(standing, 2):
        shares = actors.nearer((*first, whole), (*second, whole)), actors.nearer((*second, whole), (*first, whole))
        assert shares == (None, None) or sum(shares) == pytest.approx(1.0, abs=0.02)


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
    assert crossings([Polygon(q) for q in (square, square + [2, 0], square + [0, 2])]) == []
    found = crossings([Polygon(q) for q in (square, square + [1.5, 0], square + [1, 1])])
    assert found == pytest.approx([0.25, 0.25, 0.375])
