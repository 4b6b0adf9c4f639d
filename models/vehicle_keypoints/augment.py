"""Compose one training crop: a vehicle before a backdrop, others behind and before it, the camera's faults, a box.

Canvas coordinates are COCO edges; a keypoint's state follows the simulator's truth: truncated outside the frame, else
self-occluded, else occluded where another object covers the vehicle there, else visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.vehicle_keypoints.scenery import draw_occluder
from models.vehicle_keypoints.shards import Library
from models.vehicle_keypoints.sprites import GROUND_MARGIN, SIDE_PX, Sprite, tone
from models.vehicle_keypoints.window import GROWN

VISIBLE, SELF_OCCLUDED, OCCLUDED, TRUNCATED = range(4)
FLIP_ORDER = np.arange(12) ^ 1  # right and left change places
_ROOM = 1.8  # side of the canvas, in sides of the vehicle
_LARGEST_PX = 128  # a vehicle larger in the picture is composed at this size: the network sees no more of it


@dataclass(frozen=True)
class Crop:
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
class Troubles:
    """How often something stands before the vehicle, and how often the picture's border cuts it; its least size."""

    occluded: float = 0.45
    cut: float = 0.2
    least_px: float = 28.0


@dataclass
class _Canvas:
    """What is being painted: picture, coverage (h, w) of the vehicle and of what is before it, the vehicle's place."""

    picture: np.ndarray
    own: np.ndarray
    front: np.ndarray
    scale: float  # canvas px per sprite px
    corner: tuple[int, int]  # of the vehicle's sprite
    size_wh: tuple[int, int]


def flip_sprite(sprite: Sprite) -> Sprite:
    """The mirror image, in which right and left keypoints have changed places."""
    width = sprite.alpha.shape[1]
    points = sprite.keypoints[FLIP_ORDER].copy()
    points[:, 0] = width - points[:, 0]
    return Sprite(
        sprite.kind, sprite.seed, sprite.rgb[:, ::-1], sprite.alpha[:, ::-1], sprite.ground[:, ::-1], points,
        sprite.self_hidden[FLIP_ORDER], sprite.natural_px, sprite.px_per_m, sprite.sun, sprite.sky,
    )  # fmt: skip


def compose(library: Library, rng: np.random.Generator) -> Crop:
    """One crop; the same generator state gives the same bytes."""
    sprite = library.vehicles[int(rng.integers(len(library.vehicles)))]
    if rng.uniform() < 0.5:
        sprite = flip_sprite(sprite)
    return composed(sprite, library, Troubles(), rng)


def composed(sprite: Sprite, library: Library, troubles: Troubles, rng: np.random.Generator) -> Crop:
    """One crop of this vehicle."""
    size = float(np.exp(rng.uniform(np.log(troubles.least_px), np.log(360))))
    canvas = _stage(sprite, library, min(size, _LARGEST_PX) / SIDE_PX, rng)
    for _ in range(rng.choice(3, p=[0.5, 0.3, 0.2])):
        _paste_other(canvas, sprite, library, rng, behind=True)
    _paste_self(canvas, sprite)
    if rng.uniform() < troubles.occluded:
        for _ in range(rng.integers(1, 3)):
            _occlude(canvas, sprite, library, rng)
    zoom = np.array(canvas.size_wh) / sprite.alpha.shape[::-1]
    points = sprite.keypoints * zoom + canvas.corner
    frame = _frame(canvas, troubles.cut, rng)
    state = keypoint_states(points, sprite.self_hidden, canvas.own, canvas.front, frame)
    box = _box(canvas, frame, rng)
    image, low = _developed(canvas, frame, box, size, rng)
    box = np.r_[box[:2] - low, box[2:]]
    return Crop(image, box, points - low, state, size, zoom, canvas.corner - low)


