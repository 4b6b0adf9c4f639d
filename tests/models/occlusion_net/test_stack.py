import numpy as np
import pytest
import torch

from benchmarks.vehicles.self_views import with_detected_views
from models.geometry.view_sets import POINTS
from models.occlusion_net.data import CAR_RENDER, RenderedViews
from models.occlusion_net.lifting import vehicles_basis
from models.occlusion_net.network import OcclusionNet, OcclusionNetSettings
from models.occlusion_net.stack import GraphTraining, collect, fit_graphs, scores_of

SETTINGS = OcclusionNetSettings(width=8, hidden=32, supervision="truth")


@pytest.fixture(scope="module")
def cached(car_views):
    """Eight crops as perfect heatmaps would read what is visible, with hidden points at their twins."""
    samples = RenderedViews(car_views, 5, CAR_RENDER, each=True)
    read = collect(OcclusionNet(SETTINGS), samples, len(samples))
    visible = read["state"] == 0
    twins = read["xy"][:, torch.arange(POINTS) ^ 1]
    return read | {
        "heat_xy": torch.where(visible[..., None], read["xy"], twins),
        "confidence": torch.where(visible, 0.9, 0.3),
    }


def test_graphs_learn_where_hidden_points_are(cached):
    graphs = fit_graphs(SETTINGS, cached, GraphTraining(steps=150, batch=16, lr=5e-3))
    before, after = scores_of(None, cached), scores_of(graphs, cached)
    hidden = after.state > 0
    assert before.pck("heatmap", hidden) < 0.6 < after.pck("graph", hidden)
    assert before.auc("heatmap") == 1 and after.auc("graph") > 0.97 and np.isfinite(after.yaw_deg).all()


def test_fit_is_the_same_for_the_same_seed(cached):
    first, second = (fit_graphs(SETTINGS, cached, GraphTraining(steps=3)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_noise_on_the_input_makes_it_worse(cached):
    graphs = fit_graphs(SETTINGS, cached, GraphTraining(steps=60, batch=16))
    clean, noisy = (scores_of(graphs, cached, noise=sigma) for sigma in (0.0, 0.5))
    assert noisy.error["graph"].mean() > clean.error["graph"].mean()


def test_views_by_detected_keypoints_find_hidden_points_and_mirrors_help(cached):
    counts = []
    for mirrors in (False, True):
        found = with_detected_views(cached, cached["state"] == 0, mirrors=mirrors)
        from models.occlusion_net.trifocal import transfer

        target, weight = transfer(found["cameras"], found["other_xy"], found["other_visible"])
        hidden = (found["state"] > 0) & (weight > 0.05)
        counts.append(int(hidden.sum()))
        away = (target.float() - found["xy"])[hidden].norm(dim=-1)
        assert away.median() < 0.1  # half boxes
    assert 0 < counts[0] < counts[1]


def test_views_take_nothing_from_the_truth(cached):
    blind = dict(cached)
    for name in ("xy", "state", "R", "t", "points", "cameras", "other_xy"):
        blind[name] = torch.zeros_like(cached[name])
    first, second = (with_detected_views(c, cached["state"] == 0, mirrors=True) for c in (cached, blind))
    for name in ("cameras", "other_xy", "other_visible"):
        assert torch.equal(first[name], second[name])


def test_basis_is_a_valid_one():
    assert vehicles_basis().size == 8
