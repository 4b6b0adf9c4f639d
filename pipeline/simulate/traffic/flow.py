"""How vehicles and people move through the simulated junction, moment by moment.

Vehicles follow lane paths at speeds of the intelligent driver model (Treiber et al. 2000), stop at signals and for
whatever stands on their path; opposite arms share a green, people cross while all vehicles see red.
"""

from __future__ import annotations

import numpy as np

from pipeline.simulate.people.person import stride_length_m
from pipeline.simulate.traffic.actors import Actor, ActorState, Street, there
from pipeline.simulate.traffic.arrivals import arrivals, populate
from pipeline.simulate.vehicles.fleets import FLEETS, Fleet
from pipeline.simulate.world.layout import Layout

STEP_S, WARM_UP_STEP_S = 0.1, 0.2
WARM_UP_S = 45.0
GREEN_S, CLEAR_S, WALK_S = 9.0, 3.0, 15.0


def simulate(
    layout: Layout, rng: np.random.Generator, *, mix: dict[str, float], vehicles_per_minute: float,
    people_per_minute: float, parked: list[ActorState], times_s: np.ndarray, first_id: int,
    fleet: Fleet = FLEETS["plain"],
) -> list[list[ActorState]]:  # fmt: skip
    """States of everyone at times_s (T,), seconds after a warm start; without a mix the fleet's own."""
    mix = mix or dict(fleet.mix)
    street = Street(layout, rng, mix, vehicles_per_minute, people_per_minute, first_id, fleet, parked=parked)
    street.clock = float(rng.uniform(0, 200))
    begin = street.clock + WARM_UP_S
    moments = begin + np.asarray(times_s)
    populate(street)
    while street.clock < begin - 1e-9:
        _step_street(street, min(WARM_UP_STEP_S, begin - street.clock))
    result = []
    for moment in moments:
        while street.clock < moment - 1e-9:
            _step_street(street, min(STEP_S, moment - street.clock))
        result.append([_state_of(a) for a in street.actors] + street.parked)
    return result


def signal(clock: float, arms: tuple[str, ...]) -> tuple[tuple[str, ...], float]:
    """Who has green, opposite arms together or ("walk",) for people, and for how many seconds still; () in between."""
    axes = [tuple(arm for arm in pair if arm in arms) for pair in (("east", "west"), ("north", "south"))]
    cycle = [(axis, GREEN_S) for axis in axes if axis] + [(("walk",), WALK_S)]
    at = clock % sum(seconds + CLEAR_S for _, seconds in cycle)
    for names, seconds in cycle:
        if at < seconds:
            return names, seconds - at
        if at < seconds + CLEAR_S:
            return (), 0.0
        at -= seconds + CLEAR_S
    return (), 0.0


def _step_street(street: Street, dt: float) -> None:
    green, _left = signal(street.clock, street.layout.arms)
    arrivals(street, dt)
    boxes = _footprints(street)
    for actor in street.actors:
        _advance(street, actor, green, _left, boxes, dt)
    street.actors = [a for a in street.actors if not a.gone]
    street.clock += dt


def _footprints(street: Street) -> tuple[np.ndarray, np.ndarray]:
    """(N, 5) u, v, yaw, half length, half width of everyone, and their ids (N,)."""
    rows, ids = [], []
    for actor in street.actors:
        (u, v), yaw = actor.pose
        rows.append((u, v, yaw, *actor.half))
        ids.append(actor.actor_id)
    for state in street.parked:
        vehicle = there(state.vehicle)
        length, width, _ = vehicle.dims_lwh_m
        rows.append((*state.xy, state.yaw, length / 2 + vehicle.overhang_m, width / 2))
        ids.append(state.actor_id)
    return np.array(rows).reshape(-1, 5), np.array(ids)


