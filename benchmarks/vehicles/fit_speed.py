"""What metric 3D costs: vehicle observations fitted a second of CPU time, on one core, keypoints given.

    OMP_NUM_THREADS=1 python -m benchmarks.fit_speed [--check] [--quick]

The vehicles of `pose_recovery`'s noisy fleet before one camera, 3 px of noise and 4 of 12 keypoints missing, in
tracks of 6 frames, all in one call. The profile lists the functions by their own time.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks.common.report import Bar, Report, main
from benchmarks.vehicles.pose_recovery import CAMERA, FRAMES, body_of
from calibration.camera import GroundPlane
from models.shape_basis import load_bases
from models.topdown.keypoints import load_keypoints
from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.support_function import DIRECTIONS, ideal
from pipeline.reconstruction.vehicles.fit import Keypoints, fit_vehicles

PLANE = GroundPlane.from_tilt(15, 1, 8.0)
TRACKS, REPEATS = 300, 5


def street(tracks: int) -> Keypoints:
    """Noisy keypoints of tracks before the camera, and the outlines of the meshes that are nearest to them."""
    rng, bases = np.random.default_rng(31), load_bases()
    bodies = [body_of(kind, kind, False)[:2] for kind in range(36)]
    meshes = [bases[group].mesh(bases[group].solve(points)) for group, points in bodies]
    xy: list[np.ndarray] = []
    support, track = [], []
    while len(xy) < tracks * FRAMES:
        number = len(xy) // FRAMES
        R, t = PLANE.pose(rng.uniform([-10, 14], [10, 60]), rng.uniform(-np.pi, np.pi))
        points, mesh = bodies[number % len(bodies)][1], meshes[number % len(bodies)]
        xy.append(CAMERA.project(points @ R.T + t) + rng.normal(0, 3, points[:, :2].shape))
        support.append((ideal(CAMERA, CAMERA.project(mesh @ R.T + t)) @ DIRECTIONS.T).max(axis=0))
        track.append(number)
    scores = np.ones((len(xy), len(VEHICLE_12)))
    for row in scores:
        row[rng.permutation(len(VEHICLE_12))[:4]] = 0
    return Keypoints(np.array(xy), scores, np.array(track), support=np.array(support))


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of a call, all threads together, after one to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return median(spent)


def profile(work: Callable[[], object], lines: int = 10) -> list[dict]:
    """The functions that took the most time of their own: name, calls, share of the whole."""
    watch = cProfile.Profile()
    watch.runcall(work)
    stats = pstats.Stats(watch).stats  # type: ignore[attr-defined]
    whole = sum(entry[2] for entry in stats.values())
    ordered = sorted(stats.items(), key=lambda item: -item[1][2])[:lines]
    return [
        {"function": f"{Path(file).name}:{name}", "calls": entry[1], "share": round(entry[2] / whole, 3)}
        for (file, _, name), entry in ordered
    ]


def measure_fit(keypoints: Keypoints, what: str, repeats: int) -> tuple[dict, list[dict]]:
    """The row of a fit and its profile."""
    bases = load_bases()

    def work() -> object:
        return fit_vehicles(keypoints, CAMERA, PLANE, bases)

    spent, count = cpu_s(work, repeats), len(keypoints.track)
    return {"what": what, "count": count, "cpu_s": spent, "a_second": count / spent}, profile(work)


def measure_network(count: int) -> dict:
    """Crops a second of the keypoint network, wall time on all cores: boxes of cars in noise, which cost as others."""
    rng, network = np.random.default_rng(5), load_keypoints(device="cpu")
    frame = rng.integers(0, 255, (*CAMERA.size_hw, 3), np.uint8)
    sides = rng.uniform(60, 200, count)
    boxes = np.column_stack([rng.uniform(0, 1000, count), rng.uniform(0, 500, count), sides, 0.7 * sides])
    network.predict([frame] * 32, boxes[:32])
    begun, spent = time.perf_counter(), time.process_time()
    network.predict([frame] * count, boxes)
    wall, spent = time.perf_counter() - begun, time.process_time() - spent
    return {"what": "keypoint network, crops (wall)", "count": count, "cpu_s": spent, "a_second": count / wall}


def report(quick: bool, data: Path) -> Report:
    """One row a part; `data` is not used."""
    cv2.setNumThreads(1)
    outlined, repeats = street(60 if quick else TRACKS), 2 if quick else REPEATS
    keypoints = replace(outlined, support=None)
    fit, spent_in = measure_fit(keypoints, "vehicle fit, observations", repeats)
    with_outlines, _ = measure_fit(outlined, "the same with outlines", repeats)
    for line in spent_in:
        print(f"{line['share']:6.1%}  {line['calls']:7d}  {line['function']}")
    network = measure_network(64 if quick else 256)
    bars = [
        Bar("vehicle observations fitted a second a core", fit["a_second"], at_least=500),
        Bar("crops through the keypoint network a second", network["a_second"], at_least=40),
    ]
    return Report([fit, with_outlines, network], bars, {"profile of the fit": spent_in})


if __name__ == "__main__":
    main("fit_speed", __doc__, report)
