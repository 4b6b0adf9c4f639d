"""Human labels in CVAT's XML, for images or for video.

A shape of a person or a vehicle says it in an attribute `occlusion`, or by its own label's name, or, where neither is
one of models.labels.occlusion.LABELS, by CVAT's occluded flag. Shapes of other labels, as of a road, are left out and
counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from models.frames import read_picture
from models.labels.coco import CocoNames
from models.labels.cvat import Picture, Shape, read_cvat
from models.labels.occlusion import CROPS, LABELS, crop_of, cropped, row
from pipeline.core.account import Account
from pipeline.core.video import Video

ATTRIBUTE = "occlusion"
_OBJECTS = {name.strip() for listed in (CocoNames.person_names, CocoNames.vehicle_names) for name in listed.split(",")}


def crops_of_cvat(path: Path, images: Path) -> pa.Table:
    """CROPS of a CVAT 1.1 file whose pictures lie below `images`; those of one picture, or of one track, are a group.

    Of a file for video, `images` is the video or a folder of its frames, numbered as CVAT exports them. Raises
    ValueError that names the file, the picture and the shape for what cannot be read.
    """
    pictures = read_cvat(path)
    account = Account(str(path), "shapes")
    rows: list[dict] = []
    groups: dict[object, int] = {}  # a file may have a picture several times: by a job each
    for picture, file, image in _with_images(path, pictures, images):
        for kind in picture.left_out:
            account.read += 1
            account.leave_out(f"{kind}, which has no area")
        scale = _scale(path, picture, (image.shape[0], image.shape[1]))
        for shape in picture.shapes:
            account.read += 1
            label = _label(shape)
            if label is None:
                account.leave_out(f"of label {shape.label!r}, which is no person, vehicle or occlusion")
                continue
            mask, xy = cropped(shape.where, shape.kind, shape.mask((image.shape[0], image.shape[1]), scale))
            group = groups.setdefault(shape.track if shape.track >= 0 else file, len(groups))
            rows.append(row(group, LABELS[label], crop_of(image, mask, xy)))
    if not rows:
        why = f"none of its {account.read} shapes can be used: {account.why()}" if account.read else (
            "no box, polygon or mask in any <image>; expected CVAT for images 1.1"
        )  # fmt: skip
        raise ValueError(f"{path}: {why}")
    account.tell()
    return pa.Table.from_pylist(rows, schema=CROPS)


def _with_images(path: Path, pictures: list[Picture], images: Path) -> Iterator[tuple[Picture, Path, np.ndarray]]:
    """The pictures that have shapes, each with its file and its pixels."""
    wanted = [picture for picture in pictures if picture.shapes or picture.left_out]
    video = Video(images) if images.is_file() and any(picture.frame >= 0 for picture in wanted) else None
    for picture in wanted:
        if picture.frame >= 0 and video:
            yield picture, images, video.read(picture.frame)
        else:
            file = _picture_file(path, images, picture)
            yield picture, file, read_picture(file)


def _picture_file(path: Path, images: Path, picture: Picture) -> Path:
    """The picture's file, which a label file of strangers may not choose outside the pictures' folder."""
    if picture.frame >= 0:
        names = (f"frame_{picture.frame:06d}", f"{picture.frame:06d}")
        found = [file for name in names for file in sorted(images.glob(f"{name}.*"))]
        if not found:
            raise ValueError(f"{path}: frame {picture.frame}: no frame_{picture.frame:06d} below {images}; name the "
                             "video or the folder of its frames with --images")  # fmt: skip
        return found[0]
    file = (images / picture.name).resolve()
    if not file.is_relative_to(images.resolve()) or not file.is_file():
        raise ValueError(
            f"{path}: image {picture.name!r}: no such picture below {images}; name their folder with --images"
        )
    return file


def _scale(path: Path, picture: Picture, size_hw: tuple[int, int]) -> float:
    """The picture's size over the one that the file declares. Raises ValueError for another shape."""
    if picture.size_hw is None:
        return 1.0
    scale = size_hw[0] / picture.size_hw[0]
    if abs(picture.size_hw[1] * scale - size_hw[1]) > 1:
        ours, theirs = (f"{w}x{h}" for h, w in (size_hw, picture.size_hw))
        name = repr(picture.name) if picture.frame < 0 else f"frame {picture.frame}"
        raise ValueError(f"{path}: image {name}: labelled as {theirs}, the picture is {ours}; is it the same one?")
    return scale


def _label(shape: Shape) -> str | None:
    """One of LABELS; None for a shape that is neither a person nor a vehicle, nor named after a label."""
    said = [value for name, value in shape.attributes.items() if name.strip().lower() == ATTRIBUTE]
    if said and said[0].lower() not in LABELS:
        raise ValueError(f"{shape.where}: unknown {ATTRIBUTE} {said[0]!r}; expected {', '.join(LABELS)}")
    if said or shape.label.lower() in LABELS:
        return (said[0] if said else shape.label).lower()
    if shape.label.strip().lower() not in _OBJECTS:
        return None
    return "occluded" if shape.occluded else "unoccluded"
