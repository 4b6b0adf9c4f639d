"""What it learns from: rendered crops, or human labels whose pictures are split."""

import json

import cv2
import numpy as np
import pytest
import torch

import models
from models.checkpoints import read_weights
from models.contract import Given, Preset, TrainSettings
from models.labels.keypoints import NAMES
from models.train import build, train
from models.vehicle_keypoints import PRESETS, SPEC, KeypointSettings
from models.vehicle_keypoints.data import splits
from models.vehicle_keypoints.network import KeypointNetwork

SMALL = KeypointSettings(width=8)
SHORT = TrainSettings(steps=3, batch=4, lr=1e-3, warmup=1, evaluate_every=3, val_samples=4, workers=0, threads=1,
                      bfloat16=False)  # fmt: skip
TINY = Preset(SMALL, SHORT)
BOXES = [[10, 20, 80, 50], [100, 30, 60, 60], [180, 90, 90, 60], [20, 120, 70, 40]]


def labelled(folder, rng, pictures):
    """A COCO file of four labelled vehicles in each of so many pictures, listed vehicle by vehicle."""
    annotations = []
    for number, (x, y, w, h) in enumerate(BOXES):
        for picture in range(pictures):
            cv2.imwrite(str(folder / f"{picture}.png"), rng.integers(0, 255, (200, 300, 3), dtype=np.uint8))
            xy = rng.uniform([x, y], [x + w, y + h], (12, 2))
            points = np.column_stack([xy, np.full(12, 2)]).reshape(-1).tolist()
            annotations.append({"id": len(annotations), "image_id": picture, "category_id": 1, "bbox": BOXES[number],
                                "keypoints": points})  # fmt: skip
    content = {
        "images": [{"id": picture, "file_name": f"./{picture}.png"} for picture in range(pictures)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "car", "keypoints": list(NAMES)}],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


@pytest.mark.parametrize(("pictures", "kept"), [(2, 1), (11, 1), (20, 2)])
def test_no_picture_of_human_labels_is_in_both_splits(tmp_path, rng, pictures, kept):
    train_set, val_set = splits(SMALL, Given(labels=labelled(tmp_path, rng, pictures)), 0)
    shown, held_out = ({crop.image.name for crop in samples.crops} for samples in (train_set, val_set))
    assert not shown & held_out and len(shown | held_out) == pictures
    assert held_out == {f"{number}.png" for number in range(pictures - kept, pictures)}
    assert len(train_set.crops) == 4 * len(shown) and len(val_set.crops) == 4 * len(held_out)


def test_one_picture_by_two_names_is_one_picture(tmp_path, rng):
    path = labelled(tmp_path, rng, 2)
    content = json.loads(path.read_text())
    (tmp_path / "again").mkdir()
    content["images"][1]["file_name"] = "again/../0.png"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"a\.json: expected labelled vehicles in at least two pictures, got 1"):
        splits(SMALL, Given(labels=path), 0)


def test_rendered_vehicles_of_validation_are_none_of_training_and_backdrops_are_added(crops_folder, tmp_path, rng):
    cv2.imwrite(str(tmp_path / "street.png"), rng.integers(0, 255, (400, 400, 3), dtype=np.uint8))
    plain, more = (splits(SMALL, Given(data=crops_folder, backdrops=b), 0) for b in (None, tmp_path))
    seeds = [{sprite.seed for sprite in samples.library.vehicles} for samples in plain]
    assert not seeds[0] & seeds[1] and all(seeds)
    assert len(more.train.library.backdrops) == len(plain.train.library.backdrops) + 1
    assert len(more.val.library.backdrops) == len(plain.val.library.backdrops)


def test_the_same_seed_starts_from_the_same_weights(crops_folder):
    given = Given(data=crops_folder)
    presets = (Preset(SMALL, TrainSettings(seed=seed)) for seed in (1, 1, 2))
    one, two, other = (build(SPEC, preset, given).network.state_dict() for preset in presets)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["stem.0.weight"], other["stem.0.weight"])


def test_human_labels_go_on_from_a_trained_networks_weights(crops_folder, rng, tmp_path):
    given, human = Given(data=crops_folder), Given(labels=labelled(tmp_path, rng, 3))
    train(SPEC, TINY, given, tmp_path / "first")
    weights = tmp_path / "first/weights.safetensors"
    start, tuned = read_weights(weights)[0], build(SPEC, TINY, human, weights)
    assert all(torch.equal(value, start[name]) for name, value in tuned.network.state_dict().items() if value.ndim)
    assert tuned.config["labels"] == "a.json" and tuned.config["init_from"] == "weights.safetensors"
    last = train(SPEC, TINY, human, tmp_path / "second", init_from=weights)
    assert last["step"] == 3 and "pck_visible" in last
    network = models.load("vehicle_keypoints", tmp_path / "second/weights.safetensors", "cpu")
    (found,) = network(tmp_path / "0.png", boxes=BOXES[:2])
    assert found["keypoints_2d"].shape == (2, 12, 2) and len(found["keypoint_state"]) == 2
    with pytest.raises(ValueError, match="weights of another architecture"):
        build(SPEC, Preset(KeypointSettings(width=16), SHORT), given, weights)
    with pytest.raises(FileNotFoundError, match="no weights there"):
        build(SPEC, TINY, given, tmp_path / "none.safetensors")


def test_presets_are_a_small_and_a_large_one():
    sizes = [sum(p.numel() for p in KeypointNetwork(PRESETS[name].network).parameters()) for name in ("tiny", "base")]
    assert 2 * sizes[0] <= 10e6 and sizes[1] > 3 * sizes[0]  # float16 of what ships fits its bound
