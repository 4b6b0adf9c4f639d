"""Files of labelled people as the same pictures as rendered couples: COCO's keypoints, CrowdPose, OCHuman, OCPose.

COCO's JSON, which CrowdPose and the usual OCHuman share, says of a keypoint 0 not labelled, 1 labelled and not visible,
2 visible; what hides a 1 is not said: it is read as occluded, by nobody of the picture. OCHuman's own JSON says 1
visible, 2 hidden by the person's own body, 3 by another thing. OCPose's is a list of pictures with a pair each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.labels.coco import integer, records
from models.labels.keypoints import picture_below
from models.people_groups.picture import (
    BOX_FILLED,
    NOBODY,
    OCCLUDED,
    SELF_OCCLUDED,
    UNKNOWN,
    VISIBLE,
    GroupPerson,
    GroupPicture,
)
from pipeline.core.account import Account
from pipeline.core.skeletons import COCO_17, CROWDPOSE_14, OPEC_12, PEOPLE_19, Skeleton
from readers.json_file import read_json
from readers.pictures import read_image

_OF_V = {0: UNKNOWN, 1: OCCLUDED, 2: VISIBLE}
_OF_OCHUMAN = {0: UNKNOWN, 1: VISIBLE, 2: SELF_OCCLUDED, 3: OCCLUDED}
_KNOWN = (COCO_17, CROWDPOSE_14, OPEC_12)


def read_coco_people(path: Path, images: Path, split: str = "") -> list[GroupPicture]:
    """People of a COCO keypoint file: COCO's, CrowdPose's or OCHuman's, told by the names of its keypoints.

    Crowds are ignored ones; an area that is not given is BOX_FILLED of the box. Pictures without people are left out.
    Raises ValueError in one line that names the file and the annotation.
    """
    content = read_json(path)
    parts = ("images", "annotations", "categories")
    missing = [n for n in parts if n not in content] if isinstance(content, dict) else ["object"]
    if missing:
        raise ValueError(f"{path}: not a COCO file: no {', '.join(missing)}")
    skeletons = {}
    for number, category in enumerate(records(content["categories"], f"{path}: categories")):
        if category.get("keypoints"):
            skeletons[integer(category.get("id"), f"{path}: category {number}: id")] = _skeleton_of(path, category)
    if len(set(skeletons.values())) != 1:
        raise ValueError(f"{path}: expected keypoints of one kind of people, got {len(set(skeletons.values()))}")
    skeleton = next(iter(skeletons.values()))
    account = Account(str(path), "annotations")
    people: dict[int, list[GroupPerson]] = {}
    for number, row in enumerate(records(content["annotations"], f"{path}: annotations")):
        where = f"{path}: annotation {row.get('id', f'number {number}')}"
        account.read += 1
        if integer(row.get("category_id"), f"{where}: category_id") not in skeletons:
            account.leave_out("of categories without keypoints")
            continue
        of_image, person = integer(row.get("image_id"), f"{where}: image_id"), _coco_person(row, skeleton, where)
        if (person.box_xywh[2:] > 0).all():
            people.setdefault(of_image, []).append(person)
        else:
            account.leave_out("whose box has no inside")
    account.tell()
    pictures = []
    for number, image in enumerate(records(content["images"], f"{path}: images")):
        where = f"{path}: image {image.get('id', f'number {number}')}"
        mine = people.pop(integer(image.get("id"), f"{where}: id"), [])
        if mine:
            size_hw = integer(image.get("height"), f"{where}: height"), integer(image.get("width"), f"{where}: width")
            crowd = _number(image.get("crowdIndex", float("nan")), f"{where}: crowdIndex")
            load = _loader(images, image.get("file_name"), where)
            name = str(image["file_name"])
            pictures.append(GroupPicture(name, size_hw, tuple(mine), skeleton, load, split, crowd_index=crowd))
    if people:
        raise ValueError(f"{path}: annotations of image {next(iter(people))}, which its images lack")
    return pictures


def _skeleton_of(path: Path, category: Mapping[str, Any]) -> Skeleton:
    names = category["keypoints"]
    for skeleton in _KNOWN:
        if isinstance(names, list) and sorted(map(str, names)) == sorted(skeleton.names):
            return skeleton if list(names) == list(skeleton.names) else _in_order(skeleton, names)
    raise ValueError(
        f"{path}: category {str(category.get('name'))[:60]!r}: expected the keypoints of COCO (17), CrowdPose (14) or "
        f"OCPose (12), got {len(names) if isinstance(names, list) else type(names).__name__}"
    )


def _in_order(skeleton: Skeleton, names: Sequence[str]) -> Skeleton:
    """The skeleton with its keypoints in a file's order."""
    old, place = [skeleton.names.index(name) for name in names], {name: k for k, name in enumerate(names)}
    at = [place[name] for name in skeleton.names]
    return Skeleton(
        tuple(names), tuple(at[skeleton.flip[k]] for k in old), tuple((at[a], at[b]) for a, b in skeleton.links),
        tuple(skeleton.sigmas[k] for k in old),
    )  # fmt: skip


