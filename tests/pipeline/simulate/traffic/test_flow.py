from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from moments import ARMS, STEP_S, clashes, corners, half_size, parked, run, states_equal, tracks

from pipeline.simulate.traffic import flow as traffic
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.traffic.flow import signal
from pipeline.simulate.traffic.paths import lane_path
from pipeline.simulate.world.layout import LAYOUTS


@pytest.fixture(scope="module", params=[("crossroads", 1), ("junction", 3)], ids=lambda run: run[0])
def burst(request):
    return run(*request.param)


def test_no_two_footprints_meet_at_any_moment(burst):
    _, states, _ = burst
    for moment in states:
        assert not clashes(moment)


def test_a_queue_back_to_the_edge_of_the_street_is_joined_without_a_crash(monkeypatch):
    monkeypatch.setattr(traffic, "signal", lambda clock, arms: (("walk",), 9.0))  # red for good
    short = replace(LAYOUTS["crossroads"], reach_m=40.0)
    for seed in (0, 6):
        _, states, _ = run(short, seed, warm_up=18.0, seconds=4.0, vehicles=160.0, people=0.0)
        for moment in states:
            assert not clashes(moment)


def test_a_burst_has_traffic_to_look_at(burst):
    _, states, _ = burst
    assert len(tracks(states, "vehicle")) >= 5
    assert len(tracks(states, "person")) >= 6
    assert sum(not state.moving for state in states[0]) >= 5


def test_everyone_keeps_their_identity_and_nobody_comes_back(burst):
    _, states, _ = burst
    for moment in states:
        ids = [state.actor_id for state in moment]
        assert len(set(ids)) == len(ids)
    for kind in ("vehicle", "person"):
        for seen in tracks(states, kind).values():
            assert len({id(getattr(state, kind)) for _, state in seen}) == 1
            numbers = [number for number, _ in seen]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))


@pytest.mark.parametrize(("kind", "fastest"), [("vehicle", 13.6), ("person", 1.65)])
def test_nobody_jumps_or_speeds(burst, kind, fastest):
    _, states, _ = burst
    moved = 0
    for seen in tracks(states, kind).values():
        xy = np.array([state.xy for _, state in seen])
        speed = np.hypot(*np.diff(xy, axis=0).T) / STEP_S
        assert speed.max(initial=0) < fastest
        moved += speed.max(initial=0) > 0.5
    assert moved >= 4


def test_vehicles_drive_ahead_and_turn_no_faster_than_a_car_can(burst):
    _, states, _ = burst
    for seen in tracks(states, "vehicle").values():
        for (_, a), (_, b) in pairwise(seen):
            step = np.subtract(b.xy, a.xy)
            turned = (b.yaw - a.yaw + np.pi) % (2 * np.pi) - np.pi
            # The tightest turn of a car's middle is about 5 m; a wheelbase's chord cuts it a little.
            assert abs(turned) <= np.hypot(*step) / 4.0 + 1e-6
            if np.hypot(*step) > 0.2:
                heading = np.array([np.cos(b.yaw), np.sin(b.yaw)])
                assert step @ heading > 0.9 * np.hypot(*step)


def test_cars_stop_for_red():
    # Without parked cars, which are in nobody's way but take time.
    layout, states, clock = run(replace(LAYOUTS["crossroads"], reach_m=60.0), 6, warm_up=8.0, seconds=36.0, people=0.0)
    crossed = 0
    for seen in tracks(states, "vehicle").values():
        for arm, outward in ARMS.items():
            if arm not in layout.arms:
                continue
            target = next(other for other in layout.arms if other != arm)
            line = layout.reach_m - lane_path(layout, arm, target)[1]  # from the middle
            inbound = [s for s in seen if np.dot([np.cos(s[1].yaw), np.sin(s[1].yaw)], outward) < -0.95]
            front = [np.dot(s.xy, outward) - half_size(s)[0] for _, s in inbound]
            for (before, _), far, near in zip(inbound, front, front[1:], strict=False):
                if far > line >= near:
                    crossed += 1
                    # Green, or the amber that follows it: never while another's turn has begun.
                    recent = [signal(clock[before] - dt, layout.arms)[0] for dt in np.arange(-STEP_S, 2.5, 0.1)]
                    assert any(arm in green for green in recent)
    assert crossed >= 3


