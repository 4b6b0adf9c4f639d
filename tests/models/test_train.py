import json
import subprocess
import sys
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from models.checkpoints import load_into, read_checkpoint, read_weights, write_checkpoint, write_weights
from models.contract import Splits, TrainSettings
from models.network import Network, check_batch
from models.train import BEST, Recipe, _schedule, evaluate, moving_average, train_recipe

SETTINGS = TrainSettings(steps=12, batch=4, lr=1e-2, warmup=3, evaluate_every=6, val_samples=8, save_every=4,
                         workers=0, threads=1, bfloat16=False)  # fmt: skip


class Line(Network):
    """y = a x + b with dropout and a normalisation, so that a resume has something to get wrong."""

    required: ClassVar = {"x": (3,), "y": (1,)}

    def __init__(self):
        super().__init__(None)
        self.body = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))

    def forward(self, batch):
        return self.body(batch["x"])

    def loss(self, pred, batch):
        return {"total": ((pred - batch["y"]) ** 2).mean()}

    def metrics(self, pred, batch):
        close = (pred - batch["y"]).abs() < 0.3
        return {"close": torch.stack([close.sum(), torch.tensor(close.numel())]).double()}


class Points:
    def __init__(self, seed, die_at=None):
        self.seed, self.die_at = seed, die_at

    def __getitem__(self, index):
        if self.die_at is not None and index >= self.die_at:
            raise OSError("pulled the plug")
        x = torch.randn(3, generator=torch.Generator().manual_seed(self.seed * 100_000 + index))
        return {"x": x, "y": x.sum(0, keepdim=True)}


def recipe(**data):
    torch.manual_seed(5)
    return Recipe(Line(), Splits(Points(1, **data), Points(2)), {"model": "line"}, best="close")


def state_of(folder):
    return read_checkpoint(folder / "checkpoint.pt")


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, bfloat16=True)], ids=["float32", "bfloat16"])
def test_a_run_that_was_stopped_ends_with_the_bytes_of_an_undisturbed_one(tmp_path, settings):
    whole = train_recipe(recipe(), settings, tmp_path / "whole")
    with pytest.raises(OSError, match="plug"):
        train_recipe(recipe(die_at=4 * 10), settings, tmp_path / "interrupted")
    assert state_of(tmp_path / "interrupted")["step"] == 8
    assert train_recipe(recipe(), settings, tmp_path / "interrupted") == whole
    assert same(state_of(tmp_path / "interrupted"), state_of(tmp_path / "whole"))
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "interrupted")]
    assert weights[0] == weights[1]


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train_recipe(recipe(), SETTINGS, tmp_path)
    assert train_recipe(recipe(die_at=0), SETTINGS, tmp_path) == first


def test_processes_that_prepare_samples_do_not_change_what_is_learnt(tmp_path):
    train_recipe(recipe(), SETTINGS, tmp_path / "none")
    train_recipe(recipe(), replace(SETTINGS, workers=2), tmp_path / "two")
    assert same(state_of(tmp_path / "none"), state_of(tmp_path / "two"))


def test_the_average_follows_its_law():
    network = Line()
    average = moving_average(network, 0.998)
    average.update_parameters(network)  # the first is a copy
    mean = network.body[0].weight.detach().clone()
    for decay in (2 / 11, 3 / 12, 4 / 13):  # (1 + n) / (10 + n) below the cap
        with torch.no_grad():
            network.body[0].weight.normal_()
            network.body[1].running_mean.normal_()
        average.update_parameters(network)
        mean = decay * mean + (1 - decay) * network.body[0].weight
        assert torch.allclose(average.module.body[0].weight, mean, atol=1e-6)
        assert torch.equal(average.module.body[1].running_mean, network.body[1].running_mean)
    capped = moving_average(network, 0.5)
    capped.n_averaged += 10_000
    with torch.no_grad():
        network.body[0].weight.normal_()
    before = capped.module.body[0].weight.clone()
    capped.update_parameters(network)
    assert torch.allclose(capped.module.body[0].weight, 0.5 * before + 0.5 * network.body[0].weight, atol=1e-6)


def test_the_learning_rate_rises_to_its_value_and_falls_to_nothing(tmp_path):
    parameter = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    schedule = _schedule(optimizer, replace(SETTINGS, steps=13, warmup=4))
    rates = []
    for _ in range(13):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert np.allclose(rates[:5], [0.5, 1.0, 1.5, 2.0, 2.0])
    assert np.allclose(rates[4:], 1 + np.cos(np.pi * np.arange(9) / 9))


def test_a_batch_that_lacks_what_the_network_requires_is_told():
    batch = {"x": torch.zeros(4, 3), "y": torch.zeros(4, 1)}
    check_batch(Line(), batch)
    with pytest.raises(ValueError, match=r"batch: y: expected \('N', 1\), got \('N', 2\)"):
        check_batch(Line(), batch | {"y": torch.zeros(4, 2)})
    with pytest.raises(ValueError, match=r"batch: expected y \('N', 1\), got only x"):
        check_batch(Line(), {"x": batch["x"]})


