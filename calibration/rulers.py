"""People and vehicles as rulers: how large they come out under a calibration, and which one would make them usual.

Boxes are xywh in COCO's edges. A ratio is an implied size over the usual one, 1 for what is as large as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from calibration.camera import Camera, GroundPlane, edge_to_pixel
from calibration.ground import pixels_per_metre
from calibration.plausibility import roll_deg, tilt_deg

# Grown people with shoes, as they walk (NCD-RisC's adult means of 2019 are 1.59 to 1.71 m over the world's regions,
# 1.63 to 1.79 in Europe); passenger cars on European roads (ICCT's pocketbook: 4.4 m long, 1.8 m wide, 1.5 m high).
PERSON_M = 1.72
CAR_LWH_M = (4.4, 1.8, 1.5)
# How much one person's height and one vehicle's size differ from the usual, as logarithms, and how much the usual of a
# place may: a school, a street of vans.
_ONE = {True: 0.07, False: 0.15}
_PLACE = {True: 0.03, False: 0.05}
_TILT_PRIOR_RAD = np.radians(4.0)
_MOST_A_TRACK = 6
_LEAST_MOVED = 0.6  # of a box's longer side: a vehicle's heading is known where it has moved so far
_RANGE = (0.3, 3.0)  # ratios beyond are of something else
_LEAST_CAR = 0.6  # of a car's size: whatever moves and is less is a two-wheeler, or a part of a car
# Boxes are loose or cut by what hides a part, more so far away: no street tells height and tilt better than this.
_SYSTEMATIC = np.array([0.05, np.radians(1.0)])


@dataclass(frozen=True)
class Sightings:
    """N boxes of people and vehicles that are seen whole: box_xywh (N, 4), is_person (N,) bool, track (N,) ids, and
    later_px (N, 2), where the track's foot point is a little later or earlier, NaN where it stands still."""

    box_xywh: np.ndarray
    is_person: np.ndarray
    track: np.ndarray
    later_px: np.ndarray

    @property
    def foot_px(self) -> np.ndarray:
        """(N, 2) pixel centres of the middle of the boxes' bottom edges."""
        return edge_to_pixel(self.box_xywh[:, :2] + self.box_xywh[:, 2:] * [0.5, 1.0])

    def at(self, rows: np.ndarray) -> Sightings:
        """The rows of an index."""
        return Sightings(self.box_xywh[rows], self.is_person[rows], self.track[rows], self.later_px[rows])


@dataclass(frozen=True)
class Evidence:
    """What people and vehicles say of a calibration. people, vehicles: ratios, one a track; height_m, tilt_deg: what
    would make them usual, with standard deviations; tells_tilt: whether the tilt given is off by more than chance."""

    people: np.ndarray
    vehicles: np.ndarray
    height_m: float
    height_sd_m: float
    tilt_deg: float
    tilt_sd_deg: float
    tells_height: bool
    tells_tilt: bool


def sightings(
    box_xywh: np.ndarray, is_person: np.ndarray, track: np.ndarray, order: np.ndarray, size_hw: tuple[int, int]
) -> Sightings:
    """Of all boxes (N, 4) of tracks, those that the picture's border does not cut, at most six a track.

    order (N,): frame numbers. What is hidden in part is among them; medians bear that.
    """
    (height, width), (x, y, w, h) = size_hw, box_xywh.T
    inside = (x > 2) & (y > 2) & (x + w < width - 2) & (y + h < height - 2) & (track >= 0)
    foot = edge_to_pixel(box_xywh[:, :2] + box_xywh[:, 2:] * [0.5, 1.0])
    rows, later = [], []
    for one in np.unique(track[inside]):
        mine = np.flatnonzero(inside & (track == one))
        mine = mine[np.argsort(order[mine], kind="stable")]
        for i in mine[np.unique(np.linspace(0, len(mine) - 1, min(len(mine), _MOST_A_TRACK)).astype(int))]:
            moved = np.linalg.norm(foot[mine] - foot[i], axis=1) > _LEAST_MOVED * max(w[i], h[i])
            # The nearest in time that is far enough off: roads bend.
            far = mine[moved]
            rows.append(i)
            later.append(foot[far[np.abs(order[far] - order[i]).argmin()]] if len(far) else [np.nan, np.nan])
    chosen = np.array(rows, int)
    return Sightings(box_xywh[chosen], is_person[chosen], track[chosen], np.array(later, float).reshape(-1, 2))


