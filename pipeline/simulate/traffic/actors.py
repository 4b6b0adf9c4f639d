"""Who is at the simulated junction at a moment: vehicles and people, their places and what they are doing.

Plan coordinates of `layout`; yaw is counter-clockwise from u.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from pipeline.simulate.people.person import Person
from pipeline.simulate.traffic.paths import Path
from pipeline.simulate.vehicles.fleet import Vehicle
from pipeline.simulate.vehicles.fleets import Fleet
from pipeline.simulate.world.layout import Layout

T = TypeVar("T")


@dataclass
class Actor:
    """Someone on the move. s: metres along the path of the middle; half: half length and width of the footprint."""

    actor_id: int
    path: Path
    s: float
    speed: float
    wanted: float
    half: tuple[float, float]
    vehicle: Vehicle | None = None
    person: Person | None = None
    stop_at: float | None = None  # path distance of the stop line or the kerb
    arm: str = ""
    phase: float = 0.0
    waits: bool = False
    braking: bool = False
    turn: int = 0  # -1 right, 1 left
    gone: bool = False

    @property
    def pose(self) -> tuple[np.ndarray, float]:
        """Plan position and yaw: the chord over the wheelbase, as a car stands in its lane."""
        reach = 0.6 * self.half[0] if self.vehicle else 0.25
        front, back = self.path.at(self.s + reach), self.path.at(self.s - reach)
        return (front + back) / 2, float(np.arctan2(*(front - back)[::-1]))


@dataclass(frozen=True)
class ActorState:
    """One actor at one moment, as the renderer needs it. xy are plan metres."""

    actor_id: int
    xy: tuple[float, float]
    yaw: float
    vehicle: Vehicle | None
    person: Person | None
    motion: str
    phase: float
    moving: bool
    braking: bool
    turn: int

    @property
    def walker(self) -> Person:
        """The person; of vehicles there is none to ask for."""
        return there(self.person)


@dataclass
class Street:
    """The state of the junction while it is simulated."""

    layout: Layout
    rng: np.random.Generator
    mix: dict[str, float]
    vehicles_per_minute: float
    people_per_minute: float
    first_id: int
    fleet: Fleet
    actors: list[Actor] = field(default_factory=list)
    parked: list[ActorState] = field(default_factory=list)
    clock: float = 0.0
    made: int = 0
    queue: dict[str, float] = field(default_factory=dict)


def there(value: T | None) -> T:
    """What an actor of its kind always has."""
    if value is None:
        raise ValueError("a vehicle was taken for a person, or a person for a vehicle")
    return value
