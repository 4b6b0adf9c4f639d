"""Checkpoints are read as torch reads them, as data; forged ones are one line and cost nothing."""

import io
import pickle
import shutil
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from models.checkpoints import network_of, read_weights, write_weights
from models.contract import find
from models.hmr.released import read_released
from models.torch_files import read_torch

HOSTILE = Path(__file__).parents[1] / "hostile"


def content():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "state_dict": OrderedDict(
            a=base, view=base[1:3, ::2], turned=base.T, half=base.half(), bits=base > 3, one=torch.tensor(7),
            none=torch.zeros(0, 3), brain=base.bfloat16(), weight=torch.nn.Parameter(base + 1),
            spread=torch.ones(1).expand(5),
        ),
        "epoch": 3, "names": ("car", "van"), "nested": [{"lr": 0.1}, None, True], "kind": torch.float32,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"betas": (0.9, 0.99)}]},
    }  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "stream"])
def test_a_checkpoint_is_what_torch_reads(tmp_path, zipped):
    path = tmp_path / "a.pth"
    torch.save(content(), path, _use_new_zipfile_serialization=zipped)
    found, expected = read_torch(path), torch.load(path, weights_only=True)
    assert list(found["state_dict"]) == list(expected["state_dict"])
    for name, value in expected["state_dict"].items():
        assert found["state_dict"][name].dtype == value.dtype and torch.equal(found["state_dict"][name], value)
    assert found["state_dict"]["a"].data_ptr() == found["state_dict"]["turned"].data_ptr()
    plain = {"epoch": 3, "names": ("car", "van"), "nested": [{"lr": 0.1}, None, True], "kind": None}
    assert {key: found[key] for key in plain} == plain
    assert found["optimizer"]["state"][0]["step"] == 3 and found["optimizer"]["param_groups"] == [
        {"betas": (0.9, 0.99)}
    ]


STORAGE = object()


def forged(path, change):
    """A checkpoint whose description of one tensor is changed: a function of storage, offset, size, stride."""

    class Forger(pickle._Pickler):
        def persistent_id(self, obj):
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if obj is STORAGE else None

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (*change(STORAGE, 0, (4,), (1,)), False, OrderedDict())

    data = io.BytesIO()
    Forger(data, 2).dump({"state_dict": {"x": Tensor()}})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data.getvalue())
        archive.writestr("a/data/0", np.arange(4, dtype=np.float32).tobytes())
    return path


def test_a_tensor_stays_within_its_bytes(tmp_path):
    path = tmp_path / "a.pth"
    assert torch.equal(read_torch(forged(path, lambda *t: t))["state_dict"]["x"], torch.arange(4.0))
    lies = {
        "size": lambda s, o, n, t: (s, o, (5,), t), "offset": lambda s, o, n, t: (s, 1, n, t),
        "stride": lambda s, o, n, t: (s, o, n, (2,)), "negative": lambda s, o, n, t: (s, o, n, (-1,)),
        "spread": lambda s, o, n, t: (s, o, (10**12,), (0,)), "huge": lambda s, o, n, t: (s, 2**62, n, t),
        "text": lambda s, o, n, t: (s, o, "4", t),
    }  # fmt: skip
    for name, lie in lies.items():
        with pytest.raises(ValueError, match=r"a\.pth: not a checkpoint .*state_dict\.x: ") as error:
            read_torch(forged(path, lie))
        assert "\n" not in str(error.value), name


def test_a_packed_archive_is_no_checkpoint(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"}." + bytes(10_000_000))
    begun = time.process_time()
    with pytest.raises(ValueError, match=r"bomb\.pth: not a checkpoint .*its members are compressed"):
        read_torch(path)
    assert time.process_time() - begun < 0.5


def test_values_that_share_each_other_are_made_once_and_too_many_are_refused(tmp_path):
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    torch.save({"x": shared}, tmp_path / "a.pth")
    begun = time.process_time()
    assert isinstance(read_torch(tmp_path / "a.pth")["x"], list)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hmr_deep.ckpt", r"hmr_deep\.ckpt: .*expected layers numbered from 0 on"),
        ("hmr_ndim.ckpt", r"hmr_ndim\.ckpt: .*expected \d dimensions, got"),
    ],
)
def test_hostile_releases_are_one_line_at_once(name, said):
    begun = time.process_time()
    with pytest.raises(ValueError, match=said) as error:
        read_released(HOSTILE / name)
    assert time.process_time() - begun < 5 and "\n" not in str(error.value)


def test_a_config_that_is_no_json_is_named():
    with pytest.raises(ValueError, match=r"cfgnotjson\.safetensors: config: not JSON"):
        read_weights(HOSTILE / "cfgnotjson.safetensors")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("blocks", 300_000, r"config\.network\.blocks: expected at most 4096, as its tensors have it, got 300000"),
        ("blocks", 4000, "weights of another architecture: its settings ask for more than"),
        ("width", 4000, "weights of another architecture"),
        ("width", -3, "weights of another architecture"),
        ("width", "wide", "weights of another architecture"),
        ("width", [1] * 20_000, "expected at most 10000 values"),
    ],
)
def test_settings_that_its_tensors_do_not_bear_out_build_nothing(tmp_path, key, value, said):
    import json

    from safetensors import safe_open

    spec, path = find("vehicle_keypoints"), tmp_path / "w.safetensors"
    with safe_open(spec.shipped, "np") as file:
        config = json.loads(file.metadata()["config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config["network"][key] = value
    save_file(tensors, path, {"config": json.dumps(config)})
    begun = time.process_time()
    with pytest.raises(ValueError, match=said) as error:
        network_of(spec, path)
    assert time.process_time() - begun < 5 and "\n" not in str(error.value) and "w.safetensors" in str(error.value)


@pytest.mark.parametrize("name", ["vehicle_keypoints", "hmr", "occlusion_net", "occlusion_classifier"])
def test_what_ships_is_built_again(name, tmp_path):
    spec = find(name)
    network = network_of(spec, spec.shipped)
    write_weights(tmp_path / "w.safetensors", network, spec.config(network.settings))
    shutil.copy(tmp_path / "w.safetensors", tmp_path / "v.safetensors")
    again = network_of(spec, tmp_path / "v.safetensors")
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in network.state_dict().items())
