from itertools import pairwise

import numpy as np
import pytest
from moments import clashes, run, tracks

from pipeline.simulate.traffic import flow as traffic
from pipeline.simulate.world.layout import LAYOUTS


def on_zebra(layout, xy):
    """Whether a plan point lies on a zebra or within half a metre of one."""
    near, far = layout.crossing_m[0] - 0.5, layout.crossing_m[1] + 0.5
    out = np.abs(xy) - [layout.side_half, layout.main_half]
    return bool(((out > near) & (out < far)).any())


@pytest.fixture(scope="module")
def crowd():
    """Many people, hardly a car."""
    return run(LAYOUTS["crossroads"], 2, warm_up=8.0, seconds=8.0, vehicles=0.01, people=90.0)


def test_people_walk_forwards_with_feet_that_keep_up(crowd):
    _, states, _ = crowd
    for seen in tracks(states, "person").values():
        for (_, a), (_, b) in pairwise(seen):
            step = np.hypot(*np.subtract(b.xy, a.xy))
            if a.motion == b.motion == "walk" and step > 0.1:
                ahead = np.array([np.cos(a.yaw), np.sin(a.yaw)])
                assert np.dot(np.subtract(b.xy, a.xy), ahead) > 0.85 * step
                cycles = (b.phase - a.phase) % 1.0
                assert 0.6 * step < cycles * traffic.stride_length_m(b.person) < 1.4 * step
            if step < 0.01:
                assert "stand" in (a.motion, b.motion)


def test_a_crowd_walks_without_bumping_into_each_other(crowd):
    _, states, _ = crowd
    assert len(tracks(states, "person")) > 20
    for moment in states:
        assert not clashes(moment)


def test_people_cross_the_road_on_zebras_only(crowd):
    layout, states, _ = crowd
    for seen in tracks(states, "person").values():
        for _, state in seen:
            on_road = layout.road_distance(np.array([state.xy]))[0] < -0.15
            assert not on_road or on_zebra(layout, np.array(state.xy))


def test_people_walk_around_trunks_posts_and_bins(crowd):
    layout, states, _ = crowd
    obstacles = [(u, v, 0.14) for u, v, _ in layout.trees] + [(u, v, 0.05) for u, v in layout.lamps]
    obstacles = np.array(obstacles + [(u, v, 0.25) for u, v in layout.bins])
    for moment in states:
        for state in moment:
            if state.person:
                gap = np.hypot(*(obstacles[:, :2] - state.xy).T) - obstacles[:, 2]
                assert gap.min() > 0.15  # less than half a chest is deep
