from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models.occlusion_net.recipe import start_from

from models.checkpoints import read_weights, write_weights
from models.occlusion_net.network import (
    SUPERVISION,
    OcclusionNet,
    OcclusionNetSettings,
    box_error,
    build_network,
    config_of,
    heatmap_loss,
    hidden_loss,
)

TINY = OcclusionNetSettings(width=8, hidden=16)


def test_heatmaps_have_56_cells_a_side_and_one_map_a_keypoint(batch):
    found = OcclusionNet(TINY)(batch["image"].float() / 255, batch["aspect"])
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
    found = network((batch["image"].float() / 255), batch["aspect"])
    parts = network.graphs.losses(found.graph, found.lifted, batch)
    for name in ("edge", "hidden", "reprojection"):
        (gradient,) = torch.autograd.grad(parts[name], network.heat.weight, retain_graph=True, allow_unused=True)
        if name == "reprojection":  # the decoder passes its input on, so the 3D loss arrives as well
            assert gradient is not None
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0, name


def test_without_a_graph_it_is_the_baseline(batch):
    network = OcclusionNet(replace(TINY, graph=False, lift=False))
    assert set(network.loss(batch)) == {"loss", "heatmap"}
    assert set(network.metrics(batch)) == {"pck_visible_heatmap", "pck_hidden_heatmap"}
    assert not any(name.startswith("graphs.") for name in network.state_dict())


def test_loss_falls_when_fitted_to_one_batch(batch):
    network = OcclusionNet(TINY)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    first = None
    for _ in range(25):
        parts = network.loss(batch)
        first = first or {name: value.item() for name, value in parts.items()}
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
    assert parts["loss"] < 0.8 * first["loss"] and parts["edge"] < first["edge"]


def test_graphs_start_anew_on_the_baselines_heatmaps(tmp_path: Path):
    settings = replace(TINY, graph=False, lift=False)
    baseline, path = OcclusionNet(settings), tmp_path / "baseline.safetensors"
    write_weights(path, baseline, config_of(settings))
    network = OcclusionNet(TINY)
    start_from(network, path)
    torch.testing.assert_close(network.heat.weight, baseline.heat.weight, atol=1e-3, rtol=1e-3)
    write_weights(path, network, config_of(TINY))
    state, config = read_weights(path)
    assert build_network(config, path).settings == TINY and "graphs.lifting.out.second.weight" in state


def test_box_error_is_in_shares_of_the_longer_side():
    xy, aspect = torch.zeros(2, 12, 2), torch.tensor([2.0, 0.5])
    error = box_error(xy, torch.tensor([1.0, 0.0]).expand(2, 12, 2), aspect)
    torch.testing.assert_close(error[:, 0], torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"supervision": "labels"}, "supervision: expected truth, trifocal, transfer, none"),
        ({"rounds": 3}, "rounds: expected 1 or 2"),
        ({"graph": False}, "lift: the 3D graph stands on the 2D graph"),
    ],
)
def test_bad_settings_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_weights_of_another_model_are_refused():
    with pytest.raises(ValueError, match="expected weights of occlusion_net, got those of 'hmr'"):
        build_network({"model": "hmr"}, Path("x.safetensors"))
