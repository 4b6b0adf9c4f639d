"""What bodies of people cost: crops through the mesh network on all cores, people refined a second of CPU time.

    OMP_NUM_THREADS=1 python -m benchmarks.people_speed [--check] [--quick]

People in held-out poses before one camera, their outlines and poses off by a network's usual errors, in tracks of 6
frames, all in one call. The profile lists the functions of the refinement by their own time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

import models
from benchmarks.common.report import Bar, Report, main
from benchmarks.vehicles.fit_speed import PLANE, cpu_s, profile
from benchmarks.vehicles.pose_recovery import CAMERA, FRAMES
from models.body_model import load_body
from models.poses import load_prior, sample_poses
from pipeline.core.skeletons import COCO_17
from pipeline.reconstruction.people.fit import PeopleSeen, fit_people
from pipeline.reconstruction.support_function import DIRECTIONS, ideal

TRACKS, REPEATS = 100, 3
_NOISE_RAD, _NOISE_PX = 0.15, 1.5


def crowd(tracks: int) -> PeopleSeen:
    """Tracks of people on the ground before the camera, as a network and their masks show them, keypoints included."""
    rng, body, count = np.random.default_rng(41), load_body(), tracks * FRAMES
    theta = sample_poses(rng, count, "held_out")[0].astype(float)
    beta = np.repeat(rng.normal(0, 0.7, (tracks, 10)), FRAMES, axis=0)
    stand = rng.uniform([-8, 12, -np.pi], [8, 40, np.pi], (count, 3))
    places = [PLANE.pose(at[:2], at[2]) for at in stand]
    R, t = np.stack([R for R, _ in places]), np.stack([t for _, t in places])
    # SMPL's axes x left, y up, z forward are the object's y, z and x.
    root = Rotation.from_matrix(R[..., [1, 2, 0]]) * Rotation.from_rotvec(theta[:, 0])
    theta[:, 0] = root.as_rotvec()
    posed = body(torch.from_numpy(theta), torch.from_numpy(beta))
    vertices, points = posed.vertices.numpy(), posed.keypoints.numpy()
    pelvis = posed.joints[:, :1].numpy()
    lowest = ((vertices - pelvis) @ PLANE.n).min(axis=1)
    move = t[:, None] - pelvis - lowest[:, None, None] * PLANE.n
    support = (ideal(CAMERA, CAMERA.project(vertices + move)) @ DIRECTIONS.T).max(axis=1)
    seen_theta = theta + rng.normal(0, _NOISE_RAD, theta.shape)
    xy = CAMERA.project(points + move) + rng.normal(0, _NOISE_PX, (count, len(COCO_17), 2))
    track = np.repeat(np.arange(tracks), FRAMES)
    return PeopleSeen(seen_theta, np.zeros_like(beta), track, support, xy, np.full((count, len(COCO_17)), 0.9))


class _Here:
    """A pool that works in the caller's thread, the only one that the profiler sees."""

    map = staticmethod(map)

    def __init__(self, workers: int, initializer: Callable[[], None]) -> None:
        initializer()

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def measure_fit(seen: PeopleSeen, what: str, repeats: int) -> tuple[dict, Callable[[], object]]:
    """People refined a second of CPU time, and the call."""
    body, prior = load_body(), load_prior()

    def work() -> object:
        return fit_people(seen, CAMERA, PLANE, body, prior)

    spent, count = cpu_s(work, repeats), len(seen.track)
    return {"what": what, "count": count, "cpu_s": spent, "a_second": count / spent}, work


def measure_network(count: int) -> dict:
    """Crops a second of the mesh network, wall time on all cores: boxes of people in noise, which cost as others."""
    rng, network = np.random.default_rng(5), models.load("hmr", device="cpu")
    frame = rng.integers(0, 255, (*CAMERA.size_hw, 3), np.uint8)
    sides = rng.uniform(60, 200, count)
    boxes = np.column_stack([rng.uniform(0, 1000, count), rng.uniform(0, 500, count), 0.4 * sides, sides])
    network(frame, boxes[:32], camera=CAMERA)
    begun, spent = time.perf_counter(), time.process_time()
    network(frame, boxes, camera=CAMERA)
    wall, spent = time.perf_counter() - begun, time.process_time() - spent
    return {"what": "mesh network, crops (wall)", "count": count, "cpu_s": spent, "a_second": count / wall}


def report(quick: bool, data: Path) -> Report:
    """One row a part; `data` is not used."""
    cv2.setNumThreads(1)
    seen, repeats = crowd(20 if quick else TRACKS), 1 if quick else REPEATS
    fit, work = measure_fit(replace(seen, keypoints=None, score=None), "refinement to outlines", repeats)
    with_keypoints, _ = measure_fit(seen, "the same with keypoints", repeats)
    with patch("pipeline.reconstruction.people.fit.ThreadPoolExecutor", _Here):
        spent_in = profile(work)
    for line in spent_in:
        print(f"{line['share']:6.1%}  {line['calls']:7d}  {line['function']}")
    network = measure_network(64 if quick else 256)
    bars = [
        Bar("people refined a second a core", fit["a_second"], at_least=10),
        Bar("crops through the mesh network a second", network["a_second"], at_least=20),
    ]
    return Report([fit, with_keypoints, network], bars, {"profile of the refinement": spent_in})


if __name__ == "__main__":
    main("people_speed", __doc__, report)
