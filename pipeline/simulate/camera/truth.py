"""What is exactly true of a simulated frame: silhouettes, occlusion, poses and keypoints of everyone in it.

A pixel belongs to a mask when at least half of its four samples do. The pipeline never reads this.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from calibration.camera import pixel_to_edge
from pipeline.core import masks
from pipeline.core.mesh import cast
from pipeline.core.skeletons import COCO_17, OPEC_12, VEHICLE_12
from pipeline.core.storage import read_parts
from pipeline.core.tables import column
from pipeline.simulate.camera.render import Renderer
from pipeline.simulate.camera.rendered import RenderedActor
from pipeline.simulate.people.person import Person, coco17_keypoints, person_mesh

_F64S, _I64S = pa.list_(pa.float64()), pa.list_(pa.int64())


def _field(name: str, type_: pa.DataType, meaning: str, *, unit: str = "", shape: str = "") -> pa.Field:
    return column(name, type_, meaning, unit=unit, shape=shape, source="simulation")


TRUTH = pa.schema(
    [
        _field("frame_id", pa.int64(), "the frame"),
        _field("actor_id", pa.int64(), "one vehicle or person; parked ones keep theirs all day"),
        _field("category", pa.string(), "person or vehicle"),
        _field("body", pa.string(), "body type of a vehicle; person"),
        _field("moving", pa.bool_(), "false for what is parked all day"),
        _field("bbox_amodal_xywh", _F64S, "box of the whole silhouette inside the frame", unit="px", shape="4"),
        _field("mask_amodal_rle", pa.string(), "whole silhouette inside the frame"),
        _field("mask_visible_rle", pa.string(), "what is seen of it"),
        _field("px_count_all", pa.int64(), "pixels of the amodal mask", unit="px"),
        _field("px_count_visib", pa.int64(), "pixels of the visible mask", unit="px"),
        _field("visible_fraction", pa.float64(), "px_count_visib / px_count_all"),
        _field("truncation", pa.float64(), "share of the silhouette outside the frame"),
        _field("static_hidden_fraction", pa.float64(), "share of the amodal mask behind what never moves"),
        _field("occluder_ids", _I64S, "actors that hide part of it; -1 is what never moves"),
        _field("R", _F64S, "X_cam = R X_obj + t", shape="3,3"),
        _field("t", _F64S, "ground point under the middle, camera frame", unit="m", shape="3"),
        _field("dims_lwh_m", _F64S, "length, width, height", unit="m", shape="3"),
        _field(
            "keypoints_3d",
            _F64S,
            f"{len(VEHICLE_12)} vehicle or {len(COCO_17)} COCO keypoints, camera frame",
            unit="m",
            shape="N,3",
        ),
        _field("keypoints_2d", _F64S, "their pixels, pixel-centre coordinates", unit="px", shape="N,2"),
        _field("keypoint_state", pa.list_(pa.string()), "visible | self_occluded | occluded | truncated", shape="N"),
    ]
)


def read_truth(folder: Path) -> pa.Table:
    """All bursts' truth of a simulated camera."""
    return read_parts(folder)


def rows_of(renderer: Renderer, rendered: list[RenderedActor], frame_id: int) -> list[dict]:
    """TRUTH rows of one frame's actors whose silhouette has a pixel in the frame."""
    size_hw = renderer.view.camera.size_hw
    nearest = _nearest(renderer, rendered)
    rows = (
        _truth_row(renderer, rendered, one, index, nearest, frame_id, size_hw) for index, one in enumerate(rendered)
    )
    return [row for row in rows if row is not None]


def _nearest(renderer: Renderer, rendered: list[RenderedActor]) -> np.ndarray:
    """(H, W, 4) index into rendered of the owner of each sample, -1 for what never moves."""
    size_hw = renderer.view.camera.size_hw
    owner = np.full((*size_hw, 4), -1, np.int16)
    for index, one in enumerate(rendered):
        fy, fx, wy, wx = one.shared(size_hw)
        owner[fy, fx][one.seen[wy, wx]] = index
    return owner


