"""Two kites beside each other whose points are shared out; running places, distances and features."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.klpnet.lis import Member, RoleStatistics, Running, assigned, give_out, groups_of, holds, in_diagonals

KITE = np.array([[0.0, -1], [-0.6, 0], [0.6, 0], [0, 1]])


def statistics_of(views=200, seed=0):
    """Of class 1, a kite seen under many scales and shears; of class 2 nothing."""
    generator = np.random.default_rng(seed)
    statistics = RoleStatistics(2, 5, 3)
    matrices = np.eye(2) + generator.normal(0, 0.25, (views, 2, 2))
    xy = np.full((views, 5, 2), np.nan)
    xy[:, :4] = KITE @ matrices
    statistics.update_places(torch.ones(views, dtype=torch.int64), torch.from_numpy(xy).float(), torch.ones(views))
    return statistics, xy


def test_a_running_mean_is_the_mean_until_it_is_slow():
    running = Running(2, 1)
    values = torch.arange(1.0, 7.0)[:, None]
    for value in values.split(2):
        running.update(torch.ones(len(value), dtype=torch.int64), value, torch.ones_like(value, dtype=torch.bool))
    assert running.mean[1].item() == pytest.approx(3.5) and running.seen[1].item() == 6
    assert running.mean[0] == 0 and running.seen[0] == 0


def test_what_is_not_known_does_not_count():
    running = Running(1, 2)
    value, known = torch.tensor([[1.0, 5.0], [3.0, 99.0]]), torch.tensor([[True, True], [True, False]])
    running.update(torch.zeros(2, dtype=torch.int64), value, known)
    assert running.mean.tolist() == [[2.0, 5.0]]


def test_lengths_are_fractions_of_the_boxs_diagonal():
    assert in_diagonals(torch.tensor([2.0, 2.0]), torch.tensor(3.0)).item() == pytest.approx(1)
    assert in_diagonals(torch.tensor([2.0, 0.0]), torch.tensor(3.0)).item() == pytest.approx(3 / 10**0.5)


def test_distances_and_layout_are_those_seen_and_unseen_roles_have_none():
    statistics, xy = statistics_of()
    assert (
        np.allclose(statistics.layout(1)[:4], xy[:, :4].mean(0), atol=1e-5) and np.isnan(statistics.layout(1)[4]).all()
    )
    mean, deviation = statistics.distances(1)
    away = np.linalg.norm(xy[:, 0] - xy[:, 3], axis=-1) / 2 / 2**0.5
    assert mean[0, 3] == pytest.approx(away.mean(), rel=1e-4)
    assert deviation[0, 3] == pytest.approx(away.std(), rel=1e-3)
    assert np.isinf(deviation[0, 4]) and np.isinf(statistics.distances(2)[1]).all()


def test_a_missing_point_is_where_the_others_say_in_any_view():
    statistics, xy = statistics_of()
    seen = xy[7].copy()
    seen[3] = np.nan
    assert np.allclose(statistics.inferred(1, seen)[3], xy[7, 3], atol=0.05)
    nothing = statistics.inferred(1, np.full((5, 2), np.nan))
    assert np.allclose(nothing[:4], statistics.layout(1)[:4])
    assert np.isnan(statistics.inferred(2, seen)[3]).all() and np.isnan(statistics.inferred(1, seen)[4]).all()
    assert np.array_equal(statistics.inferred(1, xy[7])[:4], xy[7, :4])


def test_features_are_less_unlike_their_own_role():
    statistics = RoleStatistics(1, 2, 3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        role = torch.tensor([[0, 1, 2]])
        features = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0], [9, 9, 9]]]) + 0.1 * torch.randn(
            1, 3, 3, generator=generator
        )
        statistics.update_features(torch.tensor([1]), role, features)
    away = statistics.unlikeness(1, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    assert away[0, 0] < away[0, 1] and away[1, 1] < away[1, 0]


def test_boxes_of_one_class_that_touch_by_way_of_others_are_a_group():
    boxes = np.array([[0, 0, 10, 10], [8, 0, 10, 10], [16, 0, 10, 10], [8, 0, 10, 10], [50, 0, 5, 5]], float)
    groups = groups_of(boxes, np.array([1, 1, 1, 2, 1]))
    assert [group.tolist() for group in groups] == [[0, 1, 2], [3], [4]]
    assert groups_of(np.zeros((0, 4)), np.zeros(0)) == []


def test_a_point_in_two_boxes_is_debatable():
    boxes = np.array([[0, 0, 10, 10], [8, 0, 10, 10]], float)
    assert holds(boxes, np.array([[5.0, 5], [9, 5], [15, 5], [40, 5]])).tolist() == [
        [True, True, False, False], [False, True, True, False],
    ]  # fmt: skip


def members(shift, unsure=0.5, extra=()):
    """Two kites side by side whose eight points, and some more, are one pool. Alone each would take what lies in its
    box: costs say little, distances decide."""
    statistics, _ = statistics_of()
    mean, deviation = (v[:4, :4] for v in statistics.distances(1))
    pool = np.concatenate([KITE, KITE + [shift, 0], np.reshape(extra, (-1, 2))])
    result = []
    for k in range(2):
        away = np.linalg.norm(pool[None] - (KITE + [k * shift, 0])[:, None], axis=-1)
        cost = np.where(away < 1e-6, -3.0, unsure * away - 3)
        held = (np.abs(pool - [k * shift, 0]) <= [0.7, 1.05]).all(-1)
        other = (np.abs(pool - [(1 - k) * shift, 0]) <= [0.7, 1.05]).all(-1)
        cost[:, ~held] = np.inf
        result.append(Member(cost, pool / 2 / 2**0.5, held & ~other, mean, deviation))
    return result


def test_two_objects_get_their_own_points_and_leave_what_is_none():
    one, other = give_out(members(0.7, extra=[(0.35, 0.3)]))
    assert one.tolist() == [0, 1, 2, 3] and other.tolist() == [4, 5, 6, 7]


def test_no_point_goes_to_two_objects_and_none_that_it_may_not_have():
    both = members(0.7, unsure=0.0)
    given = give_out(both)
    taken = np.concatenate([one[one >= 0] for one in given])
    assert len(set(taken.tolist())) == len(taken)
    assert all(np.isfinite(m.cost[np.flatnonzero(g >= 0), g[g >= 0]]).all() for m, g in zip(both, given, strict=True))


def test_a_role_stays_empty_where_every_point_is_rather_an_outlier():
    (member, _) = members(3.0)
    lonely = Member(
        np.where(np.isfinite(member.cost), 5.0, np.inf), member.place, member.fixed, member.mean, member.deviation
    )
    assert (give_out([lonely])[0] == -1).all()
    nothing = Member(np.zeros((4, 0)), np.zeros((0, 2)), np.zeros(0, bool), member.mean, member.deviation)
    assert (give_out([nothing])[0] == -1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 10_000))
def test_an_assignment_is_the_best_of_all(roles, points, seed):
    from itertools import permutations

    cost = np.random.default_rng(seed).uniform(size=(roles, points))
    given = assigned(cost)
    total = cost[np.flatnonzero(given >= 0), given[given >= 0]].sum()
    assert (given >= 0).sum() == min(roles, points)
    few, many = (cost, roles) if roles <= points else (cost.T, points)
    best = min(
        (sum(few[k, p] for k, p in enumerate(order)) for order in permutations(range(few.shape[1]), many)), default=0
    ) if max(roles, points) <= 5 else total  # fmt: skip
    assert total == pytest.approx(best)
