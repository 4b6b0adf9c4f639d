"""Human labels of linked objects: COCO's keypoints, and the anchors of PASCAL3D+ and ObjectNet3D, for any class table.

Categories and points are found by their names or by the aliases that the table gives them. What a file labels beside
the table is counted and left out; a point of the table that a file does not know is unlabelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera import pixel_to_edge
from models.labels.coco import integer
from models.labels.keypoints import coco_content, field_of, key_of, numbers_of, picture_below
from models.labels.pascal3d import OF_STATUS, anchor_of, box_of, read_record
from models.linked_objects.classes import ClassTable, ObjectClass
from models.linked_objects.pictures import (
    NOBODY,
    OCCLUDED,
    SELF_OCCLUDED,
    TRUNCATED,
    UNKNOWN,
    VISIBLE,
    LinkedObject,
    LinkedPicture,
)  # fmt: skip
from models.linked_objects.shards import LinkedPictures
from pipeline.core.account import Account
from readers.pictures import read_image

_OF_V = {0: UNKNOWN, 1: OCCLUDED, 2: VISIBLE, 3: SELF_OCCLUDED}  # 3 is the project's own
# How far a point may lie outside its box, in the box's longer side: annotators' boxes hold what is seen.
_SEEN_SLACK, _HIDDEN_SLACK = 0.1, 0.6


def read_linked_coco(path: Path, images: Path, table: ClassTable) -> LinkedPictures:
    """Pictures of a COCO keypoint file, with their objects of the table's classes.

    COCO's v of 1 does not say what hides a point: it is read as occluded. Crowds, objects without a labelled point and
    categories that the table or the file has no points for are left out. Raises ValueError, in one line that names the
    file and the annotation, for what cannot be read, a point outside its box and a file without any object.
    """
    content = coco_content(path)
    account = Account(str(path), "annotations", len(content["annotations"]))
    orders = {key_of(c, "id", f"{path}: category {n}"): _order(c, table) for n, c in enumerate(content["categories"])}
    sizes = {key_of(i, "id", f"{path}: image {n}"): _size(i, f"{path}: image {n}") for n, i in
             enumerate(content["images"])}  # fmt: skip
    found: dict[int | str, list[LinkedObject]] = {key: [] for key in sizes}
    for number, annotation in enumerate(content["annotations"]):
        where = f"{path}: annotation {annotation.get('id', f'number {number}')}"
        order, image = orders.get(key_of(annotation, "category_id", where)), key_of(annotation, "image_id", where)
        if image not in found:
            raise ValueError(f"{where}: no image {image} in the file")
        if annotation.get("iscrowd") or order is None:
            account.leave_out("crowds" if annotation.get("iscrowd") else "of categories without points in the table")
            continue
        one = _coco_object(where, annotation, *order, sizes[image])
        if one is None:
            account.leave_out("without a labelled point")
        else:
            found[image].append(one)
    account.tell()
    _check_found(path, table, found.values(), [str(c.get("name")) for c in content["categories"]])
    pictures = []
    for number, image in enumerate(content["images"]):
        name = str(field_of(image, "file_name", f"{path}: image {number}"))
        at = picture_below(images, name, str(path))
        pictures.append(LinkedPicture(name, sizes[image["id"]], tuple(found[image["id"]]), partial(_rgb, at)))
    return LinkedPictures(table, pictures)


def _rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(read_image(path)[..., ::-1])


def _size(image: dict, where: str) -> tuple[int, int]:
    height, width = (integer(field_of(image, name, where), f"{where}: {name}") for name in ("height", "width"))
    return height, width


def _order(category: dict, table: ClassTable) -> tuple[int, ObjectClass, list[int | None]] | None:
    """Of a category its class, and of each of its points the class's index; None where either has no such points."""
    class_id, names = table.find(str(category.get("name", ""))), category.get("keypoints")
    if class_id is None or not isinstance(names, list):
        return None
    points = [table[class_id].point_named(str(name)) for name in names]
    return (class_id, table[class_id], points) if any(p is not None for p in points) else None


def _coco_object(
    where: str,
    annotation: dict,
    class_id: int,
    one: ObjectClass,
    points: Sequence[int | None],
    size_hw: tuple[int, int],
) -> LinkedObject | None:
    values = numbers_of(where, "keypoints", annotation.get("keypoints", []))
    if values.size != 3 * len(points):
        raise ValueError(f"{where}: expected 3 numbers for each of the category's keypoints, got {values.size}")
    box = numbers_of(where, "bbox", field_of(annotation, "bbox", where))
    xy, state = np.full((len(one), 2), np.nan), np.full(len(one), UNKNOWN)
    for (x, y, v), point in zip(values.reshape(-1, 3), points, strict=True):
        if v not in _OF_V:
            raise ValueError(f"{where}: expected v of 0, 1, 2 or 3, got {v:g}")
        if v and point is not None:
            xy[point], state[point] = pixel_to_edge(np.array([x, y])), _OF_V[int(v)]
    return labelled_object(where, class_id, one, box, xy, state, size_hw)


