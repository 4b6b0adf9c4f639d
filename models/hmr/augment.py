"""Compose one training crop: a person before a street, others behind and before them, the camera's faults, a box.

Canvas coordinates are COCO edges; colours are display values, 0 to 255, premultiplied where they have alpha.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.hmr.points import FLIP_ORDER
from models.hmr.shards import Library
from models.hmr.sprites import HEIGHT_PX, PersonSprite
from models.hmr.view import crop_from_camera
from models.hmr.window import ASPECT, GROWN
from models.poses import mirror
from models.vehicle_keypoints.augment import photographed
from models.vehicle_keypoints.scenery import draw_occluder
from models.vehicle_keypoints.sprites import GROUND_MARGIN, SIDE_PX, Sprite, tone

SIZE_PX = (24.0, 200.0)  # longer side of a person in the imagined picture
_LARGEST_PX = 112  # someone larger is composed at this size: the network sees no more of them
_ROOM = 1.9  # side of the canvas, in sides of the person
_MIRROR = np.array([-1.0, 1, 1])


@dataclass(frozen=True)
class Crop:
    """image (H, W, 3) uint8 RGB; box_xywh (4,); theta (24, 3) and points_3d (29, 3) in the camera through the box's
    middle; points_2d (29, 2) edge px; body: which baked one; size_px: their longer side in the imagined picture."""

    image: np.ndarray
    box_xywh: np.ndarray
    theta: np.ndarray
    body: int
    points_3d: np.ndarray
    points_2d: np.ndarray
    size_px: float


@dataclass
class _Canvas:
    """What is painted: picture; coverage (h, w) of the person and of what is before them; the person's place."""

    picture: np.ndarray
    own: np.ndarray
    front: np.ndarray
    zoom: float  # canvas px per sprite px
    corner: np.ndarray  # (2,) of the person's sprite
    size_wh: np.ndarray


def flip_sprite(sprite: PersonSprite) -> PersonSprite:
    """The mirror image, in which left and right limbs have changed places."""
    width = sprite.rgba.shape[1]
    return replace(
        sprite,
        rgba=sprite.rgba[:, ::-1],
        ground=sprite.ground[:, ::-1],
        theta=mirror(sprite.theta),
        points_3d=sprite.points_3d[FLIP_ORDER] * _MIRROR,
        points_2d=np.array([width, 0]) + sprite.points_2d[FLIP_ORDER] * _MIRROR[:2],
    )


def compose(library: Library, rng: np.random.Generator) -> Crop:
    """One crop; the same generator state gives the same bytes."""
    sprite = _drawn(library.people, rng)
    size = float(np.exp(rng.uniform(*np.log(SIZE_PX))))
    canvas = _stage(sprite, library, min(size, _LARGEST_PX) / HEIGHT_PX, rng)
    for _ in range(rng.choice(3, p=[0.6, 0.25, 0.15])):
        _paste_other(canvas, sprite, library, rng, behind=True)
    colour, alpha = _resized(sprite.rgba, canvas.size_wh)
    _blend(canvas.picture, colour, alpha, canvas.corner)
    _blend(canvas.own, alpha, alpha, canvas.corner)
    if rng.uniform() < 0.35:
        _occlude(canvas, sprite, library, rng)
    frame = _frame(canvas, rng)
    return _developed(canvas, sprite, frame, _box(canvas, frame, rng), size, rng)


def _drawn(people, rng: np.random.Generator) -> PersonSprite:
    """One of the people, mirrored every other time."""
    sprite = people[int(rng.integers(len(people)))]
    return flip_sprite(sprite) if rng.uniform() < 0.5 else sprite


