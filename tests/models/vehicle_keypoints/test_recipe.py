import json

import cv2
import numpy as np
import pytest
import torch

from models.checkpoints import read_weights
from models.labels.keypoints import NAMES
from models.train import TrainSettings, train
from models.vehicle_keypoints import load
from models.vehicle_keypoints.network import NetworkSettings
from models.vehicle_keypoints.recipe import PRESETS, build

SMALL = NetworkSettings(width=8)
SHORT = TrainSettings(steps=3, batch=4, lr=1e-3, warmup=1, evaluate_every=3, val_samples=4, workers=0, threads=1,
                      bfloat16=False)  # fmt: skip


@pytest.fixture
def human(tmp_path, rng):
    """A COCO file of four labelled vehicles in one picture."""
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (200, 300, 3), dtype=np.uint8))
    boxes = [[10, 20, 80, 50], [100, 30, 60, 60], [180, 90, 90, 60], [20, 120, 70, 40]]
    annotations = []
    for number, (x, y, w, h) in enumerate(boxes):
        xy = rng.uniform([x, y], [x + w, y + h], (12, 2))
        points = np.column_stack([xy, np.full(12, 2)]).reshape(-1).tolist()
        annotations.append({"id": number, "image_id": 1, "category_id": 1, "bbox": [x, y, w, h], "keypoints": points})
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "car", "keypoints": list(NAMES)}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    return tmp_path / "a.json"


def test_the_same_seed_starts_from_the_same_weights(crops_folder):
    one, two, other = (build(SMALL, seed, crops_folder).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["stem.0.weight"], other["stem.0.weight"])


def test_human_labels_go_on_from_a_trained_networks_weights(crops_folder, human, tmp_path):
    train(build(SMALL, 0, crops_folder), SHORT, tmp_path / "first")
    weights = tmp_path / "first/weights.safetensors"
    tuned = build(SMALL, 0, crops_folder, init_from=weights, labels=human)
    start = read_weights(weights)[0]
    assert all(torch.equal(value, start[name]) for name, value in tuned.network.state_dict().items() if value.ndim)
    last = train(tuned, SHORT, tmp_path / "second")
    assert last["step"] == 3 and "pck_visible" in last
    found = load(tmp_path / "second/weights.safetensors", "cpu").predict([cv2.imread(str(human.with_name("a.png")))],
                                                                         np.array([[10, 20, 80, 50]]))  # fmt: skip
    assert found.xy.shape == (1, 12, 2)
    with pytest.raises(ValueError, match="weights of another architecture"):
        build(NetworkSettings(width=16), 0, crops_folder, init_from=weights)
    with pytest.raises(FileNotFoundError, match="no weights there"):
        build(SMALL, 0, crops_folder, init_from=tmp_path / "none.safetensors")


def test_presets_are_a_small_and_a_large_one():
    sizes = [build_size(PRESETS[name][0]) for name in ("tiny", "base")]
    assert 2 * sizes[0] <= 10e6 and sizes[1] > 3 * sizes[0]  # float16 of what ships fits its bound


def build_size(settings):
    from models.vehicle_keypoints.network import KeypointNetwork

    return sum(p.numel() for p in KeypointNetwork(settings).parameters())
