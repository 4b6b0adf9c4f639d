"""Who comes to the simulated junction: vehicles by their arms, people by the pavements, parked cars, those who wait."""

from __future__ import annotations

import numpy as np

from pipeline.simulate.people.person import Person, make_person
from pipeline.simulate.traffic.actors import Actor, ActorState, Street
from pipeline.simulate.traffic.paths import (
    Path,
    beside,
    crossing_path,
    lane_path,
    opposite,
    pavement_path,
    turn_of,
    walk_lines,
)
from pipeline.simulate.vehicles.fleets import FLEETS, Fleet
from pipeline.simulate.world.layout import STOP_GAP_M, Layout

_LONG_M = 8.0  # such vehicles drive more slowly,
_STIFF_M = 13.0  # and such ones, which are rigid here, only straight on where that is possible


def parked_cars(layout: Layout, seed: int, first_id: int, fleet: Fleet = FLEETS["plain"]) -> list[ActorState]:
    """Cars of a fleet that stand in the parking strips of the main road all day."""
    rng = np.random.default_rng([seed, 5])
    start = layout.side_half + layout.crossing_m[1] + STOP_GAP_M + 7.0
    result: list[ActorState] = []
    for arm in ("east", "west"):
        for side in (-1, 1):
            for bay in np.arange(start, 62.0, 6.2):
                if arm not in layout.arms or rng.random() > layout.parked_fraction:
                    continue
                seed_ = int(rng.integers(1 << 31))
                body = str(rng.choice(list(fleet.parked), p=list(fleet.parked.values())))
                u = (bay + rng.uniform(-0.3, 0.3)) * (1 if arm == "east" else -1)
                v = side * (layout.main_half - 1.12 + rng.uniform(-0.08, 0.08))
                yaw = (0.0 if side < 0 else np.pi) + rng.normal(scale=0.015)
                vehicle = fleet.make(body, seed_)
                result.append(
                    ActorState(
                        first_id + len(result),
                        (float(u), float(v)),
                        float(yaw),
                        vehicle,
                        None,
                        "park",
                        0.0,
                        False,
                        False,
                        0,
                    )
                )
    return result


def populate(street: Street) -> None:
    """People who are already under way when the simulation begins."""
    for _ in range(round(street.people_per_minute * 0.5)):
        _add_walkers(street, anywhere=True)
    for _ in range(2):
        _add_stander(street)


def arrivals(street: Street, dt: float) -> None:
    if street.vehicles_per_minute > 0:
        mean_s = 60 * len(street.layout.arms) / street.vehicles_per_minute
        for arm in street.layout.arms:
            street.queue.setdefault(arm, float(street.rng.exponential(mean_s)))
            street.queue[arm] -= dt
            if street.queue[arm] <= 0 and _entry_gap(street, arm) > 9.0:
                _add_vehicle(street, arm)
                street.queue[arm] = float(street.rng.exponential(mean_s))
    if street.rng.random() < street.people_per_minute / 60 * dt:
        _add_walkers(street)
    standing = sum(a.waits and a.stop_at is None for a in street.actors)
    if standing < 2 and street.people_per_minute > 0 and street.rng.random() < 0.02 * dt:
        _add_stander(street)


def _entry_gap(street: Street, arm: str) -> float:
    """Metres from the edge of the street to the last vehicle that came in by an arm."""
    return min((a.s - a.half[0] for a in street.actors if a.vehicle and a.arm == arm), default=np.inf)


