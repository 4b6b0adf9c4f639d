"""Levenberg-Marquardt for many independent problems at once, each with a damping of its own.

What a problem is, how its damped normal equations are solved and how a step moves its parameters are the caller's;
which steps are taken and how the damping follows is decided here. Arrays are NumPy's or torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

State = TypeVar("State")
Array = Any  # (B,), a number for each problem: NumPy's or torch's


@dataclass(frozen=True)
class Damping:
    """first: at the start, as a fraction of the normal matrix's diagonal; divided by `fall` after a step that lowered
    the cost, times `rise` after one that did not, and always from `least` to `most`."""

    first: float
    fall: float
    rise: float
    least: float
    most: float


def minimise(
    propose: Callable[[State, Array], tuple[State, Array]],
    take: Callable[[Array, State, State], State],
    state: State,
    cost: Array,
    damping: Damping,
    iterations: int,
    *,
    tolerance: float = 0.0,
    xp: Any = np,
) -> tuple[State, Array]:
    """The state after so many iterations, and its costs (B,), which never rise.

    propose: from a state and a damping (B,) to the state a step further, and its costs (B,). take: of better (B,)
    bool, the proposed state and the present one, the state that has the one where better and else the other. It ends
    early once the last step lowered every cost by less than `tolerance` of it. xp: numpy or torch, as the arrays are.
    """
    raised = xp.full_like(cost, damping.first)
    for _ in range(iterations):
        trial, trial_cost = propose(state, raised)
        better = trial_cost < cost
        settled = tolerance and bool((better & (cost - trial_cost < tolerance * (tolerance + cost))).all())
        state = take(better, trial, state)
        cost = xp.where(better, trial_cost, cost)
        raised = xp.clip(xp.where(better, raised / damping.fall, raised * damping.rise), damping.least, damping.most)
        if settled:
            break
    return state, cost
