import dataclasses
import json

import numpy as np
import pytest
import torch
from drawn_streets import street, visible, write_coco, write_shards

from models.detector.evaluate import judge
from models.detector.pictures import ClipArt
from models.detector.presets import DetectorSettings
from models.detector.train import CONFIG, WEIGHTS, train
from models.detector.windows import WindowSettings
from pipeline.detection.mmdet import MmdetDetector, MmdetSettings

SMALL = DetectorSettings(
    width=0.125, channels=16, batch=2, steps=4, warmup=2, save_every=1, workers=0, threads=1, bfloat16=False,
    window=WindowSettings(side_px=64),
)  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("clipart"), 40)


def weights_of(folder):
    return torch.load(folder / WEIGHTS, weights_only=True)["state_dict"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_stopped_run_goes_on_to_the_same_weights(shards, tmp_path):
    source = {"shards": str(shards), "masks": "visible"}
    train(SMALL, source, tmp_path / "whole")

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, source, tmp_path / "halted", progress=stop)
    assert not (tmp_path / "halted" / WEIGHTS).exists()
    told = []
    train(SMALL, source, tmp_path / "halted", progress=lambda done, steps: told.append((done, steps)))
    assert told[-1] == (4, 4) and told[0][0] > 1
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "halted"))
    history = json.loads((tmp_path / "halted" / "metrics.json").read_text())
    assert [row["step"] for row in history] == [1, 2, 3, 4]
    assert all(np.isfinite(row["loss"]) and row["seconds"] > 0 for row in history)


def test_another_seed_learns_other_weights_and_another_configuration_is_refused(shards, tmp_path):
    source = {"shards": str(shards), "masks": "visible"}
    few = dataclasses.replace(SMALL, steps=1)
    train(few, source, tmp_path / "one")
    train(dataclasses.replace(few, seed=1), source, tmp_path / "two")
    assert not same(weights_of(tmp_path / "one"), weights_of(tmp_path / "two"))
    with pytest.raises(ValueError, match="started with another"):
        train(dataclasses.replace(few, lr=1e-4), source, tmp_path / "one")


def test_a_run_starts_from_what_fits_of_other_weights(shards, tmp_path):
    source = {"shards": str(shards), "masks": "visible"}
    few = dataclasses.replace(SMALL, steps=1, lr=1e-12, ema=0.5)
    train(few, source, tmp_path / "one")
    train(dataclasses.replace(few, seed=1), source, tmp_path / "two", init_from=tmp_path / "one" / WEIGHTS)
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    name = "backbone.stage1.0.conv.weight"
    assert torch.allclose(one[name], two[name], atol=1e-6)
    wider = dataclasses.replace(few, width=0.25, channels=32)
    with pytest.raises(ValueError, match="weights of another architecture"):
        train(wider, source, tmp_path / "three", init_from=tmp_path / "one" / WEIGHTS)


def test_what_it_learned_is_what_the_mmdet_detector_finds(shards, tmp_path):
    """The circle: scenes, training, detection, with nothing downloaded."""
    learn = dataclasses.replace(
        SMALL, width=0.25, channels=32, batch=8, steps=160, lr=3e-3, warmup=10, ema=0.05, save_every=1000,
        window=WindowSettings(side_px=96, smallest=0.9, largest=1.1, light=0.1, noise=2.0),
    )  # fmt: skip
    train(learn, {"shards": str(shards), "masks": "visible"}, tmp_path)
    settings = MmdetSettings(config=str(tmp_path / CONFIG), checkpoint=str(tmp_path / WEIGHTS), min_score=0.05)
    rows = judge(MmdetDetector(settings), ClipArt(shards, kept_back=True))
    assert rows[0]["count"] == 8
    assert rows[0]["AP50"] > 0.8, rows
    sure = MmdetDetector(dataclasses.replace(settings, min_score=0.3))
    image, objects = street(1009)
    found = {one.category: one for one in sure(image, "", 0)[::-1]}  # the surest of each
    for (category, _), seen in zip(objects, visible(objects), strict=True):
        mask = np.zeros(seen.shape, bool)
        (x, y), (h, w) = found[category].xy, found[category].crop.shape
        mask[y : y + h, x : x + w] = found[category].crop
        assert (mask & seen).sum() / (mask | seen).sum() > 0.6


def test_coco_labels_train_as_well(tmp_path):
    labels = write_coco(tmp_path / "frames", 20)
    source = {"labels": str(labels), "images": str(labels.parent)}
    last = train(dataclasses.replace(SMALL, steps=2), source, tmp_path / "run")
    assert set(last) >= {"loss", "loss_mask", "seconds"}


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(shards, tmp_path, capsys):
    source = {"shards": str(shards), "masks": "visible"}

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, source, tmp_path, progress=stop)
    (tmp_path / "checkpoint_4.pth").write_bytes(b"half")
    train(SMALL, source, tmp_path)
    assert "passed over" in capsys.readouterr().out
    assert (tmp_path / WEIGHTS).exists()
