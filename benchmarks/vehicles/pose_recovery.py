"""Does the fit find pose and shape again from keypoints of vehicles that are known.

    python -m benchmarks.pose_recovery [--check] [--quick]

Tracks of 6 frames each. Every track samples a camera 6 to 12 m up, tilted 8 to 25 degrees, rolled by up to 2, focal
1080 px, 1280x720, with a lens (k1 -0.2, k2 0.05); a body type of the fleet; and a vehicle of a seed no basis was
built from. Each frame samples a place at 8 to 60 m over the ground with all keypoints in the picture, and any heading.
`in span`: keypoints are those of the shape the basis finds for the vehicle; `fleet`: the vehicle's own, which no basis
holds exactly. `exact`: true keypoints, all twelve. `noisy`: 3 px of Gaussian noise on each axis, and 4 of 12 missing,
sampled at random. No heading is given. With a noise of its own each run knows how large it is. Errors are medians over
what is not refused: of t over the distance, of yaw, and of the 3D keypoints in the vehicle frame (root mean square)
and the three dimensions over the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.report import Bar, Report, main
from calibration.camera import Camera, GroundPlane
from models.shape_basis import GROUPS, load_bases
from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.vehicles.fit import VehicleFits, VehicleFitSettings, VehiclesSeen, fit_vehicles
from pipeline.simulate.vehicles.fleet import BODY_TYPES, make_vehicle

TRACKS, FRAMES = 180, 6
CAMERA = Camera(
    np.array([[1080.0, 0, 640], [0, 1080, 360], [0, 0, 1]]), (720, 1280), np.array([-0.2, 0.05, 1e-3, -1e-3, 0])
)
_FIRST_SEED = 900_000  # far from the seeds of any basis


@dataclass(frozen=True)
class Observed:
    """The observations of one camera and what is true of them."""

    plane: GroundPlane
    keypoints: VehiclesSeen
    t: np.ndarray
    yaw: np.ndarray
    group: np.ndarray
    points: np.ndarray
    dims: np.ndarray


def body_of(track: int, seed: int, in_span: bool) -> tuple[str, np.ndarray, np.ndarray]:
    """Group, keypoints (12, 3) and overall dimensions (3,) of a track's vehicle."""
    body = BODY_TYPES[track % len(BODY_TYPES)]
    group = next(name for name, bodies in GROUPS.items() if body in bodies)
    vehicle = make_vehicle(body, _FIRST_SEED + seed)
    if not in_span:
        return group, vehicle.keypoints, np.array(vehicle.dims_lwh_m)
    basis = load_bases()[group]
    shape = np.clip(basis.solve(vehicle.keypoints), -2.9, 2.9)
    return group, basis.keypoints(shape), basis.dims_lwh_m(shape)


def observe(track: int, frames: int, in_span: bool, noise_px: float, missing: int) -> Observed:
    """One track before its camera."""
    rng = np.random.default_rng([29, track])
    plane = GroundPlane.from_tilt(rng.uniform(8, 25), rng.uniform(-2, 2), rng.uniform(6, 12))
    group, points, dims = body_of(track, track, in_span)
    xy: list[np.ndarray] = []
    scores, t_true, yaws = [], [], []
    while len(xy) < frames:
        distance, bearing, yaw = rng.uniform(8, 60), rng.uniform(-0.55, 0.55), rng.uniform(-np.pi, np.pi)
        R, t = plane.pose(distance * np.array([np.sin(bearing), np.cos(bearing)]), yaw)
        points_cam = points @ R.T + t
        pixels = CAMERA.project(points_cam)
        if points_cam[:, 2].min() < 2 or not ((pixels > 0) & (pixels < CAMERA.size_hw[::-1])).all():
            continue
        score = np.ones(len(VEHICLE_12))
        score[rng.permutation(len(VEHICLE_12))[:missing]] = 0
        xy.append(pixels + noise_px * rng.normal(size=pixels.shape))
        scores.append(score)
        t_true.append(t)
        yaws.append(yaw)
    keypoints = VehiclesSeen(np.array(xy), np.array(scores), np.full(frames, track))
    return Observed(plane, keypoints, np.array(t_true), np.array(yaws), np.full(frames, group, object), points, dims)


