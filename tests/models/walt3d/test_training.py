from dataclasses import replace

import numpy as np
import pytest
import torch
from composed_streets import write_composed
from small_walt3d import SMALL
from torch.utils.data import default_collate

from models.checkpoints import read_weights
from models.contract import Given, Preset, SteppedTraining, TrainOptions
from models.launch import run_training
from models.scenes.objects import Scenes
from models.train import train
from models.walt3d import PRESETS, SPEC, LossWeights
from models.walt3d.config import model_config
from models.walt3d.data import splits
from models.walt3d.network import Walt3d, measure

FEW = SteppedTraining(
    steps=4, batch=2, warmup=1, evaluate_every=2, val_samples=2, save_every=1, workers=0, threads=1, bfloat16=False,
    decays=(0.5,),
)  # fmt: skip
PRESET = Preset(SMALL, FEW)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return Given(shards=write_composed(tmp_path_factory.mktemp("clipart"), 20))


def test_a_run_that_was_stopped_ends_with_the_bytes_of_an_undisturbed_one(given, tmp_path):
    """Though regions are sampled by chance."""
    train(SPEC, PRESET, given, tmp_path / "whole")

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SPEC, PRESET, given, tmp_path / "halted", progress=stop)
    assert not (tmp_path / "halted" / SPEC.trained).exists()
    train(SPEC, PRESET, given, tmp_path / "halted")
    assert (tmp_path / "whole" / SPEC.trained).read_bytes() == (tmp_path / "halted" / SPEC.trained).read_bytes()


def test_a_run_is_measured_by_every_table(given, tmp_path):
    train(SPEC, Preset(SMALL, replace(FEW, steps=1, decays=())), given, tmp_path)
    rows = measure(SPEC, PRESET, given, tmp_path / SPEC.trained, device="cpu")
    assert {row["of"] for row in rows} >= {"masks", "boxes", "keypoints of person", "keypoints of vehicle", "poses"}
    assert next(row for row in rows if row["of"] == "masks")["count"] == 6  # two scenes of three objects


def test_weights_of_another_preset_are_refused_in_one_line(given, tmp_path):
    train(SPEC, Preset(SMALL, replace(FEW, steps=1, decays=())), given, tmp_path / "one")
    wider = Preset(replace(SMALL, channels=64), FEW)
    with pytest.raises(ValueError, match=r"weights.safetensors: weights of another architecture") as told:
        train(SPEC, wider, given, tmp_path / "two", init_from=tmp_path / "one" / SPEC.trained)
    assert "\n" not in str(told.value)


def test_a_preset_starts_from_what_ships_unless_other_weights_are_named(given, tmp_path):
    still = replace(FEW, steps=1, lr=1e-9, ema=0.0, decays=())
    for name, seed in (("shipped", 1), ("other", 2)):
        train(SPEC, Preset(SMALL, replace(still, seed=seed)), given, tmp_path / name)
    files = {name: tmp_path / name / SPEC.trained for name in ("shipped", "other")}
    spec = replace(SPEC, weights=files["shipped"], presets={
        "camera": Preset(SMALL, still, from_shipped=True), "nothing": Preset(SMALL, still),
    })  # fmt: skip

    def first_weights(**options):
        folder = tmp_path / "-".join(["run", *map(str, options.values())]).replace("/", "_")
        run_training(spec, TrainOptions(**options), given, folder)
        return read_weights(folder / SPEC.trained)[0]["detector.rpn_head.rpn_conv.weight"]

    known = {name: read_weights(path)[0]["detector.rpn_head.rpn_conv.weight"] for name, path in files.items()}
    assert torch.allclose(first_weights(preset="camera"), known["shipped"], atol=1e-3)
    assert torch.allclose(first_weights(preset="camera", init_from=str(files["other"])), known["other"], atol=1e-3)
    assert not torch.allclose(first_weights(preset="nothing"), known["shipped"], atol=1e-3)
    unshipped = replace(spec, weights=tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no weights ship with walt3d; `make train MODEL=walt3d` writes some"):
        run_training(unshipped, TrainOptions(preset="camera"), given, tmp_path / "unshipped")


def test_the_layered_head_learns_what_is_covered(given):
    torch.manual_seed(0)
    network = Walt3d(replace(SMALL, layered=True)).train()
    samples = splits(SMALL, given, 0).train
    batch = default_collate([samples[k] for k in range(2)])
    network.loss(network(batch), batch)["masks"].backward()
    head = network.heads.inside_head
    assert head.covered.weight.grad.abs().sum() > 0 and head.cover.layers[0][0].weight.grad.abs().sum() > 0
    plain = Walt3d(SMALL).heads.inside_head
    assert plain.cover is None and plain.covered is None


def test_without_the_3d_branch_no_shapes_are_asked_for(given):
    flat = replace(SMALL, lift=False)
    network = Walt3d(flat).train()
    batch = default_collate([splits(flat, given, 0).train[k] for k in range(2)])
    assert not {"kp2d", "shape", "rotation"} & set(network.loss(network(batch), batch))


def test_windows_without_any_object_are_learnt_from_too(given):
    network = Walt3d(SMALL).train()
    batch = default_collate([splits(SMALL, given, 0).train[k] for k in range(2)])
    batch["labels"][:] = -1
    parts = network.loss(network(batch), batch)
    assert all(np.isfinite(value.item()) for value in parts.values())
    parts["total"].backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)  # as several processes need


def test_presets_are_the_papers_where_they_say_so():
    base = model_config(PRESETS["base"].network)
    assert base["backbone"]["type"] == "SwinTransformer" and base["backbone"]["depths"] == [2, 2, 6, 2]
    assert base["train_cfg"]["rcnn"]["sampler"]["num"] == 512
    assert PRESETS["base"].train.decays == pytest.approx((8 / 12, 11 / 12))
    assert set(LossWeights().by_part()) >= {"masks", "kp2d", "rotation"}


def test_the_learning_rate_falls_where_it_is_said_to(given, tmp_path):
    from models.train import _optimizer, _schedule

    network = torch.nn.Linear(2, 2)
    optimizer = _optimizer(network, replace(FEW, steps=120, warmup=10, lr=1.0, decays=(0.5, 0.75)))
    schedule = _schedule(optimizer, replace(FEW, steps=120, warmup=10, lr=1.0, decays=(0.5, 0.75)))
    rates = []
    for _ in range(120):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.1) and rates[30] == pytest.approx(1.0)
    assert rates[59] == pytest.approx(1.0) and rates[61] == pytest.approx(0.1) and rates[95] == pytest.approx(0.01)


def test_some_scenes_alone(given):
    scenes = Scenes([given.shards], "train")
    few = scenes.first(3)
    assert len(few) == 3 and few.scenes == scenes.scenes[:3] and len(scenes) == 18
