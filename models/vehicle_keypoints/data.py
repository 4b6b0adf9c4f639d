"""Samples as the network takes them, from rendered sprites or from human labels: sample i is a pure function of i."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel
from models.crops import crop_square, squares_of, to_cells
from models.labels.keypoints import LabelledCrop
from models.metrics.keypoints import pck_radius_cells
from models.synthetic.photograph import photographed
from models.synthetic.vehicle_crops import compose
from models.synthetic.vehicle_shards import Library
from pipeline.core.skeletons import VEHICLE_12

_FLIP = list(VEHICLE_12.flip)


def as_sample(image_rgb: np.ndarray, box_xywh: np.ndarray, xy: np.ndarray, state: np.ndarray) -> dict[str, Tensor]:
    """One item of a batch from an RGB image, a box (4,), keypoints (12, 2) pixel centres and states (12,)."""
    window = squares_of(np.asarray(box_xywh)[None])
    return {
        "image": torch.from_numpy(crop_square(image_rgb, window[0])).permute(2, 0, 1),
        "cells": torch.from_numpy(to_cells(xy[None], window)[0].astype(np.float32)),
        "state": torch.from_numpy(state.astype(np.int64)),
        "radius": torch.tensor(pck_radius_cells(), dtype=torch.float32),
    }


class RenderedCrops:
    """Endless crops composed of a library of sprites."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library, self.seed = library, seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        crop = compose(self.library, np.random.default_rng([self.seed, index]))
        sample = as_sample(crop.image, crop.box_xywh, edge_to_pixel(crop.keypoints), crop.state)
        return sample | {"size": torch.tensor(crop.size_px, dtype=torch.float32)}


class LabelledCrops:
    """Human-labelled crops, endlessly, in a new order each round; jittered, flipped and degraded unless `plain`."""

    def __init__(self, crops: Sequence[LabelledCrop], seed: int, *, plain: bool = False) -> None:
        if not crops:
            raise ValueError("labels: expected at least one labelled vehicle, got none")
        self.crops, self.seed, self.plain = crops, seed, plain

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        lap, place = divmod(index, len(self.crops))
        order = np.random.default_rng([self.seed, lap]).permutation(len(self.crops))
        crop = self.crops[place if self.plain else order[place]]
        image, box, xy, state = _read_rgb(crop), crop.box_xywh, crop.xy, crop.state
        if not self.plain:
            image, box, xy, state = _varied(image, box, xy, state, np.random.default_rng([self.seed, 1, index]))
        size = torch.tensor(float(max(crop.box_xywh[2:])), dtype=torch.float32)
        return as_sample(image, box, xy, state) | {"size": size}


def _read_rgb(crop: LabelledCrop) -> np.ndarray:
    image = cv2.imread(str(crop.image), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{crop.image}: cannot be read as a picture")
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def _varied(
    image: np.ndarray, box: np.ndarray, xy: np.ndarray, state: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Jitter the box, degrade the picture, and mirror every other sample."""
    box = box + np.clip(rng.normal(0, 0.03, 4), -0.08, 0.08) * max(box[2:])
    image = photographed(image, 0.4, rng)
    if rng.uniform() < 0.5:
        width = image.shape[1]
        image, box = np.ascontiguousarray(image[:, ::-1]), np.array([width - box[0] - box[2], *box[1:]])
        xy = np.stack([width - 1 - xy[:, 0], xy[:, 1]], axis=1)[_FLIP]
        state = state[_FLIP]
    return image, box, xy, state
