import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from rendered_streets import street, visible, write_coco, write_shards

from models.contract import Given, Preset
from models.detector import SPEC, DetectorSettings, DetectorTraining, WindowSettings
from models.detector.evaluate import evaluate_on, measure
from models.detector.pictures import ClipArt
from models.detector.train import CONFIG
from models.detector.train import train as trained
from models.mm.segmenter import MmdetDetector, MmdetSettings

NETWORK = DetectorSettings(width=0.125, channels=16)
SMALL = DetectorTraining(
    batch=2, steps=4, warmup=2, save_every=1, workers=0, threads=1, bfloat16=False, window=WindowSettings(side_px=64)
)
WEIGHTS = SPEC.trained


def train(settings, given, folder, network=NETWORK, **more):
    """A run by the network's Spec."""
    return trained(SPEC, Preset(network, settings), given, folder, **more)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("clipart"), 40)


def weights_of(folder):
    return torch.load(folder / WEIGHTS, weights_only=True)["state_dict"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def full(one, size_hw):
    mask = np.zeros(size_hw, bool)
    (x, y), (h, w) = one.xy, one.crop.shape
    mask[y : y + h, x : x + w] = one.crop
    return mask


def test_a_stopped_run_goes_on_to_the_same_weights(shards, tmp_path):
    source = Given(shards=shards)
    train(SMALL, source, tmp_path / "whole")

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, source, tmp_path / "halted", progress=stop)
    assert not (tmp_path / "halted" / WEIGHTS).exists()
    reported = []
    train(SMALL, source, tmp_path / "halted", progress=lambda done, steps: reported.append((done, steps)))
    assert reported[-1] == (4, 4) and reported[0][0] > 1
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "halted"))
    history = json.loads((tmp_path / "halted" / "metrics.json").read_text())
    assert [row["step"] for row in history] == [1, 2, 3, 4]
    assert all(np.isfinite(row["loss"]) and row["seconds"] > 0 for row in history)


def test_another_seed_learns_other_weights_and_another_configuration_is_refused(shards, tmp_path):
    source = Given(shards=shards)
    few = dataclasses.replace(SMALL, steps=1)
    train(few, source, tmp_path / "one")
    train(dataclasses.replace(few, seed=1), source, tmp_path / "two")
    assert not same(weights_of(tmp_path / "one"), weights_of(tmp_path / "two"))
    with pytest.raises(ValueError, match="started with another"):
        train(dataclasses.replace(few, lr=1e-4), source, tmp_path / "one")


def test_a_run_starts_from_what_fits_of_other_weights(shards, tmp_path):
    source = Given(shards=shards)
    few = dataclasses.replace(SMALL, steps=1, lr=1e-12, ema=0.5)
    train(few, source, tmp_path / "one")
    train(dataclasses.replace(few, seed=1), source, tmp_path / "two", init_from=tmp_path / "one" / WEIGHTS)
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    name = "backbone.stage1.0.conv.weight"
    assert torch.allclose(one[name], two[name], atol=1e-6)
    wider = DetectorSettings(width=0.25, channels=32)
    with pytest.raises(ValueError, match="weights of another architecture"):
        train(few, source, tmp_path / "three", wider, init_from=tmp_path / "one" / WEIGHTS)


def test_what_it_learned_is_what_the_mmdet_detector_finds(shards, tmp_path):
    """The circle: scenes, training, detection, with nothing downloaded."""
    learn = dataclasses.replace(
        SMALL, batch=8, steps=160, lr=3e-3, warmup=10, ema=0.05, save_every=1000,
        window=WindowSettings(side_px=96, smallest=0.9, largest=1.1, illumination=0.1, noise=2.0),
    )  # fmt: skip
    train(learn, Given(shards=shards), tmp_path, DetectorSettings(width=0.25, channels=32))
    settings = MmdetSettings(config=str(tmp_path / CONFIG), checkpoint=str(tmp_path / WEIGHTS), min_score=0.05)
    rows = evaluate_on(MmdetDetector(settings), ClipArt(shards, split="val"))
    assert rows[0]["count"] == 8
    assert rows[0]["AP50"] > 0.8, rows
    measured = measure(SPEC, SPEC.presets["tiny"], Given(shards=shards), tmp_path / WEIGHTS)
    assert measured[0]["count"] == 8 and measured[0]["AP50"] >= rows[0]["AP50"]  # with more candidates
    confident, overlaps = MmdetDetector(dataclasses.replace(settings, min_score=0.3)), []
    for seed in range(1000, 1006):
        image, objects = street(seed)
        found = confident(image, "", 0)
        for (category, _), seen in zip(objects, visible(objects), strict=True):
            mine = [full(one, seen.shape) for one in found if one.category == category]
            overlaps.append(max([(m & seen).sum() / (m | seen).sum() for m in mine], default=0.0))
    assert np.median(overlaps) > 0.6, overlaps


