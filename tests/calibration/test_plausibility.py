"""Cameras as streets have them pass; what cannot be is told in one sentence."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import Camera, GroundPlane
from calibration.plausibility import findings, ground_fraction, of_matrix, of_terms

SIZE = (720, 1280)


def stood(focal=1000.0, tilt=20.0, roll=0.0, height=7.5, lens=(0, 0, 0, 0, 0), centre=(639.5, 359.5)):
    K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    return Camera(K, SIZE, np.array(lens, float)), GroundPlane.from_tilt(tilt, roll, height)


@given(st.floats(600, 4000), st.floats(5, 60), st.floats(-10, 10), st.floats(3, 30))
def test_street_cameras_are_plausible(focal, tilt, roll, height):
    assert not findings(*stood(focal, tilt, roll, height))


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"focal": 11}, "a focal length of 11 px in pictures 1280 px wide .* 178.* looks like millimetres"),
        ({"focal": 2e5}, "would be a view of 0.4 degrees: is it of larger pictures"),
        ({"height": 7500}, "the camera would be 7500 m above the ground"),
        ({"height": 0.0075}, "the camera would be 0.0075 m above the ground"),
        ({"tilt": -40}, "nothing of the picture would be ground"),
        ({"centre": (1500, 359.5)}, r"principal point \(1500.0, 359.5\) is far from the middle .* \[3001, 720\]"),
        ({"lens": (-1.5, 0, 0, 0, 0)}, "the lens would fold the picture over before its corners"),
        ({"roll": 170}, "the picture would be upside down"),
    ],
)
def test_what_nothing_could_come_of_is_refused(camera, message):
    first = findings(*stood(**camera))[0]
    assert first.refused
    assert re.search(message, first.text), first.text


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"tilt": -10}, "would look up, 10.0 degrees above the horizon; tilts are counted downwards"),
        ({"focal": 350}, "would be a view of 122.* is it of smaller pictures"),
        ({"height": 120}, "120 m above the ground, which is rare"),
        ({"roll": 40}, "the horizon would lean by 40 degrees"),
        ({"centre": (959.5, 539.5)}, r"Then say image_size_wh: \[1920, 1080\]"),
    ],
)
def test_what_is_odd_is_told_but_not_refused(camera, message):
    found = findings(*stood(**camera))
    assert not any(one.refused for one in found)
    assert re.search(message, " ".join(one.text for one in found))


def test_without_the_pictures_size_only_the_plane_is_looked_at():
    assert not findings(*stood(focal=11), sized=False)
    assert findings(*stood(focal=11, height=7500), sized=False)


@pytest.mark.parametrize(
    ("K", "message"),
    [
        ([[1100, 0, 0], [0, 1100, 0], [959.5, 539.5, 1]], "it looks transposed"),
        ([[0.57, 0, 0.5], [0, 1.02, 0.5], [0, 0, 1]], "it looks normalised by the picture's size"),
        ([[11, 0, 959.5], [0, 11, 539.5], [0, 0, 1]], "they look like millimetres"),
        ([[2200, 0, 1919], [0, 2200, 1079], [0, 0, 2]], "divide all of K by 2"),
        ([[-1100, 0, 959.5], [0, 1100, 539.5], [0, 0, 1]], "axes: opengl"),
        ([[1100, 0, 959.5], [3, 1100, 539.5], [0, 0, 1]], "expected 0 below its diagonal, got 3"),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 1]], "expected positive ones"),
        ([[1100, 0, 959.5], [0, 1100, 539.5], [0, 1, 1]], r"expected the last row \[0, 0, 1\], got \[0.0, 1.0, 1.0\]"),
    ],
)
def test_a_matrix_that_is_no_k_says_what_it_looks_like(K, message):
    (found,) = of_matrix(np.array(K, float))
    assert found.refused and re.search(message, found.text), found.text


def test_four_terms_that_only_a_fisheye_has_are_refused():
    assert of_terms(np.array([0.12, -0.03, 0.01, -0.002]))[0].refused
    assert not of_terms(np.array([-0.3, 0.1, 0.001, -0.002]))
    assert not of_terms(np.array([0.12, -0.03, 0.01, -0.002, 0]))


def test_the_ground_is_what_is_below_the_horizon():
    assert ground_fraction(*stood(tilt=0)) == pytest.approx(0.5, abs=0.02)
    assert ground_fraction(*stood(tilt=80)) == 1
    assert ground_fraction(*stood(tilt=-60)) == 0
