"""A kite of four points: which of them are found, under which role, and which links are right."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics.links import link_average_precision, link_rates, pooled_scores, score

TRUE = np.array([[0.0, -1], [-1, 0], [1, 0], [0, 1]])
LINKED = np.zeros((4, 4), bool)
for a, b in ((0, 1), (0, 2), (0, 3)):
    LINKED[a, b] = LINKED[b, a] = True
SEEN = np.zeros(4, int)


class Found(NamedTuple):
    xy: np.ndarray
    inferred: np.ndarray
    links: np.ndarray


def found(xy, links=None, inferred=()):
    xy = np.array(xy, float)
    lacks = np.isin(np.arange(len(xy)), inferred)
    links = np.array(LINKED if links is None else links, float)
    return Found(xy, lacks, np.where(lacks[:, None] | lacks, 0, links))


def test_who_knows_all_has_all():
    row = pooled_scores([score(found(TRUE), TRUE, SEEN, 1.0, LINKED)])
    assert all(value == 1 for value in row.values())


def test_points_under_wrong_roles_are_right_for_the_oracle_alone():
    turned = TRUE[[3, 2, 1, 0]]
    row = pooled_scores([score(found(turned, LINKED[[3, 2, 1, 0]][:, [3, 2, 1, 0]]), TRUE, SEEN, 1.0, LINKED)])
    assert row["pck"] == 0 and row["pck_oracle"] == 1
    assert row["link_f1"] == 1  # links are asked of places, not of names


def test_a_tenth_is_of_the_longer_side():
    """Of a box three times as wide as high it is 0.2 of half its width, and 0.6 of half its height."""
    for step, right in (((0.19, 0), True), ((0.21, 0), False), ((0, 0.59), True), ((0, 0.61), False)):
        xy = TRUE.copy()
        xy[3] += step
        assert score(found(xy), TRUE, SEEN, 3.0, LINKED).near[3] == right
        assert score(found(xy[:, ::-1]), TRUE[:, ::-1], SEEN, 1 / 3, LINKED).near[3] == right


def test_hidden_points_count_among_all_and_unknown_ones_nowhere():
    true, state = TRUE.copy(), np.array([0, 2, 0, 0])
    true[2] = np.nan
    one = score(found(TRUE), true, state, 1.0, LINKED)
    assert one.asked.tolist() == [True, True, False, True] and one.visible.tolist() == [True, False, False, True]
    assert one.all_links == 2


def test_links_to_a_point_that_is_none_are_wrong_and_those_of_missed_points_are_not_asked():
    xy = TRUE.copy()
    xy[3] = [0.4, 0.4]
    rates = link_rates([score(found(xy), TRUE, SEEN, 1.0, LINKED)])
    assert (rates.right, rates.found, rates.true, rates.all_true) == (2, 3, 2, 3)
    assert rates.precision == pytest.approx(2 / 3) and rates.recall == 1 and rates.recall_all == pytest.approx(2 / 3)


def test_inferred_places_count_as_points_but_not_as_nodes_of_links():
    one = score(found(TRUE, inferred=[3]), TRUE, SEEN, 1.0, LINKED)
    assert one.near.all() and link_rates([one]).true == 2 and link_rates([one]).all_true == 3


def test_precision_is_averaged_over_recall():
    links = np.full((4, 4), 0.1)
    links[0, 1] = links[1, 0] = 0.9
    links[1, 2] = links[2, 1] = 0.8
    links[0, 2] = links[2, 0] = 0.7
    links[0, 3] = links[3, 0] = 0.6
    one = score(found(TRUE, links), TRUE, SEEN, 1.0, LINKED)
    assert link_average_precision([one]) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_nothing_found_is_no_number_of_links():
    empty = score(found(np.full((4, 2), np.nan), inferred=range(4)), TRUE, SEEN, 1.0, LINKED)
    row = pooled_scores([empty])
    assert row["pck"] == row["pck_oracle"] == 0 and np.isnan(row["link_f1"]) and np.isnan(row["link_ap"])
    assert row["link_recall_all"] == 0
    assert np.isnan(pooled_scores([])["pck"])


@given(st.permutations(range(4)), st.integers(0, 100))
def test_the_order_of_nodes_changes_neither_the_oracles_points_nor_links(order, seed):
    rng = np.random.default_rng(seed)
    xy, links = TRUE + rng.normal(0, 0.15, TRUE.shape), rng.uniform(size=(4, 4))
    links = links + links.T
    order = list(order)
    one = score(found(xy, links), TRUE, SEEN, 1.0, LINKED)
    other = score(found(xy[order], links[order][:, order]), TRUE, SEEN, 1.0, LINKED)
    assert one.near_oracle.sum() == other.near_oracle.sum()
    assert link_rates([one]) == link_rates([other])
    assert (one.near.sum() <= one.near_oracle.sum()) and (other.near.sum() <= other.near_oracle.sum())
