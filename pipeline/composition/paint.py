"""Paint cutouts over a background, far to near, and read from one label map what is left of each.

Shadows lie on the ground and objects stand on it: all shadows are laid first, then whoever stands there covers them,
nearer or farther than the caster. Where shadows overlap the darkest counts, for the sun can be taken away but once.

Pictures are (H, W, 3) BGR uint8. The label map (H, W) uint8 holds 0 for the background and k for the k-th painted
object, so that a larger number is nearer; at most MAX_OBJECTS objects fit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from pipeline.core import masks
from pipeline.core.tables import KEYPOINT_STATES

MAX_OBJECTS = 255
_OCCLUDED, _TRUNCATED = KEYPOINT_STATES.index("occluded"), KEYPOINT_STATES.index("truncated")

_NO_HALO = 128

Layer = tuple[np.ndarray, tuple[slice, slice]]


@dataclass(frozen=True)
class PaintedCutout:
    """A cutout ready to paint; every layer is an array and its place (rows, columns) in the frame.

    colour (h, w, 3) is multiplied by alpha already, through (h, w, 3) is 255 - alpha, mask (h, w) is 0 or 255,
    light (h, w, 3) is what the cast shadow leaves, 255 all; None without a shadow; brighter and darker (h, w, 3), at
    the colour's place, are what the halo adds to the ground and takes from it; None without a halo.
    """

    colour: Layer
    through: np.ndarray
    mask: Layer
    light: Layer | None
    brighter: np.ndarray | None = None
    darker: np.ndarray | None = None

    @property
    def extent(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of everything it changes in the frame."""
        places = [self.colour[1], *([self.light[1]] if self.light else [])]
        rows, columns = [p[0] for p in places], [p[1] for p in places]
        low = min(c.start for c in columns), min(r.start for r in rows)
        return *low, max(c.stop for c in columns), max(r.stop for r in rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all layers."""
        light = self.light[0].nbytes if self.light else 0
        halo = 2 * self.brighter.nbytes if self.brighter is not None else 0
        return self.colour[0].nbytes + self.through.nbytes + self.mask[0].nbytes + light + halo


def decode_sprite(row: Mapping, size_hw: tuple[int, int]) -> PaintedCutout:
    """The sprite of a row of CUTOUTS in a frame of size_hw."""
    bgra, place = _in_frame(_cutout_png(row["sprite"], row["cutout_id"]), row["sprite_xy"], size_hw)
    alpha = cv2.merge([np.ascontiguousarray(bgra[..., 3])] * 3)
    colour = cv2.multiply(np.ascontiguousarray(bgra[..., :3]), alpha, scale=1 / 255)
    crop, (x, y, w, h) = masks.decode(row["mask_rle"], size_hw)
    mask = np.where(crop, np.uint8(255), np.uint8(0)), (slice(y, y + h), slice(x, x + w))
    light = None
    if row["shadow"] is not None:
        grey, where = _in_frame(_cutout_png(row["shadow"], row["cutout_id"]), row["shadow_xy"], size_hw)
        light = cv2.merge([np.ascontiguousarray(grey)] * 3), where
    brighter = darker = None
    if row.get("halo") is not None:
        halo, _ = _in_frame(_cutout_png(row["halo"], row["cutout_id"]), row["sprite_xy"], size_hw)
        none = np.full_like(halo, _NO_HALO)
        brighter, darker = cv2.subtract(halo, none), cv2.subtract(none, halo)
    return PaintedCutout((colour, place), cv2.bitwise_not(alpha), mask, light, brighter, darker)


def relit(sprite: PaintedCutout, gain: np.ndarray | None) -> PaintedCutout:
    """The sprite with its colours multiplied by factors (3,) BGR; as it is for None."""
    if gain is None:
        return sprite
    colour, place = sprite.colour
    # Multiplied by alpha as it is, no colour may exceed alpha.
    lit = cv2.min(cv2.transform(colour, np.diag(gain).astype(np.float32)), cv2.bitwise_not(sprite.through))
    return replace(sprite, colour=(lit, place))


def _cutout_png(png: bytes, cutout_id: int) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"cutout {cutout_id}: its sprite or shadow is not a readable PNG; run MineUnoccluded again")
    return picture


def _in_frame(picture: np.ndarray, xy: Sequence[int], size_hw: tuple[int, int]) -> Layer:
    """The part of a picture at xy that lies in the frame, and its place."""
    (x, y), (h, w), (height, width) = xy, picture.shape[:2], size_hw
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    return picture[y0 - y : y1 - y, x0 - x : x1 - x], (slice(y0, y1), slice(x0, x1))


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


_T = TypeVar("_T", bound=_Sized)


class SpriteCache(Generic[_T]):
    """Keeps the most recently used sprites, or what holds one, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.used = max_bytes, 0
        self._kept: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What belongs to a key, made when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        self._kept[key] = made
        self.used += made.nbytes
        while self.used > self.max_bytes:
            self.used -= self._kept.popitem(last=False)[1].nbytes
        return made


def shaded(background: np.ndarray, sprites: Sequence[PaintedCutout]) -> np.ndarray:
    """The background with the shadows of all sprites on it, and their halos."""
    picture = background.copy()
    left = np.full_like(background, 255)
    for sprite in sprites:
        if sprite.light is not None:
            light, place = sprite.light
            left[place] = cv2.min(left[place], light)
            # Anew from the background: what was darkened already must not be darkened again.
            picture[place] = cv2.multiply(background[place], left[place], scale=1 / 255)
    for sprite in sprites:
        if sprite.brighter is not None and sprite.darker is not None:
            place = sprite.colour[1]
            picture[place] = cv2.subtract(cv2.add(picture[place], sprite.brighter), sprite.darker)
    return picture


def blend(picture: np.ndarray, sprite: PaintedCutout, shade: np.ndarray | None = None) -> None:
    """Lay a sprite over the picture, in place; shade (h, w) uint8, of its mask's box, is what is left of its
    illumination, 255 all."""
    colour, place = sprite.colour
    if shade is not None:
        colour = cv2.multiply(colour, cv2.merge([_spread(shade, sprite.mask[1], place)] * 3), scale=1 / 255)
    # colour + picture * (1 - alpha): whole numbers, at most one grey level off the exact blend.
    picture[place] = cv2.add(cv2.multiply(picture[place], sprite.through, scale=1 / 255), colour)


def _spread(shade: np.ndarray, own: tuple[slice, slice], place: tuple[slice, slice]) -> np.ndarray:
    """The shade of a mask's box in the box of its sprite, which is larger by a soft edge."""
    (rows, columns), (to_rows, to_columns) = own, place
    top, bottom = rows.start - to_rows.start, to_rows.stop - rows.stop
    left, right = columns.start - to_columns.start, to_columns.stop - columns.stop
    grown = cv2.copyMakeBorder(shade, max(top, 0), max(bottom, 0), max(left, 0), max(right, 0), cv2.BORDER_REPLICATE)
    y, x = max(-top, 0), max(-left, 0)
    return grown[y : y + to_rows.stop - to_rows.start, x : x + to_columns.stop - to_columns.start]


def paint(
    background: np.ndarray, far_to_near: Sequence[PaintedCutout], shades: Sequence[np.ndarray | None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and the label map, in which the first sprite is 1; shades: see `blend`, one a sprite."""
    picture = shaded(background, far_to_near)
    label = np.zeros(background.shape[:2], np.uint8)
    for number, (sprite, shade) in enumerate(zip(far_to_near, shades or [None] * len(far_to_near), strict=True), 1):
        blend(picture, sprite, shade)
        mask, place = sprite.mask
        # Numbers grow towards the camera, so the larger label is the nearer object.
        label[place] = cv2.max(label[place], mask & np.uint8(number))
    return picture, label


@dataclass(frozen=True)
class Visible:
    """What is seen of an object: its mask as run-length string, pixels, box xywh (None when hidden), and the numbers
    of the nearer objects that are seen in its place."""

    rle: str
    area_px: int
    box_xywh: tuple[int, int, int, int] | None
    occluders: list[int]


def visible_part(label: np.ndarray, number: int, sprite: PaintedCutout, amodal_rle: str) -> Visible:
    """What the label map shows of the object that was painted as `number` (from 1)."""
    mask, place = sprite.mask
    (y, x), (h, w) = (place[0].start, place[1].start), mask.shape
    region = label[place]
    seen = (region == number).astype(np.uint8)
    area, whole = cv2.countNonZero(seen), cv2.countNonZero(mask)
    if area == whole:
        return Visible(amodal_rle, area, (x, y, w, h), [])
    counts = np.bincount(region[mask > 0], minlength=number + 1)
    occluders = np.flatnonzero(counts[number + 1 :]) + number + 1
    box = cv2.boundingRect(seen) if area else (0, 0, 0, 0)
    tight = seen[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] > 0
    rle = masks.encode(tight, (x + box[0], y + box[1]), (label.shape[0], label.shape[1]))
    return Visible(rle, area, (x + box[0], y + box[1], box[2], box[3]) if area else None, occluders.tolist())


def keypoint_states(label: np.ndarray, number: np.ndarray, keypoints_px: np.ndarray, state: np.ndarray) -> np.ndarray:
    """States (P,) in the scene, as indices of KEYPOINT_STATES, of keypoints (P, 2) whose own states are given.

    number (P,): the object each belongs to. Occluded iff the label map at its pixel belongs to a nearer object;
    a point on the object's own far side stays self-occluded, one outside the frame is truncated.
    """
    height, width = label.shape
    column, row = np.rint(np.nan_to_num(keypoints_px, nan=-1.0)).astype(int).T
    outside = (column < 0) | (row < 0) | (column >= width) | (row >= height)
    there = label[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    own = np.where(state == KEYPOINT_STATES.index("self_occluded"), state, np.where(there > number, _OCCLUDED, state))
    return np.where(outside, _TRUNCATED, own)