def test_the_best_checkpoint_is_that_of_the_best_evaluation(tmp_path):
    train_recipe(recipe(), replace(SETTINGS, steps=60, evaluate_every=5, val_samples=64, lr=0.2), tmp_path)
    history = json.loads((tmp_path / "metrics.json").read_text())
    best = max(range(len(history)), key=lambda i: history[i]["close"])
    assert best < len(history) - 1, "the last evaluation is the best: this run tells nothing"
    kept = read_weights(tmp_path / BEST)[0]
    network = Line()
    load_into(network, kept, tmp_path / BEST)
    again = evaluate(network, Points(2), replace(SETTINGS, val_samples=64), torch.device("cpu"))
    assert again["close"] == pytest.approx(history[best]["close"], abs=0.02)


def test_it_learns_and_says_how_far_it_is(tmp_path):
    said = []
    last = train_recipe(
        recipe(), replace(SETTINGS, steps=400, batch=32, val_samples=64, evaluate_every=200, lr=3e-2, clip=9.0),
        tmp_path, progress=lambda done, of: said.append((done, of)),
    )  # fmt: skip
    assert said == [(n, 400) for n in range(1, 401)]
    history = json.loads((tmp_path / "metrics.json").read_text())
    assert history[-1] == last and [row["step"] for row in history] == [200, 400]
    assert last["close"] > 0.5


def test_the_configuration_is_kept_and_another_one_refused_in_one_line(tmp_path):
    train_recipe(recipe(), SETTINGS, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model"] == "line" and config["train"]["lr"] == 1e-2 and "workers" not in config["train"]
    with pytest.raises(ValueError, match=r"config\.json: this run was started with another train: .*choose") as error:
        train_recipe(recipe(), replace(SETTINGS, lr=5e-3), tmp_path)
    assert "\n" not in str(error.value)


def test_weights_come_back_and_those_of_another_architecture_do_not(tmp_path):
    network, path = Line(), tmp_path / "weights.safetensors"
    write_weights(path, network, {"model": "line"})
    (plain := tmp_path / "plain").touch()
    assert path.stat().st_mode == plain.stat().st_mode  # others may read it as any file
    state, config = read_weights(path)
    assert config == {"model": "line"}
    for name, value in network.state_dict().items():
        assert torch.allclose(state[name].float(), value.float(), rtol=1e-3)
    other = Line()
    load_into(other, state, path)
    assert torch.allclose(other.body[0].weight, network.body[0].weight, rtol=1e-3)
    with pytest.raises(ValueError, match=r"weights of another architecture: 2 tensors differ, first bias: expected"):
        load_into(nn.Linear(3, 8), {"weight": torch.zeros(9, 3), "bias": torch.zeros(9)}, path)
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_weights(path)
    with pytest.raises(FileNotFoundError, match="no weights there"):
        read_weights(tmp_path / "none.safetensors")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.pt", {"network": Line()})
    with pytest.raises(ValueError, match=r"checkpoint\.pt: refused: it asks for .*Line, which could run code"):
        read_checkpoint(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("batch", -1), ("clip", 0.0), ("ema", 1.0)])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"training: {name}"):
        replace(SETTINGS, **{name: value})


def test_two_processes_learn_what_one_does_from_the_same_samples(tmp_path):
    """Without batch statistics and dropout, two halves of a batch give the mean of their gradients."""
    script = tmp_path / "two.py"
    script.write_text(PROGRAM)
    for count, batch in ((1, 8), (2, 4)):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        subprocess.run([*command, str(script), str(tmp_path / str(count)), str(batch)], check=True, capture_output=True)
    one, two = (read_weights(tmp_path / str(count) / "weights.safetensors")[0] for count in (1, 2))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=2e-3) for name in one)


PROGRAM = """
import sys
from pathlib import Path
import torch
from torch import nn
from models.contract import Splits, TrainSettings
from models.network import Network
from models.train import Recipe, train_recipe

class Line(Network):
    def __init__(self):
        super().__init__(None)
        self.body = nn.Linear(3, 1)
    def forward(self, batch):
        return self.body(batch["x"])
    def loss(self, pred, batch):
        return {"total": ((pred - batch["x"].sum(1, keepdim=True)) ** 2).mean()}
    def metrics(self, pred, batch):
        return {"n": torch.tensor([1.0, 1.0]).double()}

class Points:
    def __getitem__(self, index):
        return {"x": torch.randn(3, generator=torch.Generator().manual_seed(index))}

torch.manual_seed(0)
settings = TrainSettings(steps=20, batch=int(sys.argv[2]), lr=3e-2, warmup=2, evaluate_every=20, val_samples=4,
                         workers=0, threads=1, bfloat16=False, ema=0.5)
train_recipe(Recipe(Line(), Splits(Points(), Points()), {"model": "line"}), settings, Path(sys.argv[1]))
"""
