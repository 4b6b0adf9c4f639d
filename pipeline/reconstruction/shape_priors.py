"""What vehicles and people are typically like: hulls for their outlines, keypoints, sizes.

Points are in fractions of length, width (over mirrors) and height; x forward, y left, z up, origin on the ground under
the centre. Keypoints are those of VEHICLE_12 and COCO_17.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.tables import KEYPOINT_STATES
from pipeline.simulate.vehicles.wide.dimensions import models_of


@dataclass(frozen=True)
class Kind:
    """A kind of vehicle or person: points (P, 3) of its hull and keypoints (K, 3) in fractions, and its sizes.

    size_m: typical length, width over mirrors, height; spread: standard deviations of their logarithms. Vehicles' are
    those of published models (pipeline/simulate/vehicles/wide/dimensions.csv).
    """

    name: str
    points: np.ndarray
    keypoints: np.ndarray
    size_m: tuple[float, float, float]
    spread: tuple[float, float, float]


def _both_sides_of(*rows: tuple[Sequence[float], float, Sequence[float]]) -> np.ndarray:
    """(P, 3) points, both sides, of rows (xs, half-width, zs)."""
    points = [(x, side * y, z) for xs, y, zs in rows for x in xs for z in zs for side in (-1, 1)]
    return np.array(points, float)


def _sides(*left: tuple[float, float, float]) -> np.ndarray:
    """(2 L, 3) points, right before left, of L left ones."""
    both = np.repeat(np.array(left), 2, axis=0)
    both[0::2, 1] *= -1
    return both


Triple = tuple[float, float, float]
# How common the bodies of published models are among those of their kind.
_CARS = {"microcar": 0.05, "city_car": 0.15, "hatchback": 0.25, "sedan": 0.24, "wagon": 0.14, "coupe": 0.05,
         "mpv": 0.11, "limousine": 0.01}  # fmt: skip
_TALL_CARS = {"suv": 0.70, "offroader": 0.15, "pickup": 0.15}
_VANS = {"small_van": 0.33, "van": 0.42, "minibus": 0.17, "camper": 0.08}
_BUSES = {"bus": 0.55, "coach": 0.15, "double_decker": 0.2, "articulated_bus": 0.1}


def _published(bodies: Mapping[str, float], mirrors_m: float) -> tuple[Triple, Triple]:
    """Length, width over mirrors and height of published models, the exponents of their mean logarithms, and the
    standard deviations of these; each body by how common it is."""
    rows = [(m, share / len(models_of(body))) for body, share in bodies.items() for m in models_of(body)]
    sizes = np.log([(m.length_m, m.width_m + mirrors_m, m.height_m) for m, _ in rows])
    mean = np.average(sizes, axis=0, weights=[weight for _, weight in rows])
    spread = np.sqrt(np.average((sizes - mean) ** 2, axis=0, weights=[weight for _, weight in rows]))
    length, width, height = (float(value) for value in np.exp(mean))
    return (length, width, height), (float(spread[0]), float(spread[1]), float(spread[2]))


# Typical proportions of the makers' drawings: tyres touch the ground inside the bumpers, corners are rounded, glass
# leans in, mirrors stand out by a tenth of a metre or more on each side.
KINDS = (
    Kind(
        "car",
        _both_sides_of(
            ((-0.36, 0.36), 0.43, (0.0,)),
            ((-0.47, 0.45), 0.40, (0.15, 0.55)),
            ((-0.40, 0.38), 0.45, (0.18, 0.58)),
            ((-0.50, 0.50), 0.26, (0.28, 0.45)),
            ((0.14,), 0.50, (0.60, 0.68)),
            ((-0.34, 0.06), 0.31, (0.97,)),
            ((-0.24, -0.02), 0.26, (1.0,)),
        ),
        _sides(
            (0.31, 0.43, 0.22),
            (-0.29, 0.43, 0.22),
            (0.48, 0.30, 0.41),
            (-0.49, 0.33, 0.55),
            (0.02, 0.36, 0.90),
            (-0.33, 0.36, 0.88),
        ),
        *_published(_CARS, mirrors_m=0.20),
    ),
    Kind(
        "sport utility or pickup",
        _both_sides_of(
            ((-0.37, 0.38), 0.44, (0.0,)),
            ((-0.47, 0.46), 0.41, (0.17, 0.58)),
            ((-0.42, 0.40), 0.45, (0.20, 0.60)),
            ((-0.50, 0.50), 0.28, (0.28, 0.50)),
            ((0.14,), 0.50, (0.64, 0.72)),
            ((-0.38, 0.07), 0.33, (0.96,)),
            ((-0.28, -0.02), 0.28, (1.0,)),
        ),
        _sides(
            (0.31, 0.43, 0.22),
            (-0.29, 0.43, 0.22),
            (0.47, 0.31, 0.47),
            (-0.48, 0.37, 0.52),
            (0.06, 0.37, 0.91),
            (-0.38, 0.36, 0.88),
        ),
        *_published(_TALL_CARS, mirrors_m=0.20),
    ),
    Kind(
        "van or minibus",
        _both_sides_of(
            ((-0.38, 0.40), 0.42, (0.0,)),
            ((-0.50, 0.46), 0.42, (0.12, 0.50)),
            ((-0.47, 0.38), 0.45, (0.15, 0.60)),
            ((0.50,), 0.30, (0.20, 0.45)),
            ((0.30,), 0.50, (0.52, 0.66)),
            ((-0.49, 0.16), 0.38, (0.97,)),
            ((-0.42, 0.08), 0.32, (1.0,)),
        ),
        _sides(
            (0.32, 0.43, 0.15),
            (-0.29, 0.43, 0.15),
            (0.48, 0.30, 0.39),
            (-0.49, 0.38, 0.42),
            (0.20, 0.37, 0.87),
            (-0.47, 0.36, 0.95),
        ),
        *_published(_VANS, mirrors_m=0.24),
    ),
    Kind(
        "bus",
        _both_sides_of(
            ((-0.36, 0.40), 0.43, (0.0,)),
            ((-0.49, 0.49), 0.43, (0.08, 0.92)),
            ((-0.50, 0.50), 0.36, (0.12, 0.85)),
            ((0.49,), 0.50, (0.60, 0.80)),
            ((-0.48, 0.48), 0.36, (1.0,)),
        ),
        _sides(
            (0.28, 0.42, 0.15),
            (-0.22, 0.42, 0.15),
            (0.49, 0.33, 0.24),
            (-0.50, 0.37, 0.31),
            (0.47, 0.38, 0.91),
            (-0.49, 0.38, 0.91),
        ),
        *_published(_BUSES, mirrors_m=0.36),
    ),
    Kind(
        "lorry",
        _both_sides_of(
            ((-0.40, 0.42), 0.43, (0.0,)),
            ((-0.50,), 0.44, (0.25, 0.98)),
            ((0.22,), 0.44, (0.25, 0.98)),
            ((0.47,), 0.42, (0.10, 0.70)),
            ((0.50,), 0.34, (0.14, 0.45)),
            ((0.46,), 0.50, (0.50, 0.66)),
            ((-0.48, 0.20), 0.40, (1.0,)),
        ),
        _sides(
            (0.33, 0.42, 0.15),
            (-0.23, 0.42, 0.15),
            (0.49, 0.32, 0.25),
            (-0.50, 0.33, 0.27),
            (0.45, 0.37, 0.88),
            (-0.38, 0.42, 0.98),
        ),
        # Of lorries only the greatest allowed are in the table: 7.5 to 18 t, as bodies of makers' data sheets have it.
        (8.2, 2.82, 3.25),
        (0.16, 0.03, 0.14),
    ),
)

# Segment lengths of Drillis and Contini as in Winter, "Biomechanics and Motor Control of Human Movement": heights of
# the joints in fractions of the stature, here 1.7 m, with the arms hanging; half of a walking step fills the length.
_STATURE, _DEPTH, _BREADTH = 1.7, 0.45, 0.50
_JOINTS = (
    # nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles: x, y, z in statures, left before right
    (0.07, 0.000, 0.915),
    (0.06, 0.018, 0.936),
    (0.00, 0.045, 0.928),
    (0.00, 0.105, 0.818),
    (0.00, 0.115, 0.630),
    (0.04, 0.115, 0.485),
    (0.00, 0.058, 0.525),
    (0.01, 0.062, 0.285),
    (0.00, 0.062, 0.045),
)


def _person_keypoints() -> np.ndarray:
    """COCO's, (K, 3) in fractions of depth, breadth and stature."""
    rows = []
    for x, y, z in _JOINTS:
        for side in (1,) if y == 0 else (1, -1):
            rows.append((x * _STATURE / _DEPTH, side * y * _STATURE / _BREADTH, z))
    return np.array(rows)


