"""Omni3D: COCO's kind of JSON with boxes in space, in the camera's own frame with every turn they have.

`R_cam` turns the box's frame (x forward, y down, z to the left) into the camera's, `dimensions` are width, height and
length in metres, `bbox3D_cam` the eight corners in Omni3D's order. `bbox2D_tight` is of what is seen, `bbox2D_proj` and
`bbox2D_trunc` of the projected corners, whole and cut at the picture's borders. Objects without a place, and regions to
ignore, have `valid3D` false, and training passes over them. The image's K is a pinhole's: a lens is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core import masks
from pipeline.core.tables import CATEGORY_IDS
from pipeline.export.kitti import bend_of
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.cuboids import Cuboid, cuboid_of
from pipeline.export.shared.json_lists import JsonLists
from pipeline.export.shared.scenes import FLAT, PLACED, Scene, counts, scenes

_DATASET = 0  # Omni3D numbers its sources; this one is alone in its files
_NONE = [-1.0] * 4
_NEAR_M = 1e-3


def write(job: ExportJob) -> Written:
    """The folder images/ and a file of labels a split."""
    extra, tally, bend_px = counts(job.clipart)[1], Counter[str](), 0.0
    with JsonLists(job.out, ("images", "annotations"), lambda name: _about(job, name)) as files:
        for scene in scenes(job, (*FLAT, *PLACED)):
            scene.write_picture(job.out / "images" / scene.name)
            tally["pictures"] += 1
            bend_px = max(bend_px, bend_of(scene))
            name = f"{job.camera_id}_{scene.split}.json"
            files.add(name, "images", _picture(scene))
            for row in scene.objects:
                cuboid = cuboid_of(row)
                tally["placed" if cuboid else "flat"] += 1
                files.add(name, "annotations", _annotation(scene, row, cuboid))
            for one in _ignored(scene, extra + 1):
                extra += 1
                files.add(name, "annotations", one)
    lens = f"the lens's distortion, up to {bend_px:.1f} px, " if bend_px > 0.05 else ""
    return Written(
        f"{tally['pictures']} pictures with {tally['placed']} boxes in space and {tally['flat']} objects without",
        f"{lens}who hides whom, masks, keypoints, shapes and bodies",
    )


def _about(job: ExportJob, name: str) -> dict[str, Any]:
    split = name.removesuffix(".json").rsplit("_", 1)[1]
    return {
        "info": {
            "id": _DATASET, "source": job.camera_id, "name": f"{job.camera_id} {split}", "split": split,
            "version": "1", "url": "",
        },
        "categories": [{"id": number, "name": name, "supercategory": name} for name, number in CATEGORY_IDS.items()],
    }  # fmt: skip


def _picture(scene: Scene) -> dict[str, Any]:
    height, width = scene.size_hw
    return {
        "id": scene.number, "dataset_id": _DATASET, "width": width, "height": height,
        "file_path": f"images/{scene.name}", "K": np.reshape(scene.row["K"], (3, 3)).tolist(), "src_90_rotate": 0,
        "src_flagged": False, "incomplete": False, "scene_id": scene.row["scene_id"],
    }  # fmt: skip


def _annotation(scene: Scene, row: dict[str, Any], cuboid: Cuboid | None) -> dict[str, Any]:
    return {
        **_flat(scene, scene.ids[row["object_id"]], row["category"], row["bbox_visible_xywh"]),
        **_placed(scene, cuboid),
        "visibility": round(row["visible_fraction"], 6),
        "truncation": round(row["truncation"], 6),
        "segmentation_pts": row["px_count_visib"],
        "subcategory": row["subcategory"],
        "track_id": row["track_id"],
        "depth_order": row["depth_order"],
    }


def _flat(scene: Scene, number: int, category: str, box_xywh: list[float] | None) -> dict[str, Any]:
    """What every annotation has."""
    x, y, w, h = box_xywh or [0.0] * 4
    return {
        "id": number, "image_id": scene.number, "dataset_id": _DATASET, "category_id": CATEGORY_IDS[category],
        "category_name": category, "bbox2D_tight": [x, y, x + w, y + h] if box_xywh else _NONE,
        "lidar_pts": -1, "depth_error": -1,
    }  # fmt: skip


def _placed(scene: Scene, cuboid: Cuboid | None) -> dict[str, Any]:
    if cuboid is None:
        return {
            "valid3D": False, "behind_camera": False, "bbox2D_proj": _NONE, "bbox2D_trunc": _NONE,
            "bbox3D_cam": [[-1.0] * 3] * 8, "center_cam": [-1.0] * 3, "dimensions": [-1.0] * 3,
            "R_cam": [[-1.0] * 3] * 3,
        }  # fmt: skip
    length, width, height = cuboid.dims_lwh_m.tolist()
    corners = cuboid.corners_m
    behind = bool((corners[:, 2] < _NEAR_M).any())
    projected = cut = _NONE
    if not behind:
        pixels = corners @ scene.camera.K.T
        edges = pixels[:, :2] / pixels[:, 2:] + 0.5
        size = np.tile(scene.size_hw[::-1], 2)
        low_high = np.concatenate([edges.min(axis=0), edges.max(axis=0)])
        projected, cut = low_high.tolist(), np.clip(low_high, 0, size).tolist()
    return {
        "valid3D": True, "behind_camera": behind, "bbox2D_proj": projected, "bbox2D_trunc": cut,
        "bbox3D_cam": corners.tolist(), "center_cam": cuboid.centre_m.tolist(), "dimensions": [width, height, length],
        "R_cam": cuboid.R_cam_box.tolist(),
    }  # fmt: skip


def _ignored(scene: Scene, first_id: int) -> Iterator[dict[str, Any]]:
    for region in scene.ignored:
        box = list(map(float, masks.decode(region.rle, scene.size_hw)[1]))
        for category in region.categories:
            known = {"visibility": -1, "truncation": -1, "segmentation_pts": -1, "reason": region.reason}
            yield {**_flat(scene, first_id, category, box), **_placed(scene, None), **known}
            first_id += 1


FORMAT = Format("omni3d", write)
