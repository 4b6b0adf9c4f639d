"""Lamps of buses, lorries and bodies behind a cab, and where the keypoints of the left ones are."""

from __future__ import annotations

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.heavy import cap_lamp
from pipeline.simulate.vehicles.parts import AHEAD, BACK, LAMP_LIFT, Surface, both_sides, panel
from pipeline.simulate.vehicles.wide.looks import Looks
from pipeline.simulate.vehicles.wide.sheets import flat_end


def front_lamps(
    nose: Surface, t: float, z: float, tall: float, looks: Looks, *, signal_t: float
) -> tuple[list[Mesh], np.ndarray]:
    """The left headlight on a cap, from t to the edge and z up, the indicator below it, the daytime lamp above it on
    some; and the headlight's centre (3,)."""
    lamps = [
        cap_lamp(nose, (t, 0.95), (z, z + tall), looks.front, AHEAD),
        cap_lamp(nose, (signal_t, 0.96), (z - 0.09, z - 0.03), looks.signal, AHEAD),
    ]
    if looks.day:
        lamps.append(cap_lamp(nose, (t, 0.9), (z + tall + 0.02, z + tall + 0.05), looks.day, AHEAD))
    return lamps, nose(np.array(0.5 * (t + 0.95)), np.array(z + 0.5 * tall)) + LAMP_LIFT


def rear_cluster(
    x: float, half: float, z: float, looks: Looks, rng: np.random.Generator
) -> tuple[list[Mesh], np.ndarray]:
    """Upright or lying lamps on a flat rear at x, and the left one's centre (3,)."""
    tall, wide = ((0.10, 0.34), (0.42, 0.11))[int(rng.random() < 0.4)]
    y = half - 0.5 * wide - float(rng.uniform(0.03, 0.12))
    end = flat_end(x, 1.0)
    parts, order = [], (looks.tail, looks.brake, looks.signal, looks.reversing)
    edges = np.linspace(-0.5, 0.5, 5)
    for material, a, b in zip(order, edges[:-1], edges[1:], strict=True):
        across, up = ((a, b), (-0.5, 0.5)) if wide > tall else ((-0.5, 0.5), (a, b))
        corners = [
            (y + wide * s, z + tall * u)
            for s, u in ((across[0], up[0]), (across[1], up[0]), (across[1], up[1]), (across[0], up[1]))
        ]
        parts.append(panel(end, corners, material, outward=BACK, lift_m=0.012))
    return both_sides(parts), np.array([x - 0.012, y, z])  # fmt: skip
