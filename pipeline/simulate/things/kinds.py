"""Every kind of thing by name, built from a seed."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from pipeline.simulate.things.cycles import make_bicycle, make_motorbike
from pipeline.simulate.things.indoors import make_monitor, make_table
from pipeline.simulate.things.seats import make_bench, make_chair, make_sofa
from pipeline.simulate.things.shapes import Thing
from pipeline.simulate.things.street import make_bin, make_bus_shelter, make_street_sign, make_traffic_light

__all__ = ["KINDS", "Thing", "make_thing"]
KINDS: dict[str, Callable[[np.random.Generator], Thing]] = {
    "motorbike": make_motorbike, "bicycle": make_bicycle, "bench": make_bench, "chair": make_chair,
    "table": make_table, "sofa": make_sofa, "bus shelter": make_bus_shelter, "traffic light": make_traffic_light,
    "street sign": make_street_sign, "bin": make_bin, "monitor": make_monitor,
}  # fmt: skip


def make_thing(kind: str, seed: int) -> Thing:
    """A thing of a kind; the same seed gives the same bytes. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"thing: expected one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](np.random.default_rng([seed, crc32(kind.encode())]))
