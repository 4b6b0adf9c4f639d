"""What bodies of people cost: crops through the mesh network on all cores, people refined a second of CPU time.

    OMP_NUM_THREADS=1 python -m benchmarks.people_speed [--check] [--quick]

People in held-out poses before one camera, their outlines and poses off by a network's usual errors, in tracks of 6
frames, all in one call. The profile lists the functions of the refinement by their own time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

import models
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.timing import crops, profile, repeated
from benchmarks.vehicles.fit_speed import PLANE
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


def report(quick: bool, data: Path) -> Report:
    """One row a part; `data` is not used."""
    cv2.setNumThreads(1)
    seen, repeats = crowd(20 if quick else TRACKS), 1 if quick else REPEATS
    to_outlines, to_both = (
        partial(fit_people, each, CAMERA, PLANE, load_body(), load_prior())
        for each in (replace(seen, keypoints=None, score=None), seen)
    )
    fit = repeated("refinement to outlines", to_outlines, len(seen.track), repeats)
    with_keypoints = repeated("the same with keypoints", to_both, len(seen.track), repeats)
    with patch("pipeline.reconstruction.people.fit.ThreadPoolExecutor", _Here):
        spent_in = profile(to_outlines)
    predict = partial(models.load("hmr", device="cpu"), camera=CAMERA)
    network = crops("mesh network, crops (wall)", predict, (0.4, 1), 64 if quick else 256)
    bars = [
        Bar("people refined a second a core", fit["a_second"], at_least=10),
        Bar("crops through the mesh network a second", network["a_second"], at_least=20),
    ]
    return Report([fit, with_keypoints, network], bars, {"profile of the refinement": spent_in})


if __name__ == "__main__":
    main("people_speed", __doc__, report)
