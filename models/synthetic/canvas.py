"""What crops of vehicles and people are composed on: an illuminated street, what is painted onto it, the picture taken.

Canvas coordinates are COCO edges; colours are display values, 0 to 255, premultiplied where they have alpha.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from models.synthetic.photograph import photographed
from models.synthetic.scenery import sample_occluder
from models.synthetic.sprites import GROUND_MARGIN, tone

GROUND_GAIN = (0.5, 1.6)  # how much darker or brighter a backdrop's albedo may be


class Illuminated(Protocol):
    """What the sprites of vehicles and of people have in common; `Sprite` says what each is."""

    @property
    def rgba(self) -> np.ndarray: ...
    @property
    def ground(self) -> np.ndarray: ...
    @property
    def sun(self) -> np.ndarray: ...
    @property
    def sky(self) -> np.ndarray: ...


@dataclass
class Canvas:
    """What is painted: picture (S, S, 3); coverage (S, S) of the sprite and of what is before it; its place."""

    picture: np.ndarray
    own: np.ndarray
    front: np.ndarray
    zoom: float  # canvas px per sprite px
    corner: np.ndarray  # (2,) of the sprite
    size_wh: np.ndarray

    def paste(self, colour: np.ndarray, alpha: np.ndarray, corner: np.ndarray, cover: np.ndarray | None = None) -> None:
        """Paint colour (h, w, 3) with alpha (h, w) and note it in a coverage: `own` or `front`."""
        _blend(self.picture, colour, alpha, corner)
        if cover is not None:
            _blend(cover, alpha, alpha, corner)

    def mirror_below(self, colour: np.ndarray, alpha: np.ndarray, strength: float) -> None:
        """A wet road: darker, and in it a blurred image upside down, of colour (h, w, 3) with alpha (h, w)."""
        self.picture *= 1 - 0.5 * strength
        down = cv2.GaussianBlur(np.dstack([colour, alpha])[::-1], (0, 0), 0.5 + 0.02 * len(alpha))
        fade = strength * np.linspace(0.7, 0.0, len(alpha), dtype=np.float32)[:, None, None]
        below = self.corner + np.array([0, round(0.93 * len(alpha))])
        self.paste(down[..., :3] * fade, down[..., 3] * fade[..., 0], below)

    def put_before(self, sprite: Illuminated, beyond: float, rng: np.random.Generator) -> None:
        """A pole, a sign, a wall's edge or foliage; `beyond`: how often it goes on outside the sprite's box."""
        width, height = (int(n) for n in self.size_wh)
        mask, albedo = sample_occluder((height, width), rng)
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.5)
        colour = tone(albedo / np.float32(255) * (rng.uniform(0, 1) * sprite.sun + sprite.sky))
        corner = self.corner
        if beyond >= 1 or rng.uniform() < beyond:  # what is certain samples no number
            pad = np.array([width // 3, height // 2])
            rows_columns = ((pad[1],) * 2, (pad[0],) * 2)
            alpha, colour = np.pad(alpha, rows_columns, "edge"), np.pad(colour, (*rows_columns, (0, 0)), "edge")
            corner = corner - pad
        self.paste(colour * alpha[..., None], alpha, corner, self.front)

    @contextmanager
    def unless_hidden(self, least: float) -> Iterator[None]:
        """Take back what is painted within where it leaves less than this fraction of the sprite to be seen."""
        before = self.picture.copy(), self.front.copy()
        yield
        if (self.own * (1 - self.front)).sum() < least * self.own.sum():
            self.picture, self.front = before

    def box(self, frame: np.ndarray, jitter: float, most: float, rng: np.random.Generator) -> np.ndarray:
        """(4,) of the mask inside the frame, or of what is seen of it, as a detector would give it.

        Its edges are off by a normal deviate of `jitter`, and `most` at the most, in longer sides.
        """
        mask = self.own >= 0.5
        if rng.uniform() < 0.6:
            mask = mask & (self.front < 0.5)
        x0, y0, x1, y1 = np.clip(frame, 0, self.picture.shape[0])
        inside = np.zeros_like(mask)
        inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        if not inside.any():  # nothing of a thin limb covers half a pixel
            inside = self.own > 0
        ys, xs = np.nonzero(inside)
        low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()]) + 1
        spread = (high - low).max() * np.clip(rng.normal(0, jitter, (2, 2)), -most, most)
        low, high = low + spread[0], high + spread[1]
        return np.r_[low, np.maximum(high - low, 4)]

    def developed(
        self, frame: np.ndarray, middle: np.ndarray, reach: float, softness: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is within `reach` of a point, as a camera would deliver it, black off the frame; its corner (2,)."""
        low = np.clip(np.floor(middle - reach).astype(int), 0, self.picture.shape[0] - 8)
        high = np.clip(np.ceil(middle + reach).astype(int), low + 8, self.picture.shape[0])
        image = np.clip(self.picture[low[1] : high[1], low[0] : high[0]], 0, 255).astype(np.uint8)
        image = photographed(image, softness, rng)
        x0, y0, x1, y1 = np.clip(frame - np.r_[low, low], 0, np.tile(image.shape[1::-1], 2))
        image[:y0], image[y1:], image[:, :x0], image[:, x1:] = 0, 0, 0, 0
        return image, low


