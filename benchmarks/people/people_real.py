"""Bodies fitted to people on real footage (PETS 2009 S2.L1, frames 0 to 399), where it is at hand.

    python -m benchmarks.people_real [--check] [--quick] [--data DIR]

Is their size that of people, do they stand where the annotated boxes do, do their joints lie where a pose network sees
them. `job` is fitted with that network's keypoints; `own keypoints` never saw them. benchmarks/out/people_real.png
shows thirty of the job's. --quick takes the detector without a network.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

import models
from benchmarks.common.job import MANIFESTS, demand, frame_size_hw
from benchmarks.common.report import OUT, Bar, Report, main
from benchmarks.people.people import METRIC, Refit, stacked
from benchmarks.pipeline.real_cameras import against_annotations, annotated_boxes, footage, missing
from calibration.camera import Camera
from data_manifest import load_camera
from models.body_model import load_body
from models.topdown import OnnxPose
from pipeline.composition.meshes import silhouettes
from pipeline.core import masks
from pipeline.core.frames import FrameReader
from pipeline.core.skeletons import COCO_17
from pipeline.core.storage import read_parts, write_bytes
from pipeline.reconstruction.people.fit import standing_height

CAMERA, QUICK_CAMERA = "pets-onnx", "pets-motion"
POSE_NETWORK = "yolo11n-pose.onnx"  # beside the detector
FRAMES = 400
SHEET = OUT / "people_real.png"
MIN_SCORE, PCK_ALPHA = 0.5, 0.1
_PEOPLE, _TILE_WH, _TILES_A_ROW = 30, (160, 240), 10


def pose_network() -> Path:
    """Where the exported pose network is looked for."""
    entry = load_camera(CAMERA, MANIFESTS)
    detector = entry.manifest.detector
    if detector is None:
        raise ValueError(f"{CAMERA}: expected a detector with a network")
    return entry.resolve(Path(detector.options["model"])).with_name(POSE_NETWORK)


def lacking(camera: str) -> str:
    """The first file that this machine lacks; empty where all are there."""
    return missing(camera) or ("" if pose_network().is_file() else POSE_NETWORK)


def bodies_of(placed: pa.Table, cutouts: pa.Table) -> pa.Table:
    """Rows of the annotated frames that got a body, with `bbox_xywh` and `row` of their cutouts."""
    rows = placed.filter(pc.less(placed["frame_id"], FRAMES))
    rows = rows.filter(rows["smpl_theta"].is_valid())
    at = pc.index_in(rows["cutout_id"], cutouts["cutout_id"])
    return rows.append_column("bbox_xywh", cutouts["bbox_xywh"].take(at)).append_column("row", at)


def reprojected(bodies: pa.Table, xy: np.ndarray, score: np.ndarray) -> float:
    """Fraction of a network's confident points xy (N, 17, 2) of cutouts within PCK_ALPHA of the box's longer side."""
    rows = bodies["row"].to_numpy()
    off = np.linalg.norm(stacked(bodies, "keypoints_2d", len(COCO_17), 2) - xy[rows], axis=2)
    reach = PCK_ALPHA * stacked(bodies, "bbox_xywh", 4)[:, 2:].max(axis=1)
    confident = score[rows] >= MIN_SCORE
    return float((off <= reach[:, None])[confident].mean()) if confident.any() else float("nan")


def measure(camera_dir: Path) -> tuple[list[dict], np.ndarray]:
    """A row of the job's people and one by the mesh network's own keypoints, and the sheet of pictures."""
    camera, plane = load_camera(camera_dir.name, MANIFESTS).calibrated(frame_size_hw(camera_dir))
    refit = Refit(camera_dir, camera, plane)
    network = models.load("hmr")
    people, reference = refit.regress(network), refit.regress(network, OnnxPose(pose_network()))
    placed = read_parts(camera_dir / "reconstructed")
    placed = placed.filter(pc.equal(placed["category"], "person"))
    annotated = annotated_boxes(footage(camera_dir.name).with_name("PETS2009-S2L1_frames0000-0399.xml"))
    rows = []
    for name, table in (("job", placed), ("own keypoints", refit.fit(people, METRIC))):
        bodies = bodies_of(table, refit.outlined.cutouts)
        heights = standing_height(load_body(), torch.from_numpy(stacked(bodies, "smpl_beta", 10)))
        feet = against_annotations(camera_dir, annotated, bodies.to_pandas())
        row = {"camera": camera_dir.name, "method": name, "bodies": len(bodies)}
        row |= {"median_height_m": float(np.median(heights)), "median_foot_error_m": feet["median_foot_error_m"]}
        rows.append(row | {"reprojection_pck": reprojected(bodies, reference.keypoints, reference.score)})
    return rows, sheet(bodies_of(placed, refit.outlined.cutouts), camera_dir, camera)


def sheet(bodies: pa.Table, camera_dir: Path, camera: Camera) -> np.ndarray:
    """A picture of some bodies rendered over their frames, evenly spread."""
    chosen = bodies.take(np.unique(np.linspace(0, len(bodies) - 1, _PEOPLE).astype(int)))
    frames = pq.read_table(camera_dir / "frames" / "index.parquet")
    images = dict(FrameReader(frames, camera_dir).read(sorted(set(chosen["frame_id"].to_pylist()))))
    tiles = [
        tile(images[row["frame_id"]], rle, np.reshape(row["keypoints_2d"], (-1, 2)), np.array(row["bbox_xywh"]))
        for row, rle in zip(chosen.to_pylist(), silhouettes(chosen, camera), strict=True)
    ]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _TILES_A_ROW)
    return np.vstack([np.hstack(tiles[i : i + _TILES_A_ROW]) for i in range(0, len(tiles), _TILES_A_ROW)])


def tile(image: np.ndarray, rle: str, points: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """The box and some room about it, the mask in blue, the skeleton in yellow, (17, 2) points in pixels."""
    shown = image.copy()
    inside = masks.full(rle, (image.shape[0], image.shape[1]))
    shown[inside] = (0.55 * shown[inside] + 0.45 * np.array([255, 120, 20])).astype(np.uint8)
    scale = min(np.array(_TILE_WH) / (1.4 * box_xywh[2:]))
    middle = box_xywh[:2] + box_xywh[2:] / 2 - 0.5
    move = np.column_stack([scale * np.eye(2), np.array(_TILE_WH) / 2 - scale * middle])
    shown = cv2.warpAffine(shown, move, _TILE_WH, flags=cv2.INTER_CUBIC)
    ends = np.rint(points @ move[:, :2].T + move[:, 2]).astype(int).tolist()
    for a, b in COCO_17.links:
        cv2.line(shown, ends[a], ends[b], (60, 230, 255), 1, cv2.LINE_AA)
    return shown


def report(quick: bool, data: Path) -> Report:
    """Two rows; the bars bind the job's."""
    camera = QUICK_CAMERA if quick else CAMERA
    if absent := lacking(camera):
        return Report([], [], {f"{camera} skipped": f"no {absent} on this machine"})
    options = ("--manifests", str(MANIFESTS), "--ReconstructPeople-pose-model", str(pose_network()))
    demand("ReconstructPeople", data, "--camera", camera, *options)
    rows, picture = measure(data / camera)
    write_bytes(SHEET, cv2.imencode(".png", picture)[1].tobytes())
    job = rows[0]
    bars = [
        Bar(f"{camera} height off 1.75 m", abs(job["median_height_m"] - 1.75), at_most=0.10),
        Bar(f"{camera} median_foot_error_m", job["median_foot_error_m"], at_most=0.35),
        Bar(f"{camera} reprojection_pck", job["reprojection_pck"], at_least=0.85),
    ]
    return Report(rows, bars)


if __name__ == "__main__":
    main("people_real", __doc__, report)
