"""Objects as what differs from the bucket's median background: no weights, no training.

The background is given the frame's illumination, noise is known from the frame itself, cast shadows are known by colour
and by the ground's texture that shows through, and classes by the size in metres where the object stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.ground import pixels_per_metre, size_m
from pipeline.core import illumination
from pipeline.core.instances import Instance, tight
from pipeline.detection import blobs, shadow
from pipeline.detection.registry import Backend, Inputs

_MARGIN_PX = 16
_REACH_M = 0.25
_LIMB_M = 0.04  # gaps within a person that are bridged when people are separated
_VEHICLE_WIDTH_M = 1.4  # seen from whatever side
_VEHICLE_SOLIDITY = 0.75  # vehicles fill so much of their convex hull, groups of people less
# Halving the picture averages noise away, so that the same object stands out at a lower threshold.
_COARSE = 0.7
_RECENT = 15  # frames
_NONE = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class MotionSettings:
    """What counts as a change, as a shadow, and as an object."""

    low_sigma: float = field(
        default=4.0, metadata={"help": "a pixel joins an object from this difference, noise sigmas"}
    )
    high_sigma: float = field(
        default=9.0, metadata={"help": "an object holds a pixel of this difference, noise sigmas"}
    )
    edge_noise: float = field(
        default=0.15, metadata={"help": "noise at the background's edges, fraction of their contrast: a shaking camera"}
    )
    illumination_reach: float = field(
        default=0.125,
        metadata={
            "help": "distance over which illumination may drift (clouds), fraction of the frame's width",
            "formerly": "light_reach",
        },
    )
    shadow_tint: float = field(
        default=0.06, metadata={"help": "colour departure of a shadow from the expected one, ln ratio"}
    )
    edge_fraction: float = field(
        default=0.2,
        metadata={
            "help": "an outline lies where the difference is this fraction of the one just inside",
            "formerly": "edge_share",
        },
    )
    join_m: float = field(default=0.15, metadata={"help": "gaps of twice this are bridged within an object, metres"})
    min_area_px: int = field(default=80, metadata={"help": "smallest mask, pixels"})
    min_height_m: float = field(default=0.6, metadata={"help": "lowest object, metres; lower ones are dropped"})
    max_person_width_m: float = field(default=1.3, metadata={"help": "widest single person, metres"})
    ghost_edge: float = field(
        default=0.35,
        metadata={
            "help": "an outline with less of its edges in the frame than this, against the background, is no object"
        },
    )


@dataclass(frozen=True)
class _Scene:
    """A bucket's background with what is computed from it once."""

    image: np.ndarray  # (H, W, 3) float32
    half: np.ndarray  # (H/2, W/2, 3) float32
    quarter: np.ndarray  # (H/4, W/4, 3) float32, every fourth pixel
    quarter_flat: np.ndarray  # (H/4, W/4) bool, no edge there
    cells: np.ndarray
    edges: np.ndarray  # (H, W) float32, grey levels a pixel
    half_edges: np.ndarray


@dataclass(frozen=True)
class _Crop:
    """A changed place of the frame at xy: what differs, how strongly, and how it was darkened; arrays (h, w)."""

    xy: tuple[int, int]
    strength: np.ndarray
    difference: np.ndarray  # grey levels
    dark: shadow.Darkening
    gradient: np.ndarray
    edges: np.ndarray


