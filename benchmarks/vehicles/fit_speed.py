"""What metric 3D costs: vehicle observations fitted a second of CPU time, on one core, keypoints given.

    OMP_NUM_THREADS=1 python -m benchmarks.fit_speed [--check] [--quick]

The vehicles of `pose_recovery`'s noisy fleet before one camera, 3 px of noise and 4 of 12 keypoints missing, in
tracks of 6 frames, all in one call. The profile lists the functions by their own time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common.report import Bar, Report, main
from benchmarks.common.timing import crops, profile, repeated
from benchmarks.vehicles.pose_recovery import CAMERA, FRAMES, body_of
from calibration.camera import GroundPlane
from models.shape_basis import load_bases
from models.topdown.keypoints import load_keypoints
from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.support_function import DIRECTIONS, ideal
from pipeline.reconstruction.vehicles.fit import VehiclesSeen, fit_vehicles

PLANE = GroundPlane.from_tilt(15, 1, 8.0)
TRACKS, REPEATS = 300, 5


def street(tracks: int) -> VehiclesSeen:
    """Noisy keypoints of tracks before the camera, and the outlines of the meshes that are nearest to them."""
    rng, bases = np.random.default_rng(31), load_bases()
    shapes = [body_of(kind, kind, False)[:2] for kind in range(36)]
    meshes = [bases[group].mesh(bases[group].solve(points)) for group, points in shapes]
    xy: list[np.ndarray] = []
    support, track = [], []
    while len(xy) < tracks * FRAMES:
        number = len(xy) // FRAMES
        R, t = PLANE.pose(rng.uniform([-10, 14], [10, 60]), rng.uniform(-np.pi, np.pi))
        points, mesh = shapes[number % len(shapes)][1], meshes[number % len(shapes)]
        xy.append(CAMERA.project(points @ R.T + t) + rng.normal(0, 3, points[:, :2].shape))
        support.append((ideal(CAMERA, CAMERA.project(mesh @ R.T + t)) @ DIRECTIONS.T).max(axis=0))
        track.append(number)
    scores = np.ones((len(xy), len(VEHICLE_12)))
    for row in scores:
        row[rng.permutation(len(VEHICLE_12))[:4]] = 0
    return VehiclesSeen(np.array(xy), scores, np.array(track), support=np.array(support))


def report(quick: bool, data: Path) -> Report:
    """One row a part; `data` is not used."""
    cv2.setNumThreads(1)
    outlined, repeats = street(60 if quick else TRACKS), 2 if quick else REPEATS
    by_keypoints, by_both = (
        partial(fit_vehicles, seen, CAMERA, PLANE, load_bases()) for seen in (replace(outlined, support=None), outlined)
    )
    count = len(outlined.track)
    fit = repeated("vehicle fit, observations", by_keypoints, count, repeats)
    with_outlines = repeated("the same with outlines", by_both, count, repeats)
    spent_in = profile(by_keypoints)
    network = crops(
        "keypoint network, crops (wall)", load_keypoints(device="cpu").predict, (1, 0.7), 64 if quick else 256
    )
    bars = [
        Bar("vehicle observations fitted a second a core", fit["a_second"], at_least=500),
        Bar("crops through the keypoint network a second", network["a_second"], at_least=40),
    ]
    return Report([fit, with_outlines, network], bars, {"profile of the fit": spent_in})


if __name__ == "__main__":
    main("fit_speed", __doc__, report)
