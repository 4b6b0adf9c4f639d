"""Front or rear: shape, doubt, motion and all frames of a standing vehicle decide; where none tells, both are kept."""

from dataclasses import replace

import numpy as np
import pytest
from vehicle_street import BASES, CAMERA, PLANE

from pipeline.core.skeletons import VEHICLE_12
from pipeline.reconstruction.vehicles.facing import (
    ABOUT,
    EXCHANGED,
    Facings,
    decided,
    probability_turned,
    trust_in_names,
)
from pipeline.reconstruction.vehicles.fit import VehicleFitSettings, VehiclesSeen, fit_vehicles
from pipeline.reconstruction.vehicles.solver import State


def facings(yaw, turned, x=0.0) -> Facings:
    """Observations of fits that stand at x and face yaw (N,), each with its turned one."""
    yaw, count = np.asarray(yaw, float), len(yaw)
    c, s, o, i = np.cos(yaw), np.sin(yaw), np.zeros(count), np.ones(count)
    R = np.stack([c, -s, o, s, c, o, o, o, i], axis=1).reshape(-1, 3, 3)
    named = State(R, np.stack([np.broadcast_to(x, (count,)), o, i], axis=1), np.zeros((count, 2)), np.zeros(count))
    return Facings(named, State(R @ ABOUT, named.t, named.shape, named.cost), np.asarray(turned, float))


def headings(state: State) -> np.ndarray:
    """Cosines of headings."""
    return state.R[:, 0, 0]


def test_one_alone_takes_what_costs_less() -> None:
    found = decided(facings([0, 0], [5.0, -3.0]), np.arange(2), np.zeros(2, bool))
    assert found.exchanged.tolist() == [False, True] and found.turned_cost.tolist() == [5.0, 3.0]
    np.testing.assert_allclose(headings(found.state), [1, -1])


def test_the_frames_of_one_that_stands_outvote_a_single_one() -> None:
    seen = facings([0, 0.1, np.pi, 0, 2.0], [9.0, 8.0, 6.0, -1.0, 3.0])
    found = decided(seen, np.array([5, 5, 5, 5, 7]), np.zeros(5, bool))
    assert (headings(found.state)[:4] > 0.9).all()
    np.testing.assert_allclose(found.turned_cost, [(9 + 8 - 6 - 1) / 2] * 4 + [3.0])
    assert found.exchanged.tolist() == [False, False, True, False, False]


def test_the_frames_of_one_that_moves_or_is_known_to_face_somewhere_decide_each_for_itself() -> None:
    seen = facings([0, np.pi, 0, np.pi], [9.0, 6.0, 9.0, 6.0], x=[0, 5, 0, 0])
    found = decided(seen, np.array([0, 0, 1, 1]), np.array([False, False, True, True]))
    np.testing.assert_array_equal(found.state.R, seen.named.R)
    np.testing.assert_array_equal(found.turned_cost, seen.turned)
    assert not found.exchanged.any()


def test_frames_that_disagree_evenly_tell_nothing() -> None:
    found = decided(facings([0, np.pi], [7.0, 7.0]), np.zeros(2, int), np.zeros(2, bool))
    assert (found.turned_cost < 1e-9).all()
    np.testing.assert_allclose(probability_turned(found.turned_cost), 0.5)


def test_names_exchanged_twice_are_what_they_were() -> None:
    """Right changes places with left, front with back."""
    names = np.array(VEHICLE_12.names)
    np.testing.assert_array_equal(EXCHANGED[EXCHANGED], np.arange(len(names)))
    for mine, other in zip(names, names[EXCHANGED], strict=True):
        assert ("left" in mine) != ("left" in other) and ("back" in mine) != ("back" in other)


def test_probabilities_of_the_two_ways_add_up() -> None:
    cost = np.array([0.0, 1.0, 4.0, 1e6, np.inf])
    found = probability_turned(cost)
    np.testing.assert_allclose(found[:3] + 1 / (1 + np.exp(-cost[:3] / 2)), 1)
    assert found[0] == 0.5 and (np.diff(found) <= 0).all() and found[-1] < 1e-20
    assert np.isnan(probability_turned(np.array([np.nan]))[0])


def test_a_network_that_is_sure_of_its_points_is_sure_of_their_names() -> None:
    """Its score is the probability; where points are missing the others count, and who is torn says nothing."""
    scores = np.array([[0.9] * 12, [0.9] * 3 + [0.0] * 9, [0.5] * 12, [0.1] * 12, [0.0] * 12])
    cost = trust_in_names(scores)
    np.testing.assert_allclose(probability_turned(cost[:2]), 0.1)
    np.testing.assert_array_equal(cost[2:], 0)


def parked(group: str, frames: int, noise: float) -> np.ndarray:
    """Pixels (F, 12, 2) of one that stands at (2, 24) and faces 0.7."""
    R, t = PLANE.pose(np.array([2.0, 24.0]), 0.7)
    exact = CAMERA.project(BASES[group].keypoints(np.zeros(8)) @ R.T + t)
    return exact + np.random.default_rng(3).normal(0, noise, (frames, 12, 2))


@pytest.mark.parametrize("group", BASES)
def test_a_vehicle_whose_front_was_taken_for_its_rear_is_turned(group: str) -> None:
    """Cars, vans and lorries differ at their ends by more than a network's error."""
    xy = parked(group, 2, 1.0)
    xy[1] = xy[1][EXCHANGED]
    fits = fit_vehicles(VehiclesSeen(xy, np.full((2, 12), 0.8), np.arange(2)), CAMERA, PLANE, BASES)
    assert fits.ok.all() and (np.cos(fits.yaw - 0.7) > 0.99).all()
    assert np.linalg.norm(fits.xy_m - [2.0, 24.0], axis=1).max() < 0.3
    assert (fits.turned_probability < 0.05).all()


def test_frames_of_a_parked_car_of_which_one_is_seen_wrongly_face_one_way() -> None:
    """Of which wheels alone are seen, so that by itself none tells."""
    xy, scores = parked("car", 5, 0.5), np.zeros((5, 12))
    xy[3] = xy[3][EXCHANGED]
    scores[:, :4] = 0.85
    seen, settings = VehiclesSeen(xy, scores, np.arange(5)), VehicleFitSettings(noise_px=2.0)
    alone = fit_vehicles(seen, CAMERA, PLANE, BASES, settings)
    assert (np.cos(alone.yaw - 0.7) > 0).tolist() == [True, True, True, False, True]
    assert (alone.refusal == "ambiguous").all()
    together = fit_vehicles(replace(seen, track=np.zeros(5, int)), CAMERA, PLANE, BASES, settings)
    assert together.ok.all() and (np.cos(together.yaw - 0.7) > 0.95).all()
