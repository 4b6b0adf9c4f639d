"""Samples as the network takes them, from rendered sprites or from human labels.

Rendered vehicles of validation are others than those of training. Of human labels the pictures are split, not the
vehicles, for vehicles of one picture share its street and its illumination: the last tenth of the pictures, in the
file's order, is kept for validation, which where they are frames of a video is its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calibration.camera import edge_to_pixel
from models.contract import Given, Splits
from models.crops import crop_square, squares_of, to_cells
from models.frames import read_picture
from models.labels.keypoints import LabelledCrop, read_coco, read_deeplabcut
from models.metrics.keypoints import pck_radius_cells
from models.synthetic.photograph import photographed
from models.synthetic.vehicle_crops import compose_vehicle
from models.synthetic.vehicle_shards import VehicleLibrary, read_backdrops, read_library
from models.vehicle_keypoints import KeypointSettings
from pipeline.core.skeletons import VEHICLE_12

_FLIP = list(VEHICLE_12.flip)
_KEPT = 10  # one picture in so many validates


def splits(settings: KeypointSettings, given: Given, seed: int) -> Splits:
    """Of rendered crops, or of human labels where a DeepLabCut CSV or a COCO JSON is given.

    Pictures in the folder `backdrops`, empty streets best, stand behind vehicles beside the procedural ones. Raises
    ValueError for labels that cannot be read, and FileNotFoundError where nothing was rendered.
    """
    if given.labels is not None:
        return _splits_of_labels(given.labels, given.images or given.labels.parent, seed)
    if given.data is None:
        raise ValueError("vehicle_keypoints: expected rendered crops or --labels, got neither")
    library = read_library(given.data / "train")
    if given.backdrops is not None:
        library = replace(library, backdrops=[*library.backdrops, *read_backdrops(given.backdrops)])
    return Splits(RenderedCrops(library, seed), RenderedCrops(read_library(given.data / "val"), seed + 1))


def _splits_of_labels(labels: Path, images: Path, seed: int) -> Splits:
    known = read_deeplabcut(labels, images) if labels.suffix == ".csv" else read_coco(labels, images)
    pictures = list(dict.fromkeys(crop.image.resolve() for crop in known))
    if len(pictures) < 2:
        raise ValueError(f"{labels}: expected labelled vehicles in at least two pictures, got {len(pictures)}")
    kept = set(pictures[-max(1, len(pictures) // _KEPT) :])
    train, val = ([crop for crop in known if (crop.image.resolve() in kept) == held_out] for held_out in (False, True))
    return Splits(LabelledCrops(train, seed), LabelledCrops(val, seed, plain=True))


def keypoint_sample(
    image_rgb: np.ndarray, box_xywh: np.ndarray, xy: np.ndarray, state: np.ndarray
) -> dict[str, Tensor]:
    """One item of a batch from an RGB image, a box (4,), keypoints (12, 2) pixel centres and states (12,)."""
    square = squares_of(np.asarray(box_xywh)[None])
    return {
        "image": torch.from_numpy(crop_square(image_rgb, square[0])).permute(2, 0, 1),
        "cells": torch.from_numpy(to_cells(xy[None], square)[0].astype(np.float32)),
        "state": torch.from_numpy(state.astype(np.int64)),
        "radius": torch.tensor(pck_radius_cells(), dtype=torch.float32),
    }


class RenderedCrops:
    """Endless crops composed of a library of sprites."""

    def __init__(self, library: VehicleLibrary, seed: int) -> None:
        self.library, self.seed = library, seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        crop = compose_vehicle(self.library, np.random.default_rng([self.seed, index]))
        sample = keypoint_sample(crop.image, crop.box_xywh, edge_to_pixel(crop.keypoints), crop.state)
        return sample | {"size": torch.tensor(crop.size_px, dtype=torch.float32)}


class LabelledCrops:
    """Human-labelled crops, endlessly, in a new order each time; jittered, flipped and degraded unless `plain`."""

    def __init__(self, crops: Sequence[LabelledCrop], seed: int, *, plain: bool = False) -> None:
        if not crops:
            raise ValueError("labels: expected at least one labelled vehicle, got none")
        self.crops, self.seed, self.plain = crops, seed, plain

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        lap, place = divmod(index, len(self.crops))
        order = np.random.default_rng([self.seed, lap]).permutation(len(self.crops))
        crop = self.crops[place if self.plain else order[place]]
        image, box = np.ascontiguousarray(read_picture(crop.image)[..., ::-1]), crop.box_xywh
        xy, state = crop.xy, crop.state
        if not self.plain:
            image, box, xy, state = _varied(image, box, xy, state, np.random.default_rng([self.seed, 1, index]))
        size = torch.tensor(float(max(crop.box_xywh[2:])), dtype=torch.float32)
        return keypoint_sample(image, box, xy, state) | {"size": size}


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
