"""Procedural detail: lattice noise in the plane, the same for the same seed wherever it is asked for."""

from __future__ import annotations

import numpy as np


def _hashed(ix: np.ndarray, iy: np.ndarray, seed: int) -> np.ndarray:
    """(N,) in [0, 1): a well-mixed function of two integers and a seed."""
    h = ix.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + iy.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    h = (h + np.uint64(seed)) * np.uint64(0xD6E8FEB86659FD93)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return (h >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def noise(xy: np.ndarray, cell_m: float, seed: int) -> np.ndarray:
    """(N,) smooth noise in [0, 1) at points (N, 2), with features of about cell_m metres."""
    scaled = np.asarray(xy, np.float64) / cell_m
    low = np.floor(scaled)
    share = (scaled - low).astype(np.float32)
    share = share * share * (3 - 2 * share)
    ix, iy = low[:, 0].astype(np.int64), low[:, 1].astype(np.int64)
    corners = [_hashed(ix + dx, iy + dy, seed) for dy in (0, 1) for dx in (0, 1)]
    bottom = corners[0] + (corners[1] - corners[0]) * share[:, 0]
    top = corners[2] + (corners[3] - corners[2]) * share[:, 0]
    return bottom + (top - bottom) * share[:, 1]


def fractal(xy: np.ndarray, cell_m: float, seed: int, octaves: int = 4) -> np.ndarray:
    """(N,) sum of noises of halving size, about 0.5 in the mean."""
    total, weight = np.zeros(len(xy), np.float32), 0.0
    for octave in range(octaves):
        total += noise(xy, cell_m / 2**octave, seed + octave) * 0.5**octave
        weight += 0.5**octave
    return total / weight


def cells(xy: np.ndarray, size_m: tuple[float, float], seed: int) -> np.ndarray:
    """(N,) one random number in [0, 1) for each rectangle of a grid."""
    index = np.floor(np.asarray(xy) / np.asarray(size_m)).astype(np.int64)
    return _hashed(index[:, 0], index[:, 1], seed)
