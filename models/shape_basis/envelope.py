"""Resample any vehicle mesh onto one envelope: the outer skin down to the tyres, without mirrors and antennas.

Vehicle frame, metres. Cross-sections follow one another from tail to nose. In each, half-lines leave a spine inside
the body and the skin is where they first meet the mesh from outside. The sections follow the keypoints: low rays stay
with axles and tyres, high ones with the roof corners, so that the same vertex is the same part of every vehicle. Both
ends are closed by rings seen along x. Vertices 2i and 2i + 1 are the right and left of a pair, the last ones lie on
the middle plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from pipeline.core.mesh import cast, scene_of

# Where the rays of one side aim, as fractions of half width and height, from straight down to straight up.
_AIMS = np.array([(0, 0), (0.45, 0), (0.8, 0), (1, 0), (1, 0.12), (1, 0.24), (1, 0.36), (1, 0.5), (1, 0.65), (1, 0.8),
                  (1, 0.98), (0.72, 1), (0.38, 1), (0, 1)])  # fmt: skip
_HIGH = np.array([0, 0, 0, 0, 0, 0, 0.33, 0.67, 1, 1, 1, 1, 1, 1])  # how far a ray follows the roof, not the axles
_ARCHES = np.isin(np.arange(14), (4, 5, 6, 7, 8))  # rays that may meet the gap between tyre and body
_WHEEL = np.array([0.0, 0.12, 0.3, 0.6, 1.0, 1.4, 1.7, 1.88, 2.0])  # sections over a wheel, from edge to edge
# Sections between the low landmarks: tail, back wheel's edge, axle and edge, front wheel's, nose.
_LOW_SECTIONS = np.concatenate(
    [[0, 0.12, 0.35, 0.65], 1 + _WHEEL, [3.2, 3.4, 3.6, 3.8], 4 + _WHEEL, [6.35, 6.65, 6.88, 7]]
)
_SECTIONS = len(_LOW_SECTIONS)
_END_M = 0.06  # the first and last section stand this far inside the ends
_CAP_FRACTIONS = (0.45, 0.8)  # rings of an end, as fractions of its section
_TYRE = 1.06  # half the length of a wheel's sections, as a fraction of its radius
_WIDEST = 1.11  # no body is wider over its wheels than this; mirrors are
_FAR_M = 20.0


@dataclass(frozen=True)
class GroupLayout:
    """How the envelope lies in the meshes of a group.

    roof: sections at the roof's ends, counted from the tail and from the nose. follow: how far the sections follow
    those ends. spine_fraction: height of the spine as a fraction of the roof's. end_fractions: heights where tail and
    nose are sought, as fractions of the roof's. gaps: whether every ray closes gaps, as between cab and load.
    """

    roof: tuple[int, int]
    follow: float
    spine_fraction: float
    end_fractions: tuple[float, ...]
    gaps: bool = False


LAYOUTS = {
    "car": GroupLayout((7, 13), 0.5, 0.32, (0.25, 0.35, 0.5)),
    "van": GroupLayout((3, 12), 0.5, 0.28, (0.25, 0.35, 0.5)),
    "heavy": GroupLayout((3, 3), 0.0, 0.45, (0.5, 0.7, 0.9), gaps=True),
}
LAYOUTS |= {f"wide_{name}": layout for name, layout in LAYOUTS.items()} | {"wide_long": LAYOUTS["heavy"]}
ROWS, RAYS = _SECTIONS + 2 * len(_CAP_FRACTIONS), len(_AIMS)


def resample(group: str, vertices: np.ndarray, triangles: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) float64 of the envelope of a mesh (N, 3), (T, 3) with keypoints (12, 3); exactly symmetric.

    Left and right are averaged. `envelope_triangles` joins the vertices.
    """
    left, right = halves(group, vertices, triangles, keypoints)
    return both_halves(0.5 * (left + right))