def _stage(sprite: PersonSprite, library: Library, zoom: float, rng: np.random.Generator) -> _Canvas:
    """The ground around the person's place under the sprite's light, with their shadow."""
    side = int(np.ceil(_ROOM * HEIGHT_PX * zoom))
    size = np.maximum(np.round(np.array(sprite.rgba.shape[1::-1]) * zoom), 2).astype(int)
    corner = (side - size) // 2
    albedo = _street(library, side, rng)
    light = np.ones((side, side, 2), np.float32)
    margin = round(GROUND_MARGIN * HEIGHT_PX * zoom)
    ground = cv2.resize(sprite.ground, tuple(map(int, size + 2 * margin)), interpolation=cv2.INTER_LINEAR)
    _blend(light, ground.astype(np.float32) / 255, None, corner - margin)
    sun, sky = sprite.sun.astype(np.float32), sprite.sky.astype(np.float32)
    linear = albedo.astype(np.float32) * np.float32(rng.uniform(0.5, 1.6) / 255)
    picture = tone(linear * (light[..., :1] * sun + light[..., 1:] * sky)).astype(np.float32)
    empty = np.zeros((side, side), np.float32)
    return _Canvas(picture, empty, empty.copy(), zoom, corner, size)


def _street(library: Library, side: int, rng: np.random.Generator) -> np.ndarray:
    """(side, side, 3) uint8 albedo: a piece of a backdrop, at any scale."""
    backdrop = library.backdrops[int(rng.integers(len(library.backdrops)))]
    cut = int(rng.integers(48, backdrop.shape[0]))
    x, y = rng.integers(0, backdrop.shape[0] - cut + 1, 2)
    return np.asarray(cv2.resize(backdrop[y : y + cut, x : x + cut], (side, side), interpolation=cv2.INTER_AREA))


def _blend(onto: np.ndarray, colour: np.ndarray, alpha: np.ndarray | None, corner: np.ndarray) -> None:
    """Paint premultiplied colour (h, w[, C]) with alpha (h, w), or as it is, at a corner that may lie outside."""
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


