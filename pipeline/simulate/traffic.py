"""Who drives and walks at the simulated junction, and where they are at each moment of a burst.

Vehicles follow lane paths at speeds of the intelligent driver model (Treiber et al. 2000), stop at signals and for
whatever stands on their path; each approach has its own green, people cross while all vehicles see red.
Plan coordinates of `layout` throughout; yaw is counter-clockwise from u.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from pipeline.simulate.fleet import BODY_TYPES, Vehicle, make_vehicle
from pipeline.simulate.layout import LANE_M, STOP_GAP_M, WALK_BANDS_M, Layout
from pipeline.simulate.people import Person, make_person, stride_length_m

STEP_S, WARM_UP_STEP_S = 0.1, 0.2
WARM_UP_S = 45.0
GREEN_S, CLEAR_S, WALK_S = 9.0, 3.0, 15.0
DEFAULT_MIX = {
    "hatchback": 0.26, "sedan": 0.18, "wagon": 0.11, "suv": 0.17, "pickup": 0.04,
    "van": 0.10, "minibus": 0.04, "bus": 0.05, "lorry": 0.05,
}  # fmt: skip
_ARMS = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0), "south": (0.0, -1.0)}


_PATH_STEP_M = 0.25
T = TypeVar("T")


@dataclass(frozen=True)
class Path:
    """A polyline resampled every _PATH_STEP_M metres; straight on beyond its ends."""

    points: np.ndarray  # (P, 2)
    length: float

    @staticmethod
    def through(corners: np.ndarray) -> Path:
        """The path along corners (C, 2)."""
        run = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
        s = np.arange(int(np.ceil(run[-1] / _PATH_STEP_M)) + 1) * _PATH_STEP_M
        points = np.stack([np.interp(s, run, corners[:, i]) for i in (0, 1)], axis=1)
        over = s[-1] - run[-1]  # the last step goes on straight past the end
        last = corners[-1] - corners[-2]
        points[-1] = corners[-1] + last / np.linalg.norm(last) * over
        return Path(points, float(run[-1]))

    def at(self, s: np.ndarray | float) -> np.ndarray:
        """(..., 2) points at distances s."""
        steps = np.asarray(s, float) / _PATH_STEP_M
        low = np.clip(steps.astype(int), 0, len(self.points) - 2)
        share = (steps - low)[..., None]
        return self.points[low] * (1 - share) + self.points[low + 1] * share


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
    look_s: int = 0  # seed of the model
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
class State:
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
        return _there(self.person)


@dataclass
class Street:
    """The state of the junction while it is simulated."""

    layout: Layout
    rng: np.random.Generator
    mix: dict[str, float]
    vehicles_per_minute: float
    people_per_minute: float
    first_id: int
    actors: list[Actor] = field(default_factory=list)
    parked: list[State] = field(default_factory=list)
    clock: float = 0.0
    made: int = 0
    queue: dict[str, float] = field(default_factory=dict)


def _there(value: T | None) -> T:
    """What an actor of its kind always has."""
    if value is None:
        raise ValueError("a vehicle was taken for a person, or a person for a vehicle")
    return value


def simulate(
    layout: Layout, rng: np.random.Generator, *, mix: dict[str, float], vehicles_per_minute: float,
    people_per_minute: float, parked: list[State], times_s: np.ndarray, first_id: int,
) -> list[list[State]]:  # fmt: skip
    """States of everyone at times_s (T,), seconds after a warm start."""
    street = Street(layout, rng, mix or DEFAULT_MIX, vehicles_per_minute, people_per_minute, first_id, parked=parked)
    street.clock = float(rng.uniform(0, 200))
    begin = street.clock + WARM_UP_S
    moments = begin + np.asarray(times_s)
    _populate(street)
    while street.clock < begin - 1e-9:
        _step(street, min(WARM_UP_STEP_S, begin - street.clock))
    result = []
    for moment in moments:
        while street.clock < moment - 1e-9:
            _step(street, min(STEP_S, moment - street.clock))
        result.append([_state(a) for a in street.actors] + street.parked)
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


def lane_path(layout: Layout, origin: str, target: str) -> tuple[Path, float]:
    """The path from one arm to another and the distance of the stop line along it."""
    out_from, out_to = np.array(_ARMS[origin]), np.array(_ARMS[target])
    right_in, right_out = np.array([-out_from[1], out_from[0]]), np.array([out_to[1], -out_to[0]])
    start = layout.reach_m
    edge_in = layout.side_half if out_from[0] else layout.main_half
    edge_out = layout.side_half if out_to[0] else layout.main_half
    inner_in, inner_out = edge_in + 1.5, edge_out + 1.5
    entry = out_from * inner_in + right_in * LANE_M
    leave = out_to * inner_out + right_out * LANE_M
    ts = np.linspace(0, 1, 24)[:, None]
    if target == _opposite(origin):
        middle = entry + (leave - entry) * ts
    else:
        corner = right_in * LANE_M + right_out * LANE_M
        middle = (1 - ts) ** 2 * entry + 2 * ts * (1 - ts) * corner + ts**2 * leave
    points = np.concatenate([[out_from * start + right_in * LANE_M], middle, [out_to * start + right_out * LANE_M]])
    stop = start - (edge_in + layout.crossing_m[1] + STOP_GAP_M + 0.4)
    return Path.through(points), stop


def _opposite(arm: str) -> str:
    return {"east": "west", "west": "east", "north": "south", "south": "north"}[arm]


def parked_cars(layout: Layout, seed: int, first_id: int) -> list[State]:
    """Cars that stand in the parking strips of the main road all day."""
    rng = np.random.default_rng([seed, 5])
    start = layout.side_half + layout.crossing_m[1] + STOP_GAP_M + 7.0
    result: list[State] = []
    for arm in ("east", "west"):
        for side in (-1, 1):
            for bay in np.arange(start, 62.0, 6.2):
                if arm not in layout.arms or rng.random() > layout.parked_share:
                    continue
                seed_ = int(rng.integers(1 << 31))
                body = str(rng.choice(["hatchback", "sedan", "wagon", "suv", "van"], p=[0.36, 0.22, 0.14, 0.2, 0.08]))
                u = (bay + rng.uniform(-0.3, 0.3)) * (1 if arm == "east" else -1)
                v = side * (layout.main_half - 1.12 + rng.uniform(-0.08, 0.08))
                yaw = (0.0 if side < 0 else np.pi) + rng.normal(scale=0.015)
                vehicle = make_vehicle(body, seed_)
                result.append(
                    State(
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


def _populate(street: Street) -> None:
    """People who are already under way when the simulation begins."""
    for _ in range(round(street.people_per_minute * 0.5)):
        _add_walkers(street, anywhere=True)
    for _ in range(2):
        _add_stander(street)


def _step(street: Street, dt: float) -> None:
    green, _left = signal(street.clock, street.layout.arms)
    _arrivals(street, dt)
    boxes = _boxes(street)
    for actor in street.actors:
        _advance(street, actor, green, _left, boxes, dt)
    street.actors = [a for a in street.actors if not a.gone]
    street.clock += dt


def _arrivals(street: Street, dt: float) -> None:
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
    bodies = [b for b in BODY_TYPES if street.mix.get(b, 0) > 0]
    weights = np.array([street.mix[b] for b in bodies])
    seed = int(rng.integers(1 << 31))
    vehicle = make_vehicle(str(rng.choice(bodies, p=weights / weights.sum())), seed)
    straight = _opposite(arm)
    # Opposite arms share their green: nobody turns left across the other's way.
    others = [a for a in layout.arms if a != arm and not (straight in layout.arms and _turn(arm, a) > 0)]
    chances = np.array([2.2 if a == straight else 1.0 for a in others])
    target = str(rng.choice(others, p=chances / chances.sum()))
    path, stop = lane_path(layout, arm, target)
    length, width, _ = vehicle.dims_lwh_m
    wanted = float(rng.uniform(9.5, 13.5)) * (0.85 if vehicle.body in ("bus", "lorry") else 1.0)
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
            turn=_turn(arm, target),
        )
    )
    street.made += 1


def _turn(arm: str, target: str) -> int:
    """1 to the left, -1 to the right, 0 straight on, for who comes in by one arm and leaves by another."""
    (u, v), (u_to, v_to) = _ARMS[arm], _ARMS[target]
    return -int(np.sign(u * v_to - v * u_to))


def _walk_lines(layout: Layout) -> list[tuple[np.ndarray, bool]]:
    """Corner-to-corner pavement routes and crossings: (P, 2) plan points on the kerb side, and whether it crosses."""
    routes = []
    far, reach = (layout.crossing_m[0] + layout.crossing_m[1]) / 2, layout.walk_reach_m
    side_sign = [s for s, arm in ((1, "north"), (-1, "south")) if arm in layout.arms]
    for u in (1, -1):
        for v in (1, -1):
            m, s = layout.main_half, layout.side_half
            if v in side_sign:
                routes.append(
                    (
                        np.array(
                            [[u * reach, v * m], [u * (s + far), v * m], [u * s, v * (m + far)], [u * s, v * reach]]
                        ),
                        False,
                    )
                )
    for v in {1, -1} - set(side_sign):
        routes.append(
            (
                np.array([[reach, v * layout.main_half], [0.0, v * layout.main_half], [-reach, v * layout.main_half]]),
                False,
            )
        )
    for u in (1, -1):
        x = u * (layout.side_half + far)
        m = layout.main_half
        routes.append((np.array([[x, -m], [x, m]]), True))
    for v in side_sign:
        y = v * (layout.main_half + far)
        s = layout.side_half
        routes.append((np.array([[-s, y], [s, y]]), True))
    return routes


def _add_walkers(street: Street, *, anywhere: bool = False) -> None:
    """One, two or three people on one route, side by side, keeping right of those who come towards them."""
    rng, layout = street.rng, street.layout
    routes = _walk_lines(layout)
    crossing = rng.random() < 0.45
    kinds = [r for r in routes if r[1] == crossing]
    line, crosses = kinds[int(rng.integers(len(kinds)))]
    forward = rng.random() < 0.5
    line = line if forward else line[::-1]
    group = int(rng.choice([1, 2, 3], p=[0.72, 0.22, 0.06]))
    speed = float(rng.uniform(1.05, 1.6))
    if crosses:
        path, stop = _crossing_path(layout, line, rng)
    else:
        path, stop = _pavement_path(layout, line, rng), None
    s0 = float(rng.uniform(0, path.length)) if anywhere and not crosses else 0.0
    for number in range(group):
        person = make_person(int(rng.integers(1 << 31)))
        # Two walk abreast over a crossing, a third behind them; on the pavement all in a line.
        shifted = Path.through(_beside(path.points, 0.78 * (number % 2) if crosses else 0.0))
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


def _pavement_path(layout: Layout, line: np.ndarray, rng: np.random.Generator) -> Path:
    """A kerb line moved onto the pavement, its corners rounded; one band each way keeps people apart."""
    dense = _rounded(line, 3.0)
    step = np.gradient(dense, axis=0)
    left = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
    probe = layout.road_distance(dense + 0.5 * left).mean() > layout.road_distance(dense - 0.5 * left).mean()
    inward = left if probe else -left
    band = WALK_BANDS_M[0 if probe else 1] + rng.uniform(-0.25, 0.25)
    moved = dense + inward * band
    for _ in range(3):  # a rounded kerb is nearer than its straight continuation
        short = band - layout.road_distance(moved)
        moved = moved + inward * np.clip(short, 0, 3)[:, None]
    walked = _rounded(moved[::4], 1.0)
    for _ in range(3):  # rounding has cut the corners again
        walked = walked + _uphill(layout, walked) * np.clip(band - layout.road_distance(walked), 0, 3)[:, None]
    return Path.through(walked)


def _uphill(layout: Layout, points: np.ndarray) -> np.ndarray:
    """(N, 2) unit directions in which the kerb falls behind fastest."""
    step = 0.05
    slope = [layout.road_distance(points + d) - layout.road_distance(points - d) for d in ([step, 0.0], [0.0, step])]
    return np.stack(slope, axis=1) / np.maximum(np.hypot(*slope), 1e-9)[:, None]


def _crossing_path(layout: Layout, line: np.ndarray, rng: np.random.Generator) -> tuple[Path, float]:
    """From the back of the pavement over a zebra and on; the stop is before the kerb."""
    along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
    right = np.array([along[1], -along[0]])
    offset = right * rng.uniform(0.3, 0.6)
    points = np.array([line[0] - along * 4.2, line[0], line[1], line[1] + along * 4.2]) + offset
    return Path.through(_rounded(points, 0.5)), 3.75


def _beside(points: np.ndarray, right_m: float) -> np.ndarray:
    step = np.gradient(points, axis=0)
    right = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
    return points + right * right_m


def _rounded(points: np.ndarray, radius: float) -> np.ndarray:
    """Dense points along a polyline with its corners smoothed over about radius metres."""
    path = Path.through(points)
    s = np.arange(0, path.length, 0.25)
    span = np.linspace(-radius, radius, 9)
    return np.mean([path.at(np.clip(s + d, 0, path.length)) for d in span], axis=0)


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


def _boxes(street: Street) -> tuple[np.ndarray, np.ndarray]:
    """(N, 5) u, v, yaw, half length, half width of everyone, and their ids (N,)."""
    rows, ids = [], []
    for actor in street.actors:
        (u, v), yaw = actor.pose
        rows.append((u, v, yaw, *actor.half))
        ids.append(actor.actor_id)
    for state in street.parked:
        length, width, _ = _there(state.vehicle).dims_lwh_m
        rows.append((*state.xy, state.yaw, length / 2, width / 2))
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
    line = _there(actor.stop_at) - actor.s - actor.half[0]
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
    actor.phase += actor.speed * dt / stride_length_m(_there(actor.person)) if actor.speed else dt * 0.12
    actor.gone = actor.s > actor.path.length


def _state(actor: Actor) -> State:
    (u, v), yaw = actor.pose
    standing = actor.speed < 0.05
    motion = "drive" if actor.vehicle else ("stand" if standing else "walk")
    return State(
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
