"""Outlines of masks along the edges of their pixels, as polygons that give the very mask again where COCO's rules fill
them: x and y are COCO's edges, whole numbers, pixel i spans [i, i+1).

A polygon of COCO has no holes: one with a hole is parted through it, and the parts, which meet and never overlap, are
the whole again. Where a format has room for a single ring only, the parts are joined by bridges of no width.
"""

from __future__ import annotations

import numpy as np
import shapely

from pipeline.core import masks


def polygons(rle: str, size_hw: tuple[int, int]) -> list[shapely.Polygon]:
    """The connected parts of a mask, each with its holes; none of an empty one."""
    crop, (x, y, _, _) = masks.decode(rle, size_hw)
    if not crop.size:
        return []
    steps = np.diff(np.pad(crop.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    column, top = np.nonzero(steps == 1)
    _, bottom = np.nonzero(steps == -1)
    runs = shapely.box(x + column, y + top, x + column + 1, y + bottom)
    whole = shapely.normalize(shapely.simplify(shapely.union_all(runs), 0))
    return [part for part in shapely.get_parts(whole) if isinstance(part, shapely.Polygon)]


def without_holes(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """Parts that have no hole and make up the polygon."""
    if not polygon.interiors:
        return [polygon]
    x0, y0, x1, y1 = polygon.bounds
    cut = shapely.Polygon(polygon.interiors[0]).bounds[0]
    # The hole's left edge lies on the cut, so that it opens to the right half's border.
    halves = (shapely.intersection(polygon, shapely.box(*side)) for side in ((x0, y0, cut, y1), (cut, y0, x1, y1)))
    parts = [part for half in halves for part in shapely.get_parts(half) if isinstance(part, shapely.Polygon)]
    return [one for part in parts for one in without_holes(shapely.simplify(part, 0))]


def rings(rle: str, size_hw: tuple[int, int]) -> list[np.ndarray]:
    """(N, 2) corners of each part without a hole, the first not repeated at the end."""
    return [
        shapely.get_coordinates(part.exterior)[:-1]
        for polygon in polygons(rle, size_hw)
        for part in without_holes(polygon)
    ]


def coco_polygons(rle: str, size_hw: tuple[int, int]) -> list[list[float]]:
    """COCO's segmentation of a mask: x, y, x, y, ... of each part."""
    return [ring.reshape(-1).tolist() for ring in rings(rle, size_hw)]


def one_ring(rle: str, size_hw: tuple[int, int]) -> np.ndarray:
    """(N, 2) corners of all parts of a mask in one ring, which goes to the next part and back where they are nearest;
    (0, 2) of an empty one."""
    parts = rings(rle, size_hw)
    if not parts:
        return np.zeros((0, 2))
    ring = parts[0]
    for part in parts[1:]:
        apart = ((ring[:, None] - part[None]) ** 2).sum(axis=2)
        i, k = np.unravel_index(int(apart.argmin()), apart.shape)
        ring = np.concatenate([ring[: i + 1], np.roll(part, -k, axis=0), part[k : k + 1], ring[i:]])
    return ring
