import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from models.checkpoints import load_into, read_checkpoint, read_weights, write_checkpoint, write_weights
from models.train import Recipe, TrainSettings, train, update_average

SETTINGS = TrainSettings(steps=12, batch=4, lr=1e-2, warmup=3, evaluate_every=6, val_samples=8, save_every=4,
                         workers=0, threads=1, bfloat16=False)  # fmt: skip


class Line(nn.Module):
    """y = a x + b with dropout and a normalisation, so that a resume has something to get wrong."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))

    def loss(self, batch):
        return {"loss": ((self.body(batch["x"]) - batch["y"]) ** 2).mean()}

    def metrics(self, batch):
        close = (self.body(batch["x"]) - batch["y"]).abs() < 0.3
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
    return Recipe(Line(), Points(1, **data), Points(2), {"model": "line"})


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
    whole = train(recipe(), settings, tmp_path / "whole")
    with pytest.raises(OSError, match="plug"):
        train(recipe(die_at=4 * 10), settings, tmp_path / "cut")
    assert state_of(tmp_path / "cut")["step"] == 8
    assert train(recipe(), settings, tmp_path / "cut") == whole
    assert same(state_of(tmp_path / "cut"), state_of(tmp_path / "whole"))
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train(recipe(), SETTINGS, tmp_path)
    assert train(recipe(die_at=0), SETTINGS, tmp_path) == first


def test_processes_that_prepare_samples_do_not_change_what_is_learnt(tmp_path):
    train(recipe(), SETTINGS, tmp_path / "none")
    train(recipe(), replace(SETTINGS, workers=2), tmp_path / "two")
    assert same(state_of(tmp_path / "none"), state_of(tmp_path / "two"))


def test_the_average_follows_its_law():
    network, average = Line(), Line()
    mean = average.body[0].weight.detach().clone()
    for step, decay in enumerate([0.1, 2 / 11, 3 / 12, 4 / 13]):  # (1 + step) / (10 + step) below the cap
        with torch.no_grad():
            network.body[0].weight.normal_()
            network.body[1].running_mean.normal_()
        update_average(average, network, 0.998, step)
        mean = decay * mean + (1 - decay) * network.body[0].weight
        assert torch.allclose(average.body[0].weight, mean, atol=1e-6)
        assert torch.equal(average.body[1].running_mean, network.body[1].running_mean)
    before = average.body[0].weight.clone()
    update_average(average, network, 0.5, 10_000)
    assert torch.allclose(average.body[0].weight, 0.5 * before + 0.5 * network.body[0].weight, atol=1e-6)


def test_it_learns_and_says_how_far_it_is(tmp_path):
    said = []
    last = train(
        recipe(), replace(SETTINGS, steps=400, batch=32, val_samples=64, evaluate_every=200, lr=3e-2, clip=9.0),
        tmp_path, progress=lambda done, of: said.append((done, of)),
    )  # fmt: skip
    assert said == [(n, 400) for n in range(1, 401)]
    history = json.loads((tmp_path / "metrics.json").read_text())
    assert history[-1] == last and [row["step"] for row in history] == [200, 400]
    assert last["close"] > 0.5


def test_the_configuration_is_kept_and_another_one_refused_in_one_line(tmp_path):
    train(recipe(), SETTINGS, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model"] == "line" and config["train"]["lr"] == 1e-2 and "workers" not in config["train"]
    with pytest.raises(ValueError, match=r"config\.json: this run was started with another train: .*choose") as error:
        train(recipe(), replace(SETTINGS, lr=5e-3), tmp_path)
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
    with pytest.raises(ValueError, match="not a checkpoint of tensors and plain values"):
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
from models.train import Recipe, TrainSettings, train

class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 1)
    def loss(self, batch):
        return {"loss": ((self.body(batch["x"]) - batch["x"].sum(1, keepdim=True)) ** 2).mean()}
    def metrics(self, batch):
        return {"n": torch.tensor([1.0, 1.0]).double()}

class Points:
    def __getitem__(self, index):
        return {"x": torch.randn(3, generator=torch.Generator().manual_seed(index))}

torch.manual_seed(0)
settings = TrainSettings(steps=20, batch=int(sys.argv[2]), lr=3e-2, warmup=2, evaluate_every=20, val_samples=4,
                         workers=0, threads=1, bfloat16=False, ema=0.5)
train(Recipe(Line(), Points(), Points(), {"model": "line"}), settings, Path(sys.argv[1]))
"""
