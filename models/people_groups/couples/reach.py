"""Hands brought to where they touch: the place on the partner's skin and the bend of the arm that hit least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from models.people_groups.couples.contact import ARM, KIND, LEG, TRUNK, signed_distance, skin_scene
from models.people_groups.couples.figure import Figure
from models.people_groups.couples.meetings import FIRST, Clasp, Touch
from pipeline.core.mesh import cast
from pipeline.simulate.people.gait import ARMS

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

_HAND_M = 0.085  # from the wrist to what a hand holds
_ARM_M = 0.055  # radius of a sleeve
_SWIVELS = np.radians(np.arange(-140, 141, 20))  # of the elbow about the line from shoulder to wrist
_ROUND = np.radians([0, 15, -15, 30, -30, 50, -50, 70, -70])  # of the place about the bone that is touched
_BESIDE = np.array([0.0, 0.35, -0.35])  # of the bone's length, along it
_ALONG = np.array([0.15, 0.45, 0.75, 1.0])  # of upper arm and forearm, where they are compared with the partner's skin
_REACH = 0.985


def touching(figure: Figure, other: Figure, touch: Touch, *, arms_too: bool) -> Figure:
    """The figure with a hand laid on the other's skin; `arms_too`: not through the other's arms, either."""
    a, b = touch.bone
    bone = other.joints[b] - other.joints[a]
    frame = other.R @ other.G[9] if touch.chest else other.R
    towards = frame @ np.array(touch.towards)
    towards /= np.linalg.norm(towards)
    turns = Rotation.from_rotvec(_ROUND[:, None] * bone / np.linalg.norm(bone)).as_matrix()
    rays = np.tile(turns @ towards, (len(_BESIDE), 1))  # (T, 3)
    axis = other.joints[a] + np.repeat(np.clip(touch.along + _BESIDE, 0, 1), len(_ROUND))[:, None] * bone
    kinds = (ARM,) if KIND[a] == ARM and KIND[b] == ARM else (TRUNK, LEG)
    hit = cast(skin_scene(other, kinds), axis + 0.6 * rays, -rays)["t_hit"]
    skin = axis + (0.6 - np.where(np.isfinite(hit), hit, 0.5))[:, None] * rays
    targets = skin + touch.off_m * rays
    obstacles = [skin_scene(other, (TRUNK, LEG, ARM) if arms_too else (TRUNK, LEG)), skin_scene(figure, (TRUNK,))]
    which, elbow = _best_bend(figure, touch.side, targets, figure.R @ np.array(touch.elbow), obstacles)
    return figure.reaching(touch.side, targets[which], elbow).with_palm(touch.side, -rays[which])


def _best_bend(
    figure: Figure, side: int, targets: np.ndarray, elbow: np.ndarray, obstacles: Sequence[RaycastingScene]
) -> tuple[int, np.ndarray]:
    """Which of the targets (T, 3), and where (3,) the elbow points, so that the arm passes least through obstacles."""
    _, shoulder, middle, wrist, _ = ARMS[side]
    upper, fore = (np.linalg.norm(figure.rest[q] - figure.rest[p]) for p, q in ((shoulder, middle), (middle, wrist)))
    start = figure.joints[shoulder]
    away = targets - start
    far = np.linalg.norm(away, axis=1)
    line = away / far[:, None]
    distance = np.clip(far, abs(upper - fore) + 0.05, _REACH * (upper + fore))
    off = elbow - (line @ elbow)[:, None] * line
    off /= np.maximum(np.linalg.norm(off, axis=1, keepdims=True), 1e-9)
    across = np.cross(line, off)
    foot = (upper**2 - fore**2 + distance**2) / (2 * distance)
    height = np.sqrt(np.maximum(upper**2 - foot**2, 0))
    swung = np.cos(_SWIVELS)[:, None, None] * off + np.sin(_SWIVELS)[:, None, None] * across  # (S, T, 3)
    elbows = start + foot[:, None] * line + height[:, None] * swung
    wrists = np.broadcast_to(start + distance[:, None] * line, elbows.shape)
    hands = wrists + (wrists - elbows) * (0.5 * _HAND_M / fore)
    upper_arm = start + _ALONG[1:, None, None, None] * (elbows - start)
    forearm = elbows + _ALONG[:, None, None, None] * (wrists - elbows)
    points = np.concatenate([upper_arm, forearm, hands[None]])  # (P, S, T, 3)
    # The wrist and the hand are to touch: they may be as near as that.
    least = np.full((len(points), 1, 1), _ARM_M)
    least[-2:] = 0.025
    others = signed_distance(obstacles[0], points)
    own = signed_distance(obstacles[1], points[3:])
    cost = np.maximum(least - others, 0).sum(axis=0) + 0.5 * np.maximum(0.03 - own, 0).sum(axis=0)
    cost += 0.04 * (_SWIVELS[:, None] / np.pi) ** 2 + np.maximum(far - distance, 0)
    cost += np.repeat(0.02 * (_BESIDE != 0), len(_ROUND)) + np.tile(0.04 * np.abs(_ROUND), len(_BESIDE))
    swivel, which = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(which), swung[swivel, which]


def clasping(figures: Sequence[Figure], clasp: Clasp) -> list[Figure]:
    """Both figures with a hand at the same place, each on its own shoulder's side of it."""
    place = figures[FIRST].to_world(np.array(clasp.at) * figures[FIRST].person.height_m)
    reached = []
    for figure, side, elbow in zip(figures, clasp.sides, clasp.elbows, strict=True):
        shoulder = figure.joints[ARMS[side][1]]
        back = (shoulder - place) / np.linalg.norm(shoulder - place)
        reached.append(figure.reaching(side, place + _HAND_M * back, figure.R @ np.array(elbow)))
    return reached