def halves(
    group: str, vertices: np.ndarray, triangles: np.ndarray, keypoints: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The envelope's left half and its right half mirrored to the left, both (P, 3) in the order of `half_grid`."""
    left, right = (
        _left_half(LAYOUTS[group], v, triangles, keypoints) for v in (vertices, vertices * np.array([1.0, -1.0, 1.0]))
    )
    return left, right


def both_halves(half: np.ndarray) -> np.ndarray:
    """All vertices (V, 3) from the left half (P, 3) in the order of `half_grid`: pairs, then the middle plane."""
    _, beside, middle = half_grid()
    pairs = np.repeat(half[beside], 2, axis=0)
    pairs[0::2, 1] *= -1
    return np.concatenate([pairs, half[middle] * (1.0, 0.0, 1.0)])


@lru_cache
def half_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(grid (ROWS, RAYS), beside, middle): indices into the left half's points; two tips follow the grid."""
    grid = np.arange(ROWS * RAYS).reshape(ROWS, RAYS)
    tips = [ROWS * RAYS, ROWS * RAYS + 1]
    return grid, grid[:, 1:-1].ravel(), np.concatenate([grid[:, 0], grid[:, -1], tips])


@lru_cache
def envelope_triangles() -> np.ndarray:
    """(T, 3) int32 triangles of the envelope, watertight and facing outwards."""
    grid, beside, middle = half_grid()
    a, b, c, d = (x.ravel() for x in (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]))
    tail, nose = ROWS * RAYS, ROWS * RAYS + 1
    fans = [(tail, j, i) for i, j in pairwise(grid[0])] + [(nose, i, j) for i, j in pairwise(grid[-1])]
    left = np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1), np.array(fans)])
    number = np.empty((2, ROWS * RAYS + 2), np.int32)  # of a half's point on the right and on the left
    number[:, beside] = 2 * np.arange(len(beside)) + np.array([[0], [1]])
    number[:, middle] = 2 * len(beside) + np.arange(len(middle))
    return np.concatenate([number[1][left], number[0][left[:, ::-1]]]).astype(np.int32)


