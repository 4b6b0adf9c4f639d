"""The people of composed scenes, of any camera's clip-art, as the same pictures as rendered couples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera import pixel_to_edge
from models.people_groups.picture import NOBODY, OCCLUDED, UNKNOWN, GroupPerson, GroupPicture
from models.scenes.objects import Part, keypoints_of, part_of
from models.scenes.shards import ShardPart, check_columns, objects_of, picture_of, scenes_of
from pipeline.core import masks
from pipeline.core.skeletons import COCO_17
from pipeline.core.storage import read_table

_COLUMNS = (
    "scene_id", "category", "track_id", "bbox_amodal_xywh", "mask_amodal_rle", "mask_visible_rle", "keypoints_2d",
    "keypoint_state",
)  # fmt: skip


def read_composed(folder: Path, split: str, at_least: int = 2) -> Sequence[GroupPicture]:
    """The scenes of a split, "train" or "val", of a folder of shards, with the keypoints of COCO_17.

    Scenes of fewer than `at_least` people are left out. People are in the order of the scene's depth, nearest first;
    one whose pose is not known has no keypoint. Vehicles hide people, too: their `hidden_by` is nobody. Raises
    ValueError in one line, as `models.scenes.shards` does, and where no scene has so many people.
    """
    check_columns(folder, _COLUMNS, "people who hide each other")
    pictures = []
    for part, row, scene in scenes_of(folder, split):
        rows = [one for one in objects_of(part, _COLUMNS).get(scene, []) if one["category"] == "person"]
        if len(rows) >= at_least:
            size_hw = _sizes(part)[row]
            people = tuple(_person(rows, number, size_hw) for number in range(len(rows)))
            load = partial(_rgb, part, row)
            pictures.append(GroupPicture(f"{folder.parent.name}/{scene}", size_hw, people, COCO_17, load, split))
    if not pictures:
        raise ValueError(f"{folder}: expected scenes of {at_least} people or more in split {split}, got none")
    return pictures


def _sizes(part: ShardPart) -> list[tuple[int, int]]:
    table = read_table(part.path, columns=["height", "width"]).to_pydict()
    return list(zip(table["height"], table["width"], strict=True))


def _rgb(part: ShardPart, row: int) -> np.ndarray:
    return np.ascontiguousarray(picture_of(part, row)[..., ::-1])


def _person(rows: Sequence[dict[str, Any]], number: int, size_hw: tuple[int, int]) -> GroupPerson:
    """One of the scene's people, who are nearest first: whoever hides a keypoint stands before it and shows there."""
    row = rows[number]
    xy, state = keypoints_of(row)
    state = np.where(np.isnan(xy).any(axis=1), UNKNOWN, state)
    hidden_by = np.full(len(state), NOBODY)
    for nearer in range(number if (state == OCCLUDED).any() else 0):
        on = _covers(part_of(rows[nearer]["mask_visible_rle"], size_hw), xy)
        hidden_by[(state == OCCLUDED) & on] = nearer
    box, area = np.array(row["bbox_amodal_xywh"], float), float(masks.area(row["mask_amodal_rle"], size_hw))
    return GroupPerson(box, xy, state, hidden_by, area, f"track {row['track_id']}")


def _covers(part: Part, xy: np.ndarray) -> np.ndarray:
    """(K,) whether a mask covers the pixels of keypoints (K, 2), whose visible part is what hides them."""
    spot = np.floor(pixel_to_edge(np.nan_to_num(xy, nan=-1e6))).astype(int) - part.xy
    inside = ((spot >= 0) & (spot < part.crop.shape[::-1])).all(axis=1)
    covered = np.zeros(len(xy), bool)
    covered[inside] = part.crop[spot[inside, 1], spot[inside, 0]]
    return covered
