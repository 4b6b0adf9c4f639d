"""Drawn cars and people: boxes on a plane, with their masks, cutouts and places, as the stages before write them."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.composition.pool import make_pool
from pipeline.core import masks
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import CUTOUTS, RECONSTRUCTED, to_table

SIZE_HW = (240, 320)
CAMERA = Camera(np.array([[280.0, 0, 159.5], [0, 280, 119.5], [0, 0, 1]]), SIZE_HW)
PLANE = GroundPlane.from_tilt(22, 0, 7.0)
CAR = (4.4, 1.9, 1.5)
BACKGROUNDS = {"noon": (100, 115, 80), "dusk": (70, 50, 60)}  # BGR, by time bucket
# Twelve different points inside a box, as fractions of its sides, so that a mixed-up order is seen.
KEYPOINTS = np.array([[0.42 * x, 0.4 * y, z] for x in (1.0, -1.0) for z in (0.2, 0.5, 0.8) for y in (-1.0, 1.0)])
START = datetime(2025, 5, 14, 8, tzinfo=UTC)


def hull_mask(points_cam, camera=CAMERA):
    """(H, W) bool: the convex hull of camera-frame points."""
    pixels = camera.project(points_cam)
    frame = np.zeros(camera.size_hw, np.uint8)
    cv2.fillConvexPoly(frame, cv2.convexHull(np.round(pixels * 16).astype(np.int32)), 1, shift=4)
    return frame.astype(bool)


def box_points(R, t, dims):
    """(8, 3) corners of a box in the camera frame."""
    unit = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)])
    return unit * dims @ R.T + t


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def rows(number, xy_m, yaw=0.0, dims=CAR, bucket="noon", track=None, colour=(40, 90, 160), shadow=False):
    """Rows of CUTOUTS and RECONSTRUCTED of one box."""
    R, t = PLANE.pose(np.array(xy_m, float), yaw)
    mask = hull_mask(box_points(R, t, dims))
    assert mask.any()
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    crop = mask[y : y + h, x : x + w]
    about = {
        "cutout_id": number,
        "frame_id": number,
        "bucket": bucket,
        "category": "vehicle",
        "subcategory": None,
        "track_id": number if track is None else track,
    }
    cutout = about | {
        "timestamp": START + timedelta(seconds=number),
        "sequence": 0,
        "score": 0.9,
        "bbox_xywh": [x, y, w, h],
        "mask_rle": masks.encode(crop, (x, y), SIZE_HW),
        "foot_xy_m": list(xy_m),
        "velocity_xy_mps": [float(3 * np.cos(yaw)), float(3 * np.sin(yaw))],
        "stationary": False,
        "sprite": png(np.dstack([np.full((h, w, 3), colour, np.uint8), crop.astype(np.uint8) * 255])),
        "sprite_xy": [x, y],
        "shadow": png(np.full((h, w), 128, np.uint8)) if shadow else None,
        "shadow_xy": [x, y] if shadow else None,
        "halo": None,
    }
    keypoints = KEYPOINTS * dims @ R.T + t
    place = dict.fromkeys(RECONSTRUCTED.names) | about
    place |= {
        "z_m": float(t[2]),
        "keypoints_2d": CAMERA.project(keypoints).ravel().tolist(),
        "keypoint_state": ["visible"] * 6 + ["self_occluded"] * 6,
        "keypoint_score": [1.0] * 12,
        "keypoints_3d": keypoints.ravel().tolist(),
        "R": R.ravel().tolist(),
        "t": t.tolist(),
        "dims_lwh_m": list(dims),
        "ground_cov": np.diag([0.05**2, 0.05**2, 0.01**2]).ravel().tolist(),
        "fit_residual_px": 0.5,
        "fit_ok": True,
    }
    return cutout, place


def tables(pairs):
    """CUTOUTS and RECONSTRUCTED of pairs of rows."""
    return to_table([c for c, _ in pairs], CUTOUTS), to_table([p for _, p in pairs], RECONSTRUCTED)


def pool_of(pairs):
    """The cutouts of pairs of rows, as composing reads them."""
    return make_pool(*tables(pairs), CAMERA, PLANE)


def write_camera(folder, pairs):
    """A camera's folder, ready to compose, with backgrounds of one colour each."""
    cutouts, places = tables(pairs)
    write_table(folder / "cutouts" / "part-00000.parquet", cutouts, row_group_rows=3)
    write_table(folder / "reconstructed" / "vehicles-00000.parquet", places)
    for bucket in set(cutouts["bucket"].to_pylist()):
        picture = np.full((*SIZE_HW, 3), BACKGROUNDS[bucket], np.uint8)
        write_bytes(folder / "background" / f"{bucket}.png", png(picture))


def track_of(number):
    """Of a car in `street`: not its number, nor its frame's."""
    return 500 + 7 * number


def street(count, seed=0):
    """Cars along four lanes, some of them on the same spot."""
    rng = np.random.default_rng(seed)
    lanes = [(-4.5, np.pi / 2), (-1.0, np.pi / 2), (2.5, -np.pi / 2), (6.0, -np.pi / 2)]
    made = []
    for number in range(count):
        x, yaw = lanes[int(rng.integers(len(lanes)))]
        colour = (40 + 37 * number % 180, 200 - 23 * number % 170, 160 - 11 * number % 130)
        place = (x, float(rng.uniform(14, 30)))
        made.append(
            rows(number, place, yaw, bucket="noon" if number % 3 else "dusk", track=track_of(number), colour=colour)
        )
    return made
