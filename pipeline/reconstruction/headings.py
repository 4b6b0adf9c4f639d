"""Which way each cutout faces, estimated from how it, its track or its neighbours move over the ground.

Headings are radians from world x towards y; NaN where nothing tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.spatial import cKDTree

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from pipeline.core.tables import matrix

# Tried about a heading, which a turn or a jump of the box falsifies, and all around where nothing tells.
_ABOUT = np.arange(-4, 5) * np.pi / 8
_AROUND = np.arange(16) * np.pi / 8
_GRID_SIGMA = np.pi / 16
# Velocities are slopes over about a second: so far on either side feet have to lie on the line that one claims.
_LINE_S = 0.5


@dataclass(frozen=True)
class HeadingSettings:
    """When motion tells a heading."""

    min_speed_mps: float = field(default=1.0, metadata={"help": "slower vehicles do not show it, metres a second"})
    min_person_mps: float = field(default=0.4, metadata={"help": "slower people do not show it, metres a second"})
    foot_noise_px: float = field(default=1.5, metadata={"help": "how far a box's bottom may be off, pixels"})
    sigma_deg: float = field(
        default=4.0, metadata={"help": "how far a moving object's heading may be off, standard deviation, degrees"}
    )
    neighbour_m: float = field(
        default=2.5, metadata={"help": "what stands faces as those do that moved within this distance, metres"}
    )


@dataclass(frozen=True)
class Headings:
    """yaw (N,) and its sigma (N,) radians; moving (N,) bool: estimated at the very moment of the cutout."""

    yaw: np.ndarray
    sigma: np.ndarray
    moving: np.ndarray

    def hypotheses(self) -> Hypotheses:
        """The heading of each row, and those about it in case it is wrong; all around where there is none."""
        parts = []
        for i, (yaw, sigma, moving) in enumerate(zip(self.yaw, self.sigma, self.moving, strict=True)):
            around = yaw + _ABOUT if moving else _AROUND
            known = [yaw] if np.isfinite(yaw) else []
            tries = np.append(known, around)
            sigmas = np.append([sigma] * len(known), np.full(len(around), _GRID_SIGMA))
            against = np.isfinite(yaw) & (np.arange(len(tries)) >= len(known))
            parts.append((np.full(len(tries), i), tries, sigmas, against))
        return Hypotheses(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Hypotheses:
    """H headings to try: of row (H,), yaw (H,) with its sigma (H,); against (H,) bool what motion tells."""

    row: np.ndarray
    yaw: np.ndarray
    sigma: np.ndarray
    against: np.ndarray


def find_headings(
    cutouts: pa.Table, tracks: pa.Table, camera: Camera, plane: GroundPlane, settings: HeadingSettings
) -> Headings:
    """Of each cutout: its own motion, else that of its track at the nearest time, else its neighbours'."""
    seen = _Motion(tracks, camera, plane, settings)
    track, time_s = cutouts["track_id"].to_numpy(), _seconds(cutouts)
    foot, person = matrix(cutouts["foot_xy_m"], 2), _is_person(cutouts)
    yaw, sigma = np.full(len(track), np.nan), np.full(len(track), np.pi)
    moving = np.zeros(len(track), bool)
    for i in range(len(track)):
        mine = seen.of_track(int(track[i]))
        if len(mine):
            nearest = mine[np.argmin(np.abs(seen.time_s[mine] - time_s[i]))]
            apart = np.linalg.norm(seen.foot[nearest] - foot[i])
            moving[i] = seen.time_s[nearest] == time_s[i]
            # What has since moved on may have turned.
            turned = np.radians(2.0) * (apart if np.isfinite(apart) else 0.0)
            yaw[i], sigma[i] = seen.yaw[nearest], np.hypot(seen.sigma[nearest], min(turned, np.pi / 8))
        elif not person[i] and np.isfinite(foot[i]).all():
            yaw[i], sigma[i] = seen.around(foot[i])
    return Headings(yaw, sigma, moving)


