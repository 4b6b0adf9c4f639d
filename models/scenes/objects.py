"""The objects of composed scenes as arrays: boxes and masks, whole and visible, keypoints with their state, pose and
shape; and the scenes of one or several cameras' shards in the order in which training sees them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from calibration.camera import Camera
from models.scenes.shards import (
    PARTS_KEPT,
    cameras_of,
    check_columns,
    ignored_of,
    objects_of,
    picture_of,
    scenes_of,
)
from models.shape_basis import GROUPS, ShapeBasis, load_bases
from pipeline.core import masks
from pipeline.core.skeletons import COCO_17, VEHICLE_12
from pipeline.core.storage import data_set_of
from pipeline.core.tables import CATEGORY_IDS, KEYPOINT_STATES

CLASSES = tuple(CATEGORY_IDS)
MOST_KEYPOINTS = len(COCO_17)  # of the longer skeleton: the other's rows are filled up with NaN
SHAPES = 8  # coefficients of the project's shape bases
GROUP_NAMES = tuple(GROUPS)
FLAT = ("scene_id", "category", "bbox_amodal_xywh", "mask_amodal_rle", "mask_visible_rle", "visible_fraction")
KEYPOINTS = ("keypoints_2d", "keypoint_state")
SOLID = ("R", "t", "shape", "shape_basis")
_MORE = ("subcategory", "track_id")


@dataclass(frozen=True)
class Part:
    """A mask's crop (h, w) bool with its top-left pixel at xy."""

    crop: np.ndarray
    xy: tuple[int, int]


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    number: of its class in CLASSES; box_xywh: of all of it, px in COCO edges, may leave the picture; whole and visible:
    its masks; hidden: the fraction of it that nearer objects hide. keypoints (17, 2) px, NaN where unknown or beyond
    the skeleton; states (17,) index of KEYPOINT_STATES, -1 where unknown. group: index of GROUP_NAMES, -1 without a
    shape; shape (8,) NaN without; R (3, 3), t (3,) m, NaN where not fitted; points (12, 3) m, a vehicle's keypoints in
    its own frame, NaN likewise. subcategory: the detector's own class.
    """

    number: int
    box_xywh: tuple[float, float, float, float]
    whole: Part
    visible: Part
    hidden: float
    keypoints: np.ndarray
    states: np.ndarray
    group: int
    shape: np.ndarray
    R: np.ndarray
    t: np.ndarray
    points: np.ndarray
    subcategory: str | None = None
    track_id: int = -1


@dataclass(frozen=True)
class Scene:
    """A picture (H, W, 3) uint8 BGR and its objects, nearest first; ignore (H, W) bool: where something may be that no
    label tells of, None for nowhere. K (3, 3), distortion (5,), of richer lenses the nearest, plane (4,) of the camera,
    NaN where unknown."""

    image_bgr: np.ndarray
    things: list[Thing]
    ignore: np.ndarray | None
    K: np.ndarray
    distortion: np.ndarray
    plane: np.ndarray

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.image_bgr.shape[0], self.image_bgr.shape[1]


class SceneSource(Protocol):
    """Any source of scenes."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Scene: ...


