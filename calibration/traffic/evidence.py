"""How far tracks are from what a camera would see of usual people and cars: residuals over standard deviations.

Parameters are a vector p: ln focal, tilt, roll (radians), ln height, k1, the place's own mean sizes (people's height;
cars' length, width, height) and walking speed as logarithms of what is usual, and the main directions' yaws. Each track
has sizes of its own, s (T, 3): logarithms of what is usual at the place; of people only the first is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.forms.poses import camera_of_focal
from calibration.rulers import CAR_LWH_M, PERSON_M
from calibration.traffic.outlines import PERSON, Boxes, placed
from calibration.traffic.tracks import POINT, Tracks

FOCAL, TILT, ROLL, HEIGHT, K1, STATURE, SIZES, SPEED, YAWS = 0, 1, 2, 3, 4, 5, slice(6, 9), 9, 10
# People walk 1.34 m/s with a standard deviation of 0.26 (Weidmann, Transporttechnik der Fussgaenger, 1993).
WALK_MPS, _WALK = 1.34, 0.2
# One who walks keeps to a speed, but for halts; shorter steps than half of the own height tell too little.
_EVEN, _MOST_UNEVEN, _LEAST_STEP = 0.2, 2.5, 0.5
# How sizes vary from one to the next, as logarithms: people's heights (NCD-RisC: 0.04 among grown men or women, 0.05
# among both; some are young), and cars' lengths, widths and heights (from a city car's 3.6 x 1.65 x 1.5 m to a large
# estate's 4.95 x 1.88 x 1.45 m): what all share, and what each has of its own.
_PERSON_SD = 0.06
_CAR_SHARED, _CAR_OWN = np.array([0.07, 0.03, 0.02]), np.array([0.07, 0.03, 0.06])
# Boxes' sides: pixels, and a fraction: outlines are not of this very car, detectors are loose.
_SIDE_PX, _SIDE = 1.2, 0.03
# Who goes along a road departs from its direction by so many radians: people more than cars in their lanes.
_DRIFT = {True: 0.03, False: 0.006}
_BAD = 8.0  # standard deviations of what cannot be, as a box above the horizon


@dataclass(frozen=True)
class Distance:
    """So many metres between two pixels (2,) of the road."""

    start_px: np.ndarray
    end_px: np.ndarray
    metres: float


@dataclass(frozen=True)
class Seen:
    """Tracks, and the main direction that each goes in: group (T,), -1 for none."""

    tracks: Tracks
    group: np.ndarray

    def at(self, rows: np.ndarray) -> Seen:
        """The tracks of an index."""
        return Seen(self.tracks.at(rows), self.group[rows])


def camera_of(p: np.ndarray, size_hw: tuple[int, int]) -> tuple[Camera, GroundPlane]:
    """What the parameters say."""
    camera = camera_of_focal(float(np.exp(p[FOCAL])), size_hw, np.array([p[K1], 0, 0, 0, 0]))
    tilt, roll = np.degrees(p[[TILT, ROLL]])
    return camera, GroundPlane.from_tilt(float(tilt), float(roll), float(np.exp(p[HEIGHT])))


def size_precision(kind: np.ndarray) -> np.ndarray:
    """(T, 3, 3) inverse covariance of tracks' own sizes."""
    car = np.linalg.inv(np.outer(_CAR_SHARED, _CAR_SHARED) + np.diag(_CAR_OWN**2))
    person = np.diag([_PERSON_SD**-2.0, 1.0, 1.0])
    return np.where((kind == PERSON)[:, None, None], person, car)


