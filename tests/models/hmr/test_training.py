"""What it learns from and where it begins, two steps of it, and its own tables."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

import models
from models.checkpoints import read_weights
from models.contract import Given, Preset, TrainOptions, TrainSettings, find
from models.hmr import PRESETS, SPEC, MeshSettings
from models.hmr.data import splits
from models.hmr.evaluate import SIZE_BANDS_PX, main, measure
from models.hmr.network import MeshNetwork
from models.layers.settings import BackboneSettings
from models.layers.vit import Stem
from models.synthetic.people_shards import read_people
from models.train import build, train

BRIEF = TrainSettings(steps=2, batch=2, warmup=1, bfloat16=False, evaluate_every=2, val_samples=2, workers=0, threads=1)


@pytest.fixture
def given(people_folder):
    return Given(data=people_folder)


def test_two_steps_of_training_leave_weights_that_load(people_folder, given, small, tmp_path, capsys):
    last = train(SPEC, Preset(small, BRIEF), given, tmp_path)
    assert {"mpjpe_mm", "pa_mpjpe_mm", "orientation_deg", "pck"} <= set(last)
    weights = tmp_path / "weights.safetensors"
    found = measure(models.load("hmr", weights, "cpu").network, read_people(people_folder, "val"), 3)
    assert found["all"]["mpjpe_mm"] > 0
    assert main(["--crops", str(people_folder), "--weights", str(weights), "--count", "3"]) == 0
    assert f"| all | {found['all']['mpjpe_mm']:.3g} |" in capsys.readouterr().out

    again = build(SPEC, Preset(small, BRIEF), given, weights)
    state, _ = read_weights(weights)
    assert all(torch.equal(value, state[name]) for name, value in again.network.state_dict().items() if value.ndim)
    other = replace(small, head=replace(small.head, depth=1))
    with pytest.raises(ValueError, match="weights of another architecture"):
        build(SPEC, Preset(other, BRIEF), given, weights)


def test_bands_are_of_their_own_people(people_folder, small):
    """Those of known and of unknown facing together are all; so are the sizes."""
    torch.manual_seed(0)
    library = read_people(people_folder, "val")
    found = measure(MeshNetwork(small).eval(), library, 12)
    known, unknown, every = (found[name]["orientation_deg"] for name in ("facing known", "not known", "all"))
    assert min(known, unknown) < every < max(known, unknown)
    sizes = {f"{low} to {high} px" for low, high in SIZE_BANDS_PX}
    assert set(found) - sizes == {"facing known", "not known", "all"} and set(found) & sizes


def test_tables_of_what_cannot_be_read_are_told_in_a_line(people_folder, tmp_path, capsys):
    assert main(["--crops", str(tmp_path)]) == 1
    assert "RenderPeopleCrops" in capsys.readouterr().err
    assert main(["--crops", str(people_folder), "--weights", str(tmp_path / "none.safetensors")]) == 1
    assert "evaluate: " in (printed := capsys.readouterr().err) and printed.count("\n") == 1


def test_a_stem_as_wide_as_the_vehicle_networks_starts_from_it(small):
    state, config = read_weights(find("vehicle_keypoints").shipped)
    network = MeshNetwork(replace(small, backbone=replace(small.backbone, stem=config["network"]["width"])))
    network.initialise(0)
    stem = network.backbone.patch_embed
    assert isinstance(stem, Stem)
    for name in ("stem.0.weight", "down.2.1.body.3.weight", "down.1.0.body.1.running_var"):
        assert torch.equal(stem.state_dict()[name], state[name])


def test_it_starts_from_the_mean_of_the_training_poses(small, pictures):
    """Arms hang: the mean pose turns the shoulders down from the T-pose, left and right alike."""
    network = MeshNetwork(small).eval()
    network.initialise(0)
    rotations = network(pictures(1)).rotations
    left, right = rotations[0, 16] @ torch.tensor([1.0, 0, 0]), rotations[0, 17] @ torch.tensor([-1.0, 0, 0])
    assert left[1] < -0.6 and right[1] < -0.6


def test_backdrops_stand_behind_people_of_training_alone(given, small, tmp_path, rng):
    cv2.imwrite(str(tmp_path / "street.png"), rng.integers(0, 255, (400, 400, 3), dtype=np.uint8))
    plain, more = splits(small, given, 0), splits(small, replace(given, backdrops=tmp_path), 0)
    assert len(more.train.library.backdrops) == len(plain.train.library.backdrops) + 1
    assert len(more.val.library.backdrops) == len(plain.val.library.backdrops)
    assert plain.train.library.people[0].body != plain.val.library.people[0].body


def test_labels_are_refused():
    with pytest.raises(ValueError, match="hmr: has no use for --labels; it reads --backdrops"):
        SPEC.preset(TrainOptions(labels="labels.json"))


def test_missing_crops_name_the_task(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="RenderPeopleCrops"):
        splits(small, Given(data=tmp_path), 0)


def test_presets_fit_their_promises():
    assert set(PRESETS) == {"tiny", "plain", "base", "huge"}
    huge = PRESETS["huge"].network
    assert huge.backbone.tokens_hw == (16, 12) and not huge.heatmaps
    assert not PRESETS["plain"].network.adversarial
    tiny = sum(value.numel() for value in MeshNetwork(PRESETS["tiny"].network).state_dict().values())
    assert 2 * tiny < 10e6  # bytes of float16


def test_heatmaps_need_a_stem():
    with pytest.raises(ValueError, match="heatmaps need a convolutional stem"):
        MeshSettings(BackboneSettings(stem=0))
