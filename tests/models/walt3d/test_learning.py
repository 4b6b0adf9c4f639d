"""From scenes through training to a picture's objects, as a user runs it, on a few streets learnt by heart."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import yaml
from composed_streets import composed, write_composed
from small_walt3d import SMALL

from models.contract import Splits, SteppedTraining
from models.scenes import WindowSettings
from models.scenes.evaluate import evaluate_scenes
from models.scenes.objects import Scenes
from models.train import Recipe, train_recipe
from models.walt3d import SPEC
from models.walt3d.data import Windows
from models.walt3d.network import Walt3d, load
from tasks.predict.command import main

STEPS = 240


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """The shards of eight streets, and the weights that learnt them."""
    folder = tmp_path_factory.mktemp("learnt")
    shards = write_composed(folder / "clipart", 8, val_every=100)
    settings = replace(SMALL, window=WindowSettings(128, smallest=1.0, largest=1.0, illumination=0.0, noise=0.0))
    windows = Windows(Scenes([shards], "train"), settings, 0, "amodal", augment=False)
    torch.manual_seed(0)
    network = Walt3d(settings)
    network.initialise(0)
    training = SteppedTraining(
        steps=STEPS, batch=4, lr=3e-3, warmup=20, clip=5.0, ema=0.97, evaluate_every=STEPS, val_samples=4, workers=0,
        threads=1, bfloat16=False,
    )  # fmt: skip
    train_recipe(Recipe(network, Splits(windows, windows), SPEC.config(settings), SPEC.best), training, folder / "run")
    return shards, folder / "run" / SPEC.trained


def test_a_few_streets_are_learnt_by_heart(learnt):
    shards, weights = learnt
    predictor = load(SPEC, weights, "cpu", least=0.0, bodies=False)
    rows = evaluate_scenes(predictor.of_frames, Scenes([shards], "train"))
    masks = next(row for row in rows if row["of"] == "masks")
    people = next(row for row in rows if row["of"] == "keypoints of person")
    means = next(row for row in rows if row["of"] == "masks of what is found")
    assert masks["count"] == 24 and masks["AP50"] > 0.65 and masks["recall"] > 0.7
    assert people["PCK@0.1"] > 0.8 and means["mIoU whole"] > 0.7


def test_a_picture_gives_json_and_a_picture_with_poses_where_the_camera_is_known(learnt, tmp_path, capsys):
    _, weights = learnt
    image, rows = composed(4)
    cv2.imwrite(str(tmp_path / "street.png"), image)
    (tmp_path / "cameras").mkdir()
    source = {"kind": "simulated", "layout": "crossroads", "seed": 1, "date": "2024-05-14", "time_zone": "UTC",
              "size_wh": [192, 128], "buckets": [{"name": "noon", "start": "12:00", "cloud": 0.1}],
              "bursts_per_bucket": 1, "burst_s": 1, "fps": 1, "vehicles_per_minute": 1,
              "people_per_minute": 1}  # fmt: skip
    about = {"source": source, "calibration": {"focal_px": 190, "tilt_deg": 18, "height_m": 5}}
    (tmp_path / "cameras" / "gate.yaml").write_text(yaml.safe_dump(about))
    asked = ["walt3d", str(tmp_path / "street.png"), "--weights", str(weights), "--out", str(tmp_path / "out")]
    assert main([*asked, "--camera", "gate", "--manifests", str(tmp_path / "cameras")]) == 0, capsys.readouterr().err
    (picture,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["pictures"]
    assert len(picture["objects"]) >= 2 and set(SPEC.gives) <= set(picture["objects"][0])
    vehicles = [one for one in picture["objects"] if one["category"] == "vehicle"]
    people = [one for one in picture["objects"] if one["category"] == "person"]
    assert vehicles and any(one["t"] and one["t"][2] is not None for one in vehicles)
    assert people and all(np.isfinite(one["smpl_transl"]).all() and len(one["smpl_theta"]) == 72 for one in people)
    true = next(row for row in rows if row["category"] == "person")
    assert abs(people[0]["smpl_transl"][2] - true["t"][2]) < 0.25 * true["t"][2]
    shown = cv2.imread(str(tmp_path / "out" / picture["picture"]))
    assert shown.shape[1] >= image.shape[1] and shown.std() > image.std() / 2
