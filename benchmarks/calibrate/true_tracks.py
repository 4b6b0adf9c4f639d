"""Tracks of simulated traffic as a detector would have them, without a picture being rendered: the true meshes' boxes
with a detector's noise, some of them of a part.

The traffic is simulated once, and looked at by many cameras, each at another place and turn of the same streets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from calibration.camera import Camera, GroundPlane
from calibration.traffic.outlines import CAR, PERSON
from calibration.traffic.tracks import Tracks, tracks_of
from pipeline.simulate.people.person import BAKED, body_count, dress, person_mesh
from pipeline.simulate.traffic.actors import ActorState
from pipeline.simulate.traffic.flow import simulate
from pipeline.simulate.vehicles.fleet import Vehicle, make_vehicle
from pipeline.simulate.vehicles.fleets import FLEETS, Fleet
from pipeline.simulate.world.layout import LAYOUTS

# What a network of COCO calls a car; heavy vehicles it tells apart.
_CARS = {"hatchback": 0.32, "sedan": 0.22, "wagon": 0.14, "suv": 0.2, "pickup": 0.03, "van": 0.09}
# A detector's box: so much of its size and so many pixels off at each side; some are of a part.
_SIDE, _SIDE_PX, _PARTIAL = 0.02, 0.7, 0.08
_FPS = 3.0
_DIRECTIONS = 120
_PHASES, _EACH = 8, 6  # of a stride; vehicles of each body


@dataclass(frozen=True)
class Burst:
    """A minute of a street, N sights of someone at a moment: points_m (N, P, 3) that the outline is of, in the plan of
    the layout; kind (N,), actor (N,) and time_s (N,)."""

    points_m: np.ndarray
    kind: np.ndarray
    actor: np.ndarray
    time_s: np.ndarray


def simulated_burst(
    layout: str, seed: int, *, seconds: float = 60.0, vehicles: float = 22.0, people: float = 14.0,
    arms: tuple[str, ...] | None = None,
) -> Burst:  # fmt: skip
    """A burst of so many vehicles and people a minute. arms: those of the layout that are used, all if None."""
    plan = LAYOUTS[layout] if arms is None else replace(LAYOUTS[layout], arms=arms)
    times = np.arange(int(_FPS * seconds)) / _FPS
    fleet = Fleet(tuple(_CARS), _vehicle, FLEETS["plain"].mix, FLEETS["plain"].parked)
    states = simulate(
        plan, np.random.default_rng([seed, 0xB57]), mix=_CARS, vehicles_per_minute=vehicles, people_per_minute=people,
        parked=[], times_s=times, first_id=1000, fleet=fleet,
    )  # fmt: skip
    seen = [(moment, state) for moment, now in zip(times, states, strict=True) for state in now]
    points = np.stack([_in_plan(state) for _, state in seen]).astype(np.float32)
    kind = np.array([PERSON if state.person else CAR for _, state in seen])
    return Burst(points, kind, np.array([state.actor_id for _, state in seen]), np.array([time for time, _ in seen]))


def _in_plan(state: ActorState) -> np.ndarray:
    cos, sin = np.cos(state.yaw), np.sin(state.yaw)
    return _points(state) @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]]) + [*state.xy, 0.0]


@cache
def _made(body: str, number: int) -> Vehicle:
    return make_vehicle(body, number)


def _vehicle(body: str, seed: int) -> Vehicle:
    return _made(body, seed % _EACH)


def _extreme(vertices: np.ndarray) -> np.ndarray:
    """(P, 3) the vertices that are farthest in some directions: boxes are of no others."""
    directions = np.random.default_rng(0).normal(size=(_DIRECTIONS, 3))
    return vertices[(vertices @ directions.T).argmax(axis=0)]


@cache
def _vehicle_points(body: str, dims_lwh_m: tuple[float, float, float]) -> np.ndarray:
    mine = next(one for one in (_made(body, k) for k in range(_EACH)) if one.dims_lwh_m == dims_lwh_m)
    return _extreme(mine.mesh.vertices)


@cache
def _person_points(body: int, motion: str, phase: int) -> np.ndarray:
    person = dress(body % body_count(BAKED), BAKED, np.random.default_rng(body))
    return _extreme(person_mesh(person, motion, phase / _PHASES).vertices)


def _points(state: ActorState) -> np.ndarray:
    if state.vehicle:
        return _vehicle_points(state.vehicle.body, state.vehicle.dims_lwh_m)
    return _person_points(state.walker.body, state.motion, int(state.phase % 1.0 * _PHASES))


def seen_by(camera: Camera, plane: GroundPlane, bursts: Sequence[Burst], rng: np.random.Generator) -> Tracks:
    """What the camera's detector and tracker would give of the bursts, whose street it sees from a place of its own:
    18 to 40 m from the middle, turned at random."""
    away = plane.to_world(plane.intersect(camera, (np.array(camera.size_hw[::-1]) - 1) / 2))[1]
    centre = (float(rng.normal(0, 2)), float(np.clip(away if np.isfinite(away) else 30, 18, 40)))
    plan = replace(LAYOUTS["crossroads"], centre=centre, yaw_deg=float(rng.uniform(0, 360)))
    found = []
    for number, burst in enumerate(bursts):
        xy = plan.to_world(burst.points_m[..., :2].astype(float))
        at = plane.to_camera(np.concatenate([xy, burst.points_m[..., 2:]], axis=2))
        pixels = camera.project(at) + 0.5
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        shown = np.flatnonzero(
            (at[..., 2].min(axis=1) > 0.5) & (high > 0).all(axis=1) & (low < camera.size_hw[::-1]).all(axis=1)
        )
        who = np.column_stack([burst.kind, burst.actor + 10000 * number, burst.time_s + 1000 * number])
        found.append(np.column_stack([low, high - low, who])[shown])
    table = np.concatenate(found)
    box = _clipped(noisy(table[:, :4], rng), camera.size_hw)
    return tracks_of(box, table[:, 4].astype(int), table[:, 5].astype(int), table[:, 6], camera.size_hw)


def noisy(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes (N, 4) as detectors give them."""
    low, high = box[:, :2], box[:, :2] + box[:, 2:]
    sd = _SIDE * box[:, 2:] + _SIDE_PX
    low, high = low + rng.normal(0, sd), high + rng.normal(0, sd)
    part = rng.random(len(box)) < _PARTIAL
    cut = rng.uniform(0.1, 0.5, len(box))[:, None] * (high - low) * np.eye(2)[rng.integers(0, 2, len(box))]
    lower = rng.random(len(box)) < 0.5
    low = np.where((part & lower)[:, None], low + cut, low)
    high = np.where((part & ~lower)[:, None], high - cut, high)
    return np.concatenate([low, np.maximum(high - low, 1)], axis=1)


def _clipped(box: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """As far as the picture goes."""
    most = np.array(size_hw[::-1], float)
    low, high = np.clip(box[:, :2], 0, most), np.clip(box[:, :2] + box[:, 2:], 0, most)
    return np.concatenate([low, high - low], axis=1)
