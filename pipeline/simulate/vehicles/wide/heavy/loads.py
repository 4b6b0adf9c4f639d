"""What lorries carry: boxes, curtains, containers, tanks, drums, tippers, flat beds. Metres, between rear and front."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.parts import LEFT, PLASTIC, SHADOW, STEEL, Material, both_sides, box, lathe, panel
from pipeline.simulate.vehicles.styles import Size
from pipeline.simulate.vehicles.wide.heavy.beds import cargo
from pipeline.simulate.vehicles.wide.livery import side_livery, tail_livery
from pipeline.simulate.vehicles.wide.looks import WHITE, Looks, any_colour
from pipeline.simulate.vehicles.wide.sheets import flat_end, flat_side

_LOADS = {
    "lorry": (
        ("box", 0.28), ("curtain", 0.14), ("tipper", 0.14), ("flat", 0.14), ("container", 0.10), ("mixer", 0.10),
        ("refuse", 0.10),
    ),
    "tanker": (("tank", 1.0),),
    "articulated_lorry": (("box", 0.3), ("curtain", 0.26), ("tank", 0.16), ("container", 0.14), ("flat", 0.14)),
}  # fmt: skip


def sample_load(
    body: str, rear: float, front: float, size: Size, looks: Looks, rng: np.random.Generator
) -> tuple[list[Mesh], np.ndarray | None]:
    """What a lorry of a body carries from rear to front, and its left rear roof corner, or None without a roof."""
    names, weights = zip(*_LOADS[body], strict=True)
    kind = str(rng.choice(names, p=weights))
    side, low, top = size.width / 2, 2 * size.wheel_radius + float(rng.uniform(0.10, 0.3)), size.height
    low = min(low, top - 0.9)
    if kind in ("box", "curtain", "container", "refuse"):
        return _closed(kind, rear, front, side, low, top, looks, rng)
    if kind == "tank":
        return _tank(rear, front, side, low, min(top, low + 1.9), looks, rng), None
    if kind == "mixer":
        return _mixer(rear, front, low, looks, rng), None
    wall, high = (
        any_colour(rng, 0.15) if rng.random() < 0.6 else STEEL,
        low + float(rng.uniform(0.7, 1.3) if kind == "tipper" else rng.uniform(0.0, 0.5)),
    )
    parts = [box((rear, -side + 0.02, low - 0.12), (front, side - 0.02, low), Material((0.16, 0.10, 0.06)))]
    if high > low + 0.1:
        parts += both_sides([box((rear, side - 0.08, low), (front, side - 0.02, high), wall)])
        parts += [
            box((rear, -side + 0.02, low), (rear + 0.06, side - 0.02, high), wall),
            box((front - 0.06, -side + 0.02, low), (front, side - 0.02, high + 0.35), wall),
        ]
        parts += both_sides(
            [
                box((x - 0.04, side - 0.03, low), (x + 0.04, side + 0.01, high), wall)
                for x in np.linspace(rear + 0.2, front - 0.2, 6)
            ]
        )
    if kind == "tipper" and rng.random() < 0.6:
        parts.append(
            box(
                (rear + 0.1, -side + 0.12, low),
                (front - 0.1, side - 0.12, high + float(rng.uniform(-0.2, 0.25))),
                Material((0.20, 0.17, 0.13)),
                bevel_m=0.35,
            )
        )
    elif kind == "flat":
        parts += cargo(rear + 0.2, front - 0.2, side - 0.15, low, rng)
    return parts, None


def _closed(kind: str, rear: float, front: float, side: float, low: float, top: float, looks: Looks, rng):
    """A box, a curtain-sider with straps, a ribbed container, or a refuse body; and its left rear top corner."""
    shade = WHITE if rng.random() < 0.5 else looks.paint if rng.random() < 0.4 else any_colour(rng, 0.15)
    bevel = 0.12 if kind == "refuse" else 0.02
    parts = [box((rear + 0.03, -side, low), (front, side, top), shade, bevel_m=bevel)]
    surface, end = flat_side(side), flat_end(rear + 0.028, side)
    left: list[Mesh] = [box((rear + 0.04, side - 0.01, low), (front - 0.01, side + 0.008, low + 0.09), STEEL)]
    if kind == "curtain":
        for x in np.arange(rear + 0.4, front - 0.3, 0.62).tolist():
            left.append(
                panel(
                    surface,
                    [(x, low + 0.05), (x - 0.05, low + 0.05), (x - 0.05, low + 0.5), (x, low + 0.5)],
                    PLASTIC,
                    outward=LEFT,
                    lift_m=0.010,
                )
            )
    if kind == "container":
        for x in np.arange(rear + 0.15, front - 0.1, 0.28).tolist():
            left.append(box((x, side - 0.005, low + 0.12), (x + 0.12, side + 0.02, top - 0.12), shade))
    parts += both_sides(left)
    if kind != "container" or rng.random() < 0.6:
        parts += side_livery(surface, (rear + 0.2, front - 0.2), (low + 0.2, top - 0.15), rng)
    if kind == "refuse":
        parts += [
            box((rear + 0.02, -side + 0.15, low - 0.25), (rear + 0.6, side - 0.15, low + 0.7), SHADOW, bevel_m=0.05),
            *both_sides([box((rear, side - 0.25, 0.9), (rear + 0.25, side - 0.05, top - 0.5), looks.trim)]),
        ]
    else:
        parts += tail_livery(end, (low + 0.5, top - 0.4), rng)
        parts += [box((rear, -0.012, low + 0.06), (rear + 0.03, 0.012, top - 0.06), SHADOW)]
        parts += both_sides(
            [box((rear + 0.005, y, low + 0.05), (rear + 0.035, y + 0.03, top - 0.05), STEEL) for y in (0.35, 0.85)]
        )
    if front - rear < 11 and top > 3.0 and rng.random() < 0.3:
        parts.append(box((front - 0.02, -0.8, top - 0.9), (front + 0.35, 0.8, top - 0.2), PLASTIC, bevel_m=0.04))
    return parts, np.array([rear + 0.03 + 0.67 * bevel, side - 0.67 * bevel, top - 0.67 * bevel])  # fmt: skip


def _tank(rear: float, front: float, side: float, low: float, top: float, looks: Looks, rng) -> list[Mesh]:
    """A lying barrel with a walkway, hatches and a sign."""
    metal = (
        Material((0.5, 0.5, 0.52), 0.8) if rng.random() < 0.4 else WHITE if rng.random() < 0.5 else any_colour(rng, 0.4)
    )
    r, length = min(0.5 * (top - low), side - 0.04), front - rear - 0.1
    bulge = 0.3 * r
    profile = [
        (0.001, 0.0),
        (0.6 * r, -0.35 * bulge),
        (0.92 * r, -0.75 * bulge),
        (r, -bulge - 0.05),
        (r, -length + bulge),
        (0.92 * r, -length + 0.7 * bulge),
        (0.6 * r, -length + 0.3 * bulge),
        (0.001, -length),
    ]
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    barrel = lathe(profile, metal, 20).moved(turn, np.array([front - 0.05, 0, low + r]))
    parts = [barrel, box((rear + 0.5, -0.3, low + 2 * r - 0.03), (front - 0.5, 0.3, low + 2 * r + 0.04), STEEL)]
    parts += [
        box((x - 0.25, -0.25, low + 2 * r), (x + 0.25, 0.25, low + 2 * r + 0.15), STEEL, bevel_m=0.04)
        for x in np.linspace(rear + 1.0, front - 1.0, max(2, int(length / 2)))
    ]
    parts += both_sides(
        [box((rear + 0.3, 0.55 * side, low - 0.12), (front - 0.3, 0.75 * side, low + 0.5 * r), PLASTIC)]
    )
    parts.append(
        box((rear + 0.02, -0.2, low + 0.05), (rear + 0.06, 0.2, low + 0.35), Material((0.75, 0.30, 0.02), 0.1))
    )
    return parts


def _mixer(rear: float, front: float, low: float, looks: Looks, rng) -> list[Mesh]:
    """A concrete mixer's drum, higher at the rear, with its chute."""
    length, r = front - rear - 0.3, 1.12
    profile = [
        (0.001, 0.0),
        (0.5, 0.0),
        (r, -0.35 * length),
        (r, -0.55 * length),
        (0.55, -0.9 * length),
        (0.001, -0.92 * length),
    ]
    a = np.radians(12.0)
    turn = np.array(
        [[0.0, np.cos(a), np.sin(a)], [-1, 0, 0], [0, -np.sin(a), np.cos(a)]]
    )  # its axis, rising to the rear
    drum = lathe(profile, WHITE if rng.random() < 0.4 else any_colour(rng, 0.3), 18).moved(
        turn, np.array([front - 0.2, 0, low + r + 0.05])
    )
    return [
        drum,
        box((rear + 0.1, -0.35, low - 0.1), (rear + 0.8, 0.35, low + 1.5), STEEL, bevel_m=0.1),
        box((rear, -0.2, low - 0.05), (rear + 0.5, 0.2, low + 0.45), looks.paint, lean_m=0.2),
    ]