class Scenes:
    """The scenes of a split of one or more shard folders, each of one camera's data set; scenes: every scene_id.

    needed: columns of `objects` beside FLAT without which these scenes are of no use, and `what` they are for.
    Raises FileNotFoundError without shards; ValueError, one line, where a folder holds no scene of the split, is of
    several data sets, or lacks columns.
    """

    def __init__(self, folders: Sequence[Path], split: str, needed: tuple[str, ...] = (), what: str = "") -> None:
        self._places = []
        for folder in folders:
            data_set_of(folder)
            check_columns(folder, FLAT, "whole and visible masks")
            check_columns(folder, needed, what)
            self._places += scenes_of(folder, split)
        self.scenes = [scene for _, _, scene in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Scene:
        part, row, scene_id = self._places[index]
        image = picture_of(part, row)
        size_hw = image.shape[:2]
        rows = objects_of(part, (*FLAT, *KEYPOINTS, *SOLID, *_MORE)).get(scene_id, [])
        things = [_thing(row, size_hw, f"{part}: {scene_id}") for row in rows]
        about = cameras_of(part)[row]
        return Scene(
            image, things, _ignored(ignored_of(part)[row], things, size_hw),
            numbers(about.get("K"), (3, 3)), _five_terms(about, size_hw),
            numbers(about.get("ground_plane"), (4,)),
        )  # fmt: skip

    def first(self, count: int) -> Scenes:
        """Some of the scenes alone."""
        few = copy(self)
        few._places, few.scenes = self._places[:count], self.scenes[:count]
        return few

    def order(self, turn: int, seed: int) -> np.ndarray:
        """A permutation of all scenes, which stays within a few parts, of any camera, at a time.

        Pictures are read by the part; a wholly random order would read a part for every picture.
        """
        rng = np.random.default_rng([seed, turn])
        parts = [part for part, _, _ in self._places]
        starts = [k for k in range(len(parts)) if k == 0 or parts[k] != parts[k - 1]]
        blocks = np.split(np.arange(len(parts)), starts[1:])
        mixed = [blocks[k] for k in rng.permutation(len(blocks))]
        groups = [np.concatenate(mixed[k : k + PARTS_KEPT]) for k in range(0, len(mixed), PARTS_KEPT)]
        return np.concatenate([rng.permutation(group) for group in groups])


def _thing(row: dict[str, Any], size_hw: tuple[int, int], where: str) -> Thing:
    box = np.array(row["bbox_amodal_xywh"], float)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
        raise ValueError(
            f"{where}: expected a box of finite x y and positive w h, got {box.tolist()}; compose it again"
        )
    visible_fraction = float(row["visible_fraction"])
    if not 0 <= visible_fraction <= 1:
        raise ValueError(f"{where}: expected a visible fraction of 0 to 1, got {visible_fraction}; compose it again")
    whole, visible = (part_of(row[f"mask_{name}_rle"], size_hw) for name in ("amodal", "visible"))
    keypoints, states = keypoints_of(row)
    basis, shape = row["shape_basis"], numbers(row["shape"], (SHAPES,))
    known = basis in GROUP_NAMES and np.isfinite(shape).all()
    return Thing(
        CLASSES.index(row["category"]), (box[0], box[1], box[2], box[3]), whole, visible, 1 - visible_fraction,
        keypoints, states, GROUP_NAMES.index(basis) if known else -1, shape, numbers(row["R"], (3, 3)),
        numbers(row["t"], (3,)), _bases()[basis].keypoints(shape) if known else np.full((len(VEHICLE_12), 3), np.nan),
        row["subcategory"],
        -1 if row["track_id"] is None else int(row["track_id"]),
    )  # fmt: skip


def keypoints_of(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A row's keypoints (17, 2) and states (17,), as Thing has them."""
    keypoints, states = np.full((MOST_KEYPOINTS, 2), np.nan), np.full(MOST_KEYPOINTS, -1, np.int64)
    if row["keypoints_2d"] is not None:
        found = np.array(row["keypoints_2d"], float).reshape(-1, 2)
        keypoints[: len(found)] = found
        if row["keypoint_state"] is not None:
            states[: len(found)] = [KEYPOINT_STATES.index(name) for name in row["keypoint_state"]]
    return keypoints, states


@cache
def _bases() -> dict[str, ShapeBasis]:
    return load_bases()


def part_of(rle: str | None, size_hw: tuple[int, int]) -> Part:
    """A run-length string's mask; without any pixel where there is none."""
    crop, (x, y, _, _) = masks.decode(rle, size_hw) if rle else (np.zeros((0, 0), bool), (0, 0, 0, 0))
    return Part(crop, (x, y))


def numbers(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a shape; all NaN where nothing is known or it is of another size."""
    found = np.array([] if values is None else values, float)
    return found.reshape(shape) if found.size == np.prod(shape) else np.full(shape, np.nan)


def _five_terms(about: dict[str, Any], size_hw: tuple[int, int]) -> np.ndarray:
    """(5,) k1 k2 p1 p2 k3 of a scene's camera; of a lens of other terms the nearest of these."""
    terms, K = about.get("distortion"), numbers(about.get("K"), (3, 3))
    if terms is None or len(terms) == 5 or not np.isfinite(K).all():
        return numbers(terms, (5,))
    return Camera(K, size_hw, np.array(terms, float)).five_terms


def _ignored(rles: list[str], things: Sequence[Thing], size_hw: tuple[int, int]) -> np.ndarray | None:
    """(H, W) bool of regions, without the objects that stand before them; None for no region."""
    if not rles:
        return None
    whole = np.zeros(size_hw, bool)
    for rle in rles:
        whole |= masks.full(rle, size_hw)
    for part in (thing.visible for thing in things):
        (x, y), (h, w) = part.xy, part.crop.shape
        whole[y : y + h, x : x + w] &= ~part.crop
    return whole
