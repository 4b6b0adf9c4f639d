import numpy as np
import pytest
import torch

from models.checkpoints import read_weights, write_weights
from models.geometry.view_sets import POINTS
from models.occlusion_net import SPEC, OcclusionNetSettings
from models.occlusion_net.data import CAR_RENDER, RenderedViews
from models.occlusion_net.evaluate import load_network
from models.occlusion_net.lifting import vehicles_basis
from models.occlusion_net.network import OcclusionNet
from models.occlusion_net.stack import GraphTraining, collect, fit_graphs, main, scores_of

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


def test_what_is_collected_is_what_the_network_reads(car_views):
    """In the samples' order, whatever is in a batch."""
    samples, network = RenderedViews(car_views, 5, CAR_RENDER, each=True), OcclusionNet(SETTINGS).eval()
    read = collect(network, samples, 5)
    with torch.inference_mode():
        for number in range(5):
            one = {name: value[None] for name, value in samples[number].items()}
            found = network(one)
            torch.testing.assert_close(read["heat_xy"][number], found.xy[0], atol=1e-4, rtol=0)
            torch.testing.assert_close(read["confidence"][number], found.confidence[0], atol=1e-5, rtol=0)
            assert torch.equal(read["state"][number], one["state"][0])


def test_fit_is_the_same_for_the_same_seed(cached):
    first, second = (fit_graphs(SETTINGS, cached, GraphTraining(steps=3)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_noise_on_the_input_makes_it_worse(cached):
    graphs = fit_graphs(SETTINGS, cached, GraphTraining(steps=60, batch=16))
    clean, noisy = (scores_of(graphs, cached, noise=sigma) for sigma in (0.0, 0.5))
    assert noisy.error["graph"].mean() > clean.error["graph"].mean()


def test_basis_is_a_valid_one():
    assert vehicles_basis().size == 8


def test_stacked_graphs_keep_the_baselines_heatmaps(views_folder, tmp_path, capsys):
    settings = OcclusionNetSettings(width=8, graph=False, lift=False)
    baseline, out = tmp_path / "baseline.safetensors", tmp_path / "stacked.safetensors"
    write_weights(baseline, OcclusionNet(settings), SPEC.config(settings))
    options = ["--baseline", baseline, "--crops", views_folder, "--out", out, "--steps", 2]
    assert main([*map(str, options)]) == 0
    found, before = load_network(out), load_network(baseline)
    assert found.graphs is not None and found.settings.width == before.settings.width
    for name, value in before.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value)
    assert read_weights(out)[1]["baseline"] == baseline.name
    assert main(["--baseline", str(tmp_path / "none"), *map(str, options[2:])]) == 1
    assert capsys.readouterr().err == f"stack: {tmp_path / 'none'}: no weights there\n"
