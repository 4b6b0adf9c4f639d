"""Cameras that see the sky: what moves above the horizon stands on no ground and is nobody's business."""

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from street import CALIBRATION, CAMERA, JOB, SIZE_HW, TEN, write_street

from calibration.camera import GroundPlane

LOW = CALIBRATION | {"tilt_deg": 4, "height_m": 2.6}
PLANE = GroundPlane.from_tilt(LOW["tilt_deg"], 0, LOW["height_m"])
HORIZON = round(CAMERA.K[1, 2] - CAMERA.K[1, 1] * np.tan(np.radians(LOW["tilt_deg"])))


def test_a_cloud_over_a_car_is_no_object_and_does_no_harm(house):
    """A car on the ground and a cloud in the sky, 320 x 240, from 6.2 m and 2.3 degrees below the horizon."""
    folder = house.folder / "frames"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(12):
        frame = np.full((240, 320, 3), (95, 100, 95), np.float32)
        frame[:105] = (230, 185, 150)
        frame[150:176, 20 + 22 * k : 71 + 22 * k] = (45, 45, 190)
        cv2.ellipse(frame, (40 + 20 * k, 50), (22, 9), 0, 0, 360, (250, 250, 250), cv2.FILLED)
        frame = cv2.GaussianBlur(frame, (0, 0), 0.7)  # as a lens would
        frame += rng.normal(0, 3, frame.shape)
        cv2.imwrite(str(folder / f"c_20250601-1200{k:02d}.png"), frame.clip(0, 255).astype(np.uint8))
    source = {"kind": "images", "folder": str(folder), "glob": "*.png", "time_pattern": "c_%Y%m%d-%H%M%S"}
    house.camera("sky", source, calibration={"focal_px": 380, "tilt_deg": 2.3, "height_m": 6.2})
    code, _, lines = house.luigi("MineUnoccluded", "--camera", "sky")
    assert code == 0, lines
    boxes = np.array(pq.read_table(house.data / "sky/detections")["bbox_xywh"].to_pylist())
    assert len(boxes) == 12 and (np.abs(boxes[:, 1] - 150) < 3).all()
    assert pq.read_table(house.data / "sky/cutouts").num_rows >= 6


def test_the_whole_job_with_something_above_on_and_below_the_horizon(house):
    """Balls whose lowest pixels are 40 and 3 above the horizon and 4 below it cross a street that ends in the sky."""
    radius, above_px = 12, (40, 3, -4)
    flying = [(radius, -40 - 90 * k, HORIZON - above - radius, 22) for k, above in enumerate(above_px)]
    write_street(house.folder / "low.avi", plane=PLANE, flying=flying)
    source = {"kind": "video", "path": str(house.folder / "low.avi"), "start": "2025-06-03T12:00:00"}
    house.camera("street", source, calibration=LOW)
    code, _, lines = house.luigi(*JOB, *TEN)
    assert code == 0, lines
    boxes = np.array(pq.read_table(house.data / "street/tracks.parquet")["bbox_xywh"].to_pylist())
    bottom = boxes[:, 1] + boxes[:, 3]
    assert [bool((np.abs(bottom - (HORIZON - above)) < 3).any()) for above in above_px] == [False, False, True]
    objects = pd.read_parquet(house.data / "street/clipart/objects")
    assert set(objects["category"]) == {"person", "vehicle"}
    low = np.stack(objects["bbox_amodal_xywh"].to_list())
    assert (low[:, 1] + low[:, 3] > HORIZON + 20).all() and (low[:, 1] + low[:, 3] <= SIZE_HW[0]).all()
    assert np.isfinite(objects["z_m"]).all()
