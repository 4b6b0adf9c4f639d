"""Fit body meshes to people on the ground plane, in the manner of SMPLify (Bogo et al. 2016, "Keep it SMPL").

All people at once: a pose and a place for each observation and one shape a track, from a network's poses. Outlines and
the ground tell size and place, keypoints the limbs, motion the heading, a prior the rest. Ideal pixels, the lens
undone; world frame of the plane, metres, yaw radians from x towards y.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from models.body_model import Body
from models.geometry.rotations import exp_so3, log_so3
from models.poses import PosePrior
from pipeline.core.skeletons import COCO_17, SMPL_24
from pipeline.reconstruction.people.ground_contact import BodyPose, Ground, about_pelvis, upright
from pipeline.reconstruction.people.solver import PeopleEvidence, PeopleSolver, per_track, supports
from pipeline.reconstruction.people.types import PeopleFits, PeopleFitSettings, PeopleSeen
from pipeline.reconstruction.support_function import DIRECTIONS, ideal
from pipeline.reconstruction.uncertainty import footprint_of

__all__ = ["PeopleFitSettings", "PeopleFits", "PeopleSeen", "fit_people"]

Progress = Callable[[int, int], None]
_CHUNK = 128  # observations at a time, whole tracks: bounds the memory
_MOST = 2.0  # a network's shape coefficients beyond are not to be built on
_MOST_LEAN = 0.3
_CONTRADICTION = 3.0  # standard deviations between a network's facing and motion's
_FAR_PX = 1e6
_SAMPLES = 12.0  # an outline tells as much as so many independent numbers
_HEIGHT_SIGMA = 0.03  # how far one observation's height is from its track's, fractions


def fit_people(
    seen: PeopleSeen,
    camera: Camera,
    plane: GroundPlane,
    body: Body,
    prior: PosePrior,
    settings: PeopleFitSettings | None = None,
    progress: Progress | None = None,
) -> PeopleFits:
    """Every observation's fit, in the order given; what cannot be fitted is refused with a reason, never raised."""
    settings = settings or PeopleFitSettings()
    fits = PeopleFits.refused(_no_person(seen, camera, plane, settings))
    rows = np.flatnonzero(fits.ok)
    rows = rows[np.argsort(seen.track[rows], kind="stable")]
    blocks = [_Block(seen, part, camera, plane, settings) for part in _chunks(rows, seen.track[rows])]
    done = 0
    # One block a core: torch's own threads wait for each other after every operation.
    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=_limit_torch) as pool:
        for block in pool.map(lambda block: block.fit(body, prior, fits), blocks):
            done += len(block.rows)
            if progress:
                progress(done, len(rows))
    return fits


def _limit_torch() -> None:
    torch.set_num_threads(1)  # of the calling thread


def _no_person(seen: PeopleSeen, camera: Camera, plane: GroundPlane, settings: PeopleFitSettings) -> np.ndarray:
    """(N,) why nobody can stand there whatever the pose, "" where one may."""
    foot, size = _foot_and_size(seen.support)
    known = np.isfinite(seen.support).all(axis=1)
    # Supports are of ideal pixels already.
    pinhole = Camera(camera.K, camera.size_hw)
    ground = plane.intersect(pinhole, np.where(known[:, None], foot, camera.K[:2, 2]))
    reach = np.linalg.norm(plane.to_world(ground)[:, :2], axis=1)
    refusal = np.full(len(foot), "", dtype=object)
    refusal[~(np.isfinite(seen.theta).all(axis=(1, 2)) & np.isfinite(seen.beta).all(axis=1))] = "unseen"
    refusal[~(size >= settings.min_size_px)] = "too_small"
    refusal[~(known & np.isfinite(reach))] = "no_ground"
    refusal[reach > settings.max_range_m] = "too_far"
    return refusal


