"""Pictures named as motion names them, several a second: every frame has its own time, and one car is one track."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

DETECTIONS = Path(__file__).parents[1] / "cases" / "coco" / "motionq.json"
FPS, STEP_M = 4, 1.5  # frames a second; ground between two cutouts of a track


def test_a_car_in_four_pictures_a_second_is_one_track_with_a_view_every_step(house):
    content, rng = json.loads(DETECTIONS.read_text()), np.random.default_rng(0)
    street = cv2.GaussianBlur(rng.normal(110, 60, (240, 320, 3)), (0, 0), 3)
    folder = house.folder / "motion"
    folder.mkdir()
    for picture, found in zip(content["images"], content["annotations"], strict=True):
        frame = street + rng.normal(0, 2, street.shape)
        corners = np.array(found["segmentation"][0]).reshape(-1, 2)
        cv2.fillConvexPoly(frame, corners, (40, 40, 190))
        cv2.imwrite(str(folder / picture["file_name"]), frame.clip(0, 255).astype(np.uint8))
    source = {"kind": "images", "folder": str(folder), "time_pattern": "%Y%m%d%H%M%S-%q", "fps": FPS}
    calibration = {"focal_px": 400, "tilt_deg": 22, "height_m": 7.5}
    house.camera("motionq", source, calibration=calibration, detector={"backend": "coco", "file": str(DETECTIONS)})
    code, _, lines = house.luigi("MineUnoccluded", "--camera", "motionq")
    assert code == 0, lines
    tracks = pq.read_table(house.data / "motionq/tracks.parquet")
    moments = tracks["timestamp"].to_numpy().astype("datetime64[ms]")
    assert (np.diff(moments) == np.timedelta64(1000 // FPS, "ms")).all()
    assert len(moments) == 20 and set(tracks["track_id"].to_pylist()) == {0}
    foot = np.array(tracks["foot_xy_m"].to_pylist())
    each = np.linalg.norm(np.diff(foot, axis=0), axis=1).mean()
    views = sorted(pq.read_table(house.data / "motionq/cutouts")["frame_id"].to_pylist())
    # Along the way of 8.3 m there is room for five; the best come first, which may leave gaps too small for one more.
    apart = np.abs(np.subtract.outer(np.arange(20), views)) * each
    assert (np.diff(views) * each >= STEP_M).all() and (apart.min(axis=1) < STEP_M).all()
    assert 3 <= len(views) <= 1 + 19 // int(np.ceil(STEP_M / each)) == 5
