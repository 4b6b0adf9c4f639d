"""Place every cutout on the ground: where it stands, which way it faces, how large it is, where its keypoints are.

First version: a hull of typical proportions is fitted to the mask's outline, with one size a track. World frame of
the ground plane, metres; yaw radians from world x towards y. `fit_residual_px` is the root mean square distance
between the supporting lines of the mask's outline and of the model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from pipeline.core.tables import KEYPOINT_STATES, RECONSTRUCTED, matrix
from pipeline.reconstruction.headings import Headings, HeadingSettings, find_headings
from pipeline.reconstruction.shape_priors import KINDS_OF, states_alone
from pipeline.reconstruction.support_function import DIRECTIONS, Fit, HullModel, Targets, outline_of_mask
from pipeline.reconstruction.uncertainty import footprint_of, ground_covariance

Progress = Callable[[int, int], None]
_BATCH = 1024  # outlines fitted at a time: bounds the memory
_FIRST_ITERATIONS, _ITERATIONS = 4, 8
_PURSUED = 2
# What a heading costs that is not the one motion tells: as much as an outline off by its noise on half of its samples.
_AGAINST_MOTION = 4.0
_RIGID_SIGMA = 1e-3  # logarithm: a vehicle is as large in every frame
# Reasons in RECONSTRUCTED's `refusal`, the first that applies, and what they mean.
REFUSALS = {
    "no_ground": "its foot does not see the ground",
    "notched": "its outline has deeper notches than one vehicle has",
    "outline": "no model of its kind has its outline",
    "height": "no person is as tall or as short",
    "against_motion": "it would face away from where it goes",
    "other_shape": "the rest of its track has another shape",
    "behind_camera": "it would stand behind the camera",
    "unsure": "where it stands is not known well enough",
    "too_far": "it stands too far away",
}


@dataclass(frozen=True)
class ReconstructSettings:
    """How well outlines measure, and which fits are refused."""

    outline_noise_px: float = field(default=1.0, metadata={"help": "how far an outline may be off, pixels"})
    outline_noise_fraction: float = field(
        default=0.015,
        metadata={
            "help": "the same in fractions of the mask's size: the model is no portrait",
            "formerly": "outline_noise_share",
        },
    )
    person_noise_fraction: float = field(
        default=0.08,
        metadata={
            "help": "the same for people, whose limbs the model does not follow",
            "formerly": "person_noise_share",
        },
    )
    lost_legs: float = field(
        default=3.0, metadata={"help": "how much farther people may reach below their masks than elsewhere, factor"}
    )
    track_size_sigma: float = field(
        default=0.02, metadata={"help": "how far a person's outline may be from its track's size, logarithm"}
    )
    max_residual_fraction: float = field(
        default=0.06,
        metadata={
            "help": "an outline farther off, in fractions of the mask's size, is refused",
            "formerly": "max_residual_share",
        },
    )
    max_person_residual_fraction: float = field(
        default=0.12, metadata={"help": "the same for people", "formerly": "max_person_residual_share"}
    )
    min_solidity: float = field(
        default=0.75, metadata={"help": "vehicles that fill less of their convex hull are two, or truncated; fraction"}
    )
    max_position_sigma_m: float = field(
        default=0.35,
        metadata={"help": "what is placed less confidently is refused: errors come to three times this, metres"},
    )
    max_range_m: float = field(default=150.0, metadata={"help": "farther than this nothing is placed, metres"})
    min_person_m: float = field(default=0.8, metadata={"help": "smaller people are refused, metres"})
    max_person_m: float = field(default=2.3, metadata={"help": "taller people are refused, metres"})
    heading: HeadingSettings = field(default_factory=HeadingSettings)


@dataclass(frozen=True)
class Outlined:
    """N cutouts of one category placed by their outlines, and what fits of more than outlines start from.

    cutouts: their rows of CUTOUTS, without pixels; table: of RECONSTRUCTED; headings: what motion gives; support
    (N, D): how far each mask reaches, as `pipeline.reconstruction.support_function` has it.
    """

    category: str
    cutouts: pa.Table
    table: pa.Table
    headings: Headings
    support: np.ndarray


def place_by_outline(
    category: str,
    cutouts: pa.Table,
    tracks: pa.Table,
    camera: Camera,
    plane: GroundPlane,
    settings: ReconstructSettings,
    progress: Progress | None = None,
) -> Outlined:
    """Those of a category among CUTOUTS (pixels not needed), in their order."""
    mine = cutouts.filter(pc.equal(cutouts["category"], category))
    if not len(mine):
        nobody = Headings(np.empty(0), np.empty(0), np.empty(0, bool))
        return Outlined(category, mine, RECONSTRUCTED.empty_table(), nobody, np.empty((0, len(DIRECTIONS))))
    fitter = _OutlineFitter(category, mine, camera, plane, settings)
    heading = find_headings(mine, tracks, camera, plane, settings.heading)
    kind, sigma_rad, fit = fitter.fit_kinds(heading, progress)
    fit = fitter.fit_tracks(kind, sigma_rad, fit)
    return Outlined(category, mine, _table(mine, fitter, kind, fit, heading), heading, fitter.support)


class _OutlineFitter:
    """Fits N cutouts; `foot` (N, 2) is the ground point under each box's bottom, `size_px` (N,) the mask's size."""

    def __init__(
        self, category: str, cutouts: pa.Table, camera: Camera, plane: GroundPlane, settings: ReconstructSettings
    ) -> None:
        self.category, self.camera, self.plane, self.settings = category, camera, plane, settings
        self.kinds = KINDS_OF[category]
        outlines = [outline_of_mask(rle, camera) for rle in cutouts["mask_rle"].to_pylist()]
        self.support = np.stack([o.support for o in outlines])
        self.size_px = np.sqrt([o.area_px for o in outlines])
        self.solidity = np.array([o.solidity for o in outlines])
        box = matrix(cutouts["bbox_xywh"], 4)
        bottom = edge_to_pixel(box[:, :2] + box[:, 2:] * [0.5, 1.0])
        foot = plane.to_world(plane.intersect(camera, bottom))[:, :2]
        self.grounded = np.isfinite(foot).all(axis=1) & (np.hypot(*foot.T) < settings.max_range_m)
        # Those that cannot stand anywhere are carried along at an arbitrary place and refused in the end.
        self.foot = np.where(self.grounded[:, None], foot, [0.0, 30.0])
        track = cutouts["track_id"].to_numpy()
        alone = -1 - np.arange(len(track))
        _, self.track = np.unique(np.where(track < 0, alone, track), return_inverse=True)
        # Hulls of different kinds have different numbers of points: repeating one changes nothing.
        most = max(len(k.points) for k in self.kinds)
        self.hulls = np.stack([np.pad(k.points, ((0, most - len(k.points)), (0, 0)), "edge") for k in self.kinds])

    def fit_kinds(self, heading: Headings, progress: Progress | None) -> tuple[np.ndarray, np.ndarray, Fit]:
        """Every kind and heading for each cutout: kind (N,) its track votes for, confidence in the heading (N,),
        fit."""
        guesses, each = heading.hypotheses(), len(self.kinds)
        row, yaw, sigma = (np.repeat(a, each) for a in (guesses.row, guesses.yaw, guesses.sigma))
        kind = np.tile(np.arange(each), len(guesses.row))
        price = np.repeat(guesses.against, each) * _AGAINST_MOTION
        sizes = np.log([k.size_m for k in self.kinds])[kind]
        expected = np.column_stack([self._start(row, yaw, np.exp(sizes)), yaw, sizes])
        spread = np.column_stack(
            [np.full((len(row), 2), np.inf), sigma, np.array([k.spread for k in self.kinds])[kind]]
        )
        fit = self._fit(row, kind, expected, spread, expected, _FIRST_ITERATIONS, progress)
        # Only the most promising headings of each kind are pursued.
        order = np.lexsort((fit.cost + price, kind, row))
        group = (row * each + kind)[order]
        kept = order[np.arange(len(group)) - np.searchsorted(group, group) < _PURSUED]
        row, kind, sigma, price = row[kept], kind[kept], sigma[kept], price[kept]
        fit = self._fit(row, kind, expected[kept], spread[kept], fit.parameters[kept], _ITERATIONS, None)
        cost = np.full((len(self.foot), each), np.inf)
        np.minimum.at(cost, (row, kind), fit.cost + price)
        votes = np.zeros((self.track.max() + 1, each))
        np.add.at(votes, self.track, cost)
        chosen = votes.argmin(axis=1)[self.track]
        # The cheapest of the chosen kind: first by cutout, then wrong kinds last, then by cost.
        order = np.lexsort((fit.cost + price, kind != chosen[row], row))
        best = order[np.searchsorted(row[order], np.arange(len(self.foot)))]
        return chosen, sigma[best], fit.at(best)

    def fit_tracks(self, kind: np.ndarray, sigma_rad: np.ndarray, fit: Fit) -> Fit:
        """Again with one size a track: the median of its cutouts, each counted by its confidence."""
        expected = fit.parameters.copy()
        for track in range(self.track.max() + 1):
            rows = np.flatnonzero(self.track == track)
            for column in (3, 4, 5):
                expected[rows, column] = _median(fit.parameters[rows, column], fit.sigma[rows, column] ** -2)
        spread = np.full(expected.shape, np.inf)
        rigid = self.category == "vehicle"
        spread[:, 2], spread[:, 3:] = sigma_rad, _RIGID_SIGMA if rigid else self.settings.track_size_sigma
        fit = self._fit(np.arange(len(kind)), kind, expected, spread, fit.parameters, _ITERATIONS, None)
        if rigid:
            fit.parameters[:, 3:] = expected[:, 3:]
        return fit

    def _start(self, row: np.ndarray, yaw: np.ndarray, size_m: np.ndarray) -> np.ndarray:
        """(H, 2) centres half the body's depth behind its foot, as seen from the camera."""
        foot = self.foot[row]
        view = foot / np.linalg.norm(foot, axis=1, keepdims=True)
        turn = yaw - np.arctan2(view[:, 1], view[:, 0])
        depth = np.abs(np.cos(turn)) * size_m[:, 0] + np.abs(np.sin(turn)) * size_m[:, 1]
        return foot + view * depth[:, None] / 2

    def _fit(
        self,
        row: np.ndarray,
        kind: np.ndarray,
        expected: np.ndarray,
        sigma: np.ndarray,
        start: np.ndarray,
        iterations: int,
        progress: Progress | None,
    ) -> Fit:
        s = self.settings
        person = self.category == "person"
        fraction = s.person_noise_fraction if person else s.outline_noise_fraction
        lost = s.lost_legs if person else 1.0
        noise = np.hypot(s.outline_noise_px, fraction * self.size_px)
        fits = []
        for first in range(0, len(row), _BATCH):
            part = slice(first, first + _BATCH)
            targets = Targets(self.support[row[part]], noise[row[part]], expected[part], sigma[part], lost)
            model = HullModel(self.camera, self.plane, self.hulls[kind[part]])
            fits.append(model.fit(targets, start[part], iterations))
            if progress:
                progress(min(first + _BATCH, len(row)), len(row))
        return Fit.concat(fits)

    def refusals(self, fit: Fit, heading: Headings) -> list[str | None]:
        """Why each cutout cannot be composed; None where it can."""
        s, height = self.settings, np.exp(fit.parameters[:, 5])
        person = self.category == "person"
        worst = s.max_person_residual_fraction if person else s.max_residual_fraction
        reasons = {
            "no_ground": ~self.grounded,
            "notched": ~np.full(len(height), person) & (self.solidity < s.min_solidity),
            "outline": fit.distance_px > worst * self.size_px + s.outline_noise_px,
            "height": person & ((height < s.min_person_m) | (height > s.max_person_m)),
            "behind_camera": fit.parameters[:, 1] < 0.5,
            "against_motion": heading.moving & ~person & (np.cos(fit.parameters[:, 2] - heading.yaw) < 0),
            "unsure": ~(np.hypot(fit.sigma[:, 0], fit.sigma[:, 1]) <= s.max_position_sigma_m),
            "too_far": np.hypot(*fit.parameters[:, :2].T) > s.max_range_m,
        }
        return [next((name for name, bad in reasons.items() if bad[i]), None) for i in range(len(height))]


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value at which half of the weight is reached."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, reached[-1] / 2)]])