def _truth_row(
    renderer: Renderer, rendered: list[RenderedActor], one: RenderedActor, index: int, nearest: np.ndarray,
    frame_id: int, size_hw: tuple[int, int],
) -> dict | None:  # fmt: skip
    fy, fx, wy, wx = one.shared(size_hw)
    hit = np.isfinite(one.depth)
    whole = hit.sum(axis=2) >= 2
    amodal = whole[wy, wx]
    visible, yielded = _visible(one.seen[wy, wx], nearest[fy, fx])
    if not amodal.any():
        return None
    hidden = amodal & ~visible
    others = np.r_[nearest[fy, fx][hit[wy, wx] & ~one.seen[wy, wx]], nearest[fy, fx, 0][yielded]]
    static = hidden & ((nearest[fy, fx] == -1) & hit[wy, wx]).sum(axis=2).astype(bool)
    xy = (fx.start, fy.start)
    mask = masks.encode(amodal, xy, size_hw)
    state, dims = one.state, _dims(one)
    R_cam, t_cam = renderer.view.plane.R_cam_world @ one.R, renderer.view.plane.to_camera(one.t)
    keypoints = _keypoints(one)
    in_camera = keypoints @ R_cam.T + t_cam
    pixels = renderer.view.camera.project(in_camera)
    ys, xs = np.nonzero(amodal)
    low = np.array([xs.min(), ys.min()]) + xy
    return {
        "frame_id": frame_id,
        "actor_id": state.actor_id,
        "category": "vehicle" if state.vehicle else "person",
        "body": state.vehicle.body if state.vehicle else "person",
        "moving": state.moving,
        "bbox_amodal_xywh": [*map(float, low), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)],
        "mask_amodal_rle": mask,
        "mask_visible_rle": masks.encode(visible, xy, size_hw),
        "px_count_all": int(amodal.sum()),
        "px_count_visib": int(visible.sum()),
        "visible_fraction": float(visible.sum() / amodal.sum()),
        "truncation": float(1 - amodal.sum() / whole.sum()),
        "static_hidden_fraction": float(static.sum() / amodal.sum()),
        "occluder_ids": sorted({-1 if i < 0 else rendered[i].state.actor_id for i in np.unique(others)}),
        "R": R_cam.reshape(-1).tolist(),
        "t": t_cam.tolist(),
        "dims_lwh_m": dims,
        "keypoints_3d": in_camera.reshape(-1).tolist(),
        "keypoints_2d": pixels.reshape(-1).tolist(),
        "keypoint_state": _keypoint_states(renderer, one, index, keypoints, pixels, nearest),
    }


def _visible(seen: np.ndarray, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) pixels of which at least half the samples are seen, and those yielded to another actor with as many.

    Between two actors with two samples each, whoever has the first one keeps the pixel.
    """
    count, first = seen.sum(axis=2), nearest[..., :1]
    tie = (count == 2) & ~seen[..., 0] & (first[..., 0] >= 0) & ((nearest == first).sum(axis=2) == 2)
    return (count >= 2) & ~tie, tie


def _dims(one: RenderedActor) -> list[float]:
    if one.state.vehicle:
        return list(map(float, one.state.vehicle.dims_lwh_m))
    return list(_standing_box(one.state.walker))


@lru_cache(maxsize=512)
def _standing_box(person: Person) -> tuple[float, float, float]:
    """Length, width and height of a box around the pelvis's ground point that holds the person standing."""
    reach = np.abs(person_mesh(person, "stand", 0.0).vertices).max(axis=0)
    return float(2 * reach[0]), float(2 * reach[1]), float(reach[2])


def _keypoints(one: RenderedActor) -> np.ndarray:
    """(N, 3) keypoints in the actor's own frame."""
    if one.state.vehicle:
        return np.asarray(one.state.vehicle.keypoints, float)
    return coco17_keypoints(one.state.walker, one.state.motion, one.state.phase)


def _keypoint_states(
    renderer: Renderer, one: RenderedActor, index: int, keypoints: np.ndarray, pixels: np.ndarray, nearest: np.ndarray
) -> list[str]:
    """Truncated outside the frame, self_occluded behind the own surface, occluded behind another's, else visible."""
    size_hw = renderer.view.camera.size_hw
    eye = (renderer.view.eye - one.t) @ one.R
    towards = keypoints - eye
    hits = cast(renderer.scene_for(one), eye, towards, renderer.threads)
    behind_self = hits["t_hit"] < 1 - _depth_in_flesh(one) / np.linalg.norm(towards, axis=1)
    states = []
    for pixel, self_hidden in zip(pixels, behind_self, strict=True):
        if not _within_frame(pixel, size_hw):
            states.append("truncated")
        elif self_hidden:
            states.append("self_occluded")
        else:
            x, y = np.floor(pixel_to_edge(pixel)).astype(int)
            states.append("visible" if _mine(one, index, nearest, x, y) else "occluded")
    return states


def _depth_in_flesh(one: RenderedActor) -> np.ndarray:
    """(N,) metres below the surface at which a visible keypoint may lie: joints do, lamps, wheels and eyes hardly."""
    if one.state.vehicle:
        return np.full(len(VEHICLE_12), 0.10)
    return np.where(np.isin(COCO_17.names, OPEC_12.names), 0.22, 0.05)


def _mine(one: RenderedActor, index: int, nearest: np.ndarray, x: int, y: int) -> bool:
    """Whether the pixel is this actor's, or beside its silhouette, where nothing of it could be hidden."""
    column_, row = x - one.xy[0], y - one.xy[1]
    if not (0 <= row < one.depth.shape[0] and 0 <= column_ < one.depth.shape[1]):
        return True
    covered = np.isfinite(one.depth[row, column_])
    return bool((nearest[y, x] == index).sum() * 2 >= covered.sum())


def _within_frame(image_point: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) whether pixel-centre coordinates (N, 2) lie in the frame."""
    x, y = image_point[..., 0], image_point[..., 1]
    return (x >= -0.5) & (y >= -0.5) & (x < size_hw[1] - 0.5) & (y < size_hw[0] - 0.5)
