"""How well a camera is found from control points, and whether wrong calibrations are told.

    python -m benchmarks.calibration [--check] [--quick] [--only points|simulated|wrong|traffic|real]

points: the control points of three real cameras (pixels against latitude and longitude), beside what their
publishers reach; auburn2's do not fit any camera, and must be refused. simulated: 20 cameras of focal 700 to 2500 px,
4 to 15 m up, tilted 6 to 40 degrees, rolled by up to 5, with 10 control points clicked with a noise of 1.5 px, one of
them at a wrong place; errors are medians, `within` is the fraction of 90 % intervals that hold the truth. wrong: forms
of calibration that nothing could come of, of which each must be refused in one line.
traffic: drawn cameras (4 to 14 m up, tilts of 7 to 25 degrees, six sizes of picture, lenses) over two minutes of
simulated traffic each, true boxes with a detector's noise, nothing rendered; then cameras over one straight road, of
four cars or of points alone, which do not determine it. real: given tracks of PETS, BrnoCompSpeed and Rope3D.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import stats

from benchmarks.calibrate import from_traffic, real_tracks
from benchmarks.common.job import REAL
from benchmarks.common.report import Bar, Report, main
from calibration.camera import Camera, GroundPlane
from calibration.control_points import NAMES, PointFit, calibrate_from_points, named
from calibration.forms.poses import camera_of_focal
from calibration.points_file import read_points
from data_manifest import ManifestError, load_camera
from tasks.calibrate.points import in_words, refuse_mismatched

ROADS = REAL / "traffic_cam_calib"
CASES = Path(__file__).parents[2] / "tests" / "cases" / "calibration"
SIZE = (720, 1280)
# Root mean square distance that the published calibrations reach, pixels; None: they do not fit.
PUBLISHED = {
    "auburn/auburn_camera_street_1": 2.5,
    "biloxi/biloxi_cam": 6.5,
    "auburn/auburn_camera_street_2": None,
}
_NOISE_PX, _POINTS, _MISPLACED_M = 1.5, 10, 8.0


def real_points() -> tuple[list[dict[str, Any]], list[Bar]]:
    """A row a camera."""
    rows, bars = [], []
    for name, bar in PUBLISHED.items():
        path = ROADS / f"{name}.csv"
        points = read_points(path)
        fit = calibrate_from_points(points.pixels, points.metres, SIZE)
        told = "; ".join(in_words(points, fit)[2:])
        try:
            refuse_mismatched(path, points, fit)
        except ValueError:
            told = "refused"
        short = name.split("/")[1]
        rows.append({
            "camera": short, "points": len(points.names), "reprojection_px": fit.rms_px, "focal_px": fit.camera.K[0, 0],
            "height_m": fit.plane.d, "k1": float(fit.camera.distortion[0]), "told": told,
        })  # fmt: skip
        if bar is None:
            bars.append(Bar(f"{short}: refused or told", float(bool(told)), at_least=1))
        else:
            bars.append(Bar(f"{short}: reprojection, px", fit.rms_px, at_most=bar))
    return rows, bars


def drawn(seed: int) -> tuple[Camera, GroundPlane, PointFit]:
    """A camera and what its control points say."""
    rng = np.random.default_rng([20, seed])
    camera = camera_of_focal(float(rng.uniform(700, 2500)), SIZE)
    plane = GroundPlane.from_tilt(rng.uniform(6, 40), rng.uniform(-5, 5), rng.uniform(4, 15))
    world = np.zeros((0, 3))
    while len(world) < _POINTS:
        pixels = rng.uniform([40, 40], [1240, 700], (50, 2))
        ground = plane.to_world(plane.intersect(camera, pixels))
        world = np.concatenate([world, ground[np.hypot(*ground[:, :2].T) < 120]])[:_POINTS]
    pixels = camera.project(plane.to_camera(world)) + rng.normal(0, _NOISE_PX, (_POINTS, 2))
    world[0, :2] += _MISPLACED_M * np.array([np.cos(seed), np.sin(seed)])
    return camera, plane, calibrate_from_points(pixels, world + [250, 90, 0], SIZE, distortion=False, seed=seed)


def simulated(count: int) -> tuple[list[dict[str, Any]], list[Bar]]:
    """One row of medians over cameras."""
    errors, held = [], []
    for seed in range(count):
        camera, plane, fit = drawn(seed)
        off = np.array(named(fit.camera, fit.plane)) - named(camera, plane)
        errors.append(np.abs(off) / [camera.K[0, 0], 1, 1, plane.d])
        spare = max(2 * int(fit.used.sum()) - 7, 1) + 4
        held.append(np.abs(off) < stats.t.ppf(0.95, spare) * np.sqrt(np.diag(fit.covariance)))
    middle = np.median(errors, axis=0)
    row = {
        "cameras": count,
        **{name: float(v) for name, v in zip(NAMES, middle, strict=True)},
        "within": float(np.mean(held)),
    }
    return [row], [
        Bar("simulated points: focal, fraction", middle[0], at_most=0.05),
        Bar("simulated points: tilt, degrees", middle[1], at_most=0.7),
        Bar("simulated points: height, fraction", middle[3], at_most=0.04),
        Bar("simulated points: 90 % intervals that hold", float(np.mean(held)), at_least=0.85),
    ]


def wrong_forms() -> tuple[list[dict[str, Any]], list[Bar]]:
    """A row a wrong form, with the line that a user reads."""
    rows = []
    for case in sorted(CASES.glob("*.yaml")):
        calibration = yaml.safe_load(case.read_text())["calibration"]
        source = {"kind": "images", "folder": ".", "time_pattern": "%Y%m%d-%H%M%S", "time_zone": "UTC"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / case.name
            path.write_text(yaml.safe_dump({"source": source, "calibration": calibration}))
            try:
                load_camera(case.stem, Path(folder)).calibrated((1080, 1920))
                said = ""
            except ManifestError as error:
                said = str(error).partition("calibration: ")[2].partition(". Mend")[0]
        rows.append({"form": case.stem, "said": said})
    refused = sum(bool(row["said"]) for row in rows)
    return rows, [Bar("wrong forms refused, of all", refused / max(len(rows), 1), at_least=1)]


def measure(quick: bool, data: Path, only: str | None) -> Report:
    """The parts asked for; `data` is not used."""
    parts = {
        "points": real_points,
        "simulated": lambda: simulated(5 if quick else 20),
        "wrong": wrong_forms,
        "traffic": lambda: from_traffic.simulated(*((2, 1) if quick else (50, 6))),
        "real": real_tracks.real,
    }
    if not ROADS.exists():
        parts.pop("points")
    if quick:
        parts.pop("real")
    found = [part() for name, part in parts.items() if only in (None, name)]
    return Report([row for rows, _ in found for row in rows], [bar for _, bars in found for bar in bars])


if __name__ == "__main__":
    main("calibration", __doc__, measure, parts=("points", "simulated", "wrong", "traffic", "real"))
