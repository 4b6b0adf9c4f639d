"""Cars that wait at a line, each a little elsewhere: where a sign hides their tails they end, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from movers import CAMERA, CAR, HW, PLANE, Mover, Pole, watch

from calibration.camera import Camera
from pipeline.core import masks
from pipeline.mining.cut_edges import cut_by_edges
from pipeline.mining.observations import Observations, from_tracks

AT_M, FRAMES = 20.0, 8
LENGTHS_M = (4.0, 4.4, 4.7, 4.2)
STOPS_M = (-0.5, 0.1, 0.5, -0.2)  # of their middles


def waiting(count: int = 4, at_m: float = AT_M, x_m: float = 0.0) -> list[Mover]:
    """One after the other, as if on different days: each stands there alone."""
    cars = zip(LENGTHS_M[:count], STOPS_M[:count], strict=True)
    # Hardly moving: the velocity says where their front is.
    return [Mover((length, *CAR[1:]), (x_m + stop, at_m), (0.001, 0.0), k) for k, (length, stop) in enumerate(cars)]


def watched(movers: list[Mover], poles: list[Pole]) -> tuple[Observations, np.ndarray]:
    """Each for itself, one after the other."""
    parts = [watch([mover], poles, FRAMES) for mover in movers]
    seen = [from_tracks(table, CAMERA, PLANE) for table, _ in parts]
    fields = {name: np.concatenate([getattr(one, name) for one in seen]) for name in vars(seen[0])}
    return Observations(**fields), np.concatenate([visible for _, visible in parts])


def tail_px() -> int:
    """Where the shortest car's tail is, and a third of a car more: all of them reach beyond it."""
    return round(float(CAMERA.project(PLANE.to_camera(np.array([[-1.2, AT_M, 0.5]])))[0, 0]))


SIGN = Pole((tail_px() - 60, 60, 60, 240), AT_M - 2)


@pytest.mark.parametrize("count", [3, 4])
def test_cars_whose_tails_a_sign_hides_are_cut_and_the_same_cars_in_the_open_are_not(count: int) -> None:
    everyone = np.ones(count * FRAMES, bool)
    seen, visible = watched(waiting(count), [SIGN])
    assert (visible < 0.97).all()
    assert cut_by_edges(seen, everyone, HW).all()
    free, visible = watched(waiting(count), [])
    assert (visible > 0.99).all()
    assert not cut_by_edges(free, everyone, HW).any()


def test_one_car_is_no_witness_against_itself() -> None:
    seen, _ = watched(waiting(1), [SIGN])
    assert not cut_by_edges(seen, np.ones(len(seen), bool), HW).any()


def test_cars_in_front_of_the_sign_stay_though_others_are_cut_by_it() -> None:
    before = [replace(car, track_id=car.track_id + 10) for car in waiting(4, AT_M - 6, x_m=-1.0)]
    seen, visible = watched(waiting(4) + before, [SIGN])
    cut = cut_by_edges(seen, np.ones(len(seen), bool), HW)
    assert cut[seen.track_id < 10].all()
    assert visible[seen.track_id >= 10].min() > 0.99
    assert not cut[seen.track_id >= 10].any()


def test_what_the_frame_cuts_is_no_witness_and_people_are_not_asked() -> None:
    seen, _ = watched(waiting(4), [SIGN])
    assert not cut_by_edges(seen, np.zeros(len(seen), bool), HW).any()
    people = replace(seen, is_person=np.ones(len(seen), bool))
    assert not cut_by_edges(people, np.ones(len(seen), bool), HW).any()


@pytest.mark.parametrize("scale", [1, 3])
def test_it_holds_in_frames_of_other_sizes(scale: int) -> None:
    size_hw = HW[0] * scale, HW[1] * scale
    seen, _ = watched(waiting(4), [SIGN])
    larger = [np.kron(masks.full(rle, HW), np.ones((scale, scale), bool)) for rle in seen.rle]
    rle = np.array([masks.encode(mask, (0, 0), size_hw) for mask in larger], object)
    seen = replace(seen, rle=rle, box_xywh=seen.box_xywh * scale)
    assert Camera(CAMERA.K * scale, size_hw).size_hw == size_hw
    assert cut_by_edges(seen, np.ones(len(seen), bool), size_hw).all()