def _room_ahead(actor: Actor, boxes: tuple[np.ndarray, np.ndarray], reach: float) -> float:
    """Metres along the actor's path from its front to the first thing on it, at most reach."""
    rows, ids = boxes
    others = rows[ids != actor.actor_id]
    position, _ = actor.pose
    others = others[np.hypot(*(others[:, :2] - position).T) < reach + actor.half[0] + 8]
    if not len(others):
        return reach
    margin = 0.35 if actor.vehicle else 0.12
    distances = np.arange(0.0, reach, 0.5 if actor.vehicle else 0.2)
    probe = actor.path.at(actor.s + actor.half[0] + distances)
    relative = probe[:, None] - others[None, :, :2]
    c, s = np.cos(others[:, 2]), np.sin(others[:, 2])
    along = np.abs(relative[..., 0] * c + relative[..., 1] * s) - others[:, 3]
    across = np.abs(-relative[..., 0] * s + relative[..., 1] * c) - others[:, 4]
    gap = np.hypot(np.maximum(along, 0), np.maximum(across, 0))
    hit = (gap < actor.half[1] + margin).any(axis=1)
    return float(distances[hit.argmax()]) if hit.any() else reach


def _advance(street: Street, actor: Actor, green: tuple[str, ...], left_s: float, boxes, dt: float) -> None:
    if actor.waits and actor.stop_at is None:
        actor.phase += dt * 0.12
        return
    if actor.vehicle:
        _drive(street, actor, green, left_s, boxes, dt)
    else:
        _walk(street, actor, green, left_s, boxes, dt)


def _drive(street: Street, actor: Actor, green: tuple[str, ...], left_s: float, boxes, dt: float) -> None:
    room = _room_ahead(actor, boxes, 28.0) - 1.6
    line = there(actor.stop_at) - actor.s - actor.half[0]
    braking_room = actor.speed**2 / (2 * 3.5)
    must_stop = actor.arm not in green or left_s < 1.0
    if must_stop and line > braking_room - 1.0 and line > -0.3:
        room = min(room, line)
    bend = _bend_speed(actor)
    wanted = min(actor.wanted, bend)
    # Intelligent driver model against a standing obstacle at the end of the room.
    gap_wanted = 0.4 + 0.6 * actor.speed + actor.speed**2 / (2 * np.sqrt(1.6 * 2.4))
    slow = (gap_wanted / max(room, 0.05)) ** 2 if room < 27 else 0.0
    gain = float(np.clip(1.6 * (1 - (actor.speed / wanted) ** 4 - slow), -7.0, 1.6))
    before = actor.speed
    actor.speed = max(0.0, actor.speed + gain * dt) if room > 0.15 else max(0.0, actor.speed - 7 * dt)
    actor.braking = gain < -0.6 or actor.speed < 0.15
    actor.s += 0.5 * (before + actor.speed) * dt
    actor.gone = actor.s - actor.half[0] > actor.path.length


def _bend_speed(actor: Actor) -> float:
    """Comfortable speed for the tightest bend within the next metres: about 2 m/s2 sideways."""
    s = actor.s + np.arange(0.0, 16.0, 2.0)
    heading = np.unwrap(np.arctan2(*(actor.path.at(s + 1.0) - actor.path.at(s - 1.0)).T[::-1]))
    curvature = np.abs(np.diff(heading)).max() / 2.0
    return float(np.sqrt(2.2 / max(curvature, 0.01)))


def _walk(street: Street, actor: Actor, green: tuple[str, ...], left_s: float, boxes, dt: float) -> None:
    room = _room_ahead(actor, boxes, 1.4) - 0.15
    if actor.stop_at is not None and actor.s < actor.stop_at:
        across = actor.path.length - actor.stop_at
        if not ("walk" in green and left_s > min(0.75 * across / actor.wanted, WALK_S - 2)):
            room = min(room, actor.stop_at - actor.s)
    actor.waits = room < 0.05
    actor.speed = 0.0 if actor.waits else min(actor.wanted, 0.2 + 2.0 * room)
    actor.s += min(actor.speed * dt, max(room, 0.0))
    actor.phase += actor.speed * dt / stride_length_m(there(actor.person)) if actor.speed else dt * 0.12
    actor.gone = actor.s > actor.path.length


def _state_of(actor: Actor) -> ActorState:
    (u, v), yaw = actor.pose
    standing = actor.speed < 0.05
    motion = "drive" if actor.vehicle else ("stand" if standing else "walk")
    return ActorState(
        actor_id=actor.actor_id,
        xy=(float(u), float(v)),
        yaw=yaw,
        vehicle=actor.vehicle,
        person=actor.person,
        motion=motion,
        phase=actor.phase % 1.0,
        moving=True,
        braking=actor.braking,
        turn=actor.turn,
    )
