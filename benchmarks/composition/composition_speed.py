"""What composing costs: CPU time of a 1920x1080 scene with image, both masks and both tables written.

    python -m benchmarks.composition_speed [--check] [--quick]

Beside it the floor, the JPEG encode of the same picture alone, in the same run. The cutouts are made here: textured
cars of 150 to 300 pixels with soft edges and shadows, over empty frames with noise.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from benchmarks.common.report import Bar, Report, main
from calibration.camera import Camera, GroundPlane
from pipeline.composition.pool import TRAIN
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard, pair_tables
from pipeline.core import masks
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import CUTOUTS, RECONSTRUCTED, to_table
from pipeline.empty_frames import FOLDER

SIZE_HW = (1080, 1920)
CAMERA = Camera(np.array([[1600.0, 0, 960], [0, 1600, 540], [0, 0, 1]]), SIZE_HW)
PLANE = GroundPlane.from_tilt(24, 0, 12.0)
DIMS = np.array([4.4, 1.85, 1.5])
CUTOUT_COUNT, SCENES, REPEATS = 240, 50, 5
BUCKET = "noon"
EMPTY_FRAMES = 3


def texture(rng: np.random.Generator, size_hw: tuple[int, int], sigma: float) -> np.ndarray:
    """A picture of one colour with blotches and fine grain, like paint, glass or asphalt."""
    base = rng.integers(40, 200, 3)
    blotches = cv2.GaussianBlur(rng.normal(0, 1, (*size_hw, 3)).astype(np.float32), (0, 0), sigma) * 40 * sigma
    grain = rng.normal(0, 2.5, (*size_hw, 1))
    return np.clip(base + blotches + grain, 0, 255).astype(np.uint8)


def corners(xy_m: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R, t and the projected corners (8, 2) of a car-sized box."""
    R, t = PLANE.pose(xy_m, yaw)
    unit = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)])
    return R, t, CAMERA.project(unit * DIMS @ R.T + t)


