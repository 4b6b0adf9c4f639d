"""The two fleets that simulated streets and training pictures draw from, by the name of the setting `fleet`.

`plain`: nine bodies of common sizes in ordinary paint, as cam07 and cam11 have always had them. `wide`: every class of
vehicle, published sizes, many looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.simulate.vehicles.fleet import BODY_TYPES, Vehicle, make_vehicle
from pipeline.simulate.vehicles.wide.fleet import WIDE_BODIES, make_wide_vehicle


@dataclass(frozen=True)
class Fleet:
    """bodies: all there are; make: of a body and a seed a vehicle; mix: how often each drives by, in the order of
    sampling; parked: how often each stands at the kerb."""

    bodies: tuple[str, ...]
    make: Callable[[str, int], Vehicle]
    mix: Mapping[str, float]
    parked: Mapping[str, float]


FLEETS: dict[str, Fleet] = {
    "plain": Fleet(
        BODY_TYPES, make_vehicle,
        {"hatchback": 0.26, "sedan": 0.18, "wagon": 0.11, "suv": 0.17, "pickup": 0.04, "van": 0.10, "minibus": 0.04,
         "bus": 0.05, "lorry": 0.05},
        {"hatchback": 0.36, "sedan": 0.22, "wagon": 0.14, "suv": 0.2, "van": 0.08},
    ),
    "wide": Fleet(
        WIDE_BODIES, make_wide_vehicle,
        {"microcar": 0.03, "city_car": 0.09, "hatchback": 0.15, "sedan": 0.14, "wagon": 0.08, "coupe": 0.03,
         "mpv": 0.06, "suv": 0.12, "offroader": 0.03, "limousine": 0.01, "pickup": 0.03, "small_van": 0.04,
         "van": 0.05, "minibus": 0.02, "box_van": 0.02, "camper": 0.01, "bus": 0.025, "coach": 0.005,
         "double_decker": 0.01, "articulated_bus": 0.005, "lorry": 0.025, "tanker": 0.005,
         "articulated_lorry": 0.01, "tractor": 0.005},
        {"microcar": 0.05, "city_car": 0.13, "hatchback": 0.21, "sedan": 0.15, "wagon": 0.10, "coupe": 0.03,
         "mpv": 0.08, "suv": 0.14, "offroader": 0.03, "small_van": 0.05, "van": 0.03},
    ),
}  # fmt: skip


def fleet_named(name: str) -> Fleet:
    """The fleet of a name; raises ValueError for another."""
    if name not in FLEETS:
        raise ValueError(f"fleet: expected one of {', '.join(FLEETS)}, got {name!r}")
    return FLEETS[name]
