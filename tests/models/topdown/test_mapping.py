"""Points of other datasets as our twelve."""

import numpy as np
import pytest

from models.topdown.mapping import PRESETS, parse_map


def numbered(points: int) -> tuple[np.ndarray, np.ndarray]:
    """One vehicle whose point k is at (k, 10 k) and scores k / points."""
    k = np.arange(points, dtype=float)
    return np.stack([k, 10 * k], axis=1)[None], (k / points)[None]


def test_carfusion_leaves_out_its_exhaust_and_its_centre():
    xy, score = parse_map("CarFusion", 14).twelve(*numbered(14))
    order = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]
    np.testing.assert_array_equal(xy[0, :, 0], order)
    np.testing.assert_allclose(score[0] * 14, order)


def test_a_lamp_of_apollocar3d_is_the_mean_of_its_corners_and_as_confident_as_the_worst():
    xy, score = parse_map("apollocar3d", 66).twelve(*numbered(66))
    np.testing.assert_allclose(xy[0, 4], [55.5, 555.0])
    np.testing.assert_allclose(score[0, 4], 54 / 66)


def test_the_twelve_and_numbers_of_ones_own():
    np.testing.assert_array_equal(parse_map("", 12).twelve(*numbered(12))[0], numbered(12)[0])
    turned = parse_map(" 11, 10,9,8,7,6,5,4,3,2,1, 0 + 1", 12).twelve(*numbered(12))[0]
    np.testing.assert_array_equal(turned[0, :, 0], [*range(11, 0, -1), 0.5])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_use_no_point_twice_and_pair_right_with_left(preset):
    groups = parse_map(preset, {"carfusion": 14, "apollocar3d": 66}[preset]).groups
    used = [k for group in groups for k in group]
    assert len(set(used)) == len(used)
    assert all(len(groups[k]) == len(groups[k + 1]) for k in range(0, 12, 2))


@pytest.mark.parametrize(
    ("text", "points", "message"),
    [
        ("", 17, "the network has 17 points, not the twelve; give one of carfusion, apollocar3d"),
        ("carfusion", 17, "carfusion is of 14 points, the network has 17"),
        ("0,1,2", 14, "expected one of carfusion, apollocar3d or twelve numbers"),
        ("0,1,2,3,4,5,6,7,9,10,11,x", 14, "expected one of carfusion, apollocar3d or twelve numbers"),
        ("0,1,2,3,4,5,6,7,9,10,11,14", 14, "point 14 is not among the network's 14, 0 to 13"),
        ("0,1,2,3,4,5,6,7,9,10,11,-1", 14, "expected one of carfusion"),
    ],
)
def test_mistakes_are_told_in_one_line(text, points, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_map(text, points)
    assert "\n" not in str(error.value)