def _resized(rgba: np.ndarray, size_wh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied colour (h, w, 3) and alpha (h, w), float32, of a sprite at a size."""
    small = cv2.resize(rgba, tuple(map(int, size_wh)), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small[..., :3], small[..., 3] / 255


def _other(library: Library, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """RGBA (h, w, 4), premultiplied, of another person or a vehicle, and its pixels per metre."""
    if rng.uniform() < 0.65:
        person = _drawn(library.people, rng)
        return person.rgba, person.px_per_m
    vehicle: Sprite = library.vehicles[int(rng.integers(len(library.vehicles)))]
    rgba = np.dstack([vehicle.rgb, vehicle.alpha.view(np.uint8) * np.uint8(255)])
    return rgba[:, ::-1] if rng.uniform() < 0.5 else rgba, vehicle.px_per_m * SIDE_PX / vehicle.natural_px


def _paste_other(canvas: _Canvas, sprite: PersonSprite, library: Library, rng, *, behind: bool) -> None:
    """Another person or a vehicle at about the same scale, standing farther away or nearer."""
    rgba, px_per_m = _other(library, rng)
    zoom = canvas.zoom * sprite.px_per_m / px_per_m * rng.uniform(0.8, 1.25)
    zoom = min(zoom, 2.5 * canvas.picture.shape[0] / max(rgba.shape))
    size = np.maximum(np.round(np.array(rgba.shape[1::-1]) * zoom), 2).astype(int)
    (width, height), (x, y) = canvas.size_wh, canvas.corner
    # By where the two stand: the bottom of who is behind is higher in the picture.
    rise = height * rng.uniform(0.03, 0.5)
    bottom = y + height - rise if behind else y + height + 1.3 * rise
    middle = x + width / 2 + rng.uniform(-1, 1) * 0.5 * (width + size[0])
    corner = np.round([middle - size[0] / 2, bottom - size[1]]).astype(int)
    colour, alpha = _resized(rgba, size)
    _blend(canvas.picture, colour, alpha, corner)
    if not behind:
        _blend(canvas.front, alpha, alpha, corner)


def _occlude(canvas: _Canvas, sprite: PersonSprite, library: Library, rng: np.random.Generator) -> None:
    """Put something before the person, unless little would be left of them."""
    before = canvas.picture.copy(), canvas.front.copy()
    if rng.uniform() < 0.65:
        _paste_other(canvas, sprite, library, rng, behind=False)
    else:
        mask, albedo = draw_occluder((int(canvas.size_wh[1]), int(canvas.size_wh[0])), rng)
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.5)
        colour = tone(albedo / np.float32(255) * (rng.uniform(0, 1) * sprite.sun + sprite.sky))
        pad = (int(canvas.size_wh[1]) // 2, int(canvas.size_wh[0]) // 3)  # it goes on beyond the person's box
        alpha = np.pad(alpha, ((pad[0],) * 2, (pad[1],) * 2), "edge")
        colour = np.pad(colour, ((pad[0],) * 2, (pad[1],) * 2, (0, 0)), "edge")
        corner = canvas.corner - pad[::-1]
        _blend(canvas.picture, colour * alpha[..., None], alpha, corner)
        _blend(canvas.front, alpha, alpha, corner)
    if (canvas.own * (1 - canvas.front)).sum() < 0.4 * canvas.own.sum():
        canvas.picture, canvas.front = before


def _frame(canvas: _Canvas, rng: np.random.Generator) -> np.ndarray:
    """(4,) x0 y0 x1 y1 of the picture's border in the canvas: mostly far off, else through the person."""
    side = canvas.picture.shape[0]
    frame = np.array([-9 * side, -9 * side, 10 * side, 10 * side])
    if rng.uniform() < 0.12:
        edge, cut = int(rng.integers(4)), rng.uniform(-0.1, 0.5)
        axis, far = edge % 2, edge >= 2
        frame[edge] = round(canvas.corner[axis] + canvas.size_wh[axis] * (1 - cut if far else cut))
    return frame


def _box(canvas: _Canvas, frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(4,) box of the silhouette inside the frame, or of what is seen of it, as a detector would give it."""
    mask = canvas.own >= 0.5
    if rng.uniform() < 0.6:
        mask = mask & (canvas.front < 0.5)
    x0, y0, x1, y1 = np.clip(frame, 0, canvas.picture.shape[0])
    inside = np.zeros_like(mask)
    inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    if not inside.any():  # nothing of a thin limb covers half a pixel
        inside = canvas.own > 0
    ys, xs = np.nonzero(inside)
    low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()]) + 1
    spread = (high - low).max() * np.clip(rng.normal(0, 0.03, (2, 2)), -0.08, 0.08)
    low, high = low + spread[0], high + spread[1]
    return np.r_[low, np.maximum(high - low, 4)]


def _developed(
    canvas: _Canvas, sprite: PersonSprite, frame: np.ndarray, box: np.ndarray, size: float, rng: np.random.Generator
) -> Crop:
    """The part of the canvas that the window needs, as a camera would deliver it, with the labels in its camera."""
    middle, reach = box[:2] + box[2:] / 2, GROWN * max(box[3], box[2] / ASPECT) / 2 + 3
    low = np.clip(np.floor(middle - reach).astype(int), 0, canvas.picture.shape[0] - 8)
    high = np.clip(np.ceil(middle + reach).astype(int), low + 8, canvas.picture.shape[0])
    image = np.clip(canvas.picture[low[1] : high[1], low[0] : high[0]], 0, 255).astype(np.uint8)
    image = photographed(image, min(1.0, _LARGEST_PX / size), rng)
    x0, y0, x1, y1 = np.clip(frame - np.r_[low, low], 0, np.tile(image.shape[1::-1], 2))
    image[:y0], image[y1:], image[:, :x0], image[:, x1:] = 0, 0, 0, 0
    R = _turn(sprite, canvas, middle)
    theta = sprite.theta.copy()
    theta[0] = cv2.Rodrigues(R @ cv2.Rodrigues(theta[0])[0])[0][:, 0]
    scale = canvas.size_wh / sprite.rgba.shape[1::-1]
    points_2d = sprite.points_2d * scale + canvas.corner - low
    return Crop(image, np.r_[box[:2] - low, box[2:]], theta, sprite.body, sprite.points_3d @ R.T, points_2d, size)


def _turn(sprite: PersonSprite, canvas: _Canvas, middle: np.ndarray) -> np.ndarray:
    """(3, 3) from the sprite's camera, through the sprite's middle, to the one through another point of the canvas."""
    away = (middle - canvas.corner - canvas.size_wh / 2) / (canvas.zoom * sprite.focal_px)
    return crop_from_camera(np.r_[away, 1.0][None])[0]