def labelled_object(
    where: str,
    class_id: int,
    one: ObjectClass,
    box: np.ndarray,
    xy: np.ndarray,
    state: np.ndarray,
    size_hw: tuple[int, int],
) -> LinkedObject | None:
    """An object of labels; None where no point has a place. Points outside the picture are truncated.

    Raises ValueError, which begins with `where`, for a box without an inside and for a point outside its box.
    """
    known = np.isfinite(xy).all(axis=1)
    if not known.any():
        return None
    if box.shape != (4,) or not (np.isfinite(box).all() and (box[2:] > 0).all()):
        raise ValueError(f"{where}: expected a box x y w h with an inside, got {box.tolist()}")
    outside = known & ((xy < 0).any(axis=1) | (xy > np.array(size_hw[::-1])).any(axis=1))
    state = np.where(outside, TRUNCATED, state)
    beyond = np.maximum(np.maximum(box[:2] - xy, xy - box[:2] - box[2:]), 0).max(axis=1)
    slack = np.where(state == VISIBLE, _SEEN_SLACK, _HIDDEN_SLACK) * box[2:].max()
    for k in np.flatnonzero(known & ~outside & (beyond > slack)):
        raise ValueError(
            f"{where}: point {one.names[k]} at {np.round(xy[k], 1).tolist()} lies {beyond[k]:.0f} px outside its box "
            f"{np.round(box, 1).tolist()}; mend the point or the box"
        )
    return LinkedObject(class_id, box, xy, state, np.full(len(one), NOBODY))


def _check_found(path: Path, table: ClassTable, found: Any, names: Sequence[str]) -> None:
    if not any(found):
        said = f"it has {', '.join(dict.fromkeys(names)) or 'none'}"
        raise ValueError(f"{path}: no object of {', '.join(table.names)} with labelled points; {said}")


def read_linked_pascal3d(annotations: Path, images: Path, table: ClassTable) -> LinkedPictures:
    """Pictures of PASCAL3D+ or ObjectNet3D records, `*.mat` in a folder or one of them, with their objects.

    MATLAB counts pixels from 1. Where several anchors go by a point's name, it takes the place of one that is seen
    before others'. Raises ValueError as `read_linked_coco`, and for a picture that is not there.
    """
    paths = sorted(annotations.glob("*.mat")) if annotations.is_dir() else [annotations]
    if not paths:
        raise ValueError(f"{annotations}: expected PASCAL3D+ annotations *.mat, found none")
    account, pictures, names = Account(str(annotations), "objects"), [], []
    for path in paths:
        record = read_record(path)
        at = images / Path(str(record.filename)).name
        if not at.is_file():
            raise ValueError(f"{path}: no picture {at}; fetch it, or remove its labels")
        size_hw, objects = _record_size(record, at), []
        for number, thing in enumerate(np.atleast_1d(record.objects)):
            account.read += 1
            names.append(str(getattr(thing, "class", "")))
            one = _record_object(f"{path}: object {number + 1}", thing, table, size_hw)
            if isinstance(one, str):
                account.leave_out(one)
            else:
                objects.append(one)
        pictures.append(LinkedPicture(path.stem, size_hw, tuple(objects), partial(_rgb, at)))
    account.tell()
    _check_found(annotations, table, [p.objects for p in pictures], names)
    return LinkedPictures(table, pictures)


def _record_size(record: Any, picture: Path) -> tuple[int, int]:
    """Height and width by the record's `imgsize`, else by its picture."""
    size = np.asarray(getattr(record, "imgsize", []), float).ravel()
    if len(size) >= 2 and (size[:2] > 0).all():
        return int(size[1]), int(size[0])
    height, width = read_image(picture).shape[:2]
    return height, width


def _record_object(where: str, thing: Any, table: ClassTable, size_hw: tuple[int, int]) -> LinkedObject | str:
    """An object of a record, or why it is left out."""
    class_id = table.find(str(getattr(thing, "class", "")))
    if class_id is None:
        return "of classes that are not in the table"
    one, anchors = table[class_id], getattr(thing, "anchors", None)
    by_point: dict[int, list[tuple[int, np.ndarray]]] = {}
    for name in getattr(anchors, "_fieldnames", ()):
        place, status = anchor_of(f"{where}: {name}", getattr(anchors, name))
        point = one.point_named(name)
        if point is not None and np.isfinite(place).all():
            by_point.setdefault(point, []).append((status, place))
    xy, state = np.full((len(one), 2), np.nan), np.full(len(one), UNKNOWN)
    for point, places in by_point.items():
        status, place = min(places, key=lambda one: one[0] or 9)
        xy[point], state[point] = pixel_to_edge(place), OF_STATUS.get(status, UNKNOWN)
    found = labelled_object(where, class_id, one, box_of(where, thing), xy, state, size_hw)
    return "without a labelled point" if found is None else found
