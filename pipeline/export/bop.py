"""BOP: poses of models of known shape, in folders of a thousand pictures.

train/000001 has rgb/, mask/, mask_visib/, scene_camera.json, scene_gt.json and scene_gt_info.json; depth/ where the
shards have depth. models/ has a PLY of every fitted shape, in millimetres about the centre of its box, z up, and
models_info.json. A vehicle's shape is its track's; a person's is that of one cutout, since a body has another shape in
every pose. Objects whose place is not known are in masks and info no more than in poses. Pictures that validate lie in
val/. BOP has no lens: that of the camera is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh

from pipeline.core import masks
from pipeline.core.storage import write_bytes
from pipeline.export.kitti import bend_of
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import compact
from pipeline.export.shared.scenes import FLAT, Scene, counts, scenes

_PER_FOLDER = 1000
_MM = 1000.0
_FILES = ("scene_camera", "scene_gt", "scene_gt_info")
_SHAPE = ("category", "dims_lwh_m", "shape", "shape_basis", "body_model", "smpl_beta")


@dataclass
class _Models:
    """The shapes written so far: of each its number, from 1, and its place in the object's frame."""

    folder: Path
    known: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)
    info: dict[str, dict[str, Any]] = field(default_factory=dict)

    def place(self, row: dict[str, Any]) -> tuple[int, np.ndarray] | None:
        """The number of an object's model, and the model's origin in the object's frame (3,) metres; None where the
        object's place is not known."""
        key = json.dumps([row[name] for name in _SHAPE] + [row["cutout_id"] if row["smpl_theta"] else None])
        if key not in self.known:
            from pipeline.composition.meshes import solid_of  # loads open3d: who asks which formats there are need not

            solid = solid_of(row)
            if solid is None:
                return None
            R, t = np.reshape(row["R"], (3, 3)), np.array(row["t"])
            points = (solid.vertices - t) @ R
            centre = (points.min(axis=0) + points.max(axis=0)) / 2
            self.known[key] = len(self.known) + 1, centre
            number, vertices_mm = len(self.known), (points - centre) * _MM
            self._write(number, vertices_mm, solid.triangles)
            # Beyond BOP's own fields, so that an import knows the class, the size and the object's own origin.
            own = {"category": row["category"], "origin": (-centre * _MM).tolist(), "dims_lwh_m": row["dims_lwh_m"]}
            self.info[str(number)] |= own
        return self.known[key]

    def _write(self, number: int, vertices_mm: np.ndarray, triangles: np.ndarray) -> None:
        mesh = trimesh.Trimesh(vertices_mm, triangles, process=False)
        data = mesh.export(file_type="ply", encoding="ascii", vertex_normal=True)
        write_bytes(self.folder / f"obj_{number:06d}.ply", data if isinstance(data, bytes) else str(data).encode())
        low, size = vertices_mm.min(axis=0), np.ptp(vertices_mm, axis=0)
        hull = mesh.convex_hull.vertices
        diameter = max(float(np.linalg.norm(hull - point, axis=1).max()) for point in hull)
        named = dict(zip(("min_x", "min_y", "min_z", "size_x", "size_y", "size_z"), [*low, *size], strict=True))
        self.info[str(number)] = {"diameter": diameter, **{key: float(value) for key, value in named.items()}}


@dataclass
class _Folder:
    """One folder of pictures that is being filled."""

    path: Path
    pictures: int = 0

    @cached_property
    def about(self) -> dict[str, dict[str, Any]]:
        """What each of its files holds, by picture."""
        return {name: {} for name in _FILES}

    def close(self) -> None:
        """Its three files."""
        for name, content in self.about.items():
            write_bytes(self.path / f"{name}.json", compact(content))