def _add_vehicle(street: Street, arm: str) -> None:
    rng, layout = street.rng, street.layout
    bodies = [b for b in street.fleet.bodies if street.mix.get(b, 0) > 0]
    weights = np.array([street.mix[b] for b in bodies])
    seed = int(rng.integers(1 << 31))
    vehicle = street.fleet.make(str(rng.choice(bodies, p=weights / weights.sum())), seed)
    straight = opposite(arm)
    # Opposite arms share their green: nobody turns left across the other's way.
    others = [a for a in layout.arms if a != arm and not (straight in layout.arms and turn_of(arm, a) > 0)]
    length, width = vehicle.dims_lwh_m[0] + 2 * vehicle.overhang_m, vehicle.dims_lwh_m[1]
    if length > _STIFF_M and straight in others:
        others = [straight]
    chances = np.array([2.2 if a == straight else 1.0 for a in others])
    target = str(rng.choice(others, p=chances / chances.sum()))
    path, stop = lane_path(layout, arm, target)
    slow = vehicle.body in ("bus", "lorry", "tractor") or length > _LONG_M
    wanted = float(rng.uniform(9.5, 13.5)) * (0.85 if slow else 1.0)
    speed = min(wanted, float(np.sqrt(2 * 2.5 * max(_entry_gap(street, arm) - 4.0, 0.0))))
    street.actors.append(
        Actor(
            street.first_id + street.made,
            path,
            -length / 2,
            speed,
            wanted,
            (length / 2, width / 2),
            vehicle=vehicle,
            stop_at=stop,
            arm=arm,
            turn=turn_of(arm, target),
        )
    )
    street.made += 1


def _add_walkers(street: Street, *, anywhere: bool = False) -> None:
    """One, two or three people on one route, side by side, keeping right of those who come towards them."""
    rng, layout = street.rng, street.layout
    routes = walk_lines(layout)
    crossing = rng.random() < 0.45
    kinds = [r for r in routes if r[1] == crossing]
    line, crosses = kinds[int(rng.integers(len(kinds)))]
    forward = rng.random() < 0.5
    line = line if forward else line[::-1]
    group = int(rng.choice([1, 2, 3], p=[0.72, 0.22, 0.06]))
    speed = float(rng.uniform(1.05, 1.6))
    if crosses:
        path, stop = crossing_path(layout, line, rng)
    else:
        path, stop = pavement_path(layout, line, rng), None
    s0 = float(rng.uniform(0, path.length)) if anywhere and not crosses else 0.0
    for number in range(group):
        person = make_person(int(rng.integers(1 << 31)))
        # Two walk abreast over a crossing, a third behind them; on the pavement all in a line.
        shifted = Path.through(beside(path.points, 0.78 * (number % 2) if crosses else 0.0))
        s = s0 - (0.15 * number + 0.8 * (number // 2) if crosses else 1.0 * number)
        _add_person(street, person, shifted, s, speed, stop, float(rng.random()))


def _add_person(
    street: Street, person: Person, path: Path, s: float, speed: float, stop: float | None, phase: float
) -> None:
    actor = Actor(
        street.first_id + street.made, path, s, speed, speed, (0.28, 0.30), person=person, stop_at=stop, phase=phase
    )
    if all(np.hypot(*(actor.pose[0] - other.pose[0])) > 0.75 + max(other.half) for other in street.actors):
        street.actors.append(actor)
        street.made += 1


def _add_stander(street: Street) -> None:
    """Someone who waits: at the shelter or by a shop."""
    rng, layout = street.rng, street.layout
    person = make_person(int(rng.integers(1 << 31)))
    if layout.shelters and rng.random() < 0.7:
        u, v, length = layout.shelters[0]
        spot = np.array([u + rng.uniform(-0.45, 0.35) * length, v + 0.1])
    else:
        u = rng.uniform(9, 20) * rng.choice([-1, 1])
        spot = np.array([u, np.sign(rng.uniform(-1, 1)) * (layout.main_half + 4.1)])
    facing = np.array([rng.normal(scale=0.6), -np.sign(spot[1])])
    path = Path.through(np.stack([spot, spot + facing / np.linalg.norm(facing)]))
    _add_person(street, person, path, 0.0, 0.0, None, float(rng.random()))
    if street.actors and street.actors[-1].path is path:
        street.actors[-1].waits = True
