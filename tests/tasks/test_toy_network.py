"""A network as one new folder of an installed package: rendered for, trained, evaluated, used, nothing else touched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from house import clean_environment

from models.checkpoints import read_weights

PYTHON, LUIGI = sys.executable, str(Path(sys.executable).with_name("luigi"))
TORCHRUN = (PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

SPEC = '''
"""How bright a box of a picture is."""
from dataclasses import dataclass, field
from pathlib import Path

from models.contract import Preset, Rendered, Spec, TrainSettings


@dataclass(frozen=True)
class ToySettings:
    side: int = field(default=8, metadata={"help": "of the crop, px"})


@dataclass(frozen=True)
class PatchSettings:
    patches: int = field(default=6, metadata={"help": "in all"})
    seed: int = field(default=0, metadata={"help": "of the patches"})


@dataclass(frozen=True)
class Job:
    out: Path
    seed: int


def render(job):
    import numpy as np
    from pipeline.core.storage import write_bytes

    rng = np.random.default_rng(job.seed)
    patch = np.clip(rng.uniform(30, 220, 3) + rng.normal(0, 9, (8, 8, 3)), 0, 255).astype(np.uint8)
    write_bytes(job.out, patch.tobytes())
    return 1


def jobs(settings, folder):
    names = [("val" if n % 3 == 0 else "train") for n in range(settings.patches)]
    return [(render, [Job(folder / s / f"{n}.raw", settings.seed + n) for n, s in enumerate(names)])]


SPEC = Spec(
    name="toy",
    summary="how bright a box of a picture is",
    settings=ToySettings,
    network="toy_network.network:ToyNetwork",
    data="toy_network.data:splits",
    presets={"tiny": Preset(ToySettings(), TrainSettings(
        steps=400, batch=16, lr=0.02, warmup=5, ema=0.9, weight_decay=0, bfloat16=False, evaluate_every=100,
        val_samples=8, workers=0, threads=1))},
    source=Rendered(task="RenderToyPatches", summary="Patches.", prefix="toy", settings=PatchSettings, jobs=jobs),
    gives=("brightness",),
    best="close",
)
'''

NETWORK = """
import cv2
import numpy as np
import torch
from torch import nn

from models.network import Network, counted


class ToyNetwork(Network):
    required = {"crop": (3, 8, 8), "brightness": ()}

    def __init__(self, settings):
        super().__init__(settings)
        self.layer = nn.Linear(3, 1)

    def forward(self, batch):
        return self.layer(batch["crop"].mean((2, 3)))[:, 0]

    def loss(self, pred, batch):
        return {"total": ((pred - batch["brightness"]) ** 2).mean()}

    def metrics(self, pred, batch):
        close = (pred - batch["brightness"]).abs() < 0.05
        return {"close": counted(close, torch.ones_like(close))}

    def encode(self, frames):
        crops = []
        for frame in frames:
            x, y, w, h = np.round(frame.objects["bbox_xywh"][0]).astype(int)
            crops.append(cv2.resize(frame.image[y : y + h, x : x + w], (8, 8), interpolation=cv2.INTER_AREA))
        return {"crop": torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy()).float() / 255}

    def decode(self, pred, frames):
        return [f.objects.with_columns({"brightness": p[None].double().cpu().numpy()})
                for f, p in zip(frames, pred, strict=True)]
"""

DATA = """
import numpy as np
import torch

from models.contract import Splits


class Patches:
    def __init__(self, folder, seed):
        self.files, self.seed = sorted(folder.glob("*.raw")), seed

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        patch = np.frombuffer(self.files[index % len(self.files)].read_bytes(), np.uint8).reshape(8, 8, 3)
        image = np.clip(patch * rng.uniform(0.4, 1.1), 0, 255) / 255
        crop = torch.from_numpy(image.transpose(2, 0, 1)).float()
        return {"crop": crop, "brightness": crop.mean()}


