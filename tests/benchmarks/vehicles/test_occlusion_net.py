"""Rows and bars of made-up scores: which numbers they take, and when a bar falls."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.vehicles.occlusion_net import scene_bars, scene_row
from models.metrics.hidden_keypoints import Scored

RIGHT, WRONG = 0.02, 0.4


def made_up(hide: tuple[int, ...]) -> Scored:
    """Ten crops for each number of hidden points, which come first: the baseline has all visible points right and no
    hidden one, the graphs all, and only the graphs separate them with confidence."""
    state = np.repeat([[int(k < count) for k in range(12)] for count in hide], 10, axis=0)
    right = np.full(state.shape, RIGHT)
    baseline = np.where(state > 0, WRONG, RIGHT)
    guess = np.where(np.arange(len(state))[:, None] % 2, state, 1 - state).astype(float)  # right in every other crop
    hidden = {"baseline": guess, "graph": state.astype(float)}
    yaw = np.linspace(1, 3, len(state))
    return Scored({"baseline": baseline, "graph": right, "lifted": right}, state, hidden, yaw, np.arange(len(state)))


def bars(name: str, s: Scored) -> dict:
    return {bar.name.removeprefix(f"{name}: "): bar for bar in scene_bars(name, s)}


def test_a_row_holds_each_method_by_state():
    s = made_up((3, 6))
    row = scene_row("test", s)
    assert row["kind"] == "scene" and row["name"] == "test" and row["crops"] == 20
    assert [row[f"{m}_visible"] for m in ("baseline", "graph", "lifted")] == [1, 1, 1]
    assert [row[f"{m}_hidden"] for m in ("baseline", "graph", "lifted")] == [0, 1, 1]
    assert row["graph_auc"] == 1 and row["yaw_deg"] == pytest.approx(2)
    hidden, visible = (s.hidden["baseline"][s.state == k] for k in (1, 0))
    above = hidden[:, None] - visible[None]
    assert row["baseline_auc"] == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())


def test_bars_of_a_scene_are_met_by_graphs_that_are_right():
    found = bars("unseen", made_up((3, 6)))
    assert all(bar.met for bar in found.values()) and len(found) == 6
    assert found["gain with 3 hidden"].value == 1 and found["visible PCK lost"].value == 0
    assert found["1 - AUC over the baseline's"].value == 0


@pytest.mark.parametrize(
    ("method", "chosen", "fallen"),
    [
        ("baseline", 0, {"baseline's visible PCK"}),
        ("graph", 0, {"visible PCK lost"}),
        ("graph", 1, {"gain with 3 hidden"}),
    ],
)
def test_wrong_points_fell_their_own_bar_alone(method, chosen, fallen):
    s = made_up((3, 6))
    error = np.where(s.state == chosen, WRONG, s.error[method])
    found = bars("test", replace(s, error={**s.error, method: error}))
    assert {name for name, bar in found.items() if not bar.met} == fallen


def test_wrong_states_and_headings_fell_theirs():
    s = made_up((3,))
    guessed = bars("test", replace(s, hidden={**s.hidden, "graph": s.hidden["baseline"]}))
    assert {name for name, bar in guessed.items() if not bar.met} == {"occlusion AUC", "1 - AUC over the baseline's"}
    turned = bars("test", replace(s, yaw_deg=s.yaw_deg + 2))
    assert {name for name, bar in turned.items() if not bar.met} == {"yaw error, degrees"}


def test_composed_scenes_ask_for_gains_where_many_points_are_hidden():
    found = bars("composed_unseen", made_up((5, 9)))
    assert {name: bar.value for name, bar in found.items()} == {"gain with 5 hidden": 1, "gain with 9 hidden": 1}
    assert not bars("composed", made_up((5, 8)))["gain with 9 hidden"].met  # nobody to ask is no gain
