"""A camera's folder with exact truth, made by hand: rectangles whose owners and places are known."""

import numpy as np

from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import CUTOUTS, FRAMES, to_table
from pipeline.simulate.camera.truth import TRUTH

SIZE_HW = (120, 160)


def rectangle(x, y, w, h, size_hw=SIZE_HW):
    """Run-length string of a filled box that lies in the frame."""
    return masks.encode(np.ones((h, w), bool), (x, y), size_hw)


def actor(frame, actor_id, box, size_hw=SIZE_HW, **more):
    """A row of TRUTH: a car, wholly seen, that drives."""
    box = [int(v) for v in box]
    mask = rectangle(*box, size_hw)
    known = {
        "frame_id": frame, "actor_id": actor_id, "category": "vehicle", "body": "sedan", "moving": True,
        "bbox_amodal_xywh": [float(v) for v in box], "mask_amodal_rle": mask, "mask_visible_rle": mask,
        "px_count_all": box[2] * box[3], "px_count_visib": box[2] * box[3],
        "visible_fraction": 1.0, "truncation": 0.0, "static_hidden_fraction": 0.0, "occluder_ids": [],
        "R": np.eye(3).ravel().tolist(), "t": [0.0, 0.0, 20.0], "dims_lwh_m": [4.4, 1.9, 1.5],
        "keypoints_3d": [0.0] * 36, "keypoints_2d": [0.0] * 24, "keypoint_state": ["visible"] * 12,
    }  # fmt: skip
    return known | more


def cutout(number, frame, box, category="vehicle", track=0):
    """A row of CUTOUTS that shows a filled box."""
    return {
        "cutout_id": number, "frame_id": frame, "category": category, "subcategory": None, "score": 0.9,
        "track_id": track,
        "bbox_xywh": [float(v) for v in box], "mask_rle": rectangle(*box), "bucket": "noon", "sequence": 0,
        "timestamp": 0, "foot_xy_m": [0.0, 0.0], "velocity_xy_mps": [0.0, 0.0], "stationary": False,
        "sprite": b"", "sprite_xy": [0, 0], "shadow": None, "shadow_xy": None, "halo": None,
    }  # fmt: skip


def write_camera(folder, truth, cutouts=(), size_hw=SIZE_HW):
    """The folder, with the truth, the cutouts and an index of one frame."""
    frame = dict.fromkeys(FRAMES.names) | {"frame_id": 0, "height": size_hw[0], "width": size_hw[1], "status": "ok"}
    write_table(folder / "frames" / "index.parquet", to_table([frame], FRAMES))
    write_table(folder / "truth" / "part-0.parquet", to_table(truth, TRUTH))
    write_table(folder / "cutouts" / "part-0.parquet", to_table(list(cutouts), CUTOUTS))
    return folder
