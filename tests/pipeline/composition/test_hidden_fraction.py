import numpy as np
import pytest

from pipeline.composition.hidden_fraction import (
    EVEN,
    band_of,
    distributions,
    hidden_fraction,
    occluded_share,
    parse_wanted,
    partly_hidden,
)
from pipeline.composition.sample import ComposeSettings


def test_bands_are_tenths_and_what_is_wholly_hidden_is_in_the_last():
    hidden = hidden_fraction(np.array([1, 0.91, 0.9, 0.8, 0.3, 0.05, 0], np.float32))
    assert band_of(hidden).tolist() == [0, 0, 1, 2, 7, 9, 9]


def test_a_pixel_of_soft_edge_hides_nothing_and_all_of_an_object_does():
    assert partly_hidden(np.array([0, 0.009, 0.011, 0.5, 1])).tolist() == [False, False, True, True, True]


def test_by_default_a_third_stand_in_the_open_and_the_rest_are_spread_evenly():
    for shares in parse_wanted(EVEN).values():
        assert shares[0] == pytest.approx(1 / 3)
        assert shares[1:9] == pytest.approx(np.full(8, 1 / 12))
        assert shares[9] == 0
        assert occluded_share(shares) == pytest.approx(2 / 3)


def test_a_category_may_have_its_own_distribution():
    wanted = parse_wanted("0-10: 0.4, 10-50: 0.6; person 0-100: 1")
    assert wanted["person"] == pytest.approx(np.full(10, 0.1))
    assert wanted["vehicle"][[0, 1, 4, 5]] == pytest.approx([0.4, 0.15, 0.15, 0])
    assert list(parse_wanted("vehicle: 0-10: 1; person: 10-20: 1")) == ["person", "vehicle"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0-10: 0.5, 10-90: 0.4", "sum to 1, they sum to 0.9"),
        ("lorry 0-10: 1", "expected a category of person, vehicle, got 'lorry'"),
        ("person 0-10: 1", "expected a distribution of vehicle, got none"),
        ("0-10: 1; 0-20: 1", "expected one distribution of all, got two"),
        ("0-15: 1", "expected tens from 0 to 100, got '0-15: 1'"),
        ("20-10: 1", "expected tens from 0 to 100"),
        ("0-10", "as in '0-10: 1/3, 10-90: 2/3', got '0-10'"),
        ("0-10: 1/0", "got '0-10: 1/0'"),
        ("0-10: 1.2.3", "got '0-10: 1.2.3'"),
        ("", "expected a distribution of person, got none"),
    ],
)
def test_a_distribution_that_is_none_is_one_clear_line(text, told):
    with pytest.raises(ValueError, match="hidden_fraction") as error:
        ComposeSettings(hidden_fraction=text)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_what_is_reached_is_counted_by_category():
    category = np.array(["person", "person", "person", "vehicle"], object)
    reached = distributions(category, np.array([0.0, 0.05, 0.55, 1.0]))
    assert reached["person"][[0, 5]] == pytest.approx([2 / 3, 1 / 3])
    assert reached["vehicle"][9] == 1
    assert distributions(category[:3], np.zeros(3))["vehicle"].sum() == 0
