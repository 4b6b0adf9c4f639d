"""Rosenbrock's valley: residuals 10 (y - x^2) and 1 - x, zero at (1, 1) alone."""

import numpy as np
import pytest
import torch

from calibration.least_squares import Damping, minimise

DAMPING = Damping(1e-3, fall=8, rise=8, least=1e-9, most=1e9)
STARTS = np.array([[-1.2, 1.0], [3.0, -4.0], [0.0, 0.0], [1.0, 1.0]])


def valley(xp):
    """What minimise asks for, and the costs that it was told, in NumPy or torch."""
    costs = []

    def residual(p):
        return xp.stack([10 * (p[:, 1] - p[:, 0] ** 2), 1 - p[:, 0]], 1)

    def cost(p):
        return (residual(p) ** 2).sum(1)

    def propose(p, damping):
        zero = xp.zeros_like(p[:, 0])
        rows = xp.stack([xp.stack([-20 * p[:, 0], zero + 10], 1), xp.stack([zero - 1, zero], 1)], 1)  # (B, 2, 2)
        across = xp.swapaxes(rows, 1, 2)
        normal = across @ rows
        lifted = normal + damping[:, None, None] * normal * xp.eye(2)
        step = xp.linalg.solve(lifted, across @ residual(p)[..., None])[..., 0]
        costs.append((damping, cost(p - step)))
        return p - step, cost(p - step)

    return propose, lambda better, new, old: xp.where(better[:, None], new, old), cost, costs


def descend(starts, iterations, xp=np, **options):
    propose, take, cost, costs = valley(xp)
    return *minimise(propose, take, starts, cost(starts), DAMPING, iterations, xp=xp, **options), costs


def test_every_problem_reaches_its_minimum_and_no_cost_ever_rises():
    before = np.full(len(STARTS), np.inf)
    for iterations in range(40):
        found, cost, _ = descend(STARTS, iterations)
        assert (cost <= before).all()
        before = cost
    assert found == pytest.approx(np.ones_like(STARTS), abs=1e-9)
    assert cost == pytest.approx(np.zeros(len(STARTS)), abs=1e-15)


def test_a_problem_goes_its_way_whoever_else_is_there():
    together, cost, _ = descend(STARTS, 7)
    for i, start in enumerate(STARTS):
        alone, alone_cost, _ = descend(start[None], 7)
        assert (alone[0] == together[i]).all() and alone_cost[0] == cost[i]


def test_the_damping_falls_with_success_and_rises_with_failure_within_its_bounds():
    _, _, costs = descend(STARTS, 60)
    best = ((10 * (STARTS[:, 1] - STARTS[:, 0] ** 2)) ** 2 + (1 - STARTS[:, 0]) ** 2).copy()
    expected, failures = np.full(len(STARTS), 1e-3), 0
    for damping, cost in costs:
        assert damping == pytest.approx(expected)
        better = cost < best
        failures += int((~better).sum())
        best = np.where(better, cost, best)
        expected = np.clip(np.where(better, expected / 8, expected * 8), 1e-9, 1e9)
    assert failures and expected.max() == 1e9


def test_it_ends_once_the_last_step_hardly_lowered_a_cost():
    _, cost, costs = descend(STARTS[:1], 200, tolerance=1e-3)
    last, before = costs[-1][1][0], min(cost[0] for _, cost in costs[:-1])
    assert 0 < before - last < 1e-3 * (1e-3 + before) and cost[0] == last < 1e-6
    assert len(costs) < 40 and len(descend(STARTS[:1], 200)[2]) == 200


def test_one_that_has_settled_waits_for_the_others():
    together, _, costs = descend(STARTS[:2], 200, tolerance=1e-3)
    assert len(costs) > len(descend(STARTS[:1], 200, tolerance=1e-3)[2])
    assert together == pytest.approx(np.ones((2, 2)), abs=1e-3)


def test_torch_goes_the_same_way():
    ours, cost, _ = descend(STARTS, 12)
    theirs, their_cost, _ = descend(torch.from_numpy(STARTS), 12, torch)
    assert theirs.numpy() == pytest.approx(ours, abs=1e-9)
    assert their_cost.numpy() == pytest.approx(cost, abs=1e-9)