def cutout(rng: np.random.Generator, number: int) -> tuple[dict, dict] | None:
    """Rows of CUTOUTS and RECONSTRUCTED; None where the car would leave the frame."""
    xy_m, yaw = np.array([rng.uniform(-13, 13), rng.uniform(18, 42)]), rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.1)
    R, t, box = corners(xy_m, yaw)
    x, y = np.floor(box.min(axis=0)).astype(int) - 6
    w, h = (np.ceil(box.max(axis=0)).astype(int) + 6 - (x, y)).tolist()
    if min(x, y) < 0 or x + w > SIZE_HW[1] or y + h > SIZE_HW[0] or not 150 <= max(w, h) <= 300:
        return None
    solid = cv2.fillConvexPoly(np.zeros((h, w), np.uint8), cv2.convexHull((box - (x, y)).astype(np.int32)), 255)
    alpha = cv2.GaussianBlur(solid, (0, 0), 1.0)
    mask = alpha >= 128
    light = 255 - cv2.GaussianBlur(solid // 3, (0, 0), 4)
    bx, by, bw, bh = cv2.boundingRect(mask.astype(np.uint8))
    frame = {
        "cutout_id": number,
        "frame_id": number,
        "bucket": BUCKET,
        "category": "vehicle",
        "subcategory": None,
        "track_id": number,
    }
    row = frame | {
        "timestamp": datetime.fromtimestamp(1.7e9 + number, UTC),
        "sequence": 0,
        "score": 0.9,
        "bbox_xywh": [x + bx, y + by, bw, bh],
        "mask_rle": masks.encode(mask, (int(x), int(y)), SIZE_HW),
        "foot_xy_m": xy_m.tolist(),
        "velocity_xy_mps": [float(np.cos(yaw)), float(np.sin(yaw))],
        "stationary": False,
        "sprite": png(np.dstack([texture(rng, (h, w), 3.0), alpha])),
        "sprite_xy": [int(x), int(y)],
        "shadow": png(light),
        "shadow_xy": [int(x), int(y)],
        "halo": png(np.where((alpha > 0)[..., None], np.uint8(128), np.uint8(124)).repeat(3, axis=2)),
    }
    points = (np.tile(np.array([[0.4, 0.4, 0.2]]), (len(VEHICLE_12), 1)) * DIMS) @ R.T + t
    pose = {name: None for name in RECONSTRUCTED.names} | frame
    pose |= {
        "z_m": float(t[2]),
        "keypoints_2d": CAMERA.project(points).ravel().tolist(),
        "keypoint_state": ["visible"] * len(VEHICLE_12),
        "keypoint_score": [1.0] * len(VEHICLE_12),
        "keypoints_3d": points.ravel().tolist(),
        "R": R.ravel().tolist(),
        "t": t.tolist(),
        "dims_lwh_m": DIMS.tolist(),
        "ground_cov": np.diag([0.02**2, 0.02**2, 0.01**2]).ravel().tolist(),
        "fit_residual_px": 1.0,
        "fit_ok": True,
    }
    return row, pose


def png(picture: np.ndarray) -> bytes:
    """Encoded without loss."""
    return cv2.imencode(".png", picture)[1].tobytes()


def make_street(folder: Path, count: int) -> None:
    """A camera's folder: background, cutouts and their places."""
    rng = np.random.default_rng(5)
    rows: list[tuple[dict, dict]] = []
    while len(rows) < count:
        made = cutout(rng, len(rows))
        rows += [made] if made else []
    background = texture(rng, SIZE_HW, 9.0)
    write_bytes(folder / "background" / f"{BUCKET}.png", png(background))
    noise = rng.normal(0, 2.0, (EMPTY_FRAMES, *SIZE_HW, 1))
    frames = io.BytesIO()
    np.save(frames, np.clip(background + noise, 0, 255).astype(np.uint8))
    write_bytes(folder / FOLDER / f"{BUCKET}.npy", frames.getvalue())
    write_table(folder / "cutouts" / "part-00000.parquet", to_table([r for r, _ in rows], CUTOUTS), row_group_rows=100)
    write_table(folder / "reconstructed" / "vehicles-00000.parquet", to_table([p for _, p in rows], RECONSTRUCTED))


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """Median CPU milliseconds of a call, after one to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - begun))
    return median(spent)


def _spent(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def settings_for(objects: int, cache: bool) -> ComposeSettings:
    """Scenes of so many objects, a few less where no more have room."""
    return ComposeSettings(
        objects_min=objects - 4, objects_max=objects, objects_mean=objects + 4, max_use=1.0,
        sprite_cache_mb=256 if cache else 0,
    )  # fmt: skip


def measure(folder: Path, out: Path, objects: int, cache: bool, scenes: int, repeats: int) -> dict:
    """One row: a shard of scenes, written; and the encode of its first picture alone."""
    settings = settings_for(objects, cache)
    job = ShardJob("bench", folder, out, CAMERA, PLANE, seed=1, shard=0, shards=1, scenes=scenes, settings=settings)
    # A worker makes the table of pairs once: told apart, and warm when scenes are measured.
    pairs_ms = 1000 * _spent(lambda: pair_tables(job).get(BUCKET, TRAIN, 0))
    scene_ms = cpu_ms(lambda: compose_shard(job), repeats) / scenes
    table = pq.read_table(job.paths[0], columns=["image", "n_objects"])
    jpeg: bytes = table["image"][0].as_py()["bytes"]
    picture = simplejpeg.decode_jpeg(jpeg, colorspace="BGR")
    encode_ms = cpu_ms(
        lambda: simplejpeg.encode_jpeg(
            picture, quality=settings.jpeg_quality, colorspace="BGR", colorsubsampling="420", fastdct=True
        ),
        max(repeats, 15),
    )
    return {
        "asked": objects,
        "objects": float(pa.compute.mean(table["n_objects"]).as_py()),
        "sprite_cache": cache,
        "pair_table_ms": pairs_ms,
        "cpu_ms_per_scene": scene_ms,
        "jpeg_encode_ms": encode_ms,
        "ratio": scene_ms / encode_ms,
        "jpeg_kb": len(jpeg) / 1000,
    }


def report(quick: bool, data: Path) -> Report:
    """10 and 30 objects, with and without the cache of decoded sprites; `data` is not used."""
    cv2.setNumThreads(1)
    pa.set_cpu_count(1)
    scenes, repeats = (10, 3) if quick else (SCENES, REPEATS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_street(folder, CUTOUT_COUNT)
        rows = [
            measure(folder, folder / "clipart", objects, cache, scenes, repeats)
            for objects in (10, 30)
            for cache in (True, False)
        ]
    few, many = (next(r for r in rows if r["asked"] == n and r["sprite_cache"]) for n in (10, 30))
    bars = [
        Bar("cpu_ms_per_scene, 10 objects", few["cpu_ms_per_scene"], at_most=12),
        Bar("cpu_ms_per_scene, 30 objects", many["cpu_ms_per_scene"], at_most=25),
    ]
    return Report(rows, bars, {"scenes a shard": scenes, "repeats": repeats, "size_wh": list(SIZE_HW[::-1])})


if __name__ == "__main__":
    main("composition_speed", __doc__, report)
