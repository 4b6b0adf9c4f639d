"""KITTI's 3D objects: training/image_2, label_2 and calib, a file a scene, and ImageSets with the splits.

KITTI's boxes turn about the camera's own y axis alone, and a camera above a street looks down. So places and headings
are those of a levelled camera at the same place, whose y is down as gravity has it (`level`, the default), and P2 = K R
projects them: with the full 3 x 4 matrix, as the development kit does, every corner falls on its pixel. What takes
focal length and centre out of P2 needs `--kitti-frame camera`: the camera's own axes, P2 = K, headings about its y
axis, which leaves the tilt of the boxes out; `denorm/` has the ground plane, as Rope3D and DAIR-V2X do. Lengths are
metres, boxes in the picture pixel centres from 0, cut at its borders. Regions to ignore are DontCare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from pipeline.core import masks
from pipeline.core.storage import write_bytes
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.cuboids import cuboid_of, heading_rad, levelled, observed_rad
from pipeline.export.shared.scenes import FLAT, PLACED, Scene, scenes
from readers.pictures import decode_image

_TYPES = {
    "van": "Van", "lorry": "Truck", "bus": "Truck", "bicycle": "Cyclist", "motorbike": "Cyclist", "rider": "Cyclist",
}  # fmt: skip
# KITTI's 0 fully visible, 1 partly, 2 largely occluded; its annotators had no numbers, these are ours.
_OCCLUDED = ((0.95, 0), (0.5, 1), (-1.0, 2))
_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"
_FRAMES = ("level", "camera")
# From KITTI's laser, x forward, y left, z up, here at the camera's own place, to x right, y down, z forward.
_LASER = "0 -1 0 0 0 0 -1 0 1 0 0 0"


@dataclass(frozen=True)
class KittiSettings:
    """The axes of places and headings."""

    frame: str = field(
        default="level", metadata={"help": "level: axes of gravity, P2 = K R; camera: the camera's own, P2 = K"}
    )

    def __post_init__(self) -> None:
        if self.frame not in _FRAMES:
            raise ValueError(f"--kitti-frame: expected one of {', '.join(_FRAMES)}, got {self.frame!r}")


def write(job: ExportJob) -> Written:
    """The folders training/ and ImageSets/."""
    level, tally, bend_px = job.settings.frame == "level", Counter[str](), 0.0
    sets: dict[str, list[str]] = {}
    for scene in scenes(job, (*FLAT, *PLACED)):
        name = f"{scene.number:06d}"
        sets.setdefault(scene.split, []).append(name)
        R_axes_cam = levelled(scene.plane) if level else np.eye(3)
        lines = [*_labels(scene, R_axes_cam, tally), *_dont_care(scene)]
        write_bytes(job.out / f"training/image_2/{name}.png", png_of(scene.jpeg))
        write_bytes(job.out / f"training/label_2/{name}.txt", "".join(f"{line}\n" for line in lines).encode())
        write_bytes(job.out / f"training/calib/{name}.txt", _calibration(scene, R_axes_cam).encode())
        if not level:
            plane = " ".join(f"{value:.9f}" for value in scene.row["ground_plane"])
            write_bytes(job.out / f"training/denorm/{name}.txt", f"{plane}\n".encode())
        bend_px = max(bend_px, bend_of(scene))
    for split, names in sets.items():
        write_bytes(job.out / f"ImageSets/{split}.txt", "".join(f"{name}\n" for name in names).encode())
    lens = f"the lens's distortion, up to {bend_px:.1f} px, " if bend_px > 0.05 else ""
    tilt = "" if level else "the tilt of the boxes, "
    pictures = sum(map(len, sets.values()))
    return Written(
        f"{pictures} pictures with {tally['placed']} boxes in space and {tally['flat']} in the picture alone",
        f"{lens}{tilt}{tally['hidden']} wholly hidden objects, who hides whom, masks, keypoints, shapes and bodies",
    )


def png_of(jpeg: bytes) -> bytes:
    """A picture as KITTI has them, with the very pixels of the JPEG."""
    picture = decode_image(jpeg, "a scene's picture")
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def bend_of(scene: Scene) -> float:
    """How far, px, the lens moves the picture's corners from where a pinhole would have them."""
    camera = scene.camera
    height, width = scene.size_hw
    corners = np.array([[x, y] for x in (0, width - 1) for y in (0, height - 1)], float)
    straight = camera.rays(corners) @ camera.K.T
    return float(np.abs(straight[:, :2] - corners).max())


def _labels(scene: Scene, R_axes_cam: np.ndarray, tally: Counter[str]) -> Iterator[str]:
    height, width = scene.size_hw
    for row in scene.objects:
        if not row["px_count_visib"]:
            tally["hidden"] += 1
            continue
        x, y, w, h = row["bbox_amodal_xywh"]
        box = np.clip([x, y, x + w - 1, y + h - 1], 0, [width - 1, height - 1] * 2)
        cuboid = cuboid_of(row)
        tally["placed" if cuboid else "flat"] += 1
        if cuboid is None:
            alpha, placed = -10.0, _UNKNOWN
        else:
            place, heading = R_axes_cam @ cuboid.bottom_m, heading_rad(R_axes_cam @ cuboid.forward)
            length, wide, high = cuboid.dims_lwh_m
            alpha = observed_rad(heading, place)
            placed = " ".join(f"{value:.6f}" for value in (high, wide, length, *place, heading))
        occluded = next(level for least, level in _OCCLUDED if row["visible_fraction"] >= least)
        around = " ".join(f"{value:.2f}" for value in box)
        yield f"{_type_of(row)} {row['truncation']:.2f} {occluded} {alpha:.6f} {around} {placed}"


def _dont_care(scene: Scene) -> Iterator[str]:
    for region in scene.ignored:
        x, y, w, h = masks.decode(region.rle, scene.size_hw)[1]
        yield f"DontCare -1 -1 -10 {x:.2f} {y:.2f} {x + w - 1:.2f} {y + h - 1:.2f} {_UNKNOWN}"


def _type_of(row: dict[str, Any]) -> str:
    return "Pedestrian" if row["category"] == "person" else _TYPES.get(row["subcategory"], "Car")


def _calibration(scene: Scene, R_axes_cam: np.ndarray) -> str:
    P = np.column_stack([scene.camera.K @ R_axes_cam.T, np.zeros(3)])
    projection = " ".join(f"{value:.12e}" for value in P.ravel())
    rows = [*(f"P{k}: {projection}" for k in range(4)), "R0_rect: 1 0 0 0 1 0 0 0 1", f"Tr_velo_to_cam: {_LASER}",
            "Tr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0"]  # fmt: skip
    return "".join(f"{row}\n" for row in rows)


FORMAT = Format("kitti", write, KittiSettings)
