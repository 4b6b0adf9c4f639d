"""Masks from the segmentations of strangers' files: COCO's polygons and run lengths, Postgres's arrays of WALT."""

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
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected numbers as {{x,y,...}}, got {str(text)[:80]!r}") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where}: expected finite numbers, got {str(text)[:80]!r}")
    return numbers


def segmentation_mask(shape: Any, size_hw: tuple[int, int], scale: float, where: str) -> np.ndarray:
    """The mask (H, W) bool of polygons or of a run-length encoding, whose pixels are 1 / scale of the frame's.

    Raises ValueError, which says where, for anything else.
    """
    if isinstance(shape, dict):
        return _run_length_mask(shape, size_hw, scale, where)
    if not isinstance(shape, list) or not shape:
        raise ValueError(f"{where}: expected a segmentation of polygons or run lengths, got {str(shape)[:80]!r}")
    mask = np.zeros(size_hw, bool)
    for polygon in shape:
        points = np.array(postgres_array(polygon, f"{where}: polygon")) / scale
        if len(points) < 6 or len(points) % 2:
            raise ValueError(f"{where}: polygon: expected x, y of 3 points or more, got {len(points)} numbers")
        # Far-off corners only cost memory.
        points = np.clip(points.reshape(-1, 2), [-size_hw[1], -size_hw[0]], [2 * size_hw[1], 2 * size_hw[0]])
        rles = pycoco.frPyObjects([points.reshape(-1).tolist()], *size_hw)
        mask |= pycoco.decode(rles)[..., 0].astype(bool)
    return mask


def _run_length_mask(shape: dict, size_hw: tuple[int, int], scale: float, where: str) -> np.ndarray:
    expected, size = [round(v * scale) for v in size_hw], shape.get("size")
    if size != expected:
        raise ValueError(f"{where}: segmentation size: expected {expected}, the frame's times scale, got {size}")
    height, width, counts = *expected, shape.get("counts")
    if isinstance(counts, str):
        edges = masks.run_edges(counts, (height, width)).reshape(-1)
    else:
        edges = np.cumsum(np.array(postgres_array(counts, f"{where}: counts"), np.int64))
        edges = edges[: len(edges) // 2 * 2]
    if len(edges) and (edges[0] < 0 or (np.diff(edges) < 0).any() or edges[-1] > height * width):
        raise ValueError(f"{where}: run lengths that leave the picture {height}x{width}")
    steps = np.zeros(height * width + 1, np.int8)
    np.add.at(steps, edges[0::2], 1)
    np.add.at(steps, edges[1::2], -1)
    mask = np.cumsum(steps[:-1], dtype=np.int8).reshape(width, height).T
    if scale == 1:
        return mask.astype(bool)
    return cv2.resize(np.ascontiguousarray(mask).astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_AREA) >= 0.5
