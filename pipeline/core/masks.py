"""Masks as COCO run-length strings, encoded and decoded by their crops.

A crop is (h, w) bool with its top-left pixel at xy in a frame of size_hw. The string is pycocotools' compressed
`counts` of the whole frame; working on the crop costs microseconds where the full frame costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pycocotools import mask as coco

Box = tuple[int, int, int, int]
_MOST_DIGITS = 7  # five bits each: more than any frame's pixels, and no sum of as many can overflow


def encode(crop: np.ndarray, xy: tuple[int, int], size_hw: tuple[int, int]) -> str:
    """Run-length string of a frame of size_hw that is zero outside the crop (h, w) placed at xy."""
    height, width = size_hw
    (x, y), (crop_h, crop_w) = xy, crop.shape
    if x < 0 or y < 0 or x + crop_w > width or y + crop_h > height:
        raise ValueError(f"mask crop {crop_w}x{crop_h} at {xy} leaves its frame {width}x{height}")
    # One empty row below each column ends every run inside its column.
    columns = np.zeros((crop_w, crop_h + 1), np.int8)
    columns[:, :crop_h] = crop.T
    steps = np.diff(columns.reshape(-1), prepend=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    column, row = np.divmod(np.stack([starts, ends], axis=1), crop_h + 1)
    edges = ((x + column) * height + y + row).reshape(-1)
    touching = np.flatnonzero(edges[1:-1:2] == edges[2::2]) * 2 + 1  # full-height columns side by side
    edges = np.delete(edges, np.concatenate([touching, touching + 1]))
    return encode_runs(edges.reshape(-1, 2), np.array([len(edges) // 2]), size_hw)[0]


def encode_runs(edges: np.ndarray, runs: np.ndarray, size_hw: tuple[int, int]) -> list[str]:
    """Run-length strings of N masks of a frame of size_hw at once: the first runs[0] of edges (R, 2) are the start and
    end of the first one's runs of ones, in column-major pixel order, no two touching; the next runs[1] the second's."""
    if not len(runs):
        return []
    ends = np.cumsum(2 * runs + 2)
    # Each mask's edges between 0 and the frame's end: what lies between two of them is a count, of zeros first.
    first, last = ends - 2 * runs - 2, ends - 1
    bounds = np.full(ends[-1], -1, np.int64)
    bounds[first], bounds[last] = 0, size_hw[0] * size_hw[1]
    bounds[bounds < 0] = edges.reshape(-1)
    counts, place = np.diff(bounds), np.arange(ends[-1] - 1) - np.repeat(first, last - first + 1)[:-1]
    written = np.ones(len(counts), bool)
    written[last[:-1]] = False
    # A last run of no pixels is not written.
    written[last - 1] = (counts[last - 1] > 0) | (runs == 0)
    # From the fourth on, a count is stored as the difference to the one two before.
    late = np.flatnonzero(place > 2)
    values = counts.copy()
    values[late] -= counts[late - 2]
    length = np.add.reduceat(written, first)
    text, digits = _as_text(values[written])
    cuts = np.cumsum(np.add.reduceat(digits, np.cumsum(length) - length)).tolist()
    return [text[start:end] for start, end in zip([0, *cuts[:-1]], cuts, strict=True)]


def _as_text(values: np.ndarray) -> tuple[str, np.ndarray]:
    """Numbers (C,) as COCO writes them, one after the other, and how many characters each takes: the low five bits
    first, with a sixth that says that more follow, until what is left is the sign alone."""
    bits = np.frexp(np.where(values < 0, ~values, values).astype(float))[1]
    digits = bits // 5 + 1
    step = np.arange(digits.max())
    more = (step < digits[:, None] - 1) * 0x20
    codes = ((values[:, None] >> (5 * step)) & 0x1F) + more + 48
    return codes[step < digits[:, None]].astype(np.uint8).tobytes().decode("ascii"), digits


def run_edges(rle: str, size_hw: tuple[int, int]) -> np.ndarray:
    """(R, 2) int64 start and end of each run of ones, in column-major pixel order."""
    if not rle:
        raise ValueError("mask: expected a COCO run-length string, got an empty one")
    codes = np.frombuffer(rle.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    last = (codes & 0x20) == 0
    if codes.min() < 0 or codes.max() > 0x3F or not last[-1]:
        raise ValueError(f"mask: expected a COCO run-length string, got {rle[:20]!a}")
    first = np.r_[0, np.flatnonzero(last)[:-1] + 1]
    place = np.arange(len(codes)) - np.repeat(first, np.diff(np.r_[first, len(codes)]))
    if place.max() >= _MOST_DIGITS:
        raise ValueError(f"mask: expected counts of at most {_MOST_DIGITS} characters, got {place.max() + 1}")
    values = np.add.reduceat((codes & 0x1F) << (5 * place), first)
    negative = (codes[last] & 0x10) != 0
    values -= negative * (np.int64(1) << (5 * (place[last] + 1)))
    # From the fourth on, a count is stored as the difference to the one two before.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    pixels = size_hw[0] * size_hw[1]
    if values.min() < 0 or values.max() > pixels:
        raise ValueError(f"mask: expected runs of 0 to {pixels} pixels, got {values.min()} to {values.max()}")
    edges = np.cumsum(values)
    if edges[-1] > pixels:
        raise ValueError(f"mask: expected runs of {size_hw[0]} x {size_hw[1]} pixels, they end at {edges[-1]}")
    return edges[: len(edges) // 2 * 2].reshape(-1, 2)


def area(rle: str, size_hw: tuple[int, int]) -> int:
    """Number of pixels."""
    edges = run_edges(rle, size_hw)
    return int((edges[:, 1] - edges[:, 0]).sum())


def decode(rle: str, size_hw: tuple[int, int]) -> tuple[np.ndarray, Box]:
    """The tight crop (h, w) bool and its box xywh; an empty mask gives a (0, 0) crop at the origin."""
    edges = run_edges(rle, size_hw)
    edges = edges[edges[:, 1] > edges[:, 0]]
    if not len(edges):
        return np.zeros((0, 0), bool), (0, 0, 0, 0)
    height = size_hw[0]
    x, x_last = int(edges[0, 0] // height), int((edges[-1, 1] - 1) // height)
    steps = np.zeros((x_last - x + 1) * height + 1, np.int8)
    steps[edges[:, 0] - x * height] = 1
    steps[edges[:, 1] - x * height] = -1
    columns = np.cumsum(steps[:-1], dtype=np.int8).reshape(-1, height).astype(bool)
    rows = np.flatnonzero(columns.any(axis=0))
    y, y_last = int(rows[0]), int(rows[-1])
    crop = np.ascontiguousarray(columns[:, y : y_last + 1].T)
    return crop, (x, y, crop.shape[1], crop.shape[0])


def full(rle: str, size_hw: tuple[int, int]) -> np.ndarray:
    """The whole frame (H, W) bool."""
    frame = np.zeros(size_hw, bool)
    crop, (x, y, w, h) = decode(rle, size_hw)
    frame[y : y + h, x : x + w] = crop
    return frame


def union(rles: Iterable[str], size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of all of the masks."""
    whole = np.zeros(size_hw, bool)
    for rle in rles:
        crop, (x, y, w, h) = decode(rle, size_hw)
        whole[y : y + h, x : x + w] |= crop
    return whole


def iou(first: Sequence[str], second: Sequence[str], size_hw: tuple[int, int]) -> np.ndarray:
    """(N, M) intersection over union of two lists of masks of one frame size."""
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)))
    return coco.iou(as_coco(first, size_hw), as_coco(second, size_hw), [0] * len(second))


def as_coco(rles: Sequence[str], size_hw: tuple[int, int]) -> list[dict]:
    """pycocotools' objects of run-length strings."""
    return [{"size": list(size_hw), "counts": rle.encode("ascii")} for rle in rles]
