"""The vehicles of the wide fleet: published sizes of every class, many shapes, looks and fittings.

Vehicle frame as the plain fleet's. The origin lies under the middle of the bare vehicle; what it carries or tows may
reach beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.fleet import Vehicle, centred, sample_paint
from pipeline.simulate.vehicles.parts import Material
from pipeline.simulate.vehicles.styles import Size
from pipeline.simulate.vehicles.wide.bonneted.build import build_bonneted
from pipeline.simulate.vehicles.wide.bonneted.fittings import fittings
from pipeline.simulate.vehicles.wide.bonneted.outlines import Design, sample_design
from pipeline.simulate.vehicles.wide.bonneted.towed import trailer
from pipeline.simulate.vehicles.wide.heavy.beds import bed_fittings
from pipeline.simulate.vehicles.wide.heavy.buses import build_wide_bus
from pipeline.simulate.vehicles.wide.heavy.coachwork import build_cab_and_body
from pipeline.simulate.vehicles.wide.heavy.lorries import build_wide_lorry
from pipeline.simulate.vehicles.wide.heavy.tractors import build_tractor
from pipeline.simulate.vehicles.wide.livery import side_livery, tail_livery
from pipeline.simulate.vehicles.wide.looks import Looks, any_colour, sample_looks, weathered

WIDE_BODIES: tuple[str, ...] = (
    "microcar", "city_car", "hatchback", "sedan", "wagon", "coupe", "mpv", "suv", "offroader", "limousine", "pickup",
    "small_van", "van", "minibus", "box_van", "camper",
    "bus", "coach", "double_decker", "articulated_bus", "lorry", "tanker", "articulated_lorry", "tractor",
)  # fmt: skip
# The plain fleet's bodies that stand for these where operators' paints are asked for.
_PAINTED_AS = {"small_van": "van", "box_van": "van", "coach": "bus", "double_decker": "bus", "articulated_bus": "bus",
               "tanker": "lorry", "articulated_lorry": "lorry"}  # fmt: skip
_BUSES = ("bus", "coach", "double_decker", "articulated_bus")
_LORRIES = ("lorry", "tanker", "articulated_lorry")
_WORK = ("small_van", "van", "box_van", *_BUSES, *_LORRIES, "tractor")
_WRAPPED = {"small_van": 0.5, "van": 0.5, "minibus": 0.25, "pickup": 0.08}  # how often a body is lettered; else 0.02
_TOWING = 0.03
_ANY_PAINT = 0.25  # of vehicles whose colour is nobody's habit


@dataclass(frozen=True)
class _Built:
    """Parts of the bare vehicle, what it carries, its left keypoints (6, 3) and its size."""

    bare: Sequence[Mesh]
    carried: Sequence[Mesh]
    points: np.ndarray
    size: Size


def make_wide_vehicle(body: str, seed: int, *, bare: bool = False) -> Vehicle:
    """One vehicle of a body type; the same seed gives the same bytes. bare: the same without what it carries or tows.

    dims_lwh_m are the extents of the bare vehicle; `overhang_m` says how far the rest reaches beyond.
    """
    if body not in WIDE_BODIES:
        raise ValueError(f"vehicle body: expected one of {', '.join(WIDE_BODIES)}, got {body!r}")
    rng = np.random.default_rng([seed, crc32(body.encode()), 0x51DE])
    paint = sample_paint(_PAINTED_AS.get(body, body), rng)
    if rng.random() < _ANY_PAINT:
        paint = any_colour(rng, paint.gloss)
    looks = sample_looks(paint, rng, commercial=body in _WORK)
    built = _build(body, looks, paint, rng)
    vehicle = centred(body, Mesh.concat(list(built.bare)), built.points, built.size)
    mesh = vehicle.mesh
    if built.carried and not bare:
        low, high = (f(np.concatenate([m.vertices for m in built.bare]), axis=0) for f in (np.min, np.max))
        shift = np.array([-0.5 * float(low[0] + high[0]), 0.0, 0.0])
        mesh = Mesh.concat([mesh, *(part.moved(np.eye(3), shift) for part in built.carried)])
    reach = float(np.abs(mesh.vertices[:, 0]).max()) - vehicle.dims_lwh_m[0] / 2
    return replace(vehicle, mesh=weathered(mesh, looks.dirt, rng), overhang_m=max(reach, 0.0))


def _build(body: str, looks: Looks, paint: Material, rng: np.random.Generator) -> _Built:
    if body in _BUSES:
        parts, points, size = build_wide_bus(body, looks, rng)
        return _Built(parts, [], points, size)
    if body in _LORRIES:
        parts, points, size = build_wide_lorry(body, looks, rng)
        return _Built(parts, [], points, size)
    if body == "tractor":
        parts, points, size = build_tractor(looks, rng)
        tow = trailer(-size.length / 2, rng) if rng.random() < 0.3 else []
        return _Built(parts, tow, points, size)
    if body == "box_van" or (body == "camper" and rng.random() < 0.65):
        parts, points, design = build_cab_and_body(body, rng, looks, paint)
        wheelbase = float(points[0, 0] - points[1, 0])
        return _Built(parts, [], points, replace(design.plan.size, wheelbase=wheelbase))
    return _build_bonneted(body, looks, rng)


def _build_bonneted(body: str, looks: Looks, rng: np.random.Generator) -> _Built:
    design = sample_design(body, rng)
    windows = not (body == "van" or (body == "small_van" and rng.random() < 0.6))
    parts, points, shell = build_bonneted(design, looks, rng, windows=windows)
    parts += _lettered(body, design, shell, rng, windows=windows)
    carried = fittings(body, design, shell, looks, rng)
    if design.lines.bed:
        carried += bed_fittings(design, shell, looks, rng)
    if rng.random() < _TOWING and body not in ("microcar", "coupe", "limousine"):
        carried += trailer(design.plan.tail_x, rng)
    return _Built(parts, carried, points, design.plan.size)


def _lettered(body: str, d: Design, shell, rng: np.random.Generator, *, windows: bool) -> list[Mesh]:
    """Wraps and lettering between the wheels, and over the closed sides of vans."""
    if rng.random() >= _WRAPPED.get(body, 0.02):
        return []
    p, arch = d.plan, d.lines.arch_m
    belt, low = d.style.belt_rear * p.scale, d.lines.sill_m + 0.25
    if windows:
        return side_livery(shell.side, (p.rear_axle + arch + 0.05, p.front_axle - arch - 0.05), (low, belt - 0.04), rng)
    rear = p.tail_x + 0.25
    parts = side_livery(
        shell.side, (rear, p.header - 0.6), (p.size.wheel_radius + arch + 0.1, p.size.height - 0.35), rng
    )
    return parts + tail_livery(shell.tail, (low + 0.3, p.size.height - 0.5), rng)
