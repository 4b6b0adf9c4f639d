"""Illumination of an empty street's picture (a smooth gain, and noise), and frames under their background's.

Images are (h, w, 3) BGR, float32 grey levels unless said otherwise; ratios are natural logarithms, 0 where frame and
background agree. Boxes are xywh in whole pixels inside the frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import masks
from pipeline.core.frames import FrameReader, read_backgrounds
from pipeline.core.storage import damaged, read_table

Box = tuple[int, int, int, int]
# Grey levels added before a logarithm: below them a ratio is noise.
OFFSET = 6.0
CELL_PX = 16
_LEVELS = 16
# A time bucket noisier than another by more than this, once lit alike, shows among its own objects.
_NOISE_FACTOR = 1.5
# Distance over which the illumination may differ within a frame, fraction of its width.
REACH_FRACTION = 0.125


def mean(image: np.ndarray) -> np.ndarray:
    """(h, w) mean of the three channels."""
    return cv2.transform(image, np.full((1, 3), 1 / 3, np.float32))


def largest(image: np.ndarray) -> np.ndarray:
    """(h, w) largest of the three channels."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def gradient(image: np.ndarray) -> np.ndarray:
    """Contrast (h, w) float32 of an image (h, w, 3), grey levels a pixel in the channel that has most."""
    across, down = (cv2.Scharr(image, cv2.CV_32F, dx, 1 - dx, scale=1 / 32) for dx in (1, 0))
    return cv2.sqrt(largest(across * across + down * down))


