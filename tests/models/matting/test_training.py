"""Samples and network of the matting network: determinism, what a crop holds, learning, an exact export."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.checkpoints import write_weights
from models.contract import Given
from models.matting import SPEC, MattingSettings
from models.matting.data import CROP_PX, SAMPLES, MattingCrops, _evenly, splits
from models.matting.exported import export
from models.matting.network import MattingNetwork

SMALL = MattingSettings((8, 12, 16, 24))


def sample(seed: int, h: int = 60, w: int = 44) -> dict:
    """A red box on a grey street, its rough mask two pixels too large."""
    rng = np.random.default_rng(seed)
    background = rng.normal(120, 4, (h, w, 3)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((h, w), np.uint8)
    mask[15:45, 14:30] = 1
    frame = np.where(mask[..., None] > 0, np.array([30, 30, 200], np.uint8), background)
    rough = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    layers = {"frame": frame, "background": background, "rough": rough, "mask": mask}
    return {"frame_id": seed, "actor_id": seed, "height": h, "width": w} | {k: v.tobytes() for k, v in layers.items()}


def table(count: int = 4, **size: int) -> pa.Table:
    return pa.Table.from_pylist([sample(i, **size) for i in range(count)], schema=SAMPLES)


@pytest.mark.parametrize("size", [{"h": 60, "w": 44}, {"h": 150, "w": 200}])
def test_crops_are_a_function_of_their_number(size: dict) -> None:
    first, second = (MattingCrops([table(**size)], 3, vary=True) for _ in range(2))
    for number in (0, 7, 10_000):
        one, two = first[number], second[number]
        assert one["inputs"].shape == (10, CROP_PX, CROP_PX)
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(first[0]["inputs"], first[1]["inputs"])


def test_unvaried_crops_hold_the_sample_itself() -> None:
    crop = MattingCrops([table(1)], 0, vary=False)[0]
    assert crop["mask"].sum() == 30 * 16
    red = crop["inputs"][2][crop["mask"][0] > 0]
    torch.testing.assert_close(red, torch.full_like(red, 200 / 127.5 - 1))


def test_no_samples_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match="expected training samples, got none"):
        MattingCrops([SAMPLES.empty_table()], 0, vary=True)


def test_no_actor_of_a_camera_is_in_both_splits(tmp_path: Path) -> None:
    for camera in ("a", "b"):
        pq.write_table(table(21), tmp_path / f"{camera}.parquet")
    train, val = splits(SMALL, Given(data=tmp_path), 0)
    assert {(c, a) for c in (0, 1) for a in (0, 10, 20)} == val.actors
    assert not train.actors & val.actors and len(train.actors) == 2 * 18
    assert set(train.table["actor_id"].to_pylist()) == set(range(21)) - {0, 10, 20}


def test_of_each_actor_a_few_are_kept_from_first_to_last() -> None:
    kept = _evenly(np.array([5, 5, 5, 5, 5, 9, 9]), 3)
    assert kept.tolist() == [0, 2, 4, 5, 6]


def test_the_network_learns_four_samples() -> None:
    torch.manual_seed(0)
    network, crops = MattingNetwork(SMALL), MattingCrops([table()], 0, vary=False)
    batch = {name: torch.stack([crops[i][name] for i in range(4)]) for name in ("inputs", "mask", "rough")}
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        network.loss(network(batch), batch)["total"].backward()
        optimizer.step()
    found = {name: float(value[0] / value[1]) for name, value in network.metrics(network.eval()(batch), batch).items()}
    assert found["iou"] > 0.97 > found["iou_rough"]


def test_export_computes_what_the_network_computes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = MattingNetwork(SMALL).eval()
    write_weights(tmp_path / "w.safetensors", network, SPEC.config(SMALL))
    export(tmp_path / "w.safetensors", tmp_path / "m.onnx")
    reader = cv2.dnn.readNetFromONNX(str(tmp_path / "m.onnx"))
    for size in ((64, 40), (24, 96)):
        x = torch.randn(1, 10, *size)
        reader.setInput(x.numpy())
        np.testing.assert_allclose(reader.forward(), network({"inputs": x}).detach().numpy(), atol=1e-4)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", MattingNetwork(SMALL), {"model": "other"})
    with pytest.raises(ValueError, match="expected weights of matting, got those of 'other'"):
        export(tmp_path / "w.safetensors", tmp_path / "m.onnx")
