"""A street of vehicles whose keypoints are known exactly, or with noise."""

import numpy as np

from calibration.camera import Camera, GroundPlane
from models.shape_basis import load_bases
from pipeline.reconstruction.support_function import DIRECTIONS, ideal
from pipeline.reconstruction.vehicles.fit import VehicleFits, VehicleFitSettings, VehiclesSeen, fit_vehicles

CAMERA = Camera(
    np.array([[1080.0, 0, 640], [0, 1080, 360], [0, 0, 1]]), (720, 1280), np.array([-0.2, 0.05, 1e-3, -1e-3, 0])
)
PLANE = GroundPlane.from_tilt(15, 2, 8.0)
BASES = load_bases()
EXACT = VehicleFitSettings(noise_px=0.05, noise_fraction=0, model_noise_m=0, iterations=25, first_iterations=6)


class Street:
    """Tracks of frames: pixels, and what is true of them."""

    def __init__(
        self, tracks: int = 9, frames: int = 4, noise: float = 0.0, groups: tuple = tuple(BASES), seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.group = np.repeat([groups[i % len(groups)] for i in range(tracks)], frames)
        self.shape = np.repeat(np.clip(rng.normal(size=(tracks, 8)), -2.8, 2.8), frames, axis=0)
        self.track = np.repeat(np.arange(tracks) * 7 - 3, frames)
        self.xy_m = rng.uniform([-6, 14], [6, 50], (tracks * frames, 2))
        self.yaw = rng.uniform(-np.pi, np.pi, tracks * frames)
        poses = [PLANE.pose(p, y) for p, y in zip(self.xy_m, self.yaw, strict=True)]
        self.R, self.t = np.stack([R for R, _ in poses]), np.stack([t for _, t in poses])
        points = np.stack([BASES[g].keypoints(b) for g, b in zip(self.group, self.shape, strict=True)])
        self.points_cam = points @ self.R.transpose(0, 2, 1) + self.t[:, None]
        self.pixels = CAMERA.project(self.points_cam) + noise * rng.normal(size=(len(points), 12, 2))
        self.scores = np.ones(self.pixels.shape[:2])

    @property
    def keypoints(self) -> VehiclesSeen:
        return VehiclesSeen(self.pixels, self.scores, self.track)

    def fit(self, options: VehicleFitSettings = EXACT) -> VehicleFits:
        return fit_vehicles(self.keypoints, CAMERA, PLANE, BASES, options)


def outlines(street: Street) -> np.ndarray:
    """Supports (N, S) of the true meshes, in ideal pixels."""
    rows = []
    for group, shape, R, t in zip(street.group, street.shape, street.R, street.t, strict=True):
        points_cam = BASES[group].mesh(shape) @ R.T + t
        rows.append((ideal(CAMERA, CAMERA.project(points_cam)) @ DIRECTIONS.T).max(axis=0))
    return np.array(rows)