def test_coco_labels_train_as_well(tmp_path):
    labels = write_coco(tmp_path / "frames", 20)
    last = train(dataclasses.replace(SMALL, steps=2), Given(labels=labels), tmp_path / "run")
    assert set(last) >= {"loss", "loss_mask", "seconds"}


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(shards, tmp_path, capsys):
    source = Given(shards=shards)

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, source, tmp_path, progress=stop)
    # The one before is there still while the next is written.
    assert {path.name for path in tmp_path.glob("checkpoint_*.pth")} == {"checkpoint_2.pth", "checkpoint_3.pth"}
    (tmp_path / "checkpoint_4.pth").write_bytes(b"half")
    train(SMALL, source, tmp_path)
    assert "passed over" in capsys.readouterr().out
    assert (tmp_path / WEIGHTS).exists()


def test_a_checkpoint_that_carries_code_is_refused(shards, tmp_path):
    """mmengine runs the config that it finds in a checkpoint's meta."""
    torch.save({"state_dict": {"w": torch.ones(1)}, "meta": {"config": "x = 1"}}, tmp_path / "checkpoint_1.pth")
    with pytest.raises(ValueError, match=r"checkpoint_1\.pth: refused: it carries a config, which is code"):
        train(SMALL, Given(shards=shards), tmp_path)


def test_what_cannot_be_opened_claims_no_folder(shards, tmp_path):
    """The corrected line runs under the same name."""
    source, few = Given(shards=shards), dataclasses.replace(SMALL, steps=1)
    with pytest.raises(ValueError, match="no such file"):
        train(few, Given(labels=tmp_path / "typo.json"), tmp_path / "run")
    with pytest.raises(ValueError, match="no such file"):
        train(few, source, tmp_path / "run", init_from=tmp_path / "typo.pth")
    train(few, source, tmp_path / "run")
    assert (tmp_path / "run" / WEIGHTS).exists()


def test_two_processes_share_a_run(shards, tmp_path):
    """Also where a process's windows show nothing, from other weights, and on from where it was stopped."""
    train(dataclasses.replace(SMALL, steps=1), Given(shards=shards), tmp_path / "start")
    (tmp_path / "two.py").write_text(PROGRAM)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for stops, code in ((3, 1), (0, 0)):
        asked = (str(shards), str(tmp_path / "run"), str(tmp_path / "start" / WEIGHTS), str(stops))
        ended = subprocess.run([*launch, str(tmp_path / "two.py"), *asked], capture_output=True, text=True, timeout=300)
        assert (ended.returncode != 0) == bool(code), ended.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["devices"] == 2
    rows = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    one, two = (torch.load(tmp_path / f"run.{rank}.pth", weights_only=True) for rank in (0, 1))
    assert same(one, two) and len(one) > 10  # their gradients are shared, their windows are not
    assert (tmp_path / "run" / WEIGHTS).exists()
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.*"))


PROGRAM = """
import dataclasses, os, sys
from pathlib import Path
import torch
from mmengine.hooks import Hook
from models.contract import Given, Preset
from models.detector import SPEC, DetectorSettings, DetectorTraining, WindowSettings
from models.detector import train as detector

shards, folder, start, stops = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
settings = DetectorTraining(batch=1, steps=6, warmup=2, save_every=1, workers=0, threads=1, bfloat16=False,
                            window=WindowSettings(side_px=64, at_object=0.0))
preset = Preset(DetectorSettings(width=0.125, channels=16), settings)

class Keep(Hook):
    def after_train(self, runner):
        state = {name: value for name, value in runner.model.module.named_parameters()}
        torch.save({name: value.detach() for name, value in state.items()}, f"{folder}.{runner.rank}.pth")

follow = detector._follow
def both(runner, *rest):
    follow(runner, *rest)
    runner.register_hook(Keep())
detector._follow = both

def progress(done, steps):
    if done == stops:
        raise KeyboardInterrupt
detector.train(SPEC, preset, Given(shards=shards), folder, init_from=start, progress=progress)
"""
