"""BOP: scenes of pictures with masks, poses of models, and the models' sizes.

BOP has no classes: a model's is what models_info.json says of it, as exports write it, else the setting `category`. An
object stands under the centre of its model's box. The ground is the world's plane z = 0 where the camera's pose is
known and stands straight above the world's origin, as exports have it; else it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.labels.coco import read_json
from pipeline.core import masks
from pipeline.core.tables import CATEGORY_IDS
from pipeline.importing.registry import Reader, ReadJob
from pipeline.importing.scenes import ReadObject, ReadScene
from readers.pictures import read_image

_MM = 1000.0
_ENDINGS = (".jpg", ".png", ".tif")


@dataclass(frozen=True)
class BopSettings:
    """What BOP does not say."""

    category: str = field(default="vehicle", metadata={"help": "person or vehicle: what models are of no known class"})
    val: str = field(default="val", metadata={"help": "what a folder's name holds whose pictures validate"})

    def __post_init__(self) -> None:
        if self.category not in CATEGORY_IDS:
            raise ValueError(f"--bop-category: expected one of {', '.join(CATEGORY_IDS)}, got {self.category!r}")


def labels_of(source: Path) -> list[Path]:
    """The files of poses."""
    found = sorted(source.glob("*/*/scene_gt.json"))
    if not found:
        raise ValueError(f"{source}: expected <split>/<scene>/scene_gt.json below it, got none")
    return found


def read(job: ReadJob) -> Iterator[ReadScene]:
    """Every picture of every scene."""
    info = job.source / "models/models_info.json"
    models = read_json(info) if info.is_file() else {}
    if not models:
        job.account.notes.append("no models/models_info.json: sizes are not known")
    for path in labels_of(job.source):
        folder = path.parent
        cameras, poses = read_json(folder / "scene_camera.json"), read_json(path)
        split = "val" if job.settings.val in folder.parent.name else "train"
        for key in sorted(poses, key=int):
            if key not in cameras:
                raise ValueError(f"{folder / 'scene_camera.json'}: expected picture {key} of scene_gt.json, got none")
            yield _scene(job, folder, int(key), cameras[key], poses[key], models, split)


def _scene(
    job: ReadJob, folder: Path, number: int, camera: dict, poses: list[dict], models: dict, split: str
) -> ReadScene:
    picture = next((one for end in _ENDINGS for kind in ("rgb", "gray")
                    if (one := folder / kind / f"{number:06d}{end}").is_file()), None)  # fmt: skip
    if picture is None:
        raise ValueError(f"{folder}: expected a picture {number:06d} in rgb/ or gray/, got none")
    image = read_image(picture)
    size_hw = image.shape[0], image.shape[1]
    known = {"split": split, "K": [float(value) for value in camera["cam_K"]], "distortion": [0.0] * 5,
             "ground_plane": _ground(camera)}  # fmt: skip
    scene = ReadScene(picture, size_hw, known, [])
    for place, pose in enumerate(poses):
        job.account.read += 1
        found = [_mask(folder / kind / f"{number:06d}_{place:06d}.png", size_hw) for kind in ("mask", "mask_visib")]
        if found[0] is None or found[1] is None:
            job.account.leave_out("without a mask and a mask_visib")
            continue
        model = models.get(str(pose["obj_id"]), {})
        placed = {} if not model else _place(pose, model)
        category = model["category"] if model.get("category") in CATEGORY_IDS else job.settings.category
        scene.objects.append(ReadObject(place, category, found[0], found[1], known=placed))
    return scene


def _mask(path: Path, size_hw: tuple[int, int]) -> str | None:
    if not path.is_file():
        return None
    mask = read_image(path, cv2.IMREAD_GRAYSCALE)
    if mask.shape != size_hw:
        raise ValueError(f"{path}: expected a mask of {size_hw[1]}x{size_hw[0]}, got {mask.shape[1]}x{mask.shape[0]}")
    return masks.encode(mask > 0, (0, 0), size_hw)


def _place(pose: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """R, t, size and depth of an object: under the centre of its model's box, or where the export says its own origin
    is within the model."""
    size = np.array([model[f"size_{axis}"] for axis in "xyz"]) / _MM
    low = np.array([model[f"min_{axis}"] for axis in "xyz"]) / _MM
    bottom = low + size * [0.5, 0.5, 0]
    origin = np.array(model["origin"]) / _MM if "origin" in model else bottom
    R = np.reshape(pose["cam_R_m2c"], (3, 3)).astype(float)
    t = R @ origin + np.array(pose["cam_t_m2c"], float) / _MM
    dims = model.get("dims_lwh_m", size.tolist())
    return {"R": R.ravel().tolist(), "t": t.tolist(), "dims_lwh_m": [float(one) for one in dims], "z_m": float(t[2])}


def _ground(camera: dict[str, Any]) -> list[float] | None:
    if "cam_R_w2c" not in camera or "cam_t_w2c" not in camera:
        return None
    up = np.reshape(camera["cam_R_w2c"], (3, 3))[:, 2]
    place = np.array(camera["cam_t_w2c"], float) / _MM
    height = -float(place @ up)
    straight = height > 0 and np.allclose(place, -height * up, atol=1e-3)
    return [*up.tolist(), height] if straight else None


READER = Reader("bop", read, labels_of, BopSettings)
