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
from readers.pictures import decode_image

MAX_OBJECTS = 255
_OCCLUDED, _TRUNCATED = KEYPOINT_STATES.index("occluded"), KEYPOINT_STATES.index("truncated")

_NO_HALO = 128

Place = tuple[slice, slice]
Layer = tuple[np.ndarray, Place]


@dataclass(frozen=True)
class PaintedCutout:
    """A cutout ready to paint; every layer is an array and its place (rows, columns) in the frame.

    colour (h, w, 3) is multiplied by alpha already, through (h, w, 3) is 255 - alpha, mask (h, w) is 0 or 255, its
    columns contiguous, runs (R, 2) its runs as `pipeline.core.masks` has them; light (h, w) is what the cast shadow
    leaves, 255 all; None without a shadow; brighter and darker (h, w, 3), at the colour's place, are what the halo adds
    to the ground and takes from it; None where they change nothing.
    """

    colour: Layer
    through: np.ndarray
    mask: Layer
    runs: np.ndarray
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
        halo = sum(layer.nbytes for layer in (self.brighter, self.darker) if layer is not None)
        mask = self.mask[0].nbytes + self.runs.nbytes
        return self.colour[0].nbytes + self.through.nbytes + mask + light + halo

    @property
    def area_px(self) -> int:
        """Pixels of the mask."""
        return int((self.runs[:, 1] - self.runs[:, 0]).sum())


def decode_sprite(row: Mapping, size_hw: tuple[int, int]) -> PaintedCutout:
    """The sprite of a row of CUTOUTS in a frame of size_hw."""
    bgra, place = _in_frame(_cutout_png(row["sprite"], row["cutout_id"]), row["sprite_xy"], size_hw)
    alpha = cv2.merge([np.ascontiguousarray(bgra[..., 3])] * 3)
    colour = cv2.multiply(np.ascontiguousarray(bgra[..., :3]), alpha, scale=1 / 255)
    crop, (x, y, w, h) = masks.decode(row["mask_rle"], size_hw)
    mask = np.where(crop.T, np.uint8(255), np.uint8(0)).T, (slice(y, y + h), slice(x, x + w))
    light = None
    if row["shadow"] is not None:
        grey, where = _in_frame(_cutout_png(row["shadow"], row["cutout_id"]), row["shadow_xy"], size_hw)
        light = np.ascontiguousarray(grey), where
    brighter = darker = None
    if row.get("halo") is not None:
        halo, _ = _in_frame(_cutout_png(row["halo"], row["cutout_id"]), row["sprite_xy"], size_hw)
        none = np.full_like(halo, _NO_HALO)
        brighter, darker = (
            layer if layer.any() else None for layer in (cv2.subtract(halo, none), cv2.subtract(none, halo))
        )
    runs = masks.run_edges(row["mask_rle"], size_hw)
    return PaintedCutout((colour, place), cv2.bitwise_not(alpha), mask, runs, light, brighter, darker)


def relit(sprite: PaintedCutout, gain: np.ndarray | None) -> PaintedCutout:
    """The sprite with its colours multiplied by factors (3,) BGR; as it is for None."""
    if gain is None:
        return sprite
    colour, place = sprite.colour
    # Multiplied by alpha as it is, no colour may exceed alpha.
    lit = cv2.min(cv2.transform(colour, np.diag(gain).astype(np.float32)), cv2.bitwise_not(sprite.through))
    return replace(sprite, colour=(lit, place))


def noisier(sprite: PaintedCutout, noise: np.ndarray) -> PaintedCutout:
    """The sprite with noise (h, w, 3), in grey levels, of the frame's part that its colours cover."""
    colour, place = sprite.colour
    alpha = cv2.bitwise_not(sprite.through).astype(np.float32)
    noisy = np.rint(colour + alpha / 255 * noise).clip(0, alpha).astype(np.uint8)
    return replace(sprite, colour=(noisy, place))


def _cutout_png(png: bytes, cutout_id: int) -> np.ndarray:
    try:
        return decode_image(png, f"cutout {cutout_id}: its sprite or shadow", cv2.IMREAD_UNCHANGED)
    except ValueError as error:
        raise ValueError(f"{error}; `luigi --module tasks Verify --mend` finds the damaged file of cutouts") from None


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
    picture = np.array(background)
    left = np.full(background.shape[:2], 255, np.uint8)
    lights = [sprite.light for sprite in sprites if sprite.light is not None]
    for light, place in lights:
        there = left[place]
        cv2.min(there, light, dst=there)
    for _, place in lights:
        # Anew from the background: what was darkened already must not be darkened again.
        _dim(background[place], left[place], picture[place])
    for sprite in sprites:
        there = picture[sprite.colour[1]]
        if sprite.brighter is not None:
            cv2.add(there, sprite.brighter, dst=there)
        if sprite.darker is not None:
            cv2.subtract(there, sprite.darker, dst=there)
    return picture


def _dim(colour: np.ndarray, left: np.ndarray, out: np.ndarray) -> None:
    """Colours (h, w, 3) of which so much (h, w), of 255, is left, into out, which may be the same."""
    cv2.multiply(colour, cv2.cvtColor(left, cv2.COLOR_GRAY2BGR), dst=out, scale=1 / 255)