def lay_street(
    sprite: Illuminated, side_px: float, room: float, zoom: float, street: np.ndarray, rng: np.random.Generator
) -> Canvas:
    """The ground around a sprite's place under its illumination, with its shadow.

    side_px: the sprite's longer side; room: the canvas', in sides of the sprite; street: (h, w, 3) uint8 albedo.
    """
    side = int(np.ceil(room * side_px * zoom))
    size = resized_wh(sprite.rgba, zoom)
    corner, margin = (side - size) // 2, round(GROUND_MARGIN * side_px * zoom)
    albedo = cv2.resize(street, (side, side), interpolation=cv2.INTER_AREA)
    illumination = np.ones((side, side, 2), np.float32)
    ground = cv2.resize(sprite.ground, tuple(map(int, size + 2 * margin)), interpolation=cv2.INTER_LINEAR)
    _blend(illumination, ground.astype(np.float32) / 255, None, corner - margin)
    picture = lit_ground(albedo, illumination, sprite.sun, sprite.sky, rng.uniform(*GROUND_GAIN))
    empty = np.zeros((side, side), np.float32)
    return Canvas(picture, empty, empty.copy(), zoom, corner, size)


def lit_ground(
    albedo: np.ndarray, illumination: np.ndarray, sun: np.ndarray, sky: np.ndarray, gain: float
) -> np.ndarray:
    """Display values (H, W, 3) float32 of an albedo (H, W, 3) uint8, brighter by gain, that fractions (H, W, 2) float32
    of sun (3,) and sky (3,) reach."""
    sun, sky = sun.astype(np.float32), sky.astype(np.float32)
    linear = albedo.astype(np.float32) * np.float32(gain / 255)
    return tone(linear * (illumination[..., :1] * sun + illumination[..., 1:] * sky)).astype(np.float32)


def street_crop(backdrops: Sequence[np.ndarray], least_px: int, rng: np.random.Generator) -> np.ndarray:
    """A square crop of one of the backdrops, at least so large."""
    backdrop = backdrops[int(rng.integers(len(backdrops)))]
    side = int(rng.integers(least_px, backdrop.shape[0]))
    x, y = rng.integers(0, backdrop.shape[0] - side + 1, 2)
    return backdrop[y : y + side, x : x + side]


def resized_wh(rgba: np.ndarray, zoom: float) -> np.ndarray:
    """(2,) int, width and height of a zoomed image, at least 2."""
    return np.maximum(np.round(np.array(rgba.shape[1::-1]) * zoom), 2).astype(int)


def resized(rgba: np.ndarray, size_wh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied colour (h, w, 3) and alpha (h, w), float32, of a sprite's pixels at a size."""
    small = cv2.resize(rgba, tuple(map(int, size_wh)), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small[..., :3], small[..., 3] / 255


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
