"""Pictures as networks take them: a frame with what is known of its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.crops import checked_boxes
from pipeline.core.instances import Instances
from readers.pictures import read_image

if TYPE_CHECKING:
    from calibration.camera import Camera, GroundPlane

Detect = Callable[[np.ndarray], Instances]


@dataclass(frozen=True)
class Frame:
    """A picture (H, W, 3) uint8 BGR, its objects as far as they are known, and whatever else a network needs of it.

    background: the empty street behind it, of its size; camera and plane: where it is calibrated.
    """

    image: np.ndarray
    objects: Instances
    name: str = ""
    background: np.ndarray | None = None
    camera: Camera | None = None
    plane: GroundPlane | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            found = f"{self.image.shape} {self.image.dtype}"
            raise ValueError(f"frame {self.name or '?'}: expected (H, W, 3) uint8 BGR, got {found}")
        if self.objects.size_hw != self.image.shape[:2]:
            theirs = self.objects.size_hw
            raise ValueError(f"frame {self.name or '?'}: is {self.image.shape[:2]}, its objects are of one of {theirs}")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.image.shape[0], self.image.shape[1]

    def of(self, rows: Sequence[int]) -> Frame:
        """The same frame with some of its objects alone."""
        return replace(self, objects=self.objects.rows(rows))


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 BGR of an image file, upright where it says how the camera was turned.

    Raises ValueError, naming it, where there is none to read, or a part of one.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; cannot be read as a picture")
    try:
        return read_image(path)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).removeprefix(f"{path}: ").split())
        raise ValueError(f"{path}: cannot be read as a picture: {reason}") from None


def frame_of(picture: Any, boxes_xywh: Any = None, detect: Detect | None = None, **more: Any) -> Frame:
    """A Frame of a path, an array or a Frame, with boxes (N, 4) px, COCO edges, with what `detect` finds in it, or
    with what it has already; more: other fields of it."""
    if isinstance(picture, Frame):
        known, image, name = picture.objects, picture.image, picture.name
    else:
        is_file = isinstance(picture, str | Path)
        image = read_picture(Path(picture)) if is_file else np.asarray(picture)
        known, name = Instances(image.shape[:2], {}), Path(picture).name if is_file else ""
    if boxes_xywh is not None and detect is not None:
        raise ValueError("predict: expected boxes or detect, got both")
    if boxes_xywh is not None:
        boxes = np.asarray(boxes_xywh, float)
        boxes = boxes.reshape(-1, 4) if boxes.size in (0, 4) else boxes
        known = Instances(image.shape[:2], {"bbox_xywh": checked_boxes(boxes)})
    elif detect is not None:
        known = detect(image)
    if isinstance(picture, Frame):
        return replace(picture, objects=known, **more)
    return Frame(image, known, name, **more)


def lacking(frames: Sequence[Frame], needs: Sequence[str]) -> Mapping[str, str]:
    """Of each frame with objects that lack a needed column, by name, the first such column."""
    missing = {
        frame.name or str(number): [column for column in needs if column not in frame.objects.columns]
        for number, frame in enumerate(frames)
        if len(frame.objects)
    }
    return {name: columns[0] for name, columns in missing.items() if columns}