def blend(picture: np.ndarray, sprite: PaintedCutout, shade: Layer | None = None) -> None:
    """Lay a sprite over the picture, in place; shade (h, w) uint8, inside the sprite's place, is what is left of its
    illumination, 255 all."""
    colour, place = sprite.colour
    if shade is not None:
        (left, (rows, columns)), (top, start) = shade, (place[0].start, place[1].start)
        colour = colour.copy()
        dimmed = colour[rows.start - top : rows.stop - top, columns.start - start : columns.stop - start]
        _dim(dimmed, left, dimmed)
    # colour + picture * (1 - alpha): whole numbers, at most one grey level off the exact blend.
    under = picture[place]
    cv2.multiply(under, sprite.through, dst=under, scale=1 / 255)
    cv2.add(under, colour, dst=under)


def paint(
    background: np.ndarray, far_to_near: Sequence[PaintedCutout], shades: Sequence[Layer | None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and the label map, in which the first sprite is 1; shades: see `blend`, one a sprite."""
    picture = shaded(background, far_to_near)
    # Its columns are contiguous, so that the runs of its labels are those of COCO's masks.
    label = np.zeros(background.shape[1::-1], np.uint8)
    for number, (sprite, shade) in enumerate(zip(far_to_near, shades or [None] * len(far_to_near), strict=True), 1):
        blend(picture, sprite, shade)
        mask, (rows, columns) = sprite.mask
        there = label[columns, rows]
        # Numbers grow towards the camera, so the larger label is the nearer object.
        cv2.max(there, mask.T & np.uint8(number), dst=there)
    return picture, label.T


@dataclass(frozen=True)
class Visible:
    """What is seen of an object: its mask as run-length string, pixels, box xywh (None when hidden), and the numbers
    of the nearer objects that are seen in its place."""

    rle: str
    area_px: int
    box_xywh: tuple[int, int, int, int] | None
    occluders: list[int]


def visible_parts(label: np.ndarray, far_to_near: Sequence[PaintedCutout], amodal_rles: Sequence[str]) -> list[Visible]:
    """What the label map of `paint` shows of each sprite it was painted from."""
    if not far_to_near:
        return []
    size_hw, count = (label.shape[0], label.shape[1]), len(far_to_near)
    columns = [sprite.mask[1][1] for sprite in far_to_near]
    first = min(c.start for c in columns) * size_hw[0]
    flat = label.T.reshape(-1)[first : max(c.stop for c in columns) * size_hw[0]]
    starts = np.r_[0, np.flatnonzero(flat[1:] != flat[:-1]) + 1]
    owner = flat[starts]
    edges = np.stack([starts, np.r_[starts[1:], len(flat)]], axis=1) + first
    seen = np.argsort(owner, kind="stable")[np.count_nonzero(owner == 0) :]
    runs = np.bincount(owner[seen], minlength=count + 1)[1:]
    area = np.bincount(owner[seen], edges[seen, 1] - edges[seen, 0], count + 1)[1:].astype(int).tolist()
    partly = np.array([area[i] < sprite.area_px for i, sprite in enumerate(far_to_near)])
    in_place = _in_place(edges[:, 0], owner, [sprite.runs for sprite in far_to_near])
    texts = iter(masks.encode_runs(edges[seen][partly[owner[seen] - 1]], runs[partly], size_hw))
    boxes = iter(_boxes_of_runs(edges[seen], runs[runs > 0], size_hw[0]))
    return [
        Visible(
            next(texts) if partly[i] else amodal_rles[i],
            area[i],
            next(boxes) if area[i] else None,
            (np.flatnonzero(in_place[i, i + 2 :]) + i + 2).tolist(),
        )
        for i in range(count)
    ]


def _in_place(starts: np.ndarray, owner: np.ndarray, runs: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 256) bool: labels that are seen inside of N masks of runs (R, 2), of a label map whose runs, that of the
    background too, start at (L,) and have labels (L,)."""
    edges, of = np.concatenate(runs), np.repeat(np.arange(len(runs)), [len(r) for r in runs])
    low = np.searchsorted(starts, edges[:, 0], side="right") - 1
    met = np.searchsorted(starts, edges[:, 1], side="left") - low
    one_by_one = np.arange(met.sum()) - np.repeat(np.cumsum(met) - met - low, met)
    found = np.zeros((len(runs), MAX_OBJECTS + 1), bool)
    found[np.repeat(of, met), owner[one_by_one]] = True
    return found


def _boxes_of_runs(edges: np.ndarray, runs: np.ndarray, height: int) -> list[tuple[int, int, int, int]]:
    """xywh of masks of `runs` (N,) runs each, of edges (R, 2), in a frame of that height."""
    if not len(runs):
        return []
    first = np.cumsum(runs) - runs
    (column, top), (last, bottom) = np.divmod(edges[:, 0], height), np.divmod(edges[:, 1] - 1, height)
    across = column < last  # over whole columns
    x, x_last = column[first], np.maximum.reduceat(last, first)
    y = np.minimum.reduceat(np.where(across, 0, top), first)
    y_last = np.maximum.reduceat(np.where(across, height - 1, bottom), first)
    return [tuple(box) for box in np.stack([x, y, x_last - x + 1, y_last - y + 1], axis=1).tolist()]


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
