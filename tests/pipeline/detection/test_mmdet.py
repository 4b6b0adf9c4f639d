"""mmdet's networks as detectors: one that has learned a drawn street by heart, and the zoo's with random weights."""

import os
import sys
import time
from datetime import UTC, datetime

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mm_scene import SIZE_HW, scene, train_by_heart, write_config
from mmdet.datasets import CocoDataset

from calibration.camera import Camera, GroundPlane
from models.mm.configs import build_network, read_config, resolve_config
from models.mm.segmenter import RTMDET_INS_TINY, MmdetDetector, MmdetSettings, _categories_of_classes, _distinct
from pipeline.core.instances import BatchDetector, Instance
from pipeline.core.masks import decode
from pipeline.core.tables import FRAMES
from pipeline.detection import DetectionSettings, DetectJob, detect_shard

SWIN = "mask-rcnn_swin-t-p4-w7_fpn_1x_coco"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Settings of the small network after it has learned the street."""
    folder = tmp_path_factory.mktemp("small")
    config, checkpoint = write_config(folder), folder / "small.pth"
    torch.save({"state_dict": train_by_heart(config, 80).state_dict(), "meta": {}}, checkpoint)
    return {"config": str(config), "checkpoint": str(checkpoint), "device": "cpu"}


@pytest.fixture(scope="module")
def detector(learned):
    return MmdetDetector(MmdetSettings(**learned))


def whole(instance: Instance, size_hw=SIZE_HW) -> np.ndarray:
    """The mask (H, W) bool, after asserting that the crop is tight and inside."""
    x, y, w, h = instance.box_xywh
    assert 0 <= x and x + w <= size_hw[1] and 0 <= y and y + h <= size_hw[0]
    for edge in (instance.crop[0], instance.crop[-1], instance.crop[:, 0], instance.crop[:, -1]):
        assert edge.any()
    mask = np.zeros(size_hw, bool)
    mask[y : y + h, x : x + w] = instance.crop
    return mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_it_finds_the_drawn_person_and_cars_where_they_are(detector):
    image, masks, _ = scene()
    found = detector(image, "day", 0)
    assert sorted(i.category for i in found) == ["person", "vehicle", "vehicle"]
    assert [i.score for i in found] == sorted((i.score for i in found), reverse=True)
    for category, mask in zip(("person", "vehicle", "vehicle"), masks, strict=True):
        assert max(iou(whole(i), mask) for i in found if i.category == category) > 0.75


def test_a_frame_of_another_size_gets_masks_of_its_size(detector):
    image, masks, _ = scene()
    twice = np.kron(image, np.ones((2, 2, 1), np.uint8))
    found = detector(twice, "day", 0)
    assert len(found) == 3
    for mask in masks:
        assert max(iou(whole(i, twice.shape[:2]), np.kron(mask, np.ones((2, 2), bool))) for i in found) > 0.7


def test_a_batch_finds_what_single_frames_do(detector):
    image, _, _ = scene()
    frames = [image, image[:, ::-1].copy(), np.full_like(image, 115), image]
    together, alone = detector.many(frames), [detector(frame, "day", 0) for frame in frames]
    assert isinstance(detector, BatchDetector) and [len(found) for found in together] == [3, 3, 0, 3]
    for many, one in zip(together, alone, strict=True):
        for a, b in zip(many, one, strict=True):
            assert a.category == b.category and a.score == pytest.approx(b.score, abs=1e-4)
            assert iou(whole(a), whole(b)) > 0.99


def test_classes_are_named_in_settings(learned):
    image, masks, _ = scene()
    found = MmdetDetector(MmdetSettings(**learned, person_classes="Car, Martian", vehicle_classes="")).many([image])[0]
    assert [i.category for i in found] == ["person", "person"]
    assert all(max(iou(whole(i), mask) for mask in masks[1:]) > 0.75 for i in found)


def test_what_is_ignored_or_small_is_left_out(learned):
    image, masks, _ = scene()
    ignore = np.zeros(SIZE_HW, bool)
    ignore[:, :100] = True
    for instance in MmdetDetector(MmdetSettings(**learned), ignore)(image, "day", 0):
        assert not (whole(instance) & ignore).any()
    largest = max(int(mask.sum()) for mask in masks)
    (car,) = MmdetDetector(MmdetSettings(**learned, min_area_px=round(0.85 * largest)))(image, "day", 0)
    assert car.category == "vehicle" and iou(whole(car), masks[1]) > 0.75


def test_the_checkpoints_classes_come_before_the_configs(learned, tmp_path):
    content = torch.load(learned["checkpoint"], weights_only=True)
    other = tmp_path / "named.pth"
    torch.save(content | {"meta": {"dataset_meta": {"CLASSES": ("truck", "dog", "person")}}}, other)
    image, _, _ = scene()
    found = MmdetDetector(MmdetSettings(**learned | {"checkpoint": str(other)}))(image, "day", 0)
    assert [i.category for i in found] == ["vehicle"]  # the person is class 0, the cars are class 1


def test_a_block_of_frames_becomes_rows_whatever_the_batch(learned, tmp_path):
    image, masks, _ = scene()
    rows = []
    for k in range(5):
        cv2.imwrite(str(tmp_path / f"{k}.png"), image if k != 3 else np.full_like(image, 115))
        rows.append(
            {
                "frame_id": k, "timestamp": datetime(2024, 5, 1, 0, 0, k, tzinfo=UTC), "bucket": "day", "sequence": 0,
                "source": f"{k}.png", "position": -1, "width": 192, "height": 128, "status": "ok",
            }
        )  # fmt: skip
    index = tmp_path / "index.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=FRAMES), index)
    camera = Camera(np.array([[200.0, 0, 95.5], [0, 200.0, 63.5], [0, 0, 1]]), SIZE_HW)
    tables = []
    for batch in (1, 2):
        settings = DetectionSettings(detector="mmdet", options=MmdetSettings(**learned, batch=batch))
        job = DetectJob(
            "part-00000", range(5), index, tmp_path, tmp_path, tmp_path / f"{batch}.parquet", settings, camera,
            GroundPlane.from_tilt(25.0, 0.0, 7.0),
        )  # fmt: skip
        done = []
        assert detect_shard(job, lambda k, total, done=done: done.append((k, total))) == 12
        assert done == [(k, 5) for k in range(1, 6)]
        tables.append(pq.read_table(job.out).to_pylist())
    assert [row["frame_id"] for row in tables[1]] == [0] * 3 + [1] * 3 + [2] * 3 + [4] * 3
    for one, two in zip(*tables, strict=True):
        assert {k: one[k] for k in ("detection_id", "category")} == {k: two[k] for k in ("detection_id", "category")}
        assert np.abs(np.subtract(one["bbox_xywh"], two["bbox_xywh"])).max() <= 1
    for row in tables[1]:
        crop, (x, y, w, h) = decode(row["mask_rle"], SIZE_HW)
        full = np.zeros(SIZE_HW, bool)
        full[y : y + h, x : x + w] = crop
        assert max(iou(full, mask) for mask in masks) > 0.75


def square(x: int, category: str, score: float) -> Instance:
    return Instance(category, score, np.ones((20, 20), bool), (x, 0))


def test_a_van_that_is_a_car_and_a_truck_is_one_vehicle():
    found = [square(0, "vehicle", 0.6), square(2, "vehicle", 0.9), square(1, "person", 0.7), square(40, "vehicle", 0.5)]
    assert [(i.category, i.score) for i in _distinct(found, 0.6)] == [
        ("vehicle", 0.9), ("person", 0.7), ("vehicle", 0.5),
    ]  # fmt: skip


# Networks' scores are single precision, and so they are compared.
@given(st.lists(st.tuples(st.integers(0, 60), st.floats(2**-6, 1, width=32)), max_size=8))
def test_what_is_kept_overlaps_no_more_than_allowed_and_nothing_else_is_lost(drawn):
    found = [square(x, "vehicle", score) for x, score in drawn]
    kept = _distinct(found, 0.6)

    def overlap(a: Instance, b: Instance) -> float:
        shared = max(0, 20 - abs(a.xy[0] - b.xy[0]))
        return shared / (40 - shared)

    assert all(overlap(a, b) <= 0.6 + 1e-6 for n, a in enumerate(kept) for b in kept[n + 1 :])
    assert all(any(overlap(i, k) > 0.6 - 1e-6 and k.score >= i.score for k in kept) for i in found)


def test_names_that_no_class_has_are_told():
    assert _categories_of_classes(("dog", "Car", "person"), MmdetSettings()) == {1: "vehicle", 2: "person"}
    with pytest.raises(
        ValueError, match=r"none of person_classes and vehicle_classes is one of its 2 classes: cat, dog"
    ):
        _categories_of_classes(("cat", "dog"), MmdetSettings(config="pets.py"))


@pytest.mark.parametrize("name", [RTMDET_INS_TINY, SWIN])
def test_the_zoos_networks_run_with_random_weights(tmp_path, name):
    torch.manual_seed(0)
    config = resolve_config(name)
    checkpoint = tmp_path / "random.pth"
    torch.save({"state_dict": build_network(read_config(config)).state_dict()}, checkpoint)
    # Half of the usual side: only the size of the pictures is not the zoo's.
    small = tmp_path / "small.py"
    keys = '"img_id", "img_path", "ori_shape", "img_shape", "scale_factor"'
    small.write_text(
        f'_base_ = "mmdet::{config.parent.name}/{config.name}"\n'
        'test_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFromFile"), dict(type="Resize", '
        f'scale=(320, 192), keep_ratio=True), dict(type="PackDetInputs", meta_keys=({keys}))]))\n'
    )
    known = ",".join(CocoDataset.METAINFO["classes"])
    settings = MmdetSettings(
        config=str(small), checkpoint=str(checkpoint), min_score=0.0, min_area_px=1, vehicle_classes=known, device="cpu"
    )
    detector = MmdetDetector(settings)
    assert len(detector.categories) == 80
    frames = np.random.default_rng(0).integers(0, 255, (2, 192, 320, 3), np.uint8)
    for found in detector.many(list(frames)):
        assert found and all(whole(i, (192, 320)).any() for i in found)


class RunsWhenRead:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_no_code_of_a_hostile_checkpoint_runs(learned, tmp_path):
    path, ran = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"state_dict": {}, "message_hub": RunsWhenRead(f"touch {ran}")}, path)
    with pytest.raises(ValueError, match=r"refused: it asks for .*system, which could run code"):
        MmdetDetector(MmdetSettings(**learned | {"checkpoint": str(path)}))
    time.sleep(0.2)
    assert not ran.exists()


def test_weights_of_another_network_are_refused(learned, tmp_path):
    wide = tmp_path / "wide.pth"
    torch.save({"state_dict": build_network(read_config(resolve_config(RTMDET_INS_TINY))).state_dict()}, wide)
    with pytest.raises(ValueError, match=r"wide\.pth: weights of another architecture: \d+ tensors differ, first "):
        MmdetDetector(MmdetSettings(**learned | {"checkpoint": str(wide)}))


def test_a_network_without_masks_is_refused(tmp_path):
    config, checkpoint = tmp_path / "boxes.py", tmp_path / "boxes.pth"
    config.write_text('_base_ = "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py"\n')
    torch.save({"state_dict": build_network(read_config(config)).state_dict()}, checkpoint)
    boxes = MmdetDetector(MmdetSettings(config=str(config), checkpoint=str(checkpoint), device="cpu"))
    with pytest.raises(ValueError, match=r"boxes\.py: it finds no masks of instances; expected instance segmentation"):
        boxes(scene()[0], "day", 0)


def test_classes_that_do_not_fit_the_network_are_told(learned, tmp_path):
    path = tmp_path / "more.py"
    path.write_text(
        f'_base_ = "{learned["config"]}"\ntest_dataloader = dict(dataset=dict(metainfo=dict(classes=("car",))))'
    )
    with pytest.raises(ValueError, match=r"more\.py: the network tells 3 classes apart, but 1 are named"):
        MmdetDetector(MmdetSettings(**learned | {"config": str(path)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"config": "rtmdet-ins_tiny"},
            r"'rtmdet-ins_tiny': no config of the model zoo has this name; alike are rtmdet",
        ),
        ({"config": "nowhere/a.py"}, r"'nowhere/a\.py': no such file"),
        ({"checkpoint": "nowhere.pth"}, r"checkpoint nowhere\.pth: no such file; `make weights`"),
        ({"checkpoint": ""}, r"checkpoint: expected the path of a \.pth, got none"),
        ({"device": "toaster"}, r"device: expected auto, cpu or cuda, got 'toaster'"),
        ({"device": "cuda:99"}, r"device: 'cuda:99' is not there; torch sees \d+ CUDA devices"),
    ],
)
def test_a_mistake_is_told_in_one_line(learned, change, message):
    with pytest.raises(ValueError, match=message) as told:
        MmdetDetector(MmdetSettings(**learned | change))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["batch", "threads"])
def test_counts_are_one_or_more(name):
    with pytest.raises(ValueError, match=rf"detector mmdet: {name}: expected 1 or more, got 0"):
        MmdetSettings(**{name: 0})


def test_without_the_extra_the_command_is_named(learned, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mmdet"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if "PathFinder" in repr(f)])
    with pytest.raises(ValueError, match=r"^mmdet is not installed; run `make setup-mm`$"):
        MmdetDetector(MmdetSettings(**learned))