def _table(cutouts: pa.Table, fitter: _OutlineFitter, kind: np.ndarray, fit: Fit, heading: Headings) -> pa.Table:
    """RECONSTRUCTED rows of the fits."""
    plane, camera, count = fitter.plane, fitter.camera, len(cutouts)
    dims = np.exp(fit.parameters[:, 3:])
    poses = [plane.pose(p[:2], p[2]) for p in fit.parameters]
    R, t = np.stack([R for R, _ in poses]), np.stack([t for _, t in poses])
    points = np.stack([fitter.kinds[k].keypoints for k in kind]) * dims[:, None]
    covariance = ground_covariance(fitter.category, fit.covariance[:, :3, :3], t, camera, plane)
    outlines = [footprint_of(fitter.kinds[k].points * size) for k, size in zip(kind, dims, strict=True)]
    points_cam = np.einsum("nij,nkj->nki", R, points) + t[:, None]
    pixels = camera.project(points_cam)
    states = states_alone(fitter.category, points, -np.einsum("nji,nj->ni", R, t), pixels, camera.size_hw)
    # A keypoint of typical proportions is as good as the outline fits, and no better than the heading.
    score = np.exp(-fit.distance_px / fitter.size_px / 0.05) * np.where(np.isfinite(heading.yaw), 1.0, 0.5)
    refusals = fitter.refusals(fit, heading)
    values = {
        name: cutouts[name] for name in ("cutout_id", "track_id", "frame_id", "bucket", "category", "subcategory")
    }
    values |= {
        "z_m": t[:, 2],
        "keypoints_2d": pixels.reshape(count, -1).tolist(),
        "keypoint_state": [[KEYPOINT_STATES[s] for s in row] for row in states],
        "keypoint_score": np.repeat(score[:, None], points.shape[1], axis=1).tolist(),
        "keypoints_3d": points_cam.reshape(count, -1).tolist(),
        "R": R.reshape(count, 9).tolist(),
        "t": t.tolist(),
        "dims_lwh_m": dims.tolist(),
        "footprint_m": [outline.ravel().tolist() for outline in outlines],
        "ground_cov": covariance.reshape(count, 9).tolist(),
        "fit_residual_px": fit.distance_px,
        "fit_ok": [reason is None for reason in refusals],
        "refusal": refusals,
    }
    columns = [values.get(f.name, [None] * count) for f in RECONSTRUCTED]
    arrays = [
        v if isinstance(v, pa.ChunkedArray) else pa.array(v, f.type)
        for v, f in zip(columns, RECONSTRUCTED, strict=True)
    ]
    return pa.table(arrays, schema=RECONSTRUCTED)
