"""How well a camera is found from traffic: simulated streets that nothing was chosen on, then real tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.calibrate.true_tracks import Burst, seen_by, simulated_burst
from benchmarks.common.drawn_cameras import draw_camera
from benchmarks.common.report import Bar
from calibration.camera import Camera, GroundPlane
from calibration.control_points import NAMES, named
from calibration.forms.poses import camera_of_focal
from calibration.traffic.fit import TrafficFit, calibrate_from_traffic
from calibration.traffic.outlines import CAR
from calibration.traffic.solver import Known
from calibration.traffic.tracks import POINT, Tracks

SEED = 11  # of cameras and streets; how deviations are counted was chosen on seed 5
_NEAR_M = 50.0


def drawn(number: int, seed: int = SEED) -> tuple[Camera, GroundPlane]:
    """A camera of `drawn_cameras`, its first distortion term alone: the one that is fitted."""
    manifest = draw_camera(seed, number)
    about, (width, height) = manifest["calibration"], manifest["source"]["size_wh"]
    lens = np.array([*about["distortion"][:1], 0, 0, 0, 0, 0])[:5]
    camera = camera_of_focal(about["focal_px"], (height, width), lens)
    return camera, GroundPlane.from_tilt(about["tilt_deg"], about["roll_deg"], about["height_m"])


def ground_error(camera: Camera, plane: GroundPlane, fit: TrafficFit) -> float:
    """Median error of distances between ground pixels within 50 m, as a fraction."""
    height, width = camera.size_hw
    pixels = np.random.default_rng(0).uniform(0, [width - 1, height - 1], (600, 2))
    true = plane.to_world(plane.intersect(camera, pixels))[:, :2]
    near = np.hypot(*true.T) < _NEAR_M
    found = fit.plane.to_world(fit.plane.intersect(fit.camera, pixels))[:, :2]
    (a, b), count = (true[near], found[near]), int(near.sum()) // 2
    apart = [np.linalg.norm(p[:count] - p[count : 2 * count], axis=1) for p in (a, b)]
    return float(np.median(np.abs(np.nan_to_num(apart[1] / apart[0], nan=9.0) - 1)))


def streets(bursts: int) -> list[Burst]:
    """Minutes of a crossing and of a junction, in turn."""
    return [simulated_burst(("crossroads", "junction")[k % 2], 100 + k) for k in range(bursts)]


def simulated(cameras: int, bursts: int) -> tuple[list[dict[str, Any]], list[Bar]]:
    """One row of medians over cameras, and one of what is said to be undetermined."""
    seen = streets(bursts)
    errors, held, told, near = [], [], [], []
    for number in range(cameras):
        camera, plane = drawn(number)
        rng = np.random.default_rng([SEED, number])
        fit = calibrate_from_traffic(seen_by(camera, plane, _some(seen, rng), rng), Known(lens=True))
        off = np.array(named(fit.camera, fit.plane)) - named(camera, plane)
        errors.append(np.abs(off) / [camera.K[0, 0], 1, 1, plane.d])
        held.append(np.abs(off) < 1.645 * np.sqrt(np.diag(fit.covariance)))
        told.append(bool(fit.undetermined))
        near.append(ground_error(camera, plane, fit))
    middle = np.median(errors, axis=0)
    open_ = undetermined(max(cameras // 2, 2))
    row = {
        "traffic": f"{cameras} drawn cameras",
        **{name: float(v) for name, v in zip(NAMES, middle, strict=True)},
        "distance": float(np.median(near)), "within": float(np.mean(held)), "told_open": float(np.mean(told)),
        "told_open_where_it_is": open_,
    }  # fmt: skip
    covered = float(np.mean(held))
    return [row], [
        Bar("traffic: focal, fraction", middle[0], at_most=0.05),
        Bar("traffic: tilt, degrees", middle[1], at_most=0.7),
        Bar("traffic: height, fraction", middle[3], at_most=0.04),
        Bar("traffic: ground distances up to 50 m, fraction", float(np.median(near)), at_most=0.04),
        Bar("traffic: 90 % intervals that hold, least", covered, at_least=0.85),
        Bar("traffic: 90 % intervals that hold, most", covered, at_most=0.95),
        Bar("traffic: undetermined and told so", open_, at_least=0.95),
        Bar("traffic: determined and told otherwise", float(np.mean(told)), at_most=0.10),
    ]


def _some(seen: list[Burst], rng: np.random.Generator) -> list[Burst]:
    """Two of the minutes."""
    return [seen[k] for k in rng.choice(len(seen), min(2, len(seen)), replace=False)]


def undetermined(cameras: int) -> float:
    """Fraction that is told of cameras whose traffic does not determine them: one straight road and nobody on foot,
    every other time without sizes and else of four cars alone."""
    road = simulated_burst("crossroads", 200, people=0.0, arms=("east", "west"))
    told = []
    for number in range(cameras):
        camera, plane = drawn(number)
        tracks = seen_by(camera, plane, [road], np.random.default_rng([SEED, number, 1]))
        told.append(bool(calibrate_from_traffic(_bereft(tracks, sizes=number % 2 == 0)).undetermined))
    return float(np.mean(told))


def _bereft(tracks: Tracks, *, sizes: bool) -> Tracks:
    """Four cars, or the feet of all."""
    cars = np.flatnonzero(tracks.kind == CAR)
    if sizes:
        return tracks.at(cars[np.unique(np.linspace(0, len(cars) - 1, 4).astype(int))])
    return without_sizes(tracks.at(cars))


def without_sizes(tracks: Tracks) -> Tracks:
    """Only where the feet are, as trackers of points give them."""
    box = np.concatenate([tracks.foot_px + 0.5, 0 * tracks.foot_px], axis=2)
    return replace(tracks, box_xywh=box, kind=np.full(len(tracks.kind), POINT))
