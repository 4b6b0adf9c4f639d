"""Where an object's outline should be in a frame, predicted from the other frames of its track, and what is missing
there.

A neighbour's mask is moved along the track's fitted path and scaled by the ground's scale there; the mean of several
is the expected outline, a probability in [0, 1]. Masks are crops (h, w) with their top-left pixel at xy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.ground import pixels_per_metre
from pipeline.core import masks
from pipeline.mining.observations import Observations, foot_px

Crop = tuple[np.ndarray, tuple[int, int]]
_MOST_ZOOM = float(np.log(2.5))  # between neighbours, which are at most a few seconds apart


@dataclass(frozen=True)
class OutlineSettings:
    """How an outline is expected from its neighbours."""

    window_s: float = field(
        default=1.2, metadata={"help": "how far neighbours on a track count, standard deviation, seconds"}
    )
    neighbours: int = field(default=6, metadata={"help": "frames of the track that the expected outline is a mean of"})
    shift_fraction: float = field(
        default=0.05,
        metadata={
            "help": "how far the expected outline may be moved to fit, fraction of its size",
            "formerly": "shift_share",
        },
    )


@dataclass(frozen=True)
class Outline:
    """What is expected of a detection: on a canvas at xy, `inside` (h, w) bool, `missing` and `extra` to its mask.

    shown: the mask's pixels that do show the object. The fractions are of the expected area.
    """

    xy: tuple[int, int]
    mask: np.ndarray
    shown: np.ndarray
    inside: np.ndarray
    missing: np.ndarray
    extra: np.ndarray
    missing_fraction: float
    extra_fraction: float

    def without(self, boxes_xywh: np.ndarray) -> Outline:
        """The same, with nothing missing inside the boxes (M, 4) of others, which may be what hides it."""
        missing = self.missing.copy()
        for x, y, w, h in np.asarray(boxes_xywh, int).tolist():
            x, y = x - self.xy[0], y - self.xy[1]
            missing[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = False
        return replace(self, missing=missing)


def reference_area(track: Observations, whole: np.ndarray, settings: OutlineSettings) -> np.ndarray:
    """(N,) area in square metres that the whole object shows about each frame: an upper quantile of its neighbours'.

    Occlusion only takes from a mask, merging only adds and is rarer; `whole` (N,) marks masks clear of the border.
    """
    near = np.exp(-0.5 * ((track.time_s[:, None] - track.time_s) / (2 * settings.window_s)) ** 2)
    weight = near * (whole & np.isfinite(track.area_m2))
    order = np.argsort(track.area_m2)
    rank = np.cumsum(weight[:, order], axis=1)
    place = (rank < 0.65 * rank[:, -1:]).sum(axis=1)
    return np.where(rank[:, -1] > 0, track.area_m2[order][np.minimum(place, len(order) - 1)], np.nan)


def expected_outlines(
    track: Observations, whole: np.ndarray, camera: Camera, plane: GroundPlane, settings: OutlineSettings
) -> list[Outline | None]:
    """An outline for each of the N detections of a track, sorted by time; None where too few neighbours tell."""
    reference = reference_area(track, whole, settings)
    relative = np.nan_to_num(track.area_m2 / reference, nan=0.0, posinf=0.0)
    complete = np.where(relative < 1, np.exp(-(((1 - relative) / 0.12) ** 2)), np.exp(-(((relative - 1) / 0.2) ** 2)))
    weights = complete * whole * np.exp(-0.5 * ((track.time_s[:, None] - track.time_s) / settings.window_s) ** 2)
    np.fill_diagonal(weights, 0.0)
    feet = fitted_feet(track, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        scales = pixels_per_metre(camera, plane, feet)
    crops = [masks.decode(rle, camera.size_hw) for rle in track.rle]
    placed: list[Crop] = [(crop, (box[0], box[1])) for crop, box in crops]
    outlines: list[Outline | None] = []
    for i in range(len(track)):
        best = np.argsort(-weights[i], kind="stable")[: settings.neighbours]
        zoom = scales[i] / track.scale_px[best]
        # Close to the horizon a pixel changes the scale manyfold, and a mask so enlarged tells nothing.
        usable = (weights[i, best] > 0.05) & (np.abs(np.log(zoom)) < _MOST_ZOOM).all(axis=1)
        best, zoom = best[usable], zoom[usable]
        if len(best) < 2 or not len(placed[i][0]):
            outlines.append(None)
            continue
        own = foot_px(track.box_xywh[best])
        outlines.append(_outline(placed[i], [placed[j] for j in best], weights[i, best], own, feet[i], zoom, settings))
    return outlines


def fitted_feet(track: Observations, weights: np.ndarray) -> np.ndarray:
    """(N, 2) foot pixels expected at each time: a weighted parabola through the others (weights (N, N), rows sum up).

    Its bend is damped, so that two neighbours give a line and the far end of a track does not curl away.
    """
    feet = foot_px(track.box_xywh)
    lag = track.time_s - track.time_s[:, None]
    design = np.stack([np.ones_like(lag), lag, lag**2], axis=-1)  # (N, N, 3)
    normal = np.einsum("nja,nj,njb->nab", design, weights, design)
    normal += np.diag([1e-6, 1e-3, 0.05])
    # Deviations from the nearest frames' mean, so that holding back pulls towards standing still, not to the origin.
    mean = weights @ feet / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    right = np.einsum("nja,nj,njk->nak", design, weights, feet[None] - mean[:, None])
    return mean + np.linalg.solve(normal, right)[:, 0]


def _outline(
    own: Crop,
    others: list[Crop],
    weight: np.ndarray,
    feet: np.ndarray,
    foot: np.ndarray,
    zoom: np.ndarray,
    settings: OutlineSettings,
) -> Outline:
    (mask, (x, y)), margin = own, 4
    corners = [
        (foot + ((np.array(xy) - 0.5 - f) * z), foot + ((np.array(xy) - 0.5 + crop.shape[::-1] - f) * z))
        for (crop, xy), f, z in zip(others, feet, zoom, strict=True)
    ]
    low = np.minimum(np.floor(np.min([c[0] for c in corners], axis=0)), [x, y]).astype(int) - margin
    high = np.maximum(np.ceil(np.max([c[1] for c in corners], axis=0)), [x + mask.shape[1], y + mask.shape[0]])
    width, height = (high.astype(int) + margin - low).tolist()
    chance = np.zeros((height, width), np.float32)
    for (crop, xy), f, z, w in zip(others, feet, zoom, weight / weight.sum(), strict=True):
        move = np.array([[z[0], 0, 0], [0, z[1], 0]], np.float64)
        move[:, 2] = foot - low + (np.array(xy) - f) * z
        chance += w * cv2.warpAffine(crop.astype(np.float32), move, (width, height))
    seen = np.zeros((height, width), bool)
    seen[y - low[1] : y - low[1] + mask.shape[0], x - low[0] : x - low[0] + mask.shape[1]] = mask
    chance = _settled(chance, seen, settings.shift_fraction)
    return _compare((int(low[0]), int(low[1])), seen, chance)


def _settled(chance: np.ndarray, seen: np.ndarray, fraction: float) -> np.ndarray:
    """The expected outline moved a little to where it agrees best with the mask; among equals the least."""
    reach = 1 + int(fraction * np.sqrt(seen.sum()))
    padded = cv2.copyMakeBorder(chance, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    agreement = cv2.matchTemplate(padded, seen.astype(np.float32), cv2.TM_CCORR)
    lag = np.arange(-reach, reach + 1)
    cost = 0.002 * seen.sum() * (lag[:, None] ** 2 + lag**2) / reach**2
    row, column = np.unravel_index(np.argmax(agreement - cost), agreement.shape)
    height, width = chance.shape
    return padded[row : row + height, column : column + width]


def _compare(xy: tuple[int, int], seen: np.ndarray, chance: np.ndarray) -> Outline:
    inside = chance > 0.5
    area = max(int(inside.sum()), 1)
    # Slivers along the edge are noise of the masks; what survives an opening is a part.
    size = 3 + 2 * int(0.02 * np.sqrt(area))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    missing = _opened((chance > 0.8) & ~seen, kernel)
    extra = _opened(seen & (chance < 0.15), kernel)
    return Outline(xy, seen, seen, inside, missing, extra, float(missing.sum()) / area, float(extra.sum()) / area)


def _opened(part: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.morphologyEx(part.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
