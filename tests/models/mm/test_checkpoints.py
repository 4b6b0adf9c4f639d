"""Checkpoints as mmengine's own Runner writes them, and files made to run code when they are read."""

import os
import pickle
import subprocess
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from waiting import until

from models.mm.checkpoints import load_model_state, read_zoo_checkpoint
from models.mm.digests import record_of, write_record
from pipeline.core.storage import sha256_of

NAMES = ("person", "car")


class Points(BaseDataset):
    METAINFO: ClassVar = {"classes": NAMES, "palette": [(220, 20, 60), (119, 11, 32)]}

    def load_data_list(self):
        return [{"x": float(k)} for k in range(4)]


class Line(BaseModel):
    def __init__(self, width=1):
        super().__init__()
        self.scale = nn.Linear(width, 1)
        self.norm = nn.BatchNorm1d(1)
        self.register_buffer("index", torch.arange(3))

    def forward(self, x=None, mode="tensor", **rest):
        y = self.norm(self.scale(torch.as_tensor(x)[:, None]))
        return {"loss": (y - 2).square().mean()} if mode == "loss" else y


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Line]:
    """Two epochs under the Runner, with its checkpoint hook, optimiser, schedule and averaged weights."""
    folder, model = tmp_path_factory.mktemp("run"), Line()
    loader = {
        "dataset": Points(pipeline=[]), "batch_size": 2, "num_workers": 0,
        "sampler": {"type": "DefaultSampler", "shuffle": True},
    }  # fmt: skip
    runner = Runner(
        model=model, work_dir=str(folder), train_dataloader=loader, train_cfg={"by_epoch": True, "max_epochs": 2},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.01}},
        param_scheduler=[{"type": "MultiStepLR", "milestones": [1]}], custom_hooks=[{"type": "EMAHook"}],
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1}}, randomness={"seed": 3},
        default_scope="mmengine", experiment_name="line", log_level="ERROR",
    )  # fmt: skip
    runner.message_hub.update_info("seen", np.int64(8))
    runner.train()
    return folder / "epoch_2.pth", model


def test_a_runners_checkpoint_holds_what_torch_alone_refuses(trained):
    path, _ = trained
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    whole = torch.load(path, weights_only=False)
    history = whole["message_hub"]["log_scalars"]["train/loss"]
    assert isinstance(history, HistoryBuffer) and {"optimizer", "param_schedulers", "ema_state_dict"} <= set(whole)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_it_is_read_with_its_tensors_and_classes(trained, tmp_path, zipped):
    path, _ = trained
    again = tmp_path / "again.pth"
    torch.save(torch.load(path, weights_only=False), again, _use_new_zipfile_serialization=zipped)
    read, whole = read_zoo_checkpoint(again), torch.load(path, weights_only=False)
    assert read.classes == NAMES and read.meta["experiment_name"].startswith("line")
    assert list(read.state) == list(whole["state_dict"])
    assert all(torch.equal(read.state[name], value) for name, value in whole["state_dict"].items())
    fresh = Line()
    load_model_state(fresh, read.state, again)
    assert torch.equal(fresh.scale.weight, whole["state_dict"]["scale.weight"])


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({"CLASSES": ("car", "van")}, ("car", "van")),  # mmdet 2
        ({"dataset_meta": {"CLASSES": ["car"]}}, ("car",)),  # mmdet 3's first
        ({"dataset_meta": {"classes": "car"}}, ("car",)),
        ({"CLASSES": None}, ()),
        ({"dataset_meta": {"classes": [1, 2]}}, ()),
        ({}, ()),
    ],
)
def test_class_names_of_every_generation(tmp_path, meta, names):
    path = tmp_path / "a.pth"
    torch.save({"meta": meta, "state_dict": Line().state_dict()}, path)
    assert read_zoo_checkpoint(path).classes == names