class _Motion:
    """Those rows of TRACKS whose motion tells their heading."""

    def __init__(self, tracks: pa.Table, camera: Camera, plane: GroundPlane, settings: HeadingSettings) -> None:
        self.settings = settings
        velocity, foot = matrix(tracks["velocity_xy_mps"], 2), matrix(tracks["foot_xy_m"], 2)
        person = _is_person(tracks)
        box = matrix(tracks["bbox_xywh"], 4)
        noise = _noise_m(box, camera, plane, settings.foot_noise_px)
        noise = _line_noise(tracks["track_id"].to_numpy(), _seconds(tracks), foot, velocity, noise)
        speed = np.hypot(*velocity.T)
        least = np.where(person, settings.min_person_mps, settings.min_speed_mps)
        with np.errstate(invalid="ignore"):
            tells = (speed > least) & (speed > 2 * noise) & (tracks["track_id"].to_numpy() >= 0)
        self.track = tracks["track_id"].to_numpy()[tells]
        self.time_s, self.foot, self.person = _seconds(tracks)[tells], foot[tells], person[tells]
        self.yaw = np.arctan2(velocity[tells, 1], velocity[tells, 0])
        self.sigma = np.hypot(np.radians(settings.sigma_deg), np.arctan(0.5 * noise[tells] / speed[tells]))
        self._order = np.argsort(self.track, kind="stable")
        self._sorted = self.track[self._order]
        self._vehicles = np.flatnonzero(~self.person & np.isfinite(self.foot).all(axis=1))
        self._tree = cKDTree(self.foot[self._vehicles]) if len(self._vehicles) else None

    def of_track(self, track_id: int) -> np.ndarray:
        """Rows of one track."""
        first, last = np.searchsorted(self._sorted, [track_id, track_id + 1])
        return self._order[first:last]

    def around(self, foot_xy_m: np.ndarray) -> tuple[float, float]:
        """Heading and its sigma of the vehicles that passed here; NaN where they do not agree."""
        near = [] if self._tree is None else self._tree.query_ball_point(foot_xy_m, self.settings.neighbour_m)
        if len(near) < 3:
            return np.nan, np.pi
        directions = np.exp(1j * self.yaw[self._vehicles[near]]).mean()
        if abs(directions) < 0.9:
            return np.nan, np.pi
        return float(np.angle(directions)), float(np.radians(12.0))


def _noise_m(box_xywh: np.ndarray, camera: Camera, plane: GroundPlane, noise_px: float) -> np.ndarray:
    """(N,) metres on the ground that the box's bottom may be off; infinite at the horizon."""
    bottom = edge_to_pixel(box_xywh[:, :2] + box_xywh[:, 2:] * [0.5, 1.0])
    moved = plane.intersect(camera, bottom) - plane.intersect(camera, bottom - [0.0, noise_px])
    distance = np.linalg.norm(moved, axis=1)
    return np.where(np.isfinite(distance), distance, np.inf)


def _line_noise(
    track: np.ndarray, time_s: np.ndarray, foot: np.ndarray, velocity: np.ndarray, noise_m: np.ndarray
) -> np.ndarray:
    """(N,) metres a second that each row's velocity (N, 2) may be off: the standard error of the slope through its
    track's feet (N, 2) within _LINE_S, which are off by noise_m (N,), or by as much as they are seen to be.

    Two objects in one mask for a moment, and feet jump; at a track's ends few feet make a steep slope of little. Of a
    row that is alone, noise_m over one second.
    """
    order = np.lexsort((time_s, track))[np.count_nonzero(track < 0) :]
    found = np.array(noise_m, float)
    track, time_s, foot, velocity = track[order], time_s[order], foot[order], velocity[order]
    count, off, late, late2 = np.ones(len(track)), *np.zeros((3, len(track)))
    for ahead in range(1, len(track)):
        later = time_s[ahead:] - time_s[:-ahead]
        near = np.flatnonzero((track[ahead:] == track[:-ahead]) & (later <= _LINE_S))
        if not len(near):
            break
        apart, after = foot[near + ahead] - foot[near], later[near]
        for row, sign in ((near, 1), (near + ahead, -1)):
            from_line = ((apart - velocity[row] * after[:, None]) ** 2).sum(axis=1)
            known = np.isfinite(from_line)
            for total, more in ((count, 1.0), (off, from_line), (late, sign * after), (late2, after**2)):
                np.add.at(total, row[known], np.broadcast_to(more, len(row))[known])
    others = count > 1
    spread_s = np.sqrt(late2 - late**2 / count, where=others, out=np.ones(len(track)))
    seen_m = np.sqrt(off / np.maximum(count - 1, 1))
    found[order] = np.fmax(found[order], seen_m) / np.minimum(spread_s, 1.0)
    return found


def _seconds(table: pa.Table) -> np.ndarray:
    return table["timestamp"].cast(pa.int64()).to_numpy() / 1e6


def _is_person(table: pa.Table) -> np.ndarray:
    return pc.equal(table["category"], "person").to_numpy()
