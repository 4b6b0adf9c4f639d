"""Procedural detail: lattice noise in the plane, the same for the same seed wherever it is asked for."""

from __future__ import annotations

import numpy as np


def _hashed(ix: np.ndarray, iy: np.ndarray, seed: int) -> np.ndarray:
    """(N,) float32 in [0, 1): a well-mixed function of two int32 arrays and a seed (murmur's finaliser)."""
    h = ix.view(np.uint32) * np.uint32(0x9E3779B1) + iy.view(np.uint32) * np.uint32(0x85EBCA77)
    h += np.uint32(seed * 0x27D4EB2F & 0xFFFFFFFF)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(1 / (1 << 24))


def noise(xy: np.ndarray, cell_m: float, seed: int) -> np.ndarray:
    """(N,) smooth noise in [0, 1) at points (N, 2), with features of about cell_m metres."""
    scaled = np.asarray(xy, np.float32) / np.float32(cell_m)
    low = np.floor(scaled)
    fraction = scaled - low
    fraction = fraction * fraction * (3 - 2 * fraction)
    whole = low.astype(np.int32)
    x0, y0 = np.ascontiguousarray(whole[:, 0]), np.ascontiguousarray(whole[:, 1])
    x1, y1 = x0 + np.int32(1), y0 + np.int32(1)
    bottom = _hashed(x0, y0, seed)
    bottom += (_hashed(x1, y0, seed) - bottom) * fraction[:, 0]
    top = _hashed(x0, y1, seed)
    top += (_hashed(x1, y1, seed) - top) * fraction[:, 0]
    return bottom + (top - bottom) * fraction[:, 1]


def fractal(xy: np.ndarray, cell_m: float, seed: int, octaves: int = 4) -> np.ndarray:
    """(N,) sum of noises of halving size, about 0.5 in the mean."""
    total, weight = np.zeros(len(xy), np.float32), 0.0
    for octave in range(octaves):
        total += noise(xy, cell_m / 2**octave, seed + octave) * 0.5**octave
        weight += 0.5**octave
    return total / weight


def cell_noise(xy: np.ndarray, size_m: tuple[float, float], seed: int) -> np.ndarray:
    """(N,) one random number in [0, 1) for each rectangle of a grid."""
    index = np.floor(np.asarray(xy) / np.asarray(size_m)).astype(np.int32)
    return _hashed(np.ascontiguousarray(index[:, 0]), np.ascontiguousarray(index[:, 1]), seed)