def splits(settings, given, seed):
    return Splits(Patches(given.data / "train", seed), Patches(given.data / "val", seed + 1))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the package as pip would leave it, and the folder to work in."""
    site, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    (folder := site / "toy_network").mkdir()
    for name, text in {"__init__.py": SPEC, "network.py": NETWORK, "data.py": DATA}.items():
        (folder / name).write_text(text)
    (info := site / "toy_network-1.0.dist-info").mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-network\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[walt3d.networks]\ntoy = toy_network:SPEC\n")
    return site, work


def run(place, *command):
    """(exit code, stdout, stderr) of a command with the package installed, in the work folder."""
    site, work = place
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = clean_environment() | {"PYTHONPATH": os.pathsep.join(paths), "WALT3D_DATA": str(work / "data")}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def luigi(place, *arguments):
    return run(place, LUIGI, "--module", "tasks", *arguments, "--walt3d-engine", "serial")


def test_it_is_rendered_for_trained_evaluated_launched_and_used(place):
    work = place[1]
    code, _, err = luigi(place, "Train", "--model", "toy", "--RenderToyPatches-patches", "9")
    assert code == 0, err
    assert "RenderToyPatches: 9 shards" in err and "Train toy: train_loss" in err
    weights = work / "data/runs/toy-tiny/weights.safetensors"
    assert weights.is_file() and (work / "data/runs/toy-tiny/best.safetensors").is_file()

    command = (PYTHON, "-m", "tasks.evaluate", "toy", "--RenderToyPatches-patches", "9", "--walt3d-engine", "serial")
    code, out, err = run(place, *command)
    assert code == 0 and "Train toy" not in err, err
    rows = {row["metric"]: row for row in json.loads((work / "data/runs/toy-tiny/evaluation.json").read_text())}
    assert rows["close"]["value"] == 1 and rows["close"]["samples"] == 8 and "close" in out

    (data,) = (work / "data/training").glob("toy-*")
    options = ["--data", str(data), "--preset", "tiny", "--steps", "3", "--batch", "4", "--lr", "1e-6"]
    options += ["--seed", "7", "--init-from", str(weights), "--folder", "own"]
    code, _, err = run(place, *TORCHRUN, "-m", "models.launch", "toy", *options)
    assert code == 0 and err.count("train_loss") == 1, err  # one of two processes says so
    config = json.loads((work / "own/config.json").read_text())
    assert {"steps": 3, "batch": 4, "seed": 7, "lr": 1e-6}.items() <= config["train"].items()
    assert (config["init_from"], config["model"], config["devices"]) == ("weights.safetensors", "toy", 2)
    ours, theirs = (read_weights(path)[0] for path in (weights, work / "own/weights.safetensors"))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in ours)

    image = np.full((60, 80, 3), 40, np.uint8)
    image[10:30, 20:60] = (120, 160, 200)
    cv2.imwrite(str(work / "street.png"), image)
    (work / "notes.png").write_text("no picture")
    asked = ["street.png", "notes.png", "--box", "20", "10", "40", "20", "--weights", str(weights), "--out", "found"]
    code, out, err = run(place, PYTHON, "-m", "tasks.predict", "toy", *asked)
    assert code == 0, err
    assert out.splitlines()[-1].startswith(
        "read 1, predicted 1 objects, left out 1 because: cannot be read as a picture"
    )
    (found,) = json.loads((work / "found/predictions.json").read_text())["pictures"]
    assert found["objects"][0]["brightness"] == pytest.approx(160 / 255, abs=0.02)


def test_its_mistakes_are_one_line(place):
    for command, said in {
        (LUIGI, "--module", "tasks", "Train", "--model", "toy", "--preset", "base"): "toy: expected --preset of tiny",
        (LUIGI, "--module", "tasks", "Train", "--model", "toy", "--labels", "a"): "toy: has no use for --labels",
        (LUIGI, "--module", "tasks", "Train", "--model", "tot"): "got 'tot'; try `make train MODEL=",
        (PYTHON, "-m", "tasks.predict", "toy", ".", "--box", "1", "1", "2", "2"): "no weights ship with toy",
        (PYTHON, "-m", "tasks.evaluate"): "toy, vehicle_keypoints, walt3d, got ''; try `make evaluate MODEL=",
        (PYTHON, "-m", "models.launch", "toy", "--folder", "x"): "launch: toy: expected --preset of tiny, got 'base'",
    }.items():
        code, _, err = run(place, *command)
        assert code != 0 and said in err and len(err.splitlines()) == 1, err


def test_a_package_that_is_broken_is_named(place):
    (place[0] / "toy_network" / "__init__.py").write_text("import nowhere")
    try:
        code, _, err = luigi(place, "Train", "--model", "toy")
    finally:
        (place[0] / "toy_network" / "__init__.py").write_text(SPEC)
    assert code != 0 and "entry point toy = toy_network:SPEC of walt3d.networks: cannot be loaded" in err
    assert "Traceback" not in err
