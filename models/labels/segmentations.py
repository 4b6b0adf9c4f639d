"""Masks as COCO writes them: polygons and run lengths, compressed or plain, read as data of strangers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from pycocotools import mask as pycoco

from pipeline.core import masks


def postgres_array(text: Any, where: str) -> list[float]:
    """The numbers of a Postgres array, "{1,2.5,3}"; a JSON list of numbers is taken as well."""
    parts = text if isinstance(text, list) else str(text).strip().removeprefix("{").removesuffix("}").split(",")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: expected numbers as {{x,y,...}}, got {str(text)[:80]!r}") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where}: expected finite numbers, got {str(text)[:80]!r}")
    return numbers


def segmentation_mask(
    shape: Any, size_hw: tuple[int, int], scale: float | tuple[float, float], where: str
) -> np.ndarray:
    """The mask (H, W) bool of polygons or of a run-length encoding in a picture of `scale` (of height and width) times
    the frame's size.

    Raises ValueError, which says where, for anything else.
    """
    scale_hw = scale if isinstance(scale, tuple) else (scale, scale)
    if isinstance(shape, dict):
        return _run_length_mask(shape, size_hw, scale_hw, where)
    if not isinstance(shape, list) or not shape:
        raise ValueError(f"{where}: expected a segmentation of polygons or run lengths, got {str(shape)[:80]!r}")
    mask = np.zeros(size_hw, bool)
    for polygon in shape:
        points = np.array(postgres_array(polygon, f"{where}: polygon"))
        if len(points) < 6 or len(points) % 2:
            raise ValueError(f"{where}: polygon: expected x, y of 3 points or more, got {len(points)} numbers")
        # Far-off corners only cost memory.
        points = points.reshape(-1, 2) / scale_hw[::-1]
        points = np.clip(points, [-size_hw[1], -size_hw[0]], [2 * size_hw[1], 2 * size_hw[0]])
        rles = pycoco.frPyObjects([points.reshape(-1).tolist()], *size_hw)
        mask |= pycoco.decode(rles)[..., 0].astype(bool)
    return mask


def _run_length_mask(shape: dict, size_hw: tuple[int, int], scale_hw: tuple[float, float], where: str) -> np.ndarray:
    expected = [round(side * scale) for side, scale in zip(size_hw, scale_hw, strict=True)]
    size = shape.get("size")
    if size != expected:
        raise ValueError(f"{where}: segmentation size: expected {expected}, the picture's own, got {size}")
    counts = shape.get("counts")
    if not isinstance(counts, str):
        lengths = np.array(postgres_array(counts, f"{where}: counts") or [0.0])
        # Before they are whole numbers, whose sums wrap.
        if (lengths < 0).any() or lengths.sum() > np.prod(expected) or (lengths % 1).any():
            raise ValueError(f"{where}: run lengths that leave the picture {size[0]}x{size[1]}")
        runs = lengths.astype(np.int64)
        counts = pycoco.frPyObjects({"size": expected, "counts": runs.tolist()}, *expected)["counts"].decode("ascii")
    try:
        mask = masks.full(counts, (expected[0], expected[1]))
    except (ValueError, IndexError):
        raise ValueError(f"{where}: run lengths that leave the picture {size[0]}x{size[1]}") from None
    if scale_hw == (1, 1):
        return mask
    return cv2.resize(mask.astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_AREA) >= 0.5
