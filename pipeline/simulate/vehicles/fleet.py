"""The vehicles of a simulated street: sampled size, paint and trim, with the twelve keypoints.

Vehicle frame: origin on the ground under the centre, x forward, y left, z up, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.buses import build_bus
from pipeline.simulate.vehicles.cars import build_car, mirror_overhang
from pipeline.simulate.vehicles.heavy import MIRROR_OVERHANG_M
from pipeline.simulate.vehicles.lorries import build_lorry
from pipeline.simulate.vehicles.parts import Material, shifted
from pipeline.simulate.vehicles.styles import STYLES, Size

Range = tuple[float, float]


@dataclass(frozen=True)
class Vehicle:
    """One vehicle; dims_lwh_m are the exact extents of its mesh, over mirrors and roof fittings, and half of the length
    plus overhang_m is how far anything that it carries or tows reaches from the origin.

    keypoints (12, 3) metres: right and left of front wheel, back wheel, front headlight, back light, front roof
    corner, back roof corner. A wheel is its centre on the outer face, a lamp its centre, a corner a pillar's top.
    """

    body: str
    mesh: Mesh
    keypoints: np.ndarray
    dims_lwh_m: tuple[float, float, float]
    wheelbase_m: float
    wheel_radius_m: float
    overhang_m: float = 0.0


@dataclass(frozen=True)
class SizeRange:
    """Published overall sizes of a class in metres: width over mirrors, height over rails and signs."""

    length: Range
    width: Range
    height: Range
    wheelbase_fraction: Range  # of the length
    wheel_radius: Range


# Spans of makers' data sheets: B and C segment (Polo to Golf), D and E segment saloons and estates (Octavia to
# 5 Series), C and D segment SUVs (Qashqai to X5), one-tonne to full-size pickups (Hilux to F-150), vans of 2.8 to
# 3.5 t (Transporter to Sprinter L3H2) and minibuses on them, 9.5 to 12 m city buses, lorries of 7.5 to 18 t
# (EU directive 96/53/EC: at most 2.55 m wide without mirrors, 4.0 m high, 12 m long).
SIZES: dict[str, SizeRange] = {
    "hatchback": SizeRange((3.70, 4.25), (1.88, 2.02), (1.44, 1.68), (0.605, 0.625), (0.300, 0.325)),
    "sedan": SizeRange((4.45, 5.00), (1.96, 2.10), (1.40, 1.62), (0.585, 0.605), (0.315, 0.340)),
    "wagon": SizeRange((4.45, 4.95), (1.96, 2.10), (1.43, 1.64), (0.580, 0.600), (0.315, 0.340)),
    "suv": SizeRange((4.30, 4.95), (2.00, 2.20), (1.58, 1.86), (0.590, 0.610), (0.345, 0.385)),
    "pickup": SizeRange((5.15, 5.85), (2.05, 2.25), (1.75, 1.98), (0.595, 0.620), (0.375, 0.410)),
    "van": SizeRange((4.95, 6.30), (2.14, 2.30), (1.94, 2.70), (0.590, 0.620), (0.330, 0.350)),
    "minibus": SizeRange((5.30, 7.00), (2.14, 2.30), (1.96, 2.80), (0.585, 0.615), (0.335, 0.355)),
    "bus": SizeRange((9.50, 12.20), (2.80, 2.91), (2.90, 3.35), (0.485, 0.510), (0.470, 0.500)),
    "lorry": SizeRange((6.60, 9.80), (2.70, 2.91), (2.60, 4.00), (0.530, 0.570), (0.440, 0.500)),
}
BODY_TYPES: tuple[str, ...] = tuple(SIZES)

# Axalta's 2020 global colour popularity: white 38 %, black 19, grey 15, silver 9, blue 7, red 5, brown and
# beige 3; the rest here green, yellow and orange. Linear RGB.
PAINTS: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.38, (0.72, 0.72, 0.71)),
    (0.19, (0.012, 0.012, 0.014)),
    (0.15, (0.085, 0.088, 0.092)),
    (0.09, (0.36, 0.37, 0.38)),
    (0.07, (0.018, 0.055, 0.19)),
    (0.05, (0.30, 0.013, 0.014)),
    (0.03, (0.14, 0.095, 0.06)),
    (0.02, (0.02, 0.09, 0.045)),
    (0.01, (0.65, 0.42, 0.03)),
    (0.01, (0.55, 0.14, 0.02)),
)
# Operators' colours rather than buyers': the same paints in the same order.
_BUS_WEIGHTS = (0.28, 0.0, 0.02, 0.05, 0.20, 0.20, 0.0, 0.14, 0.07, 0.04)
_FITTINGS_M = 0.16  # the tallest thing a roof may carry


def make_vehicle(body: str, seed: int) -> Vehicle:
    """One vehicle of a body type; the same seed gives the same bytes."""
    if body not in SIZES:
        raise ValueError(f"vehicle body: expected one of {', '.join(BODY_TYPES)}, got {body!r}")
    rng = np.random.default_rng([seed, crc32(body.encode())])
    size = _sample_size(body, rng)
    mesh, left = _build(body, size, sample_paint(body, rng), rng)
    return centred(body, mesh, left, size)


def _build(body: str, size: Size, paint: Material, rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """Mesh and left keypoints (6, 3) of one body type."""
    if body == "bus":
        return build_bus(size, paint, rng)
    if body == "lorry":
        return build_lorry(size, paint, rng)
    return build_car(body, size, paint, rng)


def _sample_size(body: str, rng: np.random.Generator) -> Size:
    """A size within the published range of the class, with room for plates, rails and signs."""
    r = SIZES[body]
    length, width, wheelbase, radius = (
        rng.uniform(*span) for span in (r.length, r.width, r.wheelbase_fraction, r.wheel_radius)
    )
    height = rng.uniform(r.height[0] + 0.01, r.height[1] - _FITTINGS_M)
    length = np.clip(length, r.length[0] + 0.03, r.length[1] - 0.03)
    overhang = mirror_overhang(STYLES[body].upright) if body in STYLES else MIRROR_OVERHANG_M
    return Size(length, width - 2 * overhang, height, wheelbase * length, radius)


def sample_paint(body: str, rng: np.random.Generator) -> Material:
    """A paint by how often it is sold, slightly varied; most vans and minibuses are white."""
    weight = np.array(_BUS_WEIGHTS if body == "bus" else [w for w, _ in PAINTS])
    if body in ("van", "minibus", "lorry"):
        weight[0] *= 4.0  # white
    colour = np.array(PAINTS[rng.choice(len(PAINTS), p=weight / weight.sum())][1])
    varied = np.clip(colour * rng.uniform(0.85, 1.12) * rng.uniform(0.95, 1.05, 3), 0.008, 0.80)
    return Material((float(varied[0]), float(varied[1]), float(varied[2])), float(rng.uniform(0.35, 0.55)))


def centred(body: str, mesh: Mesh, left: np.ndarray, size: Size) -> Vehicle:
    """The vehicle with its mesh's extents centred over the origin, and both sides' keypoints."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    centre = np.array([0.5 * (low[0] + high[0]), 0.0, 0.0])
    mesh = shifted(mesh, -centre)
    keypoints = np.repeat(left - centre, 2, axis=0)  # (12, 3), right before left
    keypoints[0::2, 1] *= -1
    extent = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    dims = (float(extent[0]), float(extent[1]), float(extent[2]))
    return Vehicle(body, mesh, keypoints, dims, float(size.wheelbase), float(size.wheel_radius))