def keypoint_states(
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


def _stage(sprite: Sprite, library: Library, scale: float, rng: np.random.Generator) -> _Canvas:
    """The ground around the vehicle's place under the sprite's light, with its shadow."""
    side = int(np.ceil(_ROOM * SIDE_PX * scale))
    width, height = (max(2, round(n * scale)) for n in sprite.alpha.shape[::-1])
    corner = ((side - width) // 2, (side - height) // 2)
    backdrop = library.backdrops[int(rng.integers(len(library.backdrops)))]
    cut = int(rng.integers(64, backdrop.shape[0]))
    x, y = rng.integers(0, backdrop.shape[0] - cut + 1, 2)
    albedo = cv2.resize(backdrop[y : y + cut, x : x + cut], (side, side), interpolation=cv2.INTER_AREA)
    light = np.ones((side, side, 2), np.float32)
    margin = round(GROUND_MARGIN * SIDE_PX * scale)
    ground = cv2.resize(sprite.ground, (width + 2 * margin, height + 2 * margin), interpolation=cv2.INTER_LINEAR)
    _blend(light, ground.astype(np.float32) / 255, None, (corner[0] - margin, corner[1] - margin))
    sun, sky = sprite.sun.astype(np.float32), sprite.sky.astype(np.float32)
    linear = albedo.astype(np.float32) * np.float32(rng.uniform(0.5, 1.6) / 255)
    picture = tone(linear * (light[..., :1] * sun + light[..., 1:] * sky)).astype(np.float32)
    empty = np.zeros((side, side), np.float32)
    return _Canvas(picture, empty, empty.copy(), scale, corner, (width, height))


def _blend(onto: np.ndarray, colour: np.ndarray, alpha: np.ndarray | None, corner: tuple[int, int]) -> None:
    """Paint premultiplied colour (h, w, C) with alpha (h, w), or as it is, at a corner that may lie outside."""
    (x, y), (h, w) = corner, colour.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, onto.shape[1]), min(y + h, onto.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    target = onto[y0:y1, x0:x1]
    if alpha is None:
        target[:] = colour[part]
    else:
        target *= 1 - alpha[part].reshape(*target.shape[:2], *([1] * (target.ndim - 2)))
        target += colour[part]


def _resized(sprite: Sprite, size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied colour (h, w, 3) and alpha (h, w), float32, of a sprite at a size."""
    rgba = np.dstack([sprite.rgb, sprite.alpha.view(np.uint8) * np.uint8(255)])
    small = cv2.resize(rgba, size_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small[..., :3], small[..., 3] / 255


def _paste_self(canvas: _Canvas, sprite: Sprite) -> None:
    colour, alpha = _resized(sprite, canvas.size_wh)
    _blend(canvas.picture, colour, alpha, canvas.corner)
    _blend(canvas.own, alpha, alpha, canvas.corner)


def _paste_other(canvas: _Canvas, sprite: Sprite, library: Library, rng: np.random.Generator, *, behind: bool) -> None:
    """Another vehicle or a person at about the same scale, standing farther away or nearer."""
    pool = library.people if rng.uniform() < 0.35 else library.vehicles
    other = pool[int(rng.integers(len(pool)))]
    if rng.uniform() < 0.5:
        other = flip_sprite(other)
    metre = canvas.scale * sprite.px_per_m * SIDE_PX / sprite.natural_px  # canvas px per metre
    zoom = metre / (other.px_per_m * SIDE_PX / other.natural_px) * rng.uniform(0.8, 1.25)
    zoom = min(zoom, 1.2 * max(canvas.picture.shape) / SIDE_PX)
    size = tuple(max(2, round(n * zoom)) for n in other.alpha.shape[::-1])
    (width, height), (x, y) = canvas.size_wh, canvas.corner
    # By where the two stand: the bottom of who is behind is higher in the picture.
    rise = height * rng.uniform(0.05, 0.9)
    bottom = y + height - rise if behind else y + height + 0.5 * rise
    middle = x + width / 2 + rng.uniform(-0.9, 0.9) * (width + size[0]) / 2
    corner = (round(middle - size[0] / 2), round(bottom - size[1]))
    colour, alpha = _resized(other, size)
    _blend(canvas.picture, colour, alpha, corner)
    if not behind:
        _blend(canvas.front, alpha, alpha, corner)


def _occlude(canvas: _Canvas, sprite: Sprite, library: Library, rng: np.random.Generator) -> None:
    """Put something before the vehicle, unless little would be left of it."""
    before = canvas.picture.copy(), canvas.front.copy()
    if rng.uniform() < 0.7:
        _paste_other(canvas, sprite, library, rng, behind=False)
    else:
        (x, y), (width, height) = canvas.corner, canvas.size_wh
        mask, albedo = draw_occluder((height, width), rng)
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.5)
        colour = tone(albedo / np.float32(255) * (rng.uniform(0, 1) * sprite.sun + sprite.sky))
        if rng.uniform() < 0.5:  # it goes on beyond the vehicle's box
            pad = ((height // 2, height // 2), (width // 3, width // 3))
            alpha, colour = np.pad(alpha, pad, "edge"), np.pad(colour, (*pad, (0, 0)), "edge")
            x, y = x - width // 3, y - height // 2
        _blend(canvas.picture, colour * alpha[..., None], alpha, (x, y))
        _blend(canvas.front, alpha, alpha, (x, y))
    if (canvas.own * (1 - canvas.front)).sum() < 0.3 * canvas.own.sum():
        canvas.picture, canvas.front = before


def _frame(canvas: _Canvas, often: float, rng: np.random.Generator) -> np.ndarray:
    """(4,) x0 y0 x1 y1 of the picture's border in the canvas: mostly far off, else through the vehicle."""
    side = canvas.picture.shape[0]
    frame = np.array([-9 * side, -9 * side, 10 * side, 10 * side])
    (x, y), (width, height) = canvas.corner, canvas.size_wh
    if rng.uniform() < often:
        cut = rng.uniform(-0.1, 0.55)
        which = rng.integers(4)
        if which < 2:
            frame[0 if which else 2] = round(x + width * (cut if which else 1 - cut))
        else:
            frame[1 if which == 2 else 3] = round(y + height * (cut if which == 2 else 1 - cut))
    return frame


def _box(canvas: _Canvas, frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(4,) box of the silhouette inside the frame, or of what is seen of it, as a detector would give it."""
    mask = canvas.own >= 0.5
    if rng.uniform() < 0.6:
        mask = mask & (canvas.front < 0.5)
    side = canvas.picture.shape[0]
    x0, y0, x1, y1 = np.clip(frame, 0, side)
    inside = np.zeros_like(mask)
    inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    ys, xs = np.nonzero(inside)
    low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()]) + 1
    spread = (high - low).max() * np.clip(rng.normal(0, 0.035, (2, 2)), -0.09, 0.09)
    low, high = low + spread[0], high + spread[1]
    return np.r_[low, np.maximum(high - low, 4)]


def _developed(
    canvas: _Canvas, frame: np.ndarray, box: np.ndarray, size: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the canvas that the window needs, as a camera would deliver it, and its corner (2,) there."""
    middle, reach = box[:2] + box[2:] / 2, GROWN * box[2:].max() / 2 + 3
    low = np.clip(np.floor(middle - reach).astype(int), 0, canvas.picture.shape[0] - 8)
    high = np.clip(np.ceil(middle + reach).astype(int), low + 8, canvas.picture.shape[0])
    image = canvas.picture[low[1] : high[1], low[0] : high[0]]
    image = photographed(np.clip(image, 0, 255).astype(np.uint8), min(1.0, _LARGEST_PX / size), rng)
    x0, y0, x1, y1 = np.clip(frame - np.r_[low, low], 0, np.tile(image.shape[1::-1], 2))
    image[:y0], image[y1:], image[:, :x0], image[:, x1:] = 0, 0, 0, 0
    return image, low


def photographed(image: np.ndarray, softness: float, rng: np.random.Generator) -> np.ndarray:
    """An RGB image (H, W, 3) with blur, noise, tint, tone and JPEG's traces; softness 0 to 1 scales blur and noise."""
    if rng.uniform() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), 0.15 + softness * rng.uniform(0, 1.1))
    if rng.uniform() < 0.12:
        image = _moved(image, int(rng.integers(3, 8)), rng.uniform(0, np.pi))
    if rng.uniform() < 0.2:
        image = cv2.addWeighted(image, 1 + (k := rng.uniform(0.2, 1.2)), cv2.GaussianBlur(image, (0, 0), 1.2), -k, 0)
    image = cv2.LUT(image, _curves(rng))
    if rng.uniform() < 0.8:
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(softness * rng.uniform(0.5, 9.0))
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.05:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.uniform() < 0.9:
        quality = int(rng.integers(40, 96))
        data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
    return image


def _curves(rng: np.random.Generator) -> np.ndarray:
    """(1, 256, 3) uint8 tone curve of each channel: gamma, gain, lift and a colour cast."""
    level = np.linspace(0, 1, 256)[None, :, None] ** np.exp(rng.normal(0, 0.22))
    gain = np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.06, 3))
    lift = rng.uniform(-0.06, 0.14)
    return np.round(255 * np.clip(lift + (1 - max(lift, 0)) * level * gain, 0, 1)).astype(np.uint8)


def _moved(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Motion blur of a length in pixels along an angle."""
    kernel = np.zeros((length, length), np.float32)
    middle, step = (length - 1) / 2, (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = np.round([middle - step, middle + step]).astype(int)
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))
