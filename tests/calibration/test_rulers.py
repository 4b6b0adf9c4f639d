"""A street of usual people and cars says of a calibration whether it is right, and what is wrong with it."""

import numpy as np
import pytest
from standing import SIZE

from calibration.camera import GroundPlane, edge_to_pixel
from calibration.forms.poses import camera_of_focal
from calibration.rulers import PERSON_M, cuboid, ratios, sentence, sightings, weigh

CAMERA = camera_of_focal(1100, SIZE)
PLANE = GroundPlane.from_tilt(15, 0, 8.0)


def box_of(points):
    pixels = CAMERA.project(PLANE.to_camera(points)) + 0.5
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return [*low, *(high - low)]


def street(people=24, cars=16, spread=0.05, seed=0):
    """Sightings of people who walk and cars that drive straight on, each in six frames."""
    rng = np.random.default_rng(seed)
    boxes, person, track = [], [], []
    for one in range(people + cars):
        at, yaw = np.array([rng.uniform(-5, 5), rng.uniform(16, 55)]), rng.uniform(-3, 3)
        size, walks = np.exp(rng.normal(0, spread)), one < people
        for step in range(6):
            x, y = at + step * (0.7 if walks else 1.5) * np.array([np.cos(yaw), np.sin(yaw)])
            tall = np.array([[x, y, 0], [x, y, PERSON_M * size]]) + [[-0.25, 0, 0], [0.25, 0, 0]]
            tall = np.array([[x - 0.25, y, 0], [x + 0.25, y, PERSON_M * size]]) if walks else tall
            boxes.append(box_of(tall if walks else cuboid(np.array([[x, y]]), np.array([yaw]), np.array([size]))[0]))
            person.append(walks)
            track.append(one)
    order = np.tile(np.arange(6), people + cars)
    return sightings(np.array(boxes), np.array(person), np.array(track), order, SIZE)


def test_usual_people_and_cars_have_ratios_of_one():
    seen = street(spread=0.0)
    found = ratios(CAMERA, PLANE, seen)
    assert np.nanmedian(found[seen.is_person]) == pytest.approx(1, abs=0.02)
    assert np.nanpercentile(np.abs(found[~seen.is_person] - 1), 90) < 0.02
    assert np.isfinite(found).mean() > 0.8


def test_sizes_scale_with_the_height_alone():
    seen = street()
    right, higher = ratios(CAMERA, PLANE, seen), ratios(CAMERA, GroundPlane(PLANE.n, 1.25 * PLANE.d), seen)
    assert (higher / right)[np.isfinite(right)] == pytest.approx(1.25, rel=1e-2, nan_ok=True)
    assert np.isfinite(higher / right).mean() > 0.8


def test_a_right_calibration_is_agreed_with():
    assert "the calibration agrees with them" in sentence(CAMERA, PLANE, street())


@pytest.mark.parametrize("wrong", [0.8, 1.15])
def test_a_wrong_height_is_named_with_the_right_one(wrong):
    given = GroundPlane(PLANE.n, wrong * PLANE.d)
    found = weigh(CAMERA, given, street())
    assert found.tells_height and not found.tells_tilt
    assert found.height_m == pytest.approx(PLANE.d, rel=0.06)
    assert abs(found.height_m - PLANE.d) < 3 * found.height_sd_m
    text = sentence(CAMERA, given, street())
    assert ("too tall" if wrong > 1 else "too short") in text and f"not {given.d:.1f}" in text


def test_a_wrong_tilt_is_told_from_a_wrong_height():
    given = GroundPlane.from_tilt(19, 0, 8.0)
    found = weigh(CAMERA, given, street(people=40))
    assert found.tells_tilt
    assert found.tilt_deg == pytest.approx(15, abs=1.2) and found.height_m == pytest.approx(8, rel=0.1)
    assert "the tilt is probably 1" in sentence(CAMERA, given, street(people=40))


def test_nobody_tells_nothing():
    none = sightings(np.zeros((0, 4)), np.zeros(0, bool), np.zeros(0, int), np.zeros(0), SIZE)
    assert weigh(CAMERA, PLANE, none) is None
    assert "no one is seen whole" in sentence(CAMERA, PLANE, none)


def test_what_the_border_cuts_is_left_out_and_headings_are_of_who_moves():
    boxes = np.array([[0.0, 300, 40, 90], [500, 300, 40, 90], [500, 300, 40, 90], [700, 300, 40, 90]])
    seen = sightings(boxes, np.zeros(4, bool), np.array([1, 2, 2, 2]), np.arange(4), SIZE)
    assert len(seen.track) == 3 and np.isfinite(seen.later_px).all()
    still = sightings(boxes[1:3], np.zeros(2, bool), np.array([2, 2]), np.arange(2), SIZE)
    assert np.isnan(still.later_px).all() and np.isnan(ratios(CAMERA, PLANE, still)).all()
    assert seen.foot_px[0] == pytest.approx(edge_to_pixel(np.array([520, 390])))
