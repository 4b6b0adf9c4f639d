from dataclasses import replace

import pytest
import torch

from models import hmr
from models.checkpoints import read_weights
from models.contract import find
from models.hmr.evaluate import measure
from models.hmr.network import HumanMeshNetwork, NetworkSettings
from models.hmr.recipe import HUGE, PRESETS, build
from models.layers.vit import BackboneSettings, Stem
from models.train import TrainSettings, train

BRIEF = TrainSettings(steps=2, batch=2, warmup=1, bfloat16=False, evaluate_every=2, val_samples=2, workers=0, threads=1)


def test_two_steps_of_training_leave_weights_that_load(people_folder, small, tmp_path):
    last = train(build(small, 0, people_folder), BRIEF, tmp_path)
    assert {"mpjpe_mm", "pa_mpjpe_mm", "orientation_deg", "pck"} <= set(last)
    regressor = hmr.load(tmp_path / "weights.safetensors", "cpu")
    found = measure(regressor.network, people_folder, 3)
    assert found["all"]["mpjpe_mm"] > 0

    again = build(small, 0, people_folder, init_from=tmp_path / "weights.safetensors")
    state, _ = read_weights(tmp_path / "weights.safetensors")
    assert torch.equal(again.network.state_dict()["backbone.last_norm.weight"], state["backbone.last_norm.weight"])
    other = replace(small, head=replace(small.head, depth=1))
    with pytest.raises(ValueError, match="weights of another architecture"):
        build(other, 0, people_folder, init_from=tmp_path / "weights.safetensors")


def test_a_stem_as_wide_as_the_vehicle_networks_starts_from_it(people_folder, small):
    state, config = read_weights(find("vehicle_keypoints").shipped)
    wide = replace(small, backbone=replace(small.backbone, stem=config["network"]["width"]))
    stem = build(wide, 0, people_folder).network.backbone.patch_embed
    assert isinstance(stem, Stem)
    for name in ("stem.0.weight", "down.2.1.body.3.weight", "down.1.0.body.1.running_var"):
        assert torch.equal(stem.state_dict()[name], state[name])


def test_it_starts_from_the_mean_of_the_training_poses(people_folder, small):
    """Arms hang: the mean pose turns the shoulders down from the T-pose, left and right alike."""
    network = build(small, 0, people_folder).network
    rotations, _, _ = network.eval()(torch.rand(1, 3, 64, 48))
    left, right = rotations[0, 16] @ torch.tensor([1.0, 0, 0]), rotations[0, 17] @ torch.tensor([-1.0, 0, 0])
    assert left[1] < -0.6 and right[1] < -0.6


def test_labels_are_refused(people_folder, small, tmp_path):
    with pytest.raises(ValueError, match="expected no labels"):
        build(small, 0, people_folder, labels=tmp_path / "labels.json")


def test_missing_crops_name_the_task(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="RenderPeopleCrops"):
        build(small, 0, tmp_path)


def test_presets_fit_their_promises():
    assert set(PRESETS) == {"tiny", "plain", "base", "huge"}
    assert HUGE.backbone.tokens_hw == (16, 12) and not HUGE.heatmaps
    tiny = sum(value.numel() for value in HumanMeshNetwork(PRESETS["tiny"][0]).state_dict().values())
    assert 2 * tiny < 10e6  # bytes of float16


def test_heatmaps_need_a_stem():
    with pytest.raises(ValueError, match="heatmaps need a convolutional stem"):
        NetworkSettings(BackboneSettings(stem=0))
