"""Samples as the network takes them, from tables of crops: sample i is a pure function of i and the seed.

Every tenth group of a camera is kept for validation: an actor of a simulated one, a track of a labelled one, a picture
of a CVAT file; what is of no object goes by its frame. No group is in both splits.

Varied: mirrored, moved and scaled, illumination, blur, noise and JPEG, and a mask that is larger, smaller, or only a
box, as other detectors and human boxes give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from models.contract import Given, Splits
from models.labels.occlusion import BEYOND, CLASSES, INPUT_PX, OBJECT, STORED_PX, STREET, middle
from models.labels.occlusion_csv import crops_of_csv
from models.labels.occlusion_cvat import crops_of_cvat
from models.occlusion_classifier import ClassifierSettings
from pipeline.core.storage import read_table

_SHIFT_PX, _SCALES = 6.0, (0.8, 1.15)  # remains inside what is stored
_INSIDE = (STREET + OBJECT) // 2


def splits(settings: ClassifierSettings, given: Given, seed: int) -> Splits:
    """Of the CROPS tables of a folder, one a camera, or of human labels: our CSV, or CVAT's XML with its pictures.

    Raises ValueError for labels that cannot be read, and where there is nothing to learn from or to validate on.
    """
    tables = read_simulated(given.data) if given.labels is None else [labelled_crops(given.labels, given.images)]
    # Actors of two cameras share numbers: each camera is split by itself.
    train, val = zip(*(split(table) for table in tables), strict=True)
    return Splits(Crops(train, seed, vary=True), Crops(val, seed, vary=False))


def read_simulated(folder: Path | None) -> list[pa.Table]:
    """The CROPS tables that OcclusionCrops wrote, one a camera. Raises ValueError where there is none."""
    paths = sorted(folder.glob("*.parquet")) if folder else []
    if not paths:
        raise ValueError(f"{folder}: no crops there; run `luigi --module tasks OcclusionCrops`")
    return [read_table(path) for path in paths]


def labelled_crops(path: Path, images: Path | None = None) -> pa.Table:
    """CROPS of a label file; images: the camera's folder of a CSV, the pictures' of an XML, else the file's own."""
    return crops_of_cvat(path, images or path.parent) if path.suffix == ".xml" else crops_of_csv(path, images)


class Crops:
    """Samples of CROPS tables, one a camera: crop (4, INPUT_PX, INPUT_PX) uint8 and classes (6,) float32, 1 for each
    right one. groups: (camera's number, group) of what they show."""

    def __init__(self, tables: Sequence[pa.Table], seed: int, *, vary: bool) -> None:
        table = pa.concat_tables(tables)
        if not len(table):
            raise ValueError("occlusion classifier: expected crops to train and to validate on, got none of one kind")
        self.seed, self.vary = seed, vary
        self.groups = {(camera, group) for camera, t in enumerate(tables) for group in t["group"].to_pylist()}
        self.crops = stored(table)
        right = [[name in row for name in CLASSES] for row in table["classes"].to_pylist()]
        self.classes = torch.tensor(right, dtype=torch.float32)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not self.vary:
            number = index % len(self.crops)
            crop = middle(self.crops[number])
        else:
            rng = np.random.default_rng([self.seed, index])
            number = int(rng.integers(len(self.crops)))
            crop = varied(self.crops[number], rng)
        return {"crop": torch.from_numpy(crop.transpose(2, 0, 1).copy()), "classes": self.classes[number]}


def stored(table: pa.Table) -> np.ndarray:
    """(N, STORED_PX, STORED_PX, 4) uint8 of a CROPS table.

    Raises ValueError for crops of another size.
    """
    shape = (STORED_PX, STORED_PX, 4)
    rows = [np.frombuffer(row.as_py(), np.uint8) for row in table["crop"]]
    wrong = [len(row) for row in rows if len(row) != np.prod(shape)]
    if wrong:
        raise ValueError(f"crops: expected {shape} bytes in each, got {wrong[0]} in one; make them again")
    return np.stack(rows).reshape(-1, *shape)


def split(table: pa.Table, every: int = 10) -> tuple[pa.Table, pa.Table]:
    """The rows to train on and those of every tenth group, kept for validation."""
    _, number = np.unique(table["group"].to_numpy(), return_inverse=True)
    kept = number % every == 0
    return table.filter(pa.array(~kept)), table.filter(pa.array(kept))


def varied(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(INPUT_PX, INPUT_PX, 4) uint8 of a stored crop, as another day and another detector would show it."""
    crop = _moved(crop, rng)
    colour, layer = crop[..., :3].astype(np.float32), _another_mask(crop[..., 3], rng)
    colour = (colour - 127) * np.exp(rng.normal(0, 0.15)) + 127
    colour = colour * np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.3:
        colour = cv2.GaussianBlur(colour, (0, 0), rng.uniform(0.4, 1.1))
    colour += rng.normal(0, rng.uniform(0, 5), colour.shape)
    image = colour.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    image[layer == BEYOND] = 0
    return np.dstack([image, layer])


def _moved(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the network sees of the stored crop, a little aside, at another scale, mirrored every other time."""
    scale, shift = rng.uniform(*_SCALES), rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    first = (STORED_PX - 1) / 2 + shift - scale * (INPUT_PX - 1) / 2
    matrix = np.array([[scale, 0, first[0]], [0, scale, first[1]]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = np.asarray(cv2.warpAffine(crop, matrix, (INPUT_PX, INPUT_PX), flags=how, borderMode=cv2.BORDER_REPLICATE))
    return moved[:, ::-1] if rng.random() < 0.5 else moved


def _another_mask(layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mask layer, half the time as it is."""
    inside, kind = (layer > _INSIDE).astype(np.uint8), rng.random()
    if kind < 0.5 or not inside.any():
        return layer
    if kind < 0.9:
        size = int(rng.integers(2, 4))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        inside = np.asarray(change(inside, np.ones((size, size), np.uint8)))
    else:
        x, y, w, h = cv2.boundingRect(inside)
        inside[y : y + h, x : x + w] = 1
    there = layer > STREET // 2
    return np.where(there, np.where(inside > 0, OBJECT, STREET), BEYOND).astype(np.uint8)
