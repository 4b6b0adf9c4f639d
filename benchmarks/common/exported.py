"""Exports read by their consumers' code or rules, beside the scenes that they are of: pairs of masks, and how far
corners of boxes in space are, in pixels, from where the shards' own project."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh
from pycocotools import mask as coco
from pycocotools.coco import COCO

from calibration.camera import Camera
from models.labels.cvat import read_cvat
from pipeline.composition.meshes import solid_of
from pipeline.core import masks
from pipeline.export.shared.cuboids import cuboid_of
from pipeline.export.shared.scenes import Scene

Pair = tuple[np.ndarray, np.ndarray]


def _read_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def filled(polygons: list, size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of COCO's polygons, by COCO's rules."""
    return coco.decode(coco.merge(coco.frPyObjects(polygons, *size_hw))).astype(bool)


def coco_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Both masks of both files, by pycocotools."""
    for split in {scene.split for scene in all_scenes}:
        for kind in ("amodal", "visible"):
            found = _read_coco(out / f"instances_{kind}_{split}.json")
            for scene, number, row in _objects(all_scenes, split):
                if number in found.anns:
                    yield found.annToMask(found.anns[number]) > 0, masks.full(row[f"mask_{kind}_rle"], scene.size_hw)


def kins_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Whole and seen masks, by pycocotools."""
    for split in {scene.split for scene in all_scenes}:
        found = _read_coco(out / f"instances_{split}.json").anns
        for scene, number, row in _objects(all_scenes, split):
            yield filled(found[number]["segmentation"], scene.size_hw), _whole(scene, row)
            yield coco.decode(found[number]["inmodal_seg"]) > 0, masks.full(row["mask_visible_rle"], scene.size_hw)


def cocoa_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Regions' polygons, by pycocotools."""
    for split in {scene.split for scene in all_scenes}:
        listed = json.loads((out / f"COCO_amodal_{split}.json").read_text())["annotations"]
        found = {region.get("id"): region for one in listed for region in one["regions"]}
        for scene, number, row in _objects(all_scenes, split):
            yield filled([found[number]["segmentation"]], scene.size_hw), _whole(scene, row)


def yolo_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Outlines, under COCO's rules."""
    for scene in all_scenes:
        lines = (out / f"labels/{scene.split}/{Path(scene.name).stem}.txt").read_text().splitlines()
        for line, row in zip(lines, scene.objects, strict=True):
            corners = np.array(line.split()[1:], float).reshape(-1, 2) * scene.size_hw[::-1]
            yield filled([corners.ravel().tolist()], scene.size_hw), _whole(scene, row)


def label_studio_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """All parts of an object together, under COCO's rules."""
    for task, scene in zip(json.loads((out / "labels.json").read_text()), all_scenes, strict=True):
        parts: dict[str, list] = {}
        for region in task["predictions"][0]["result"]:
            if region["type"] == "polygonlabels":
                corners = np.array(region["value"]["points"]) / 100 * scene.size_hw[::-1]
                parts.setdefault(region["id"].rpartition(".")[0], []).append(corners.ravel().tolist())
        for row in scene.objects:
            yield filled(parts[str(scene.ids[row["object_id"]])], scene.size_hw), _whole(scene, row)


def cvat_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Masks, as this project's reader of CVAT has them."""
    for picture, scene in zip(read_cvat(out / "annotations.xml"), all_scenes, strict=True):
        shapes = [shape for shape in picture.shapes if shape.label != "ignore"]
        for shape, row in zip(shapes, scene.objects, strict=True):
            yield shape.mask(scene.size_hw) > 0, _whole(scene, row)


def bop_pairs(out: Path, all_scenes: Sequence[Scene]) -> Iterator[Pair]:
    """Both folders of masks."""
    for folder, number, scene, _, rows in _bop_pictures(out, all_scenes):
        for k, row in enumerate(rows):
            for where, kind in (("mask", "amodal"), ("mask_visib", "visible")):
                found = cv2.imread(str(folder / where / f"{number:06d}_{k:06d}.png"), cv2.IMREAD_GRAYSCALE)
                yield np.asarray(found) > 0, masks.full(row[f"mask_{kind}_rle"], scene.size_hw)


