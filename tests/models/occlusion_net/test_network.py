from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoints import read_weights, write_weights
from models.metrics.keypoints import box_error
from models.occlusion_net import SPEC, SUPERVISION, OcclusionNetSettings
from models.occlusion_net.network import OcclusionNet, heatmap_loss, hidden_loss

TINY = OcclusionNetSettings(width=8, hidden=16)


def test_heatmaps_have_56_cells_a_side_and_one_map_a_keypoint(batch):
    found = OcclusionNet(TINY)(batch)
    assert found.heat.shape == (6, 12, 56, 56)
    assert found.graph.xy.shape == found.lifted.xy.shape == (6, 12, 2)


def test_heatmaps_learn_from_visible_points_alone(batch):
    heat = torch.randn(6, 12, 56, 56)
    hidden = batch["state"] > 0
    moved = {**batch, "cells": torch.where(hidden[..., None], batch["cells"] + 7, batch["cells"])}
    assert torch.equal(heatmap_loss(heat, batch), heatmap_loss(heat, moved))
    moved["cells"] = batch["cells"] + 7
    assert not torch.equal(heatmap_loss(heat, batch), heatmap_loss(heat, moved))


@pytest.mark.parametrize("supervision", SUPERVISION)
def test_every_supervision_is_zero_at_the_truth_and_grows(batch, supervision):
    known = torch.where(batch["xy"].isfinite(), batch["xy"], 0)
    loss, weight = hidden_loss(supervision, known, batch)
    assert (loss * weight).max() < 1e-3
    assert (weight.bool() <= (batch["state"] > 0)).all()
    far, _ = hidden_loss(supervision, known + 0.1, batch)
    farther, _ = hidden_loss(supervision, known + 0.3, batch)
    taught = weight > 0
    assert bool(taught.any()) is (supervision != "none")
    assert (farther[taught].sum() >= far[taught].sum()) and (far[taught] >= loss[taught]).all()


def test_gradients_of_the_graphs_reach_the_heatmaps(batch):
    network = OcclusionNet(replace(TINY, supervision="truth"))
    found = network(batch)
    parts = network.graphs.losses(found.graph, found.lifted, batch)
    for name in ("edge", "hidden", "reprojection"):
        (gradient,) = torch.autograd.grad(parts[name], network.heat.weight, retain_graph=True, allow_unused=True)
        if name == "reprojection":  # the decoder passes its input on, so the 3D loss arrives as well
            assert gradient is not None
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0, name


def test_without_a_graph_it_is_the_baseline(batch):
    network = OcclusionNet(replace(TINY, graph=False, lift=False))
    found = network(batch)
    assert found.graph is found.lifted is None
    assert set(network.loss(found, batch)) == {"total", "heatmap"}
    assert set(network.metrics(found, batch)) == {"pck_visible_heatmap", "pck_hidden_heatmap"}
    assert not any(name.startswith("graphs.") for name in network.state_dict())


def test_loss_falls_when_fitted_to_one_batch(batch):
    network = OcclusionNet(TINY)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    first = None
    for _ in range(25):
        parts = network.loss(network(batch), batch)
        first = first or {name: value.item() for name, value in parts.items()}
        optimizer.zero_grad()
        parts["total"].backward()
        optimizer.step()
    assert parts["total"] < 0.8 * first["total"] and parts["edge"] < first["edge"]


def test_graphs_start_anew_on_the_baselines_heatmaps(tmp_path: Path):
    settings = replace(TINY, graph=False, lift=False)
    baseline, path = OcclusionNet(settings), tmp_path / "baseline.safetensors"
    write_weights(path, baseline, SPEC.config(settings))
    network = OcclusionNet(TINY)
    graphs = {name: value.clone() for name, value in network.state_dict().items() if name.startswith("graphs.")}
    network.start_from(read_weights(path)[0], path)
    torch.testing.assert_close(network.heat.weight, baseline.heat.weight, atol=1e-3, rtol=1e-3)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in graphs.items())
    write_weights(path, network, SPEC.config(TINY))
    other = OcclusionNet(TINY)
    other.start_from(read_weights(path)[0], path)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    wider = OcclusionNet(replace(TINY, width=16))
    with pytest.raises(ValueError, match="weights of another architecture"):
        wider.start_from(read_weights(path)[0], path)


def test_metrics_count_what_is_right_among_what_is_known(batch):
    """All right at the truth, but for the graph's visibility turned round; a point 0.2 boxes off is wrong."""
    network = OcclusionNet(TINY).eval()
    found = network(batch)
    known = torch.where(batch["xy"].isfinite(), batch["xy"], 0)
    seen = (batch["state"] == 0).float()
    right = found.graph._replace(xy=known, visible=seen)
    totals = network.metrics(found._replace(xy=known, graph=right), batch)
    counts = {"visible": (batch["state"] == 0).sum(), "hidden": (batch["state"] > 0).sum()}
    for kind, count in counts.items():
        for by in ("heatmap", "graph"):
            assert totals[f"pck_{kind}_{by}"].tolist() == [count, count]
    assert totals["occlusion_accuracy"].tolist() == [72, 72]
    moved = known.clone()
    moved[0] += 0.4  # half boxes
    off = network.metrics(found._replace(xy=moved, graph=right._replace(visible=1 - seen)), batch)
    lost = (batch["state"][0] == 0).sum()
    assert off["pck_visible_heatmap"].tolist() == [counts["visible"] - lost, counts["visible"]]
    assert off["occlusion_accuracy"].tolist() == [0, 72]


def test_box_error_is_in_fractions_of_the_longer_side():
    xy, aspect = torch.zeros(2, 12, 2), torch.tensor([2.0, 0.5])
    error = box_error(xy, torch.tensor([1.0, 0.0]).expand(2, 12, 2), aspect)
    torch.testing.assert_close(error[:, 0], torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"supervision": "labels"}, "supervision: expected truth, trifocal, transfer, none"),
        ({"iterations": 3}, "iterations: expected 1 or 2"),
        ({"graph": False}, "lift: the 3D graph stands on the 2D graph"),
    ],
)
def test_bad_settings_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)