def sizes_m(p: np.ndarray, s: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """(T, 3) metres of outlines: length, width, height; of people the height thrice."""
    person = PERSON_M * np.exp(p[STATURE] + s[:, :1])
    return np.where((kind == PERSON)[:, None], person, np.array(CAR_LWH_M) * np.exp(p[SIZES] + s))


def ground_yaw(camera: Camera, plane: GroundPlane, tracks: Tracks) -> np.ndarray:
    """(T, K) where each goes over the ground; NaN for who stands."""
    there = [plane.to_world(plane.intersect(camera, px))[..., :2] for px in (tracks.before_px, tracks.after_px)]
    way = there[1] - there[0]
    return np.where(np.linalg.norm(way, axis=-1) > 1e-6, np.arctan2(way[..., 1], way[..., 0]), np.nan)


def stands(p: np.ndarray, s: np.ndarray, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Ground points (T, K, 2) under the middles, and widths and heights (T, K, 2) in the picture, pixels."""
    tracks = seen.tracks
    camera, plane = camera_of(p, tracks.size_hw)
    yaw = ground_yaw(camera, plane, tracks)
    grouped = seen.group >= 0
    main = p[YAWS:][seen.group[grouped]][:, None] if grouped.any() else np.zeros((0, 1))
    yaw[grouped] = main + np.where(np.cos(yaw[grouped] - main) < 0, np.pi, 0.0)
    there = tracks.there
    kind = np.repeat(tracks.kind[:, None], there.shape[1], axis=1)[there]
    lwh = np.repeat(sizes_m(p, s, tracks.kind)[:, None], there.shape[1], axis=1)[there]
    boxes = Boxes(tracks.box_xywh[there], np.minimum(kind, 1))
    centre, side = np.full((*there.shape, 2), np.nan), np.full((*there.shape, 2), np.nan)
    found, side[there] = placed(camera, plane, boxes, np.nan_to_num(yaw[there]), lwh)
    plain = plane.to_world(plane.intersect(camera, boxes.bottom_px))[:, :2]
    centre[there] = np.where((kind == POINT)[:, None], plain, found)
    return centre, side


def residuals(p: np.ndarray, s: np.ndarray, seen: Seen) -> np.ndarray:
    """(T, R) of the tracks: their boxes' widths (K) and heights (K) as logarithms, how far each is beside the line that
    ends where its main direction vanishes (K), and walking speed (K); 0 where there is nothing to say."""
    tracks = seen.tracks
    centre, side = stands(p, s, seen)
    return np.concatenate([_of_sides(tracks, side), _beside(p, seen, centre), _of_speed(p, tracks, centre)], axis=1)


def _of_sides(tracks: Tracks, side: np.ndarray) -> np.ndarray:
    told = tracks.box_xywh[..., 2:]
    sized = tracks.there & (tracks.kind != POINT)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log(told / side) / np.hypot(_SIDE, _SIDE_PX / told)
    off = np.where(sized[..., None], np.nan_to_num(off, nan=_BAD, posinf=_BAD, neginf=-_BAD), 0.0)
    wide = np.where((tracks.kind == PERSON)[:, None], 0.0, off[..., 0])  # arms and legs swing
    return np.concatenate([wide, off[..., 1]], axis=1)


def _beside(p: np.ndarray, seen: Seen, centre: np.ndarray) -> np.ndarray:
    """(T, K), in the picture of an ideal lens."""
    tracks, out = seen.tracks, np.zeros(centre.shape[:2])
    rows = np.flatnonzero(seen.group >= 0)
    if not len(rows):
        return out
    camera, plane = camera_of(p, tracks.size_hw)
    focal = camera.K[0, 0]
    ground = np.concatenate([centre[rows], np.zeros((*centre.shape[:2], 1))[rows]], axis=2)
    at = plane.to_camera(ground)
    with np.errstate(invalid="ignore", divide="ignore"):
        pixel = np.where(at[..., 2:] > 0.1, focal * at[..., :2] / at[..., 2:], np.nan)
    there = tracks.there[rows]
    weight = (there & np.isfinite(pixel[..., 0])) / tracks.foot_sd_px[rows] ** 2
    weight = np.nan_to_num(weight)
    total = np.maximum(weight.sum(axis=1), 1e-12)
    middle = (np.nan_to_num(pixel) * weight[..., None]).sum(axis=1) / total[:, None]
    yaw = p[YAWS:][seen.group[rows]]
    ahead = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(yaw))], axis=1) @ plane.R_cam_world.T
    vanishing = np.column_stack([focal * ahead[:, :2], ahead[:, 2]])
    line = np.cross(np.column_stack([middle, np.ones(len(rows))]), vanishing)
    line /= np.maximum(np.linalg.norm(line[:, :2], axis=1, keepdims=True), 1e-9)
    off = (pixel * line[:, None, :2]).sum(axis=2) + line[:, 2:]
    drift = np.where(tracks.kind[rows] == PERSON, _DRIFT[True], _DRIFT[False])[:, None]
    sd = np.hypot(tracks.foot_sd_px[rows], drift * np.nan_to_num(np.linalg.norm(pixel - middle[:, None], axis=2)))
    off = off / np.where(there, sd, 1.0)
    out[rows] = np.where(there, np.clip(np.nan_to_num(off, nan=_BAD), -30, 30), 0.0)
    return out


def _of_speed(p: np.ndarray, tracks: Tracks, centre: np.ndarray) -> np.ndarray:
    """(T, K) of people who walk: how fast they are (1), and how evenly they are so, whichever way they go (K - 1)."""
    walked, took = np.linalg.norm(np.diff(centre, axis=1), axis=2), np.diff(tracks.time_s, axis=1)
    seen_px = np.linalg.norm(np.diff(tracks.foot_px, axis=1), axis=2)
    person = (tracks.kind == PERSON)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = person & (took > 0) & (seen_px > _LEAST_STEP * tracks.box_xywh[:, 1:, 3])
        speed = np.where(moved, np.log(walked / (WALK_MPS * took)), 0.0)
        sd = np.hypot(_EVEN, 1.4 * tracks.foot_sd_px[:, 1:] / seen_px)
    speed = np.clip(np.nan_to_num(speed, nan=3.0), -3, 3)
    weight = np.where(moved, 1 / sd**2, 0.0)
    mean = (weight * speed).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
    uneven = np.where(moved, (speed - mean[:, None]) / sd, 0.0)
    fast = np.where(moved.any(axis=1), (mean - p[SPEED]) / _WALK, 0.0)
    return np.column_stack([fast, np.clip(uneven, -_MOST_UNEVEN, _MOST_UNEVEN)])


def metres_between(p: np.ndarray, size_hw: tuple[int, int], distance: Distance) -> float:
    """Metres on the road between the distance's pixels; NaN where one is not on the road."""
    camera, plane = camera_of(p, size_hw)
    ends = plane.intersect(camera, np.stack([distance.start_px, distance.end_px]).astype(float))
    return float(np.linalg.norm(ends[1] - ends[0]))