def log_ratio(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """ln(frame / background) (h, w, 3) float32, steady in the dark."""
    return cv2.log((frame + np.float32(OFFSET)) / (background + np.float32(OFFSET)))


def cells(image: np.ndarray) -> np.ndarray:
    """Means (rows, columns, 3) float32 of an image's cells of about CELL_PX."""
    size = (max(round(image.shape[1] / CELL_PX), 1), max(round(image.shape[0] / CELL_PX), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def smooth_gain(frame: np.ndarray, cells_background: np.ndarray, use: np.ndarray, reach_cells: float) -> np.ndarray:
    """ln gain (rows, columns, 3) over cells that gives the background the illumination of the frame.

    cells_background is `cells(background)`, use (rows, columns) bool the cells to trust. Objects are left out in two
    steps: cells far from the global gain, then cells far from their surroundings'.
    """
    ratio = log_ratio(cells(frame), cells_background)
    if not use.any():
        return np.zeros_like(ratio)
    gain = np.broadcast_to(np.median(ratio[use], axis=0), ratio.shape).astype(np.float32)
    for tolerance in (0.30, 0.12):
        weight = (use & (np.abs(ratio - gain).max(axis=2) < tolerance)).astype(np.float32)
        # A small weight on the estimate before carries it across places without a trusted cell.
        total = cv2.GaussianBlur(weight, (0, 0), reach_cells) + 0.02
        part = cv2.GaussianBlur((ratio - gain) * weight[..., None], (0, 0), reach_cells)
        gain = gain + part / total[..., None]
    return gain


def alike(
    backgrounds: Mapping[str, np.ndarray], most: float, noise: Mapping[str, float] | None = None
) -> dict[str, tuple[str, ...]]:
    """Of each time bucket's background (H, W, 3) uint8 the buckets that are lit like it: itself, then others whose
    cells differ by at most so much, root mean square of the logarithms of their ratios; the most alike first.

    noise: of buckets, as a fraction of the brightness; one that is noisier by more than _NOISE_FACTOR does not serve.
    By night a camera's gain is high and lamps are lit: both show by day, while the quiet ones serve by night.
    """
    seen = {name: cells(image) for name, image in backgrounds.items()}
    known = noise or {}
    found = {}
    for name, mine in seen.items():
        apart = {other: float(np.sqrt((log_ratio(theirs, mine) ** 2).mean())) for other, theirs in seen.items()}
        others = sorted(set(seen) - {name}, key=lambda other: (apart[other], other))
        quiet = [other for other in others if _quiet_enough(known.get(other), known.get(name))]
        found[name] = (name, *(other for other in quiet if apart[other] <= most))
    return found


def _quiet_enough(lender: float | None, borrower: float | None) -> bool:
    """Whether the lender's noise, where both are known, is at most the borrower's times the factor."""
    return not lender or not borrower or lender <= _NOISE_FACTOR * borrower


def relative_noise(frames: np.ndarray, background: np.ndarray) -> float:
    """What empty frames (N, H, W, 3) uint8 differ from their background (H, W, 3) uint8 on average, as a fraction of
    its brightness; of every fourth row, which are enough."""
    kept = background[::4].astype(np.float32)
    return float(np.abs(frames[:, ::4].astype(np.float32) - kept).mean() / (kept.mean() + OFFSET))


def gain_between(source: np.ndarray, target: np.ndarray, size_hw: tuple[int, int], box: Box) -> np.ndarray:
    """(3,) factors that give what was seen in a box against one background the illumination of another, both as
    `cells` of images of size_hw: the median over the cells that the box touches."""
    x, y, w, h = box
    rows, columns = source.shape[:2]
    top, bottom = int(y * rows / size_hw[0]), -(-int((y + h) * rows) // size_hw[0])
    left, right = int(x * columns / size_hw[1]), -(-int((x + w) * columns) // size_hw[1])
    place = np.s_[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]
    return np.exp(np.median(log_ratio(target[place], source[place]), axis=(0, 1)))


def gain_at(gain: np.ndarray, size_hw: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Factors (h, w, 3) of the box xywh, or all, of an image of size_hw, from `smooth_gain`'s cells."""
    height, width = size_hw
    x, y, w, h = box or (0, 0, width, height)
    step = gain.shape[1] / width, gain.shape[0] / height
    pick = np.array([[step[0], 0, (x + 0.5) * step[0] - 0.5], [0, step[1], (y + 0.5) * step[1] - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(cv2.exp(gain), pick, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def noise_levels(frame: np.ndarray, background: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Noise (256,) float32, in grey levels, of pixels by the background's brightness.

    Robust: 1.48 times the median of the differences where `flat`, which objects and edges hardly touch.
    """
    difference = mean(cv2.absdiff(frame, background))[flat]
    level = np.minimum(mean(background)[flat] * (_LEVELS / 256), _LEVELS - 1).astype(int)
    noise = np.array([_robust_spread(difference[level == k]) for k in range(_LEVELS)])
    known = np.flatnonzero(np.isfinite(noise))
    if not len(known):
        return np.full(256, 2.0, np.float32)
    centres = (known + 0.5) * (256 / _LEVELS)
    return np.clip(np.interp(np.arange(256), centres, noise[known]), 1.2, 8.0).astype(np.float32)


def _robust_spread(difference: np.ndarray) -> float:
    # Means of three channels: 1.2 makes up for what averaging takes from half-correlated noise.
    return 1.48 * 1.2 * float(np.median(difference)) if len(difference) > 200 else np.nan


@dataclass(frozen=True)
class PlacedMask:
    """One detection's mask (h, w) bool at xy, and its number from 1 in `Relit.owner`."""

    crop: np.ndarray
    xy: tuple[int, int]
    number: int


class Relit:
    """A frame (H, W, 3) uint8 beside its background (H, W, 3) uint8 and the masks of everything found in it."""

    def __init__(self, frame: np.ndarray, background: np.ndarray, rles: Sequence[str]) -> None:
        if frame.shape != background.shape:
            raise ValueError(f"frame is {frame.shape}, its background {background.shape}: run EmptyStreet again")
        self.frame, self.background = frame, background
        self.owner = np.zeros(frame.shape[:2], np.uint16)
        self.placed: list[PlacedMask] = []
        for number, rle in enumerate(rles, start=1):
            crop, (x, y, w, h) = masks.decode(rle, frame.shape[:2])
            self.owner[y : y + h, x : x + w][crop] = number
            self.placed.append(PlacedMask(crop, (x, y), number))
        free = cv2.resize((self.owner == 0).astype(np.float32), cells(background).shape[1::-1], None, 0, 0, 3)
        reach = REACH_FRACTION * free.shape[1]
        self.gain = smooth_gain(frame, cells(background), free > 0.8, reach)

    def crop(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """Frame under the background's illumination, and background, (h, w, 3) each, of a box inside the frame."""
        x, y, w, h = box
        gain = gain_at(self.gain, self.frame.shape[:2], box)
        place = np.s_[y : y + h, x : x + w]
        return self.frame[place] / gain, self.background[place].astype(np.float32)

    @cached_property
    def noise(self) -> np.ndarray:
        """(256,) spread in grey levels of unchanged pixels, by the background's brightness."""
        flat = self.owner[2::4, 2::4] == 0
        height, width = self.frame.shape[:2]
        gain = gain_at(self.gain, (height, width))[2::4, 2::4]
        return noise_levels(self.frame[2::4, 2::4] / gain, self.background[2::4, 2::4].astype(np.float32), flat)


def padded(mask: PlacedMask, margin_px: tuple[int, int], size_hw: tuple[int, int]) -> tuple[np.ndarray, Box]:
    """The mask in a box larger by margins (across, up and down), and that box; both end at the frame's border."""
    (x, y), (h, w), (across, up) = mask.xy, mask.crop.shape, margin_px
    left, top = max(x - across, 0), max(y - up, 0)
    right, bottom = min(x + w + across, size_hw[1]), min(y + h + up, size_hw[0])
    crop = np.zeros((bottom - top, right - left), bool)
    crop[y - top : y - top + h, x - left : x - left + w] = mask.crop
    return crop, (left, top, right - left, bottom - top)


def relit_frames(
    index: Path, root: Path, backgrounds: Path, tracks: Path, frame_ids: Sequence[int]
) -> Iterator[tuple[Relit, pa.Table]]:
    """Every readable frame of frame_ids that has detections, with its rows of the TRACKS table in `placed`'s order."""
    wanted = pa.array(sorted(int(i) for i in frame_ids), pa.int64())
    rows = read_table(tracks, filters=pc.field("frame_id").isin(wanted))
    frames = read_table(index, filters=pc.field("frame_id").isin(wanted))
    images = read_backgrounds(backgrounds)
    order = np.argsort(rows["frame_id"].to_numpy(), kind="stable")
    rows = rows.take(order)
    ids = rows["frame_id"].to_numpy()
    for frame_id, image in FrameReader(frames, root).read(np.unique(ids).tolist()):
        start, end = np.searchsorted(ids, [frame_id, frame_id + 1])
        mine = rows.slice(start, end - start)
        bucket = mine["bucket"][0].as_py()
        if bucket not in images:
            raise damaged(backgrounds / f"{bucket}.png", "there is none of this bucket")
        yield Relit(image, images[bucket], mine["mask_rle"].to_pylist()), mine