class Hostile:
    """Runs a call when it is unpickled."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def attacks(mark: Path) -> dict[str, object]:
    write = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return {
        "system": Hostile(os.system, f"touch {mark}"),
        "eval": Hostile(eval, write),
        "popen": Hostile(subprocess.Popen, ["touch", str(mark)]),
    }


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("attack", ["system", "eval", "popen"])
@pytest.mark.parametrize("place", ["meta", "message_hub", "state_dict"])
def test_no_code_of_a_hostile_checkpoint_runs(tmp_path, attack, place, zipped):
    path, mark = tmp_path / "evil.pth", tmp_path / "ran"
    content = {"meta": {}, "message_hub": {}, "state_dict": dict(Line().state_dict())}
    content[place]["x"] = attacks(mark)[attack]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"evil\.pth: refused: it asks for .* which could run code") as raised:
        read_zoo_checkpoint(path)
    assert "\n" not in str(raised.value) and not mark.exists()
    torch.load(path, weights_only=False)  # the file is what it seems: read as a pickle, it does run
    until(mark.exists)


def test_getattr_leads_nowhere(tmp_path):
    path = tmp_path / "a.pth"
    content = {"meta": {"CLASSES": Hostile(getattr, HistoryBuffer, "update")}, "state_dict": Line().state_dict()}
    torch.save(content, path)
    assert read_zoo_checkpoint(path).classes == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a `state_dict` of tensors, got list"),
        ({"state_dict": {}}, "expected a `state_dict` of tensors"),
        ({"state_dict": {1: torch.zeros(2)}}, "expected a `state_dict` of tensors"),
        ({"state_dict": {"a": 1}}, "expected a `state_dict` of tensors"),
        ({"state_dict": {"a": np.zeros(2)}}, "expected a `state_dict` of tensors"),
    ],
)
def test_a_file_without_weights_is_named(tmp_path, content, message):
    path = tmp_path / "b.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf"b\.pth: {message}"):
        read_zoo_checkpoint(path)


def test_damaged_and_absent_files_are_named(tmp_path):
    path = tmp_path / "c.pth"
    with pytest.raises(ValueError, match=r"c\.pth: no such file; `make weights`"):
        read_zoo_checkpoint(path)
    path.write_bytes(b"not a pickle at all")
    with pytest.raises(ValueError, match=r"c\.pth: not a checkpoint of tensors"):
        read_zoo_checkpoint(path)


def test_a_file_that_changed_after_its_record_is_refused(tmp_path):
    path = tmp_path / "d.pth"
    torch.save({"state_dict": Line().state_dict()}, path)
    write_record(path, sha256_of(path))
    assert read_zoo_checkpoint(path).state
    assert record_of(path).read_text() == f"{sha256_of(path)}  d.pth\n"
    torch.save({"state_dict": Line().state_dict()}, path)
    with pytest.raises(ValueError, match=r"d\.pth: SHA-256 [0-9a-f]{64}, its record d\.pth\.sha256 says"):
        read_zoo_checkpoint(path)


def test_buffers_may_lack_and_counters_may_be_over():
    state = Line().state_dict()
    del state["index"]
    more = {"data_preprocessor.mean": torch.zeros(3), "ema_scale": torch.zeros(1), "neck.step": torch.tensor(3)}
    fresh = Line()
    load_model_state(fresh, {f"module.{name}": value for name, value in state.items()}, Path("a.pth"))
    load_model_state(fresh, {**state, **more}, Path("a.pth"))
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(fresh.index, torch.arange(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("scale.weight"), r"1 tensors differ, first scale\.weight: expected \(1, 1\), got none"),
        (lambda s: s.pop("norm.running_var"), r"first norm\.running_var: expected \(1,\), got none"),
        (lambda s: s.update(neck=torch.zeros(2)), r"1 tensors differ, first neck: expected none, got \(2,\)"),
        (lambda s: s.update({"scale.weight": torch.zeros(1, 5)}), r"scale\.weight: expected \(1, 1\), got \(1, 5\)"),
    ],
)
def test_weights_of_another_architecture_are_refused(change, message):
    state, model = dict(Line().state_dict()), Line()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    change(state)
    with pytest.raises(ValueError, match=rf"other\.pth: weights of another architecture: .*{message}"):
        load_model_state(model, state, Path("other.pth"))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