def _foot_and_size(support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the outline's bottom (N, 2) and the longer side of its box (N,), from supports (N, S)."""
    right, down, left, up = support[:, :: len(DIRECTIONS) // 4].T
    return np.stack([(right - left) / 2, down], axis=1), np.maximum(right + left, down + up)


def _chunks(rows: np.ndarray, track: np.ndarray) -> Iterator[np.ndarray]:
    """Rows, sorted by track, in blocks of whole tracks."""
    first = last = 0
    for end in [*np.flatnonzero(np.diff(track)) + 1, len(rows)]:
        if end - first > _CHUNK and last > first:
            yield rows[first:last]
            first = last
        last = end
    if last > first:
        yield rows[first:last]


class _Block:
    """Some whole tracks; `rows` are their observations."""

    def __init__(
        self, seen: PeopleSeen, rows: np.ndarray, camera: Camera, plane: GroundPlane, settings: PeopleFitSettings
    ) -> None:
        self.seen, self.rows, self.camera, self.plane, self.settings = seen, rows, camera, plane, settings
        self.track = np.unique(seen.track[rows], return_inverse=True)[1]
        self.foot, self.size = _foot_and_size(seen.support[rows])

    def fit(self, body: Body, prior: PosePrior, fits: PeopleFits) -> _Block:
        """Fit them and write what came out into their rows of the fits."""
        evidence = self.evidence(body)
        solver = PeopleSolver(evidence, body, Ground(self.camera, self.plane), prior, self.settings)
        self.write(solver.solve(self.start(evidence)).double(), evidence, body, fits)
        return self

    def evidence(self, body: Body) -> PeopleEvidence:
        """All there is to fit to."""
        s, seen = self.settings, self.seen
        xy, weight = self._keypoints()
        yaw, weight_yaw = self._headings()
        height = height_gain(body)
        along = height / np.linalg.norm(height)
        precision = np.eye(len(along)) / s.shape_sigma**2
        precision += np.outer(along, along) * (s.height_sigma**-2 - s.shape_sigma**-2)
        track, beta = torch.from_numpy(self.track), _float(np.clip(seen.beta[self.rows], -_MOST, _MOST))
        return PeopleEvidence(
            track=track,
            support=_float(seen.support[self.rows]),
            noise_px=_float(np.hypot(s.outline_noise_px, s.outline_noise_fraction * self.size)),
            size_px=_float(self.size),
            keypoints=_float(xy),
            keypoint_weight=_float(weight),
            heading=_float(yaw),
            heading_weight=_float(weight_yaw),
            body=_float(seen.theta[self.rows, 1:]),
            beta=per_track(beta, track, int(self.track.max()) + 1),
            beta_precision=_float(precision),
            height=_float(height),
        )

    def start(self, evidence: PeopleEvidence) -> BodyPose:
        """The network's pose, turned to where motion goes where the two contradict each other."""
        theta = torch.from_numpy(self.seen.theta[self.rows])
        root = torch.from_numpy(self.plane.R_cam_world.T) @ exp_so3(theta[:, 0])
        yaw = torch.atan2(root[:, 1, 2], root[:, 0, 2])
        lean = log_so3(upright(yaw).mT @ root)[:, ::2].clamp(-_MOST_LEAN, _MOST_LEAN)
        heading = evidence.heading.double()
        apart = torch.remainder(heading - yaw + np.pi, 2 * np.pi) - np.pi
        against = apart.abs() * evidence.heading_weight.sqrt() > _CONTRADICTION
        yaw = torch.where(against, heading, yaw)
        beta = evidence.beta[evidence.track]
        return BodyPose(theta[:, 1:].float(), lean.float(), yaw.float(), _float(self.foot), beta)

    def _keypoints(self) -> tuple[np.ndarray, np.ndarray]:
        """Ideal pixels (M, 17, 2) and inverse variances (M, 17), 0 where missing."""
        s, seen, middle = self.settings, self.seen, self.camera.K[:2, 2]
        if seen.keypoints is None or seen.score is None:
            unseen = (len(self.rows), len(COCO_17))
            return np.tile(middle, (*unseen, 1)), np.zeros(unseen)
        xy, score = seen.keypoints[self.rows], np.nan_to_num(seen.score[self.rows])
        used = (score >= s.min_score) & (np.abs(xy) < _FAR_PX).all(axis=-1)
        variance = s.keypoint_noise_px**2 + (s.keypoint_noise_fraction * self.size) ** 2
        xy = ideal(self.camera, np.where(used[..., None], xy, middle))
        return xy, np.where(used, score, 0.0) / variance[:, None]

    def _headings(self) -> tuple[np.ndarray, np.ndarray]:
        """Radians (M,) and inverse variances (M,), 0 where motion tells none."""
        seen = self.seen
        if seen.heading is None or seen.heading_sigma is None:
            return np.zeros(len(self.rows)), np.zeros(len(self.rows))
        yaw, sigma = seen.heading[self.rows], seen.heading_sigma[self.rows]
        known = np.isfinite(yaw) & np.isfinite(sigma)
        spread = np.where(known, sigma, 1.0) ** 2 + self.settings.turn_sigma_rad**2
        return np.where(known, yaw, 0.0), np.where(known, 1 / spread, 0.0)

    def write(self, pose: BodyPose, evidence: PeopleEvidence, body: Body, fits: PeopleFits) -> None:
        """What came out, in the tables' frames, and whether it holds."""
        rows, ground = self.rows, Ground(self.camera, self.plane, torch.float64)
        posed = about_pelvis(body, pose)
        lowest = posed.vertices[..., 2].amin(dim=1)
        vertices, joints, keypoints = (ground.stood(points, lowest, pose.foot) for points in posed)
        rotations = pose.rotations()
        rest = body.joints_only(rotations, pose.beta)[0][:, 0]
        fits.theta[rows] = torch.cat([log_so3(ground.R @ rotations[:, 0])[:, None], pose.body], dim=1).numpy()
        fits.beta[rows], fits.transl[rows] = pose.beta.numpy(), (ground.to_camera(joints[:, 0]) - rest).numpy()
        fits.keypoints_3d[rows] = ground.to_camera(keypoints).numpy()
        places = [self.plane.pose(xy, yaw) for xy, yaw in zip(joints[:, 0, :2].numpy(), pose.yaw.numpy(), strict=True)]
        fits.R[rows], fits.t[rows] = np.stack([R for R, _ in places]), np.stack([t for _, t in places])
        fits.height_m[rows] = standing_height(body, pose.beta)
        off = supports(ground.project(vertices))[0] - evidence.support
        fits.residual_px[rows] = off.square().mean(dim=1).sqrt().numpy()
        fits.covariance[rows] = self._covariance(vertices, joints[:, 0], evidence, ground)
        self._write_extent(ground.to_camera(vertices).numpy(), fits)
        fits.refusal[rows] = self._refusals(fits)

    def _write_extent(self, vertices: np.ndarray, fits: PeopleFits) -> None:
        """How large bodies (M, V, 3), camera frame, are in their own frames and in the image, where the lens counts."""
        rows = self.rows
        own = (vertices - fits.t[rows, None]) @ fits.R[rows]
        fits.dims_lwh_m[rows] = np.ptp(own, axis=1)
        for row, points in zip(rows, own, strict=True):
            fits.footprint[row] = footprint_of(points)
        pixels = pixel_to_edge(self.camera.project(vertices))
        fits.box_xywh[rows] = np.concatenate([pixels.min(axis=1), np.ptp(pixels, axis=1)], axis=1)

    def _covariance(self, world: Tensor, pelvis: Tensor, evidence: PeopleEvidence, ground: Ground) -> np.ndarray:
        """(M, 3, 3) of place and yaw of bodies (M, V, 3), world frame, from the normal equations of their outlines.

        The outline moves as its farthest points do: with the place, with a turn about the pelvis, and with the height,
        which the other observations of the track tell as well. Motion and the network tell the heading.
        """
        s, (support, which) = self.settings, supports(ground.project(world))
        points = torch.gather(world, 1, which[..., None].expand(-1, -1, 3))  # (M, S, 3)
        offset = points - pelvis[:, None]
        zero = torch.zeros_like(offset[..., 0])
        moves = [
            torch.stack([zero + 1, zero, zero], dim=-1),
            torch.stack([zero, zero + 1, zero], dim=-1),
            torch.stack([-offset[..., 1], offset[..., 0], zero], dim=-1),
            torch.stack([zero, zero, points[..., 2]], dim=-1),
        ]
        directions = torch.from_numpy(DIRECTIONS)
        here = ground.project(points)
        step = 1e-3
        slopes = [((ground.project(points + step * m) - here) / step * directions).sum(dim=-1) for m in moves]
        jacobian = torch.stack(slopes, dim=-1)  # (M, S, 4)
        residual = (support - evidence.support) / evidence.noise_px[:, None]
        weight = _SAMPLES / len(DIRECTIONS) / evidence.noise_px[:, None] ** 2 / (1 + (residual / s.robust_scale) ** 2)
        normal = torch.einsum("msi,ms,msj->mij", jacobian, weight.double(), jacobian)
        heading = evidence.heading_weight.double() + s.turn_sigma_rad**-2
        normal[:, 2, 2] += heading
        normal[:, 3, 3] += _HEIGHT_SIGMA**-2
        return torch.linalg.inv(normal)[:, :3, :3].numpy()

    def _refusals(self, fits: PeopleFits) -> np.ndarray:
        """(M,) why each fit is refused, "" where it is not."""
        s, rows = self.settings, self.rows
        worst = s.max_residual_fraction * self.size + s.outline_noise_px
        reasons = {
            "behind_camera": ~np.isfinite(fits.box_xywh[rows]).all(axis=1),
            "residual": ~(fits.residual_px[rows] <= worst),
            "height": ~((fits.height_m[rows] >= s.min_person_m) & (fits.height_m[rows] <= s.max_person_m)),
            "too_far": ~(np.linalg.norm(fits.t[rows], axis=1) <= s.max_range_m),
        }
        refusal = np.full(len(rows), "", dtype=object)
        for reason, bad in reversed(reasons.items()):
            refusal[bad] = reason
        return refusal


def standing_height(body: Body, beta: Tensor) -> np.ndarray:
    """(N,) metres from sole to crown of shapes (N, 10) at rest."""
    heights = body(torch.zeros(len(beta), len(SMPL_24), 3).to(beta), beta).vertices[..., 1]
    return (heights.amax(dim=1) - heights.amin(dim=1)).numpy()


def height_gain(body: Body) -> np.ndarray:
    """(10,) metres of standing height that each coefficient adds."""
    steps = torch.cat([torch.eye(10), -torch.eye(10)]).double()
    heights = standing_height(body, steps)
    return (heights[:10] - heights[10:]) / 2


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()
