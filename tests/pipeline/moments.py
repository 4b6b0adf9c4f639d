"""A burst of the simulated street's traffic without its pictures, and what to measure on it. Plan metres."""

from collections import defaultdict
from functools import lru_cache

import numpy as np
import pytest
from shapely import STRtree
from shapely import box as rectangle
from shapely.affinity import rotate, translate

from pipeline.simulate.traffic import flow as traffic
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.traffic.flow import simulate
from pipeline.simulate.world.layout import LAYOUTS

ARMS = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0), "south": (0.0, -1.0)}
STEP_S = 0.25


@lru_cache
def parked(layout_name):
    return parked_cars(LAYOUTS[layout_name], 7, 1)


def run(layout, seed, *, warm_up=20.0, seconds=8.0, mix=None, vehicles=26.0, people=24.0):
    """States at every STEP_S after a short warm start, and the signal's clock at each."""
    stand = parked(layout) if isinstance(layout, str) else []
    layout = LAYOUTS[layout] if isinstance(layout, str) else layout
    times = np.arange(0, seconds, STEP_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "WARM_UP_S", warm_up)
        states = simulate(
            layout,
            np.random.default_rng(seed),
            mix=mix or {},
            vehicles_per_minute=vehicles,
            people_per_minute=people,
            parked=stand,
            times_s=times,
            first_id=1000,
        )
    # The clock's start is the generator's first draw.
    clock = np.random.default_rng(seed).uniform(0, 200) + warm_up + times
    return layout, states, clock


def half_size(state):
    if state.vehicle is None:
        return 0.25, 0.28
    length, width, _ = state.vehicle.dims_lwh_m
    return length / 2, width / 2


def corners(state):
    """(4, 2) plan corners of a footprint."""
    c, s = np.cos(state.yaw), np.sin(state.yaw)
    local = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half_size(state)
    return local @ np.array([[c, s], [-s, c]]) + state.xy


def footprint(state):
    length, width = half_size(state)
    return translate(rotate(rectangle(-length, -width, length, width), np.degrees(state.yaw), (0, 0)), *state.xy)


def tracks(states, kind):
    """Lists of (moment's number, state) of everyone of a kind who is on the way."""
    found = defaultdict(list)
    for number, moment in enumerate(states):
        for state in moment:
            if state.moving and getattr(state, kind) is not None:
                found[state.actor_id].append((number, state))
    return found


def clashes(moment):
    """Pairs of states whose footprints share ground."""
    prints = [footprint(state) for state in moment]
    first, second = STRtree(prints).query(prints, predicate="intersects")
    pairs = ((i, j) for i, j in zip(first, second, strict=True) if i < j)
    return [(moment[i], moment[j]) for i, j in pairs if prints[i].intersection(prints[j]).area > 1e-3]


def states_equal(first, second):
    def key(state):
        body = state.vehicle.dims_lwh_m if state.vehicle else state.person
        return state.actor_id, state.xy, state.yaw, body, state.motion, state.phase, state.braking, state.turn

    return [[key(s) for s in m] for m in first] == [[key(s) for s in m] for m in second]
