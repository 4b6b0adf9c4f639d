"""A drawn street and a very small RTMDet-Ins that has learned it by heart, for tests of what mmdet finds."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from models.mm.configs import build_network, read_config

SIZE_HW = (128, 192)
CLASSES = ("person", "car", "truck")
_CONFIG = """
_base_ = "mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py"
classes = ("person", "car", "truck")
model = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.125),
    neck=dict(in_channels=[32, 64, 128], out_channels=32, num_csp_blocks=1),
    bbox_head=dict(in_channels=32, feat_channels=32, num_classes=3),
)
test_dataloader = dict(
    dataset=dict(
        metainfo=dict(classes=classes),
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="Resize", scale=(192, 192), keep_ratio=True),
            dict(type="Pad", size=(192, 192), pad_val=dict(img=(114, 114, 114))),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
        ],
    )
)
"""


def scene() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The street (H, W, 3), the masks (N, H, W) bool of a person and two cars on it, and their classes."""
    image = np.full((*SIZE_HW, 3), (110, 120, 115), np.uint8)
    shapes = [("person", (30, 40), (8, 24), (40, 60, 200)), ("car", (90, 80), (28, 14), (200, 60, 40)),
              ("car", (150, 40), (24, 12), (200, 180, 40))]  # fmt: skip
    found, labels = [], []
    for name, centre, axes, colour in shapes:
        mask = np.zeros(SIZE_HW, np.uint8)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
        image[mask > 0] = colour
        found.append(mask > 0)
        labels.append(CLASSES.index(name))
    return image, np.stack(found), labels


def write_config(folder: Path, more: str = "") -> Path:
    """The small network's config."""
    path = folder / "small.py"
    path.write_text(_CONFIG + more)
    return path


def train_by_heart(config: Path, steps: int, seed: int = 0) -> torch.nn.Module:
    """The small network after some steps on the street and its mirror image."""
    torch.manual_seed(seed)
    model = build_network(read_config(config))
    model.init_weights()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    data = {"inputs": [], "data_samples": []}
    for flip in (False, True):
        tensor, sample = _example(flip)
        data["inputs"].append(tensor)
        data["data_samples"].append(sample)
    for _ in range(steps):
        batch = model.data_preprocessor(data, training=True)
        loss, _ = model.parse_losses(model.loss(batch["inputs"], batch["data_samples"]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    return model


def _example(flip: bool) -> tuple[torch.Tensor, DetDataSample]:
    image, masks, labels = scene()
    image, masks = (image[:, ::-1], masks[:, :, ::-1]) if flip else (image, masks)
    size = 192
    canvas = np.full((size, size, 3), 114, np.uint8)
    canvas[: SIZE_HW[0]] = image
    whole = np.zeros((len(masks), size, size), np.uint8)
    whole[:, : SIZE_HW[0]] = masks
    boxes = [(*np.argwhere(m).min(0)[::-1], *(np.argwhere(m).max(0)[::-1] + 1)) for m in whole]
    sample = DetDataSample(metainfo={"img_shape": (size, size), "ori_shape": (size, size), "scale_factor": (1.0, 1.0)})
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(np.array(boxes, np.float32)), labels=torch.tensor(labels),
        masks=BitmapMasks(whole, size, size),
    )  # fmt: skip
    return torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1))), sample
