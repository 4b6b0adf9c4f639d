"""The frames of a simulated camera with their exact truth, as scenes to evaluate on: what really hides what.

What is parked all day, or shows no pixel, is neither right nor wrong: no label of a stationary camera tells of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.camera import Camera, GroundPlane
from models.scenes.objects import (
    CLASSES,
    SHAPES,
    Scene,
    Thing,
    keypoints_of,
    numbers,
    part_of,
)
from pipeline.core.frames import FrameReader
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.storage import read_table
from pipeline.simulate import read_truth


class TrueFrames:
    """The frames of a simulated camera's folder of results, of its calibration.

    Raises ValueError, one line, where the folder holds no truth.
    """

    def __init__(self, folder: Path, camera: Camera, plane: GroundPlane) -> None:
        if not (folder / "truth").is_dir():
            raise ValueError(f"{folder}: no exact truth; expected a camera whose source is of kind simulated")
        self.camera, self.plane = camera, plane
        index = read_table(folder / "frames" / "index.parquet")
        self._reader = FrameReader(index, folder)
        self._rows: dict[int, list[dict]] = {}
        for row in read_truth(folder / "truth").to_pylist():
            self._rows.setdefault(row["frame_id"], []).append(row)
        self.frames = sorted(row["frame_id"] for row in index.to_pylist() if row["status"] == "ok")

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Scene:
        ((_, image),) = self._reader.read([self.frames[index]])
        size_hw, things, ignore = image.shape[:2], [], np.zeros(image.shape[:2], bool)
        for row in self._rows.get(self.frames[index], []):
            if row["moving"] and row["px_count_visib"] > 0:
                things.append(_thing(row, size_hw))
                continue
            seen = part_of(row["mask_visible_rle"], size_hw)
            (x, y), (h, w) = seen.xy, seen.crop.shape
            ignore[y : y + h, x : x + w] |= seen.crop
        plane = np.array([*self.plane.n, self.plane.d])
        return Scene(image, things, ignore, self.camera.K, self.camera.five_terms, plane)


def _thing(row: dict, size_hw: tuple[int, int]) -> Thing:
    """An actor as composed scenes tell of objects; its shape is no basis's."""
    whole, visible = (part_of(row[f"mask_{name}_rle"], size_hw) for name in ("amodal", "visible"))
    R, t = numbers(row["R"], (3, 3)), numbers(row["t"], (3,))
    solid = row["category"] == "vehicle"
    points = (np.array(row["keypoints_3d"]).reshape(-1, 3) - t) @ R if solid else np.full((len(VEHICLE_12), 3), np.nan)
    x, y, w, h = row["bbox_amodal_xywh"]
    return Thing(
        CLASSES.index(row["category"]), (x, y, w, h), whole, visible, 1 - row["visible_fraction"], *keypoints_of(row),
        -1, np.full(SHAPES, np.nan), R, t, points, row["body"], row["actor_id"],
    )  # fmt: skip