def test_vehicles_keep_right_and_on_the_road(burst):
    layout, states, _ = burst
    for seen in tracks(states, "vehicle").values():
        for _, state in seen:
            if max(np.abs(corners(state)).max(axis=0)) > layout.reach_m:
                continue
            # Long vehicles cut a corner of the kerb, cars do not.
            slack = 0.2 if half_size(state)[0] < 2.6 else 1.6
            assert layout.road_distance(corners(state)).max() < slack
            along = np.array([np.cos(state.yaw), np.sin(state.yaw)])
            u, v = np.abs(state.xy)
            if u > 14 and v < 4 and abs(along[0]) > 0.98:  # on an arm of the main road
                assert np.sign(state.xy[1]) == -np.sign(along[0])
            if v > 16 and u < 4 and abs(along[1]) > 0.98:
                assert np.sign(state.xy[0]) == np.sign(along[1])


@pytest.mark.parametrize("layout_name", LAYOUTS)
def test_parked_cars_stand_in_their_strips_all_day(layout_name):
    layout = LAYOUTS[layout_name]
    cars = parked(layout_name)
    assert len(cars) >= 6
    assert states_equal([cars], [parked_cars(layout, 7, 1)])
    assert not states_equal([cars], [parked_cars(layout, 8, 1)])
    assert [car.actor_id for car in cars] == list(range(1, len(cars) + 1))
    for car in cars:
        v = np.abs(corners(car)[:, 1])
        assert v.max() < layout.main_half + 0.15
        assert v.min() > layout.main_half - layout.parking_m - 0.25
        assert not car.moving


def test_the_lights_give_everyone_a_turn_and_never_two():
    arms = ("east", "north", "west")
    turns = [signal(t, arms) for t in np.arange(0, 200, 0.1)]
    assert {name for name, _ in turns} == {("east", "west"), ("north",), ("walk",), ()}
    for (name, left), (after, _) in pairwise(turns):
        if name:
            assert left > 0
            assert after in (name, ())  # everyone's red lies between two turns
            assert (after == name) == (left > 0.1 + 1e-6) or left == pytest.approx(0.1)


@pytest.mark.parametrize("layout_name", LAYOUTS)
def test_a_lane_path_leads_from_the_right_of_one_arm_to_the_right_of_another(layout_name):
    layout = LAYOUTS[layout_name]
    for origin in layout.arms:
        for target in layout.arms:
            if origin == target:
                continue
            path, stop = lane_path(layout, origin, target)
            came, goes = np.array(ARMS[origin]), np.array(ARMS[target])
            assert path.points[0] @ came == pytest.approx(layout.reach_m)
            assert path.points[-1] @ goes == pytest.approx(layout.reach_m, abs=0.3)
            assert path.points[0] @ [-came[1], came[0]] == pytest.approx(1.75)
            assert path.points[-1] @ [goes[1], -goes[0]] == pytest.approx(1.75)
            assert path.at(0.0) == pytest.approx(path.points[0])
            assert path.at(path.length) == pytest.approx(path.points[-1], abs=0.3)
            at_line = path.at(stop) @ came
            half = layout.side_half if came[0] else layout.main_half
            assert at_line > half + layout.crossing_m[1]  # before the crossing


def test_the_same_seed_gives_the_same_traffic_and_another_other():
    runs = [run("junction", seed, warm_up=6.0, seconds=1.0)[1] for seed in (5, 5, 6)]
    assert states_equal(runs[0], runs[1])
    assert not states_equal(runs[0], runs[2])


def test_only_bodies_of_the_mix_drive():
    _, states, _ = run(
        "crossroads", 4, warm_up=8.0, seconds=0.5, vehicles=60.0, mix={"van": 1.0, "bus": 0.0}, people=0.0
    )
    bodies = {state.vehicle.body for state in states[0] if state.vehicle and state.moving}
    assert bodies == {"van"}
    assert not any(state.person and state.motion == "walk" for state in states[0])


def test_a_street_without_traffic_has_parked_cars_only():
    _, states, _ = run("junction", 1, warm_up=1.0, seconds=0.5, vehicles=0.0, people=0.0)
    assert not any(state.moving and state.vehicle for state in states[0])