def errors(seen: Observed, fits: VehicleFits, basis_points: np.ndarray) -> dict[str, np.ndarray]:
    """Of each observation, NaN where refused."""
    turned = np.abs((fits.yaw - seen.yaw + np.pi) % (2 * np.pi) - np.pi)
    length = seen.dims[0]
    found = {
        "translation": np.linalg.norm(fits.t - seen.t, axis=1) / np.linalg.norm(seen.t, axis=1),
        "yaw_deg": np.degrees(turned),
        "shape": np.sqrt(((basis_points - seen.points) ** 2).sum(axis=-1).mean(axis=-1)) / length,
        "dims": np.abs(fits.dims_lwh_m - seen.dims).max(axis=1) / length,
        "group": np.where(fits.ok, fits.group == seen.group, np.nan),
    }
    return {name: np.where(fits.ok, values.astype(float), np.nan) for name, values in found.items()}


def measure(tracks: int, in_span: bool, noise_px: float, missing: int) -> dict:
    """One row of the table."""
    bases = load_bases()
    settings = VehicleFitSettings(
        noise_px=max(noise_px, 0.05), noise_fraction=0.0, model_noise_m=0.0 if in_span else 0.02
    )  # fmt: skip
    rows = []
    for track in range(tracks):
        seen = observe(track, FRAMES, in_span, noise_px, missing)
        fits = fit_vehicles(seen.keypoints, CAMERA, seen.plane, bases, settings)
        points = np.einsum("nji,nkj->nki", fits.R, fits.keypoints_3d - fits.t[:, None])
        rows.append(errors(seen, fits, points))
    found = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    fitted = np.isfinite(found["translation"])
    return {
        "vehicles": "in span" if in_span else "fleet",
        "keypoints": "exact" if not noise_px else f"noisy, {len(VEHICLE_12) - missing} of {len(VEHICLE_12)}",
        "observations": len(fitted),
        "fitted": float(fitted.mean()),
        "translation_error": float(np.nanmedian(found["translation"])),
        "translation_p90": float(np.nanpercentile(found["translation"], 90)),
        "yaw_error_deg": float(np.nanmedian(found["yaw_deg"])),
        "yaw_p90_deg": float(np.nanpercentile(found["yaw_deg"], 90)),
        "flipped": float((found["yaw_deg"][fitted] > 90).mean()),
        "shape_error": float(np.nanmedian(found["shape"])),
        "dims_error": float(np.nanmedian(found["dims"])),
        "right_group": float(np.nanmean(found["group"])),
    }


def report(quick: bool, data: Path) -> Report:
    """Both kinds of vehicles, with exact and noisy keypoints; `data` is not used."""
    tracks = 36 if quick else TRACKS
    rows = [measure(tracks, span, *noise) for span in (True, False) for noise in ((0.0, 0), (3.0, 4))]
    bars = []
    for row, fraction, degrees in zip(rows, (0.005, 0.03, 0.005, 0.03), (0.5, 3.0, 0.5, 3.0), strict=True):
        name = f"{row['vehicles']}, {row['keypoints']}"
        bars.append(Bar(f"{name}: translation", row["translation_error"], at_most=fraction))
        bars.append(Bar(f"{name}: yaw, degrees", row["yaw_error_deg"], at_most=degrees))
        bars.append(Bar(f"{name}: shape", row["shape_error"], at_most=fraction))
    return Report(rows, bars, {"tracks": tracks, "frames": FRAMES})


if __name__ == "__main__":
    main("pose_recovery", __doc__, report)
