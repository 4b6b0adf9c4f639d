"""Drawn cameras: what is drawn can be simulated, holds what it should, and is counted by how much a camera shows."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.drawn_cameras import NEAR_LAYOUTS, SIZES_WH, draw_camera
from benchmarks.pipeline.cameras import CUTOUTS_ENOUGH, MEASURES, summary
from data_manifest import Manifest
from data_manifest.calibration import checked
from pipeline.simulate.world.layout import LAYOUTS

SEEDS = range(8)


def seen_by(drawn):
    width, height = drawn["source"]["size_wh"]
    return checked(Manifest.model_validate(drawn).calibration, (height, width), Path)[:2]


@pytest.mark.parametrize("seed", SEEDS)
def test_six_cameras_are_manifests_of_every_size_with_and_without_a_horizon(seed):
    six = [draw_camera(seed, number) for number in range(6)]
    manifests = [Manifest.model_validate(drawn) for drawn in six]
    assert {m.source.size_wh for m in manifests} == set(SIZES_WH)
    assert {m.source.layout for m in manifests} == set(NEAR_LAYOUTS)
    assert all(4 <= m.calibration.height_m <= 14 for m in manifests)
    sky = []
    for drawn in six:
        camera, plane = seen_by(drawn)
        top = plane.intersect(camera, np.array([[0.0, 0], [camera.size_hw[1] - 1.0, 0]]))
        sky.append(bool(np.isnan(top).any()))
    assert sky == [True, False] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_every_camera_has_the_crossing_in_its_view(seed):
    for number in range(6):
        drawn = draw_camera(seed, number)
        camera, plane = seen_by(drawn)
        middle = LAYOUTS[drawn["source"]["layout"]].centre
        x, y = camera.project(plane.to_camera(np.array([*middle, 0.0])))
        assert 0 < x < camera.size_hw[1] and 0 < y < camera.size_hw[0]


def test_a_camera_is_the_same_every_time_and_none_is_another():
    assert draw_camera(3, 2) == draw_camera(3, 2)
    drawn = [draw_camera(seed, number) for seed in SEEDS for number in range(6)]
    assert len({str(one["calibration"]) for one in drawn}) == len(drawn)


def test_what_a_camera_shows_too_little_of_counts_only_with_all_others():
    nothing = {name: np.empty(0) for name in MEASURES}
    many, few = np.full(CUTOUTS_ENOUGH, 0.9), np.zeros(CUTOUTS_ENOUGH - 1)
    of = [nothing | {"all precision": values} for values in (many, many * 0.5, few)]
    row = next(row for row in summary(of) if row["measure"] == "all precision")
    assert (row["median"], row["worst"], row["cameras"]) == (pytest.approx(0.675), pytest.approx(0.45), 2)
    assert row["pooled"] == pytest.approx((0.9 + 0.45) * 40 / (3 * 40 - 1))


def test_of_errors_the_largest_is_the_worst():
    nothing = {name: np.empty(0) for name in MEASURES}
    of = [nothing | {"vehicle position_90_m": np.full(CUTOUTS_ENOUGH, value)} for value in (0.2, 0.7)]
    row = next(row for row in summary(of) if row["measure"] == "vehicle position_90_m")
    assert row["worst"] == pytest.approx(0.7)
