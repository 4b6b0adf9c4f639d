"""Mosaics: four pictures as one, so that a network sees objects of more sizes and more pictures at a time (YOLOv4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from models.linked_objects.pictures import NOBODY, TRUNCATED, LinkedObject, LinkedPicture


def mosaic(pictures: Sequence[LinkedPicture], rng: np.random.Generator) -> LinkedPicture:
    """Four pictures in the corners of one as large as the first, each shrunk by a scale of its own and cut where it
    does not fit; the first one's objects come first, and all of them."""
    first = pictures[0]
    height, width = first.size_hw
    x, y = np.round((0.5 + 0.2 * rng.uniform(size=2)) * [width, height]).astype(int)
    spots = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
    objects: list[LinkedObject] = []
    canvas = np.zeros((height, width, 3), np.uint8)
    for number, (picture, (x0, y0, x1, y1)) in enumerate(zip(pictures, spots, strict=True)):
        fits = min((x1 - x0) / picture.size_hw[1], (y1 - y0) / picture.size_hw[0])
        scale = fits if number == 0 else fits * rng.uniform(0.9, 1.5)
        size = [max(round(scale * n), 1) for n in picture.size_hw[::-1]]
        small = cv2.resize(picture.image, (size[0], size[1]), interpolation=cv2.INTER_AREA)[: y1 - y0, : x1 - x0]
        canvas[y0 : y0 + small.shape[0], x0 : x0 + small.shape[1]] = small
        placed = [_placed(one, scale, np.array([x0, y0]), np.array(small.shape[1::-1])) for one in picture.objects]
        objects += [one for one, inside in placed if inside or number == 0]
    return replace(first, objects=tuple(objects), read=lambda: canvas)


def _placed(one: LinkedObject, scale: float, corner: np.ndarray, size_wh: np.ndarray) -> tuple[LinkedObject, bool]:
    """An object of a picture that was shrunk and cut to a size, and whether any of its box is left there; its points
    that were cut off are truncated."""
    low, high = one.box_xywh[:2] * scale, (one.box_xywh[:2] + one.box_xywh[2:]) * scale
    kept, xy = np.minimum(high, size_wh) - low, one.xy * scale
    state = np.where((xy >= size_wh).any(-1), TRUNCATED, one.state)
    box = np.r_[low + corner, np.maximum(kept, 1)]
    nobody = np.full_like(one.occluder, NOBODY)
    return replace(one, box_xywh=box, xy=xy + corner, state=state, occluder=nobody), bool((kept >= 2).all())
