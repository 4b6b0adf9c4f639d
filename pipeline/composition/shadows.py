"""Which part of an upright object stands in the shadows that others cast on the ground around it.

A mined shadow lies on the ground. Where the sun stands is not known, but the shadow tells how high it reaches: a ray
over the caster's top ends at the shadow's tip, so that a shadow of length D beyond the caster's edge, of a caster of
height H, is H (1 - x / D) high at x. Ground points are world metres, the camera stands above (0, 0); shadows and
shades are uint8, 255 all the illumination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.composition.paint import Layer, PaintedCutout, Place

_DARK = 235  # of 255: what leaves more is too faint to tell where a shadow ends
_LEAST_LENGTH = 0.4  # of the caster's height: a shorter one is the dark beside it, and a sun above 68 degrees
_MOST_PIXELS = 2000  # of a shadow that its direction is worked out from
_STANDS_M = 0.4  # a pixel of the foot is at most so far from the footprint, which is an estimate
_BLUR_PX = 5  # of a shadow's edge along the foot
_NO_SECOND_MAP = np.empty((0, 0), np.uint16)  # whole pixels need no fractions
_SOFT_M = 0.1  # over which a shadow ends on an upright surface


@dataclass(frozen=True)
class Cast:
    """A shadow on the ground: unit direction (2,) away from the sun, and along it, in metres from the camera's foot,
    where the caster ends and where the shadow does; height_m of the caster."""

    direction: np.ndarray
    edge_m: float
    tip_m: float
    height_m: float

    def height_at(self, ground: np.ndarray) -> np.ndarray:
        """How high (N,) metres the shadow reaches above ground points (N, 2) that lie in it."""
        left = (self.tip_m - ground @ self.direction) / (self.tip_m - self.edge_m)
        return self.height_m * np.minimum(np.maximum(left, 0.0), 1.0)


class Upright:
    """A cutout as what stands on the ground: quad (C, 2) its footprint, convex, height_m, and its pixels."""

    def __init__(
        self, sprite: PaintedCutout, quad: np.ndarray, height_m: float, camera: Camera, plane: GroundPlane
    ) -> None:
        self.sprite, self.quad, self.height_m = sprite, quad, float(height_m)
        self.camera, self.plane = camera, plane

    @property
    def nbytes(self) -> int:
        """Bytes of its layers."""
        return self.sprite.nbytes

    @cached_property
    def foot_px(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of the frame of the pixels with which its mask ends below, where it stands on the ground."""
        return self._foot[0], self._foot[1]

    @cached_property
    def foot_m(self) -> np.ndarray:
        """(N, 2) ground points of the foot's pixels."""
        return self._foot[2]

    @cached_property
    def foot_place(self) -> Place:
        """Rows and columns of the frame that hold the foot's pixels; empty, beside the frame, where it has none."""
        xs, ys = self.foot_px
        low, high = ((min(a), max(a) + 1) if len(a) else (-2, -2) for a in (ys.tolist(), xs.tolist()))
        return slice(*low), slice(*high)

    @cached_property
    def _foot(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mask, (rows, columns) = self.sprite.mask
        used = np.flatnonzero(mask.any(axis=0))
        lowest = mask.shape[0] - 1 - mask[::-1, used].argmax(axis=0)
        xs, ys = used + columns.start, lowest + rows.start
        ground = self._ground(np.stack([xs, ys], axis=-1))
        # What juts out ends above the ground: the ground seen there lies behind.
        stands = _outside_m(ground, self.quad) < _STANDS_M
        return xs[stands], ys[stands], ground[stands]

    @cached_property
    def metre_px(self) -> float:
        """Pixels of a metre up."""
        bottom = self.plane.to_camera(np.append(self.quad.mean(axis=0), 0.0))
        low, high = self.camera.project(np.stack([bottom, bottom + self.height_m * self.plane.n]))
        return float(np.linalg.norm(high - low)) / self.height_m

    @cached_property
    def cast(self) -> Cast | None:
        """Its shadow; None where it has none, or one that only lies beside it and tells no direction."""
        if self.sprite.light is None:
            return None
        light, (rows, columns) = self.sprite.light
        ys, xs = np.nonzero(light < _DARK)
        step = -(-len(ys) // _MOST_PIXELS) or 1
        points = self._ground(np.stack([xs[::step] + columns.start, ys[::step] + rows.start], axis=-1))
        points = points[np.isfinite(points).all(axis=1)]
        middle = self.quad.mean(axis=0)
        away = points.mean(axis=0) - middle if len(points) else np.zeros(2)
        if not (length := float(np.linalg.norm(away))):
            return None
        direction = away / length
        tip, edge = float(np.quantile(points @ direction, 0.99)), float((self.quad @ direction).max())
        if tip - edge < _LEAST_LENGTH * self.height_m:
            return None
        return Cast(direction, edge, tip, self.height_m)

    @cached_property
    def view(self) -> np.ndarray:
        """Unit direction (2,) on the ground in which it is seen."""
        middle = self.quad.mean(axis=0)
        return middle / max(float(np.linalg.norm(middle)), 1e-6)

    def shade_of(self, caster: Upright) -> Layer | None:
        """What another's shadow leaves (h, w) uint8 on the part of this object that it reaches; None where on none.

        The part that the sun lights and the camera sees is that of an upright cylinder: (1 + cos) / 2 of it, by the
        angle between the shadow's direction and the view's.
        """
        if caster.sprite.light is None or caster.cast is None or not len(self.foot_m):
            return None
        left = self._at_foot(caster.sprite.light)
        if left.min() >= _DARK:
            return None
        heights = caster.cast.height_at(self.foot_m) * self.metre_px
        facing = (1 + float(caster.cast.direction @ self.view)) / 2
        return self._up_to(heights, facing * (1 - left / 255))

    @cached_property
    def _below_foot(self) -> np.ndarray:
        """(1, N, 2) int16, as OpenCV looks pixels up: those just below the foot's."""
        return np.stack([self.foot_px[0], self.foot_px[1] + 1], axis=-1)[None].astype(np.int16)

    def _at_foot(self, light: Layer) -> np.ndarray:
        """(N,) what a shadow leaves on the ground just below the foot's pixels, 255 outside it."""
        layer, (rows, columns) = light
        wanted = self._below_foot - np.array([columns.start, rows.start], np.int16)
        return cv2.remap(
            layer, wanted, _NO_SECOND_MAP, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=255
        )[0]

    def _up_to(self, heights_px: np.ndarray, taken: np.ndarray) -> Layer | None:
        """Takes a part (N,) of the light from the foot's pixels up to heights (N,), in the columns where it takes any;
        beyond the foot's ends as at them, for the sprite is larger by a soft edge."""
        rows, columns = self.sprite.colour[1]
        known, some = self.foot_px[0], np.flatnonzero(taken)
        start = int(known[some[0] - 1]) - _BLUR_PX // 2 if some[0] else columns.start
        stop = int(known[some[-1] + 1]) + _BLUR_PX // 2 + 1 if some[-1] + 1 < len(known) else columns.stop
        start, stop = max(start, columns.start), min(stop, columns.stop)
        if start >= stop:
            return None
        every = np.arange(start, stop)
        top = np.interp(every, known, self.foot_px[1] - heights_px).astype(np.float32)
        part = np.interp(every, known, taken).astype(np.float32)[None]
        part = cv2.blur(part, (_BLUR_PX, 1), borderType=cv2.BORDER_REPLICATE)[0]
        first = min(max(int(top.min()), rows.start), rows.stop)
        soft = np.float32(max(_SOFT_M * self.metre_px, 1.0))
        below = np.subtract.outer(np.arange(first, rows.stop, dtype=np.float32) / soft, top / soft)
        np.maximum(below, 0, out=below)
        np.minimum(below, 1, out=below)
        below *= -255 * part
        below += 255.5
        return below.astype(np.uint8), (slice(first, rows.stop), slice(start, stop))

    def _ground(self, pixels: np.ndarray) -> np.ndarray:
        return self.plane.to_world(self.plane.intersect(self.camera, pixels.astype(float)))[..., :2]


def shades(things: Sequence[Upright]) -> list[Layer | None]:
    """What is left (h, w) uint8 of the illumination of each of a scene's objects, and where in the frame, inside of its
    sprite; None for all of it. Of several shadows the darkest counts: the sun is taken away once."""
    casters = [number for number, thing in enumerate(things) if thing.cast is not None]
    met = _touching(
        [thing.foot_place for thing in things],
        [light[1] for number in casters if (light := things[number].sprite.light) is not None],
    )
    result: list[Layer | None] = []
    for number, thing in enumerate(things):
        near = [casters[c] for c in np.flatnonzero(met[number]) if casters[c] != number]
        result.append(_darkest([shade for c in near if (shade := thing.shade_of(things[c])) is not None]))
    return result


def _darkest(shades_of: Sequence[Layer]) -> Layer | None:
    """The least of several in the box that holds them all."""
    if len(shades_of) <= 1:
        return shades_of[0] if shades_of else None
    rows, columns = (
        slice(min(place[k].start for _, place in shades_of), max(place[k].stop for _, place in shades_of))
        for k in (0, 1)
    )
    least = np.full((rows.stop - rows.start, columns.stop - columns.start), 255, np.uint8)
    for shade, (mine, across) in shades_of:
        there = least[mine.start - rows.start :, across.start - columns.start :][: shade.shape[0], : shade.shape[1]]
        np.minimum(there, shade, out=there)
    return least, (rows, columns)


def _outside_m(points: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """(N,) how far points (N, 2) lie outside the nearest side's line of a convex footprint (C, 2); NaN is far."""
    edge = np.roll(quad, -1, axis=0) - quad
    outward = np.stack([edge[:, 1], -edge[:, 0]], axis=-1) / np.maximum(np.linalg.norm(edge, axis=1), 1e-9)[:, None]
    outward *= np.where(((quad - quad.mean(axis=0)) * outward).sum(axis=1, keepdims=True) < 0, -1, 1)
    return np.nan_to_num((points @ outward.T - (quad * outward).sum(axis=1)).max(axis=1), nan=np.inf)


def _touching(first: Sequence[Place], second: Sequence[Place]) -> np.ndarray:
    """(N, M) bool: places of N arrays in the frame touch those of M."""
    low, high = (
        [
            np.array([[getattr(side, end) for side in place] for place in places], int).reshape(-1, 2)
            for places in (first, second)
        ]
        for end in ("start", "stop")
    )
    touch = (low[0][:, None] <= high[1]) & (low[1] <= high[0][:, None])
    return touch[..., 0] & touch[..., 1]