def _coco_person(row: Mapping[str, Any], skeleton: Skeleton, where: str) -> GroupPerson:
    box = _numbers(row.get("bbox"), 4, f"{where}: bbox")
    xy, state = _keypoints(row.get("keypoints"), len(skeleton), _OF_V, where)
    area = _number(row.get("area", BOX_FILLED * box[2] * box[3]), f"{where}: area")
    ignored = bool(row.get("iscrowd"))
    return GroupPerson(box, xy, state, np.full(len(skeleton), NOBODY), area, ignored=ignored)


def read_ochuman(path: Path, images: Path, split: str = "") -> list[GroupPicture]:
    """People of OCHuman's own JSON: 19 keypoints, and of each hidden one whether the body itself or another hides it.

    Its boxes are corners; a person whose keypoints are null is ignored. Raises as `read_coco_people`.
    """
    content = read_json(path)
    names = content.get("keypoint_names") if isinstance(content, dict) else None
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(PEOPLE_19.names):
        raise ValueError(f"{path}: not OCHuman's own file: expected keypoint_names of {len(PEOPLE_19)} points")
    skeleton = _in_order(PEOPLE_19, names)
    pictures = []
    for number, image in enumerate(records(content.get("images"), f"{path}: images")):
        where = f"{path}: image {image.get('file_name', f'number {number}')}"
        rows = records(image.get("annotations"), f"{where}: annotations")
        people = tuple(_ochuman_person(row, skeleton, f"{where}: person {n}") for n, row in enumerate(rows))
        size_hw = integer(image.get("height"), f"{where}: height"), integer(image.get("width"), f"{where}: width")
        load = _loader(images, image.get("file_name"), where)
        pictures.append(GroupPicture(str(image["file_name"]), size_hw, people, skeleton, load, split))
    return [picture.in_skeleton(PEOPLE_19) for picture in pictures]


def _ochuman_person(row: Mapping[str, Any], skeleton: Skeleton, where: str) -> GroupPerson:
    x0, y0, x1, y1 = _numbers(row.get("bbox"), 4, f"{where}: bbox")
    box, ignored = np.array([x0, y0, x1 - x0, y1 - y0]), row.get("keypoints") is None
    given = [0] * 3 * len(skeleton) if ignored else row["keypoints"]
    xy, state = _keypoints(given, len(skeleton), _OF_OCHUMAN, where)
    area = float(BOX_FILLED * box[2] * box[3])
    return GroupPerson(box, xy, state, np.full(len(skeleton), NOBODY), area, ignored=ignored)


def read_ocpose(path: Path, images: Path, split: str = "") -> list[GroupPicture]:
    """Couples of OCPose as OPEC-Net's authors list them: img_name and a pair, each with yolo_bbox, corners, and gt, 12
    rows of x, y and COCO's visibility; a detector's pose beside it, dt, is left alone.

    The list has no sizes: those of the pictures' files are read. Raises as `read_coco_people`.
    """
    pictures = []
    for number, row in enumerate(records(read_json(path), f"{path}: a list of pictures")):
        where = f"{path}: picture {row.get('img_name', f'number {number}')}"
        load = _loader(images, row.get("img_name"), where)
        pair = records(row.get("pair"), f"{where}: pair")
        people = tuple(_ocpose_person(one, f"{where}: person {n}") for n, one in enumerate(pair))
        size_hw = load().shape[:2]
        pictures.append(GroupPicture(str(row["img_name"]), size_hw, people, OPEC_12, load, split))
    return pictures


def _ocpose_person(row: Mapping[str, Any], where: str) -> GroupPerson:
    x0, y0, x1, y1 = _numbers(row.get("yolo_bbox"), 4, f"{where}: yolo_bbox")
    given = row.get("gt")
    flat = [v for joint in given for v in joint] if isinstance(given, list) and all(map(_is_list, given)) else given
    xy, state = _keypoints(flat, len(OPEC_12), _OF_V, where)
    box = np.array([x0, y0, x1 - x0, y1 - y0])
    return GroupPerson(box, xy, state, np.full(len(OPEC_12), NOBODY), float(BOX_FILLED * box[2] * box[3]))


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _keypoints(values: Any, count: int, states: Mapping[int, int], where: str) -> tuple[np.ndarray, np.ndarray]:
    """xy (K, 2), NaN where not labelled, and state (K,) of a file's x, y, v."""
    x, y, v = _numbers(values, 3 * count, f"{where}: keypoints").reshape(-1, 3).T
    if not np.isin(v, list(states)).all():
        unknown = sorted(set(v.tolist()) - set(states))
        raise ValueError(f"{where}: keypoints: expected visibilities of {list(states)}, got {unknown[0]:g}")
    return np.where(v[:, None] > 0, np.stack([x, y], axis=1), np.nan), np.array([states[int(one)] for one in v])


def _numbers(values: Any, count: int, where: str) -> np.ndarray:
    """(count,) finite numbers of a list."""
    try:
        found = np.array(values, float)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if not isinstance(values, list) or found.shape != (count,) or not np.isfinite(found).all():
        got = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise ValueError(f"{where}: expected a list of {count} finite numbers, got {got}")
    return found


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: expected a number, got {str(value)[:40]!r}")
    return float(value)


def _loader(images: Path, name: Any, where: str):
    """What reads a picture by its name in a file of labels. Raises ValueError for one that leaves its folder."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: expected the name of its picture, got {str(name)[:40]!r}")
    return partial(_rgb, picture_below(images, name, where))


def _rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(read_image(path)[..., ::-1])
