"""Walking and running as Fourier series of joint angles over the gait cycle, degrees.

Phase is in cycles from a foot's contact with the ground; the other foot is half a cycle later.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

_HARMONICS = 5

# Perry and Burnfield, "Gait Analysis: Normal and Pathological Function", 2nd ed. 2010: the angle at the end of each
# phase of the cycle, the thigh to the vertical; initial contact, loading response, mid and terminal stance, pre-swing,
# initial, mid and terminal swing (which ends at the next contact).
_WALK_TIMES = (0.0, 0.12, 0.31, 0.50, 0.62, 0.75, 0.87)
_WALK = {
    "thigh_flex": (20, 20, 0, -20, -10, 15, 25),
    "knee": (5, 20, 5, 8, 40, 60, 25),
    "ankle": (0, -5, 5, 10, -15, -5, 0),
    "toes": (20, 0, 0, 20, 40, 0, 5),
}
# Novacheck, "The biomechanics of running", Gait & Posture 7, 1998, figures 7 and 8: contact, mid stance, toe off, and
# four times of the swing.
_RUN_TIMES = (0.0, 0.15, 0.36, 0.5, 0.63, 0.78, 0.9)
_RUN = {
    "thigh_flex": (35, 20, -18, -8, 25, 48, 45),
    "knee": (18, 42, 18, 60, 98, 80, 32),
    "ankle": (5, 24, -22, -14, 0, 5, 6),
    "toes": (10, 0, 40, 5, 0, 0, 5),
}


def _series(times: tuple[float, ...], degrees: tuple[int, ...]) -> np.ndarray:
    """(K + 1,) complex coefficients of the series nearest to a smooth cycle through the published angles."""
    cycle = CubicSpline([*times, 1.0], [*degrees, degrees[0]], bc_type="periodic")
    coefficients = np.fft.rfft(cycle(np.arange(128) / 128))[: _HARMONICS + 1] / 64
    coefficients[0] /= 2
    return coefficients


WALK = {name: _series(_WALK_TIMES, degrees) for name, degrees in _WALK.items()}
RUN = {name: _series(_RUN_TIMES, degrees) for name, degrees in _RUN.items()}


def series_at(coefficients: np.ndarray, phase: np.ndarray, swing: np.ndarray | float = 1.0) -> np.ndarray:
    """Degrees at phases of any shape; `swing`, which broadcasts, scales the movement about its mean."""
    turns = np.exp(2j * np.pi * phase[..., None] * np.arange(1, len(coefficients)))
    return coefficients[0].real + swing * (turns @ coefficients[1:]).real