def _left_half(layout: GroupLayout, vertices: np.ndarray, triangles: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(ROWS * RAYS + 2, 3) points of the left half in the order of `half_grid`."""
    scene = scene_of([(vertices, triangles)])
    size = np.array([1.03 * np.abs(keypoints[0:4, 1]).max(), 1.03 * keypoints[8:, 2].max()])  # half width, height
    spine = np.array([0.0, layout.spine_fraction * size[1]])
    x = _section_x(keypoints, *_ends(scene, size, layout), layout)
    sections = _sections(scene, x, size, layout)
    tail, nose = (_cap(scene, sections[end], spine, forward) for end, forward in ((0, -1.0), (-1, 1.0)))
    grid = np.concatenate([tail[1:], sections, nose[:0:-1]])  # (ROWS, RAYS, 3)
    return np.concatenate([grid.reshape(-1, 3), tail[:1, 0], nose[:1, 0]])


def _cast(scene, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distances (...) to the first hits of rays (..., 3), inf where nothing is hit."""
    return cast(scene, origins, np.broadcast_to(directions, origins.shape))["t_hit"].astype(float)


def _ends(scene, size: np.ndarray, layout: GroupLayout) -> tuple[float, float]:
    """x of the body's tail and nose, without mirrors that stand ahead."""
    y, z = np.meshgrid(np.array([0.0, 0.35, 0.7]) * size[0], np.array(layout.end_fractions) * size[1])
    start = np.stack([np.full_like(y, _FAR_M), y, z], axis=-1)
    nose = _FAR_M - _cast(scene, start, np.array([-1.0, 0.0, 0.0])).min()
    tail = _cast(scene, start * (-1.0, 1.0, 1.0), np.array([1.0, 0.0, 0.0])).min() - _FAR_M
    return float(tail), float(nose)


def _section_x(keypoints: np.ndarray, tail: float, nose: float, layout: GroupLayout) -> np.ndarray:
    """(SECTIONS, RAYS) where along x each ray is cast."""
    front, back, roof_front, roof_back = (keypoints[[i, i + 1], 0].mean() for i in (0, 2, 8, 10))
    reach = _TYRE * keypoints[0:4, 2].mean()
    tail, nose = tail + _END_M, nose - _END_M
    edges = [back - reach, back, back + reach, front - reach, front, front + reach]
    low = np.interp(_LOW_SECTIONS, np.arange(8), np.maximum.accumulate([tail, *np.clip(edges, tail, nose), nose]))
    at = np.array([0, layout.roof[0], _SECTIONS - 1 - layout.roof[1], _SECTIONS - 1])
    even = tail + (nose - tail) * at / at[-1]
    roof = np.clip([tail, roof_back, roof_front, nose], tail, nose)
    high = np.interp(np.arange(_SECTIONS), at, layout.follow * roof + (1 - layout.follow) * even)
    return low[:, None] * (1 - _HIGH) + high[:, None] * _HIGH


def _sections(scene, x: np.ndarray, size: np.ndarray, layout: GroupLayout) -> np.ndarray:
    """(SECTIONS, RAYS, 3) points of the skin on the left."""
    spine = layout.spine_fraction * size[1]
    aims = _AIMS * size - (0.0, spine)
    aims /= np.linalg.norm(aims, axis=1, keepdims=True)  # (RAYS, 2) y, z
    outward = np.concatenate([np.zeros((RAYS, 1)), aims], axis=1)
    start = np.stack([x, np.zeros_like(x), np.full_like(x, spine)], axis=-1)
    radius = np.maximum(_FAR_M - _cast(scene, start + _FAR_M * outward, -outward), 0.0)
    points = start + _smoothed(radius, layout.gaps)[..., None] * outward
    return _covered(points, spine, _WIDEST * size[0])


def _smoothed(radius: np.ndarray, gaps: bool) -> np.ndarray:
    """Radii (SECTIONS, RAYS) without mirrors, signs and antennas above the spine, and without gaps beside tyres."""
    median = np.median(_windows(np.concatenate([radius[1:2], radius, radius[-2:-1]]), 1), axis=1)
    radius = np.where(_HIGH > 0, np.minimum(radius, median), radius)
    reach = 2 if gaps else 1
    beyond = np.zeros((2 * reach, RAYS))  # no closing over the ends
    closed = np.concatenate([beyond, radius, beyond])
    for statistic in (np.max, np.min):
        closed = statistic(_windows(closed, reach), axis=1)
    return np.where(_ARCHES | (gaps & (_HIGH > 0)), closed, radius)


def _covered(points: np.ndarray, spine: float, widest: float) -> np.ndarray:
    """Points (SECTIONS, RAYS, 3) with an open bed covered at the height of its rim, and no wider than `widest`."""
    away = points - (0.0, 0.0, spine)
    away[..., 0] = 0.0
    rim = np.maximum.accumulate(np.where(_HIGH == 1, away[..., 2], 0.0), axis=1)
    lift = np.where((_HIGH == 1) & (away[..., 2] > 0), rim / np.maximum(away[..., 2], 1e-6), 1.0)
    narrow = np.minimum(1.0, widest / np.maximum(away[..., 1], 1e-6))
    return points + (lift * narrow - 1)[..., None] * away


def _windows(radius: np.ndarray, reach: int) -> np.ndarray:
    """(N - 2 reach, 2 reach + 1, RAYS) each section of (N, RAYS) with its neighbours."""
    return np.stack([radius[i : len(radius) - 2 * reach + i] for i in range(2 * reach + 1)], axis=1)


def _cap(scene, section: np.ndarray, spine: np.ndarray, forward: float) -> np.ndarray:
    """(1 + rings, RAYS, 3) the tip, repeated, and the rings of an end from the tip outwards."""
    fractions = np.array([0.0, *_CAP_FRACTIONS])[:, None, None]
    yz = spine + fractions * (section[:, 1:] - spine)  # (rings, RAYS, 2)
    start = np.concatenate([np.full((*yz.shape[:2], 1), forward * _FAR_M), yz], axis=-1)
    x = _FAR_M - _cast(scene, start, np.array([-forward, 0.0, 0.0]))
    inside = forward * section[:, 0]
    return np.concatenate([forward * np.maximum(x, inside)[..., None], yz], axis=-1)