def ratios(camera: Camera, plane: GroundPlane, seen: Sightings) -> np.ndarray:
    """(N,) implied size over the usual one: of people their height, of vehicles that move their cuboid's scale.

    NaN above the horizon, and for vehicles whose heading is not known.
    """
    found = np.full(len(seen.track), np.nan)
    people, vehicles = np.flatnonzero(seen.is_person), np.flatnonzero(~seen.is_person)
    up_px = pixels_per_metre(camera, plane, seen.foot_px[people])[:, 1]
    found[people] = seen.box_xywh[people, 3] / up_px / PERSON_M
    found[vehicles] = _cuboid_scale(camera, plane, seen.at(vehicles))
    return np.where((found > _RANGE[0]) & (found < _RANGE[1]), found, np.nan)


def _cuboid_scale(camera: Camera, plane: GroundPlane, seen: Sightings) -> np.ndarray:
    """(N,) by which a usual car, heading where it moves, must be scaled to fill its box (by the root of the area)."""
    foot = plane.to_world(plane.intersect(camera, seen.foot_px))
    ahead = plane.to_world(plane.intersect(camera, seen.later_px)) - foot
    yaw = np.arctan2(ahead[:, 1], ahead[:, 0])
    scale, centre = np.ones(len(yaw)), foot[:, :2].copy()
    for _ in range(8):
        box = _box_of(camera, plane, centre, yaw, scale)
        bottom = edge_to_pixel(np.stack([box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3]], axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = scale * np.sqrt(seen.box_xywh[:, 2] * seen.box_xywh[:, 3] / (box[:, 2] * box[:, 3]))
        centre = centre + foot[:, :2] - plane.to_world(plane.intersect(camera, bottom))[:, :2]
        scale = np.where((scale > 0.05) & (scale < 20), scale, np.nan)
    return scale


def cuboid(centre_m: np.ndarray, yaw: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(N, 8, 3) world corners of usual cars about ground points (N, 2), the lower four first."""
    length, width, height = CAR_LWH_M
    x, y = np.array([1, 1, -1, -1]) * length / 2, np.array([1, -1, -1, 1]) * width / 2
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    flat = np.stack([cos * x - sin * y, sin * x + cos * y], axis=2) * scale[:, None, None] + centre_m[:, None]
    up = np.concatenate([np.zeros((len(yaw), 4, 1)), (height * scale)[:, None, None] * np.ones((1, 4, 1))], axis=1)
    return np.concatenate([np.concatenate([flat, flat], axis=1), up], axis=2)


def _box_of(camera: Camera, plane: GroundPlane, centre: np.ndarray, yaw: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(N, 4) xywh of the cuboids' pictures."""
    pixels = camera.project(plane.to_camera(cuboid(centre, yaw, scale))) + 0.5
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    return np.concatenate([low, high - low], axis=1)


def weigh(camera: Camera, plane: GroundPlane, seen: Sightings) -> Evidence | None:
    """What the sightings say; None where none of them can be measured."""
    seen = _whole(camera, plane, seen)
    by_track = _medians(ratios(camera, plane, seen), seen)
    known = np.flatnonzero(np.isfinite(by_track[1]))
    if not len(known):
        return None
    person, ratio = by_track[0][known], by_track[1][known]
    x, covariance = _fitted(camera, plane, seen, tilts=True)
    sd = np.hypot(np.sqrt(np.diag(covariance)), _SYSTEMATIC)
    tells_tilt = bool(abs(x[1]) > 3 * sd[1])
    if not tells_tilt:  # then the height is asked for as if the tilt were right
        x, covariance = _fitted(camera, plane, seen, tilts=False)
        sd = np.hypot(np.sqrt(np.diag(covariance)), _SYSTEMATIC)
    better = _changed(plane, x)
    return Evidence(
        ratio[person], ratio[~person], better.d, float(sd[0] * better.d), tilt_deg(better), float(np.degrees(sd[1])),
        tells_height=bool(abs(x[0]) > 1.6 * sd[0]), tells_tilt=tells_tilt,
    )  # fmt: skip


def _whole(camera: Camera, plane: GroundPlane, seen: Sightings) -> Sightings:
    """Of each track the half of its boxes in which it comes out larger: what hides a part makes a box smaller."""
    ratio = ratios(camera, plane, seen)
    ratio[~seen.is_person & (ratio < _LEAST_CAR)] = np.nan
    rows = [np.flatnonzero((seen.track == one) & np.isfinite(ratio)) for one in np.unique(seen.track)]
    larger = [mine[ratio[mine] >= np.median(ratio[mine])] for mine in rows if len(mine)]
    return seen.at(np.concatenate([np.zeros(0, int), *larger]))


def _medians(ratio: np.ndarray, seen: Sightings) -> tuple[np.ndarray, np.ndarray]:
    """Of each track whether it is a person (T,), and its median ratio (T,)."""
    tracks, first, number = np.unique(seen.track, return_index=True, return_inverse=True)
    middle = np.full(len(tracks), np.nan)
    for one in range(len(tracks)):
        mine = ratio[(number == one) & np.isfinite(ratio)]
        if len(mine):
            middle[one] = np.median(mine)
    return seen.is_person[first], middle


def _changed(plane: GroundPlane, x: np.ndarray) -> GroundPlane:
    """The plane with ln height and tilt (radians) changed by x."""
    return GroundPlane.from_tilt(
        tilt_deg(plane) + float(np.degrees(x[1])), roll_deg(plane), plane.d * float(np.exp(x[0]))
    )


def _fitted(camera: Camera, plane: GroundPlane, seen: Sightings, *, tilts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Changes of ln height and tilt (0 unless it `tilts`) that make sizes usual, robustly, and their covariance (2, 2).

    Each box counts by its track's number of boxes, so that a track is one witness; what is usual at this place, of
    people and of vehicles, is fitted with them under a prior.
    """
    _, number, count = np.unique(seen.track, return_inverse=True, return_counts=True)
    spread = np.where(seen.is_person, _ONE[True], _ONE[False]) * np.sqrt(count[number])
    free = np.array([True, tilts, True, True])

    def residuals(some: np.ndarray) -> np.ndarray:
        x = np.zeros(4)
        x[free] = some
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.log(ratios(camera, _changed(plane, x), seen)) - np.where(seen.is_person, x[2], x[3])
        prior = [x[1] / _TILT_PRIOR_RAD, x[2] / _PLACE[True], x[3] / _PLACE[False]]
        return np.concatenate([np.nan_to_num(off / spread, nan=1.0), prior])

    down = np.radians(max(tilt_deg(plane) - 0.5, 0.1))
    low, high = np.array([-3, -down, -1, -1]), np.array([3, 0.7, 1, 1])
    found = optimize.least_squares(
        residuals, np.zeros(free.sum()), loss="soft_l1", bounds=(low[free], high[free]), diff_step=1e-4, max_nfev=15
    )
    x, covariance = np.zeros(4), np.zeros((4, 4))
    x[free] = found.x
    covariance[np.ix_(free, free)] = np.linalg.pinv(found.jac.T @ found.jac)
    return x[:2], covariance[:2, :2]


def sentence(camera: Camera, plane: GroundPlane, seen: Sightings) -> str:
    """What people and vehicles say of the calibration, for people."""
    found = weigh(camera, plane, seen)
    if found is None:
        return "no one is seen whole on the ground to measure the calibration by"
    said = [_deviation("people", "tall", found.people), _deviation("cars", "large", found.vehicles)]
    said = [one for one in said if one]
    told = ", ".join(said)
    if found.tells_tilt:
        return (
            f"{told}, and far ones otherwise than near ones: the tilt is probably {found.tilt_deg:.1f} degrees, not "
            f"{tilt_deg(plane):.1f}, and the height {found.height_m:.1f} m, not {plane.d:.1f}"
        )
    if found.tells_height:
        return f"{told}: the height is probably {found.height_m:.1f} m, not {plane.d:.1f}"
    return f"{told}: the calibration agrees with them"


def _deviation(who: str, how: str, ratio: np.ndarray) -> str:
    if not len(ratio):
        return ""
    off = float(np.median(ratio)) - 1
    size = f"{abs(off):.0%} too {how if off > 0 else {'tall': 'short', 'large': 'small'}[how]}"
    return f"{who} come out {size if abs(off) >= 0.02 else 'as they should'} ({len(ratio)} tracks)"
