"""Compose one training crop: a vehicle before a backdrop, others behind and before it, the camera's faults, a box.

Canvas coordinates are COCO edges; a keypoint's state follows the simulator's truth: truncated outside the frame, else
self-occluded, else occluded where another object covers the vehicle there, else visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.crops import GROWN
from models.synthetic.canvas import Canvas, lay_street, resized, resized_wh, street_crop
from models.synthetic.sprites import SIDE_PX, Sprite
from models.synthetic.vehicle_shards import VehicleLibrary
from pipeline.core.skeletons import VEHICLE_12

VISIBLE, SELF_OCCLUDED, OCCLUDED, TRUNCATED = range(4)
_FLIP = list(VEHICLE_12.flip)
_ROOM = 1.8  # side of the canvas, in sides of the vehicle
_GOOD_BOX, _POOR_BOX = (0.035, 0.09), (0.1, 0.25)  # how far edges are off: standard deviation, most
_LARGEST_PX = 128  # a vehicle larger in the picture is composed at this size: the network sees no more of it


@dataclass(frozen=True)
class VehicleCrop:
    """image (H, W, 3) uint8 RGB; box_xywh (4,); keypoints (12, 2) edge px; state (12,) index of KEYPOINT_STATES;
    size_px: the vehicle's longer side in the imagined camera; zoom_xy (2,) and shift_xy (2,): edge px here are zoom
    times the sprite's plus shift."""

    image: np.ndarray
    box_xywh: np.ndarray
    keypoints: np.ndarray
    state: np.ndarray
    size_px: float
    zoom_xy: np.ndarray
    shift_xy: np.ndarray


@dataclass(frozen=True)
class Augmentation:
    """How often something stands before the vehicle, and how often the picture's border truncates it; its least size;
    how often its box is that of a poor detector; how often the road is wet."""

    occluded: float = 0.45
    truncated: float = 0.2
    least_px: float = 28.0
    poor_box: float = 0.0
    wet: float = 0.15


def flip_sprite(sprite: Sprite) -> Sprite:
    """The mirror image, in which right and left keypoints have changed places."""
    width = sprite.alpha.shape[1]
    points = sprite.keypoints[_FLIP].copy()
    points[:, 0] = width - points[:, 0]
    return Sprite(
        sprite.kind, sprite.seed, sprite.rgb[:, ::-1], sprite.alpha[:, ::-1], sprite.ground[:, ::-1], points,
        sprite.self_hidden[_FLIP], sprite.natural_px, sprite.px_per_m, sprite.sun, sprite.sky,
    )  # fmt: skip


def compose_vehicle(library: VehicleLibrary, rng: np.random.Generator) -> VehicleCrop:
    """One crop; the same generator state gives the same bytes."""
    sprite = library.vehicles[int(rng.integers(len(library.vehicles)))]
    if rng.uniform() < 0.5:
        sprite = flip_sprite(sprite)
    return composed(sprite, library, Augmentation(), rng)


def composed(
    sprite: Sprite, library: VehicleLibrary, augmentation: Augmentation, rng: np.random.Generator
) -> VehicleCrop:
    """One crop of this vehicle."""
    size = float(np.exp(rng.uniform(np.log(augmentation.least_px), np.log(360))))
    street = street_crop(library.backdrops, 64, rng)
    canvas = lay_street(sprite, SIDE_PX, _ROOM, min(size, _LARGEST_PX) / SIDE_PX, street, rng)
    for _ in range(rng.choice(3, p=[0.5, 0.3, 0.2])):
        _paste_other(canvas, sprite, library, rng, behind=True)
    colour, alpha = resized(sprite.rgba, canvas.size_wh)
    if rng.uniform() < augmentation.wet:
        canvas.mirror_below(colour, alpha, rng.uniform(0.2, 0.8))
    canvas.paste(colour, alpha, canvas.corner, canvas.own)
    if rng.uniform() < augmentation.occluded:
        for _ in range(rng.integers(1, 3)):
            _occlude(canvas, sprite, library, rng)
    zoom = canvas.size_wh / sprite.alpha.shape[::-1]
    points = sprite.keypoints * zoom + canvas.corner
    frame = _frame(canvas, augmentation.truncated, rng)
    state = states_in_crop(points, sprite.self_hidden, canvas.own, canvas.front, frame)
    poor = augmentation.poor_box > 0 and rng.uniform() < augmentation.poor_box
    box = canvas.box(frame, *(_POOR_BOX if poor else _GOOD_BOX), rng)
    middle, reach = box[:2] + box[2:] / 2, GROWN * box[2:].max() / 2 + 3
    image, low = canvas.developed(frame, middle, reach, min(1.0, _LARGEST_PX / size), rng)
    return VehicleCrop(image, np.r_[box[:2] - low, box[2:]], points - low, state, size, zoom, canvas.corner - low)