PERSON = Kind(
    "person",
    _both_sides_of(
        ((-0.32, 0.42), 0.26, (0.0,)),
        ((-0.30, 0.30), 0.44, (0.45, 0.60)),
        ((-0.26, 0.26), 0.46, (0.70, 0.80)),
        ((-0.22, 0.26), 0.15, (0.90,)),
        ((-0.18, 0.22), 0.10, (1.0,)),
    ),
    _person_keypoints(),
    (_DEPTH, _BREADTH, _STATURE),
    (0.02, 0.02, 0.05),
)

KINDS_OF = {"person": (PERSON,), "vehicle": KINDS}

# Which way each vehicle keypoint faces: wheels to their side, lamps forwards or backwards and a little to their side,
# roof corners upwards and outwards.
_FACING = _sides((0, 1, 0), (0, 1, 0), (0.9, 0.4, 0), (-0.9, 0.4, 0), (0.1, 0.15, 1), (-0.1, 0.15, 1))


def states_alone(
    category: str, points: np.ndarray, camera_in_object: np.ndarray, pixels: np.ndarray, size_hw: tuple[int, int]
) -> np.ndarray:
    """(N, K) indices of KEYPOINT_STATES of objects of a category alone: seen, on the far side, or outside the frame.

    points (N, K, 3) and the camera's place (N, 3) in the object's frame, metres; pixels (N, K, 2). A vehicle's part
    is seen where it faces the camera, a person's always.
    """
    states = np.full(points.shape[:2], KEYPOINT_STATES.index("visible"))
    if category == "vehicle":
        towards = camera_in_object[:, None] - points
        states[(towards * _FACING).sum(axis=-1) <= 0] = KEYPOINT_STATES.index("self_occluded")
    inside = ((pixels >= -0.5) & (pixels < np.array(size_hw[::-1]) - 0.5)).all(axis=-1)
    return np.where(inside, states, KEYPOINT_STATES.index("truncated"))