def kitti_px(out: Path, all_scenes: Sequence[Scene]) -> Iterator[float]:
    """Corners by the development kit's formula, projected with P2."""
    for scene in all_scenes:
        calibration = (out / f"training/calib/{scene.number:06d}.txt").read_text().splitlines()
        P = np.array(next(line for line in calibration if line.startswith("P2")).split()[1:], float).reshape(3, 4)
        lines = (out / f"training/label_2/{scene.number:06d}.txt").read_text().splitlines()
        seen = [row for row in scene.objects if row["px_count_visib"]]
        for line, row in zip((line for line in lines if line[:8] != "DontCare"), seen, strict=True):
            cuboid = cuboid_of(row)
            if cuboid:
                height, width, length, *place, turn = map(float, line.split()[8:])
                x, z = ([1, 1, -1, -1] * 2, [1, -1, -1, 1] * 2)
                box = np.array([x, [0] * 4 + [-2] * 4, z]).T * [length / 2, height / 2, width / 2]
                R = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
                pixels = np.column_stack([box @ R.T + place, np.ones(8)]) @ P.T
                yield _apart(pixels[:, :2] / pixels[:, 2:], _pinhole(scene).project(cuboid.corners_m))


def omni3d_px(out: Path, all_scenes: Sequence[Scene]) -> Iterator[float]:
    """Corners by Omni3D's formula, projected with K."""
    for split in {scene.split for scene in all_scenes}:
        (path,) = out.glob(f"*_{split}.json")
        found = {one["id"]: one for one in json.loads(path.read_text())["annotations"]}
        for scene, number, row in _objects(all_scenes, split):
            cuboid = cuboid_of(row)
            if cuboid:
                one = found[number]
                signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
                width, height, length = one["dimensions"]
                corners = signs * [length / 2, height / 2, width / 2] @ np.array(one["R_cam"]).T + one["center_cam"]
                camera = _pinhole(scene)
                yield _apart(camera.project(corners), camera.project(cuboid.corners_m))


def bop_px(out: Path, all_scenes: Sequence[Scene]) -> Iterator[float]:
    """Vertices of the models, placed by the poses, projected with K."""
    models: dict[int, np.ndarray] = {}
    for _, _, scene, poses, rows in _bop_pictures(out, all_scenes):
        for pose, row in zip(poses, rows, strict=True):
            name = pose["obj_id"]
            if name not in models:
                models[name] = trimesh.load_mesh(out / f"models/obj_{name:06d}.ply", process=False).vertices
            placed = models[name] @ np.reshape(pose["cam_R_m2c"], (3, 3)).T + pose["cam_t_m2c"]
            body = solid_of(row)
            if body is not None:
                apart = _pinhole(scene).project(placed) - _pinhole(scene).project(body.vertices)
                yield float(np.abs(apart).max())


def _bop_pictures(out: Path, all_scenes: Sequence[Scene]) -> Iterator[tuple[Path, int, Scene, list, list]]:
    """Folder, number of the picture, its scene, the poses and the rows that have one."""
    by_bytes = {scene.jpeg: scene for scene in all_scenes}
    for path in sorted(out.glob("*/*/scene_gt.json")):
        for key, poses in json.loads(path.read_text()).items():
            scene = by_bytes[(path.parent / f"rgb/{int(key):06d}.jpg").read_bytes()]
            yield path.parent, int(key), scene, poses, [row for row in scene.objects if cuboid_of(row)]


def _objects(all_scenes: Sequence[Scene], split: str) -> Iterator[tuple[Scene, int, dict[str, Any]]]:
    for scene in all_scenes:
        if scene.split == split:
            yield from ((scene, scene.ids[row["object_id"]], row) for row in scene.objects)


def _whole(scene: Scene, row: dict[str, Any]) -> np.ndarray:
    return masks.full(row["mask_amodal_rle"], scene.size_hw)


def _pinhole(scene: Scene) -> Camera:
    return Camera(scene.camera.K, scene.size_hw)


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Between corners (8, 2) and the nearest of others, either way: no order of corners is agreed."""
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    return float(max(apart.min(axis=1).max(), apart.min(axis=0).max()))