def write(job: ExportJob) -> Written:
    """The folders train/, val/ and models/."""
    models, folders, tally, bend_px = _Models(job.out / "models"), dict[str, _Folder](), Counter[str](), 0.0
    from pipeline.composition.meshes import COLUMNS

    for scene in scenes(job, (*FLAT, *COLUMNS, "cutout_id"), ("depth",)):
        folder = folders.get(scene.split)
        if folder is None or folder.pictures == _PER_FOLDER:
            if folder:
                folder.close()
            tally["folders"] += 1
            folders[scene.split] = folder = _Folder(job.out / scene.split / f"{tally['folders']:06d}")
        _write_scene(folder, scene, models, tally)
        bend_px = max(bend_px, bend_of(scene))
    for folder in folders.values():
        folder.close()
    write_bytes(job.out / "models/models_info.json", compact(models.info))
    write_bytes(job.out / "camera.json", compact(_camera(scene)))
    write_bytes(job.out / "dataset_info.md", f"# {job.camera_id}, {job.mode}\n\nComposed scenes.\n".encode())
    lens = f"the lens's distortion, up to {bend_px:.1f} px, " if bend_px > 0.05 else ""
    return Written(
        f"{counts(job.clipart)[0]} pictures with {tally['poses']} poses of {len(models.known)} models",
        f"{lens}{tally['unplaced']} objects without a place, {tally['ignored']} regions to ignore, who hides whom, "
        "keypoints and how bodies are posed",
    )


def _write_scene(folder: _Folder, scene: Scene, models: _Models, tally: Counter[str]) -> None:
    number, key = folder.pictures, str(folder.pictures)
    folder.pictures += 1
    tally["ignored"] += len(scene.ignored)
    scene.write_picture(folder.path / f"rgb/{number:06d}.jpg")
    depth = (scene.row.get("depth") or {}).get("bytes")
    if depth:
        write_bytes(folder.path / f"depth/{number:06d}.png", depth)
    rows: list[dict[str, Any]] = []
    poses = []
    for row in scene.objects:
        placed = models.place(row)
        if placed is None:
            tally["unplaced"] += 1
            continue
        R, t = np.reshape(row["R"], (3, 3)), np.array(row["t"])
        model, origin = placed
        pose_mm = ((R @ origin + t) * _MM).tolist()
        poses.append({"cam_R_m2c": R.ravel().tolist(), "cam_t_m2c": pose_mm, "obj_id": model})
        for kind, folder_of in (("amodal", "mask"), ("visible", "mask_visib")):
            mask = masks.full(row[f"mask_{kind}_rle"], scene.size_hw)
            name = f"{folder_of}/{number:06d}_{len(rows):06d}.png"
            write_bytes(folder.path / name, cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes())
        rows.append(row)
    tally["poses"] += len(poses)
    folder.about["scene_camera"][key] = {"cam_K": scene.row["K"], "depth_scale": 10.0, **_world(scene)}
    folder.about["scene_gt"][key] = poses
    folder.about["scene_gt_info"][key] = [_info(row, scene, depth) for row in rows]


def _world(scene: Scene) -> dict[str, list[float]]:
    """The camera in a world whose origin is the ground under it, z up, millimetres."""
    T = scene.plane.T_cam_world
    return {"cam_R_w2c": T[:3, :3].ravel().tolist(), "cam_t_w2c": (T[:3, 3] * _MM).tolist()}


def _info(row: dict[str, Any], scene: Scene, depth: bytes | None) -> dict[str, Any]:
    valid = 0
    if depth:
        centimetres = cv2.imdecode(np.frombuffer(depth, np.uint8), cv2.IMREAD_UNCHANGED)
        crop, (x, y, w, h) = masks.decode(row["mask_amodal_rle"], scene.size_hw)
        valid = 0 if centimetres is None else int((crop & (centimetres[y : y + h, x : x + w] > 0)).sum())
    return {
        "bbox_obj": _whole(row["bbox_amodal_xywh"]), "bbox_visib": _whole(row["bbox_visible_xywh"] or [-1] * 4),
        "px_count_all": row["px_count_all"], "px_count_valid": valid, "px_count_visib": row["px_count_visib"],
        "visib_fract": round(row["visible_fraction"], 6),
    }  # fmt: skip


def _whole(box: list[float]) -> list[int]:
    return [round(value) for value in box]


def _camera(scene: Scene) -> dict[str, Any]:
    K, (height, width) = scene.camera.K, scene.size_hw
    return {
        "cx": K[0, 2], "cy": K[1, 2], "depth_scale": 10.0, "fx": K[0, 0], "fy": K[1, 1], "height": height,
        "width": width,
    }  # fmt: skip


FORMAT = Format("bop", write)