class MotionDetector:
    """Detector of what moved against the bucket's background."""

    def __init__(
        self,
        settings: MotionSettings,
        camera: Camera,
        plane: GroundPlane,
        backgrounds: Mapping[str, np.ndarray],
        ignore: np.ndarray | None,
    ) -> None:
        self.settings, self.camera, self.plane = settings, camera, plane
        self.scenes = {bucket: _scene_of(image) for bucket, image in backgrounds.items()}
        self.allowed = np.ones(camera.size_hw, bool) if ignore is None else ~ignore
        self.half_allowed = self.allowed[: camera.size_hw[0] // 2 * 2 : 2, : camera.size_hw[1] // 2 * 2 : 2]
        self.recent: dict[str, deque[np.ndarray]] = {}
        self.reach = _reach(_scale_of_rows(camera, plane)[: camera.size_hw[0] // 2 * 2 : 2] / 2)

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """Instances of a frame (H, W, 3) uint8, from top to bottom."""
        scene = self.scenes.get(bucket)
        if scene is None or scene.image.shape != image_bgr.shape:
            got = "none" if scene is None else str(scene.image.shape)
            raise ValueError(f"frame {frame_id}: background of bucket {bucket}: expected {image_bgr.shape}, got {got}")
        crops = self._crops(image_bgr, scene)
        # A frame alone may hold too little shadow to know it; illumination hardly changes over a few frames.
        recent = self.recent.setdefault(bucket, deque(maxlen=_RECENT))
        samples = [shadow.shadow_samples(c.dark, c.strength > self.settings.low_sigma) for c in crops]
        recent.append(np.concatenate([_NONE, *samples]))
        cast = shadow.find_shadow(np.concatenate(recent))
        found = [instance for crop in crops for instance in self._instances(crop, cast)]
        return sorted(found, key=lambda i: (i.xy[1], i.xy[0]))

    def _crops(self, image: np.ndarray, scene: _Scene) -> list[_Crop]:
        use = illumination.cells(self.allowed.astype(np.float32)) > 0.5
        gain = illumination.smooth_gain(
            image, scene.cells, use, self.settings.illumination_reach * scene.cells.shape[1]
        )
        coarse = illumination.gain_at(gain, scene.quarter.shape[:2]) * scene.quarter
        noise = illumination.noise_levels(image[2::4, 2::4].astype(np.float32), coarse, scene.quarter_flat)
        labels, boxes = self._regions(image, scene, gain, noise)
        return [self._crop(image, scene, gain, noise, labels, k, box) for k, box in boxes]

    def _regions(
        self, image: np.ndarray, scene: _Scene, gain: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, list[tuple[int, blobs.Box]]]:
        """Labels (H/2, W/2) of places with a change, and their numbers with boxes in the frame."""
        height, width = scene.half.shape[:2]
        half = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        background = scene.half * illumination.gain_at(gain, (height, width))
        sigma = self._sigma(background, scene.half_edges, noise)
        changed = illumination.largest(cv2.absdiff(half, background)) > _COARSE * self.settings.high_sigma * sigma
        hot = blobs.opened_by_two((changed & self.half_allowed).view(np.uint8))
        near = np.zeros_like(hot)
        for rows, radius in self.reach:
            near = cv2.max(near, cv2.dilate(np.where(rows, hot, 0), blobs.disk(radius)))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(near)
        least = self.settings.min_area_px / 4
        boxes = [(k, _around(row[:4], image.shape)) for k, row in enumerate(stats) if k and row[4] >= least]
        return labels, boxes

    def _sigma(self, background: np.ndarray, edges: np.ndarray, noise: np.ndarray) -> np.ndarray:
        level = np.clip(illumination.largest(background), 0, 255).astype(np.uint8)
        return cv2.LUT(level, noise) + np.float32(self.settings.edge_noise) * edges

    def _crop(
        self,
        image: np.ndarray,
        scene: _Scene,
        gain: np.ndarray,
        noise: np.ndarray,
        labels: np.ndarray,
        k: int,
        box: blobs.Box,
    ) -> _Crop:
        x, y, w, h = box
        place = np.s_[y : y + h, x : x + w]
        frame, edges = image[place].astype(np.float32), scene.edges[place]
        background = scene.image[place] * illumination.gain_at(gain, image.shape[:2], box)
        sigma = self._sigma(background, edges, noise)
        difference = cv2.absdiff(cv2.GaussianBlur(frame, (3, 3), 0.8), cv2.GaussianBlur(background, (3, 3), 0.8))
        own = cv2.resize(
            (labels[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2] == k).view(np.uint8), (w, h), interpolation=0
        )
        strength = np.where(own.astype(bool) & self.allowed[place], illumination.largest(difference) / sigma, 0)
        dark = shadow.darkening(frame, background, sigma, strength > self.settings.low_sigma)
        return _Crop(
            (x, y),
            strength,
            illumination.mean(cv2.absdiff(frame, background)),
            dark,
            illumination.gradient(frame),
            edges,
        )

    def _instances(self, crop: _Crop, cast: shadow.Shadow) -> Iterator[Instance]:
        scale = self._scale_of_crop(crop)
        if scale is None:
            return
        changed = blobs.hysteresis(crop.strength > self.settings.low_sigma, crop.strength > self.settings.high_sigma)
        ground = shadow.confident_ground(crop.dark)
        shaded = shadow.in_shadow(crop.dark, ground, cast, self.settings.shadow_tint)
        confident = blobs.opened(changed & ~shaded, 1)
        for part, (x, y, w, h) in self._parts(confident, scale):
            place = np.s_[y : y + h, x : x + w]
            mask = blobs.shaped(confident[place] & part, changed[place] & part, ground[place], scale)
            mask = blobs.trimmed(mask, crop.difference[place], self.settings.edge_fraction)
            wide = w > _VEHICLE_WIDTH_M * scale
            for one in blobs.without_limbs(mask, scale) if wide else [mask]:
                instance = self._instance(one, crop, (x, y))
                if instance:
                    yield instance

    def _scale_of_crop(self, crop: _Crop) -> float | None:
        """Pixels a metre where the lowest strong change of a crop stands; None without one, or without ground there."""
        rows, columns = np.nonzero(crop.strength > self.settings.high_sigma)
        if not len(rows):
            return None
        lowest = np.array([columns[rows == rows[-1]].mean(), rows[-1]])
        scale = float(pixels_per_metre(self.camera, self.plane, lowest + crop.xy).mean())
        return scale if np.isfinite(scale) else None

    def _parts(self, confident: np.ndarray, scale: float) -> Iterator[tuple[np.ndarray, blobs.Box]]:
        """What belongs to one object: pixels with small gaps between them, but not people who walk side by side."""
        near = blobs.closed(confident, self.settings.join_m * scale)
        for part, (x, y, w, h) in blobs.components(near, self.settings.min_area_px):
            inside = confident[y : y + h, x : x + w] & part
            close = blobs.closed(inside, _LIMB_M * scale)
            components = blobs.components(close, self.settings.min_area_px)
            people = [1.2 < ph / scale < 2.4 and 0.25 < pw / scale < 1.2 for _, (_, _, pw, ph) in components]
            if any(people) and blobs.solidity(inside) < _VEHICLE_SOLIDITY:
                for component, (px, py, pw, ph) in components:
                    yield component, (x + px, y + py, pw, ph)
            else:
                yield part, (x, y, w, h)

    def _instance(self, mask: np.ndarray, crop: _Crop, at: tuple[int, int]) -> Instance | None:
        """The instance of a mask (h, w) at a place of the crop; None for what is too small, a ghost, or in the sky."""
        found = tight(mask, at)
        if found is None or np.count_nonzero(found[0]) < self.settings.min_area_px:
            return None
        (x, y), (h, w) = found[1], found[0].shape
        place = np.s_[y : y + h, x : x + w]
        fraction, foreign = blobs.outline_fraction(found[0], crop.gradient[place], crop.edges[place])
        if fraction < self.settings.ghost_edge:
            return None
        xy = (crop.xy[0] + x, crop.xy[1] + y)
        size = size_m(self.camera, self.plane, (*xy, w, h))
        # What ends above the horizon stands on no ground: it has no size, and is not an object.
        if not size[1] >= self.settings.min_height_m:
            return None
        category, fit = blobs.classify(size, self.settings.max_person_width_m)
        clear = float(np.clip(crop.strength[place][found[0]], 0, 2 * self.settings.high_sigma).mean())
        score = fit * (0.5 + 0.25 * clear / self.settings.high_sigma) * np.exp(-((max(foreign - 0.15, 0) / 0.12) ** 2))
        # Of a vehicle, size alone tells no more than that.
        return Instance(category, float(score), found[0], xy, "person" if category == "person" else None)


def _around(box_half: np.ndarray, shape: tuple[int, ...]) -> blobs.Box:
    """A box of the half-size picture in the frame's pixels, on even pixels, with room around it."""
    x, y, w, h = (2 * int(v) for v in box_half)
    left, top = max(x - _MARGIN_PX, 0), max(y - _MARGIN_PX, 0)
    right, bottom = (min(a + b + _MARGIN_PX, c // 2 * 2) for a, b, c in ((x, w, shape[1]), (y, h, shape[0])))
    return left, top, right - left, bottom - top


def _scene_of(image: np.ndarray) -> _Scene:
    full = image.astype(np.float32)
    height, width = image.shape[:2]
    half = cv2.resize(full, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    edges = illumination.gradient(full)
    quarter = full[2::4, 2::4]
    return _Scene(
        full, half, quarter, edges[2::4, 2::4] < 4, illumination.cells(image), edges, illumination.gradient(half)
    )


def _reach(scale_half: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Bands of rows (H/2, 1) and the radius, in half pixels, by which changes there grow to count as one place."""
    radius = np.clip(np.round(_REACH_M * scale_half), 2, 10).astype(int)[:, None]
    return [(radius == r, int(r)) for r in np.unique(radius)]


def _scale_of_rows(camera: Camera, plane: GroundPlane) -> np.ndarray:
    """Pixels a metre (H,) for what stands on each row of the middle column; 0 in the sky."""
    height, width = camera.size_hw
    feet = np.stack([np.full(height, (width - 1) / 2), np.arange(height)], axis=1)
    scale = pixels_per_metre(camera, plane, feet).mean(axis=1)
    return np.where(np.isfinite(scale), scale, 0.0)


def _motion_detector(settings: MotionSettings, inputs: Inputs) -> MotionDetector:
    assert inputs.camera and inputs.plane and inputs.backgrounds is not None  # needed, hence there
    return MotionDetector(settings, inputs.camera, inputs.plane, inputs.backgrounds, inputs.ignore)


BACKEND = Backend("motion", _motion_detector, MotionSettings, needs=("camera", "plane", "backgrounds"))