def states_in_crop(
    points: np.ndarray, self_hidden: np.ndarray, own: np.ndarray, front: np.ndarray, frame_xyxy: np.ndarray
) -> np.ndarray:
    """(12,) states of edge points (12, 2), given coverage (h, w) of the vehicle and of what is before it."""
    state = np.where(self_hidden, SELF_OCCLUDED, VISIBLE)
    inside = ((points >= frame_xyxy[:2]) & (points < frame_xyxy[2:])).all(axis=1)
    x, y = np.clip(np.floor(points).astype(int), 0, np.array(own.shape[::-1]) - 1).T
    covered = (front[y, x] >= 0.5) & (own[y, x] >= 0.5)
    state[~self_hidden & covered] = OCCLUDED
    state[~inside] = TRUNCATED
    return state


def _paste_other(
    canvas: Canvas, sprite: Sprite, library: VehicleLibrary, rng: np.random.Generator, *, behind: bool
) -> None:
    """Another vehicle or a person at about the same scale, standing farther away or nearer."""
    pool = library.people if rng.uniform() < 0.35 else library.vehicles
    other = pool[int(rng.integers(len(pool)))]
    if rng.uniform() < 0.5:
        other = flip_sprite(other)
    metre = canvas.zoom * sprite.px_per_m * SIDE_PX / sprite.natural_px  # canvas px per metre
    zoom = metre / (other.px_per_m * SIDE_PX / other.natural_px) * rng.uniform(0.8, 1.25)
    zoom = min(zoom, 1.2 * max(canvas.picture.shape) / SIDE_PX)
    size = resized_wh(other.rgba, zoom)
    (width, height), (x, y) = canvas.size_wh, canvas.corner
    # By where the two stand: the bottom of who is behind is higher in the picture.
    rise = height * rng.uniform(0.05, 0.9)
    bottom = y + height - rise if behind else y + height + 0.5 * rise
    middle = x + width / 2 + rng.uniform(-0.9, 0.9) * (width + size[0]) / 2
    corner = np.round([middle - size[0] / 2, bottom - size[1]]).astype(int)
    canvas.paste(*resized(other.rgba, size), corner, None if behind else canvas.front)


def _occlude(canvas: Canvas, sprite: Sprite, library: VehicleLibrary, rng: np.random.Generator) -> None:
    """Put something before the vehicle, unless little would be left of it."""
    with canvas.unless_hidden(0.3):
        if rng.uniform() < 0.7:
            _paste_other(canvas, sprite, library, rng, behind=False)
        else:
            canvas.put_before(sprite, 0.5, rng)


def _frame(canvas: Canvas, often: float, rng: np.random.Generator) -> np.ndarray:
    """(4,) x0 y0 x1 y1 of the picture's border in the canvas: mostly far off, else through the vehicle."""
    side = canvas.picture.shape[0]
    frame = np.array([-9 * side, -9 * side, 10 * side, 10 * side])
    (x, y), (width, height) = canvas.corner, canvas.size_wh
    if rng.uniform() < often:
        truncation = rng.uniform(-0.1, 0.55)
        which = rng.integers(4)
        if which < 2:
            frame[0 if which else 2] = round(x + width * (truncation if which else 1 - truncation))
        else:
            frame[1 if which == 2 else 3] = round(y + height * (truncation if which == 2 else 1 - truncation))
    return frame
