"""Render the README's picture from a finished job: `python -m benchmarks.picture [--data DIR]` writes docs/scene.jpg.

One composed scene twice: as it is, and with its whole (amodal) masks, what is hidden of them hatched, and 3D boxes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.common.job import CAMERA
from benchmarks.common.report import HERE, OUT
from calibration.camera import Camera
from pipeline.core import masks

PICTURE = HERE.parent / "docs" / "scene.jpg"
# Edges of a box whose corners count x, y, z in binary.
_EDGES = [(i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit]


def scene_with_most_hidden(objects: pd.DataFrame) -> str:
    """The scene with the most objects of which a fair part, but not all, is hidden; first of equals."""
    fair = objects["visible_fraction"].between(0.25, 0.9)
    return str(fair.groupby(objects["scene_id"]).sum().idxmax())


def annotated(picture: np.ndarray, scene: dict, objects: list[dict]) -> np.ndarray:
    """The picture with masks and boxes, far ones first."""
    size_hw = (picture.shape[0], picture.shape[1])
    camera = Camera(np.array(scene["K"]).reshape(3, 3), size_hw, np.array(scene["distortion"]))
    hatch = np.add.outer(np.arange(size_hw[0]), np.arange(size_hw[1])) % 8 < 3
    result = picture.copy()
    for row in sorted(objects, key=lambda row: -row["depth_order"]):
        hue = np.array([[[(37 * row["object_id"] + 11) % 180, 190, 255]]], np.uint8)
        colour = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].astype(float)
        whole, seen = (masks.full(row[name], size_hw) for name in ("mask_amodal_rle", "mask_visible_rle"))
        for part, alpha in ((seen, 0.45), (whole & ~seen & hatch, 0.8)):
            result[part] = (1 - alpha) * result[part] + alpha * colour
        for a, b in box_lines(row, camera):
            cv2.line(result, a, b, tuple(map(float, colour)), 1, cv2.LINE_AA)
    return result


def box_lines(row: dict, camera: Camera) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pixel ends of the object's 3D box."""
    length, width, height = row["dims_lwh_m"]
    bits = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)]) - (0.5, 0.5, 0.0)
    corners = bits * (length, width, height)
    in_camera = corners @ np.array(row["R"]).reshape(3, 3).T + row["t"]
    pixels = camera.project(in_camera)
    if np.isnan(pixels).any():
        return []
    ends = [tuple(int(v) for v in np.round(p)) for p in pixels]
    return [((ends[a][0], ends[a][1]), (ends[b][0], ends[b][1])) for a, b in _EDGES]


def visualised(clipart: Path, background: str) -> np.ndarray:
    """Both pictures side by side, half size, of a scene on that time bucket's background."""
    objects = pd.read_parquet(clipart / "objects")
    images = pd.read_parquet(clipart / "images")
    images = images[images["background"] == background]
    chosen = scene_with_most_hidden(objects[objects["scene_id"].isin(images["scene_id"])])
    scene = images[images["scene_id"] == chosen].to_dict("records")[0]
    picture = cv2.imdecode(np.frombuffer(scene["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{clipart}: the picture of {chosen} cannot be decoded")
    pair = [picture, annotated(picture, scene, objects[objects["scene_id"] == chosen].to_dict("records"))]
    return cv2.resize(np.hstack(pair), None, fx=0.625, fy=0.625, interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=OUT / "data", help="data root (default: %(default)s)")
    parser.add_argument("--camera", default=CAMERA, help="whose job (default: %(default)s)")
    parser.add_argument("--background", default="morning", help="time bucket (default: %(default)s)")
    options = parser.parse_args()
    picture = visualised(options.data / options.camera / "clipart", options.background)
    cv2.imwrite(str(PICTURE), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(PICTURE)
