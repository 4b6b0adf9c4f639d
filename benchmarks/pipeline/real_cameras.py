"""The whole job on real footage, where it is at hand: its yield, and on PETS whether people stand where they stood.

    python -m benchmarks.real_cameras [--check] [--quick] [--data DIR]

Manifests are tests/cameras/*.yaml; a camera whose footage or network is absent is skipped with a reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml
from defusedxml import ElementTree

from benchmarks.common.job import MANIFESTS, clipart_dir, frame_size_hw, run
from benchmarks.common.report import Bar, Report, main
from data_manifest import load_camera
from pipeline.composition.hidden_fraction import hidden_fraction, partly_hidden
from pipeline.core.boxes import box_iou
from pipeline.core.storage import read_parts

CAMERAS = ("pets-onnx", "pets-motion", "jamcam", "motorway", "suburb")
QUICK_CAMERAS = ("pets-motion",)
# Boxes that overlap more than this part of the one behind hide it.
_OVERLAP = 0.02
_MATCH_IOU = 0.4


def manifest(camera: str, folder: Path = MANIFESTS) -> dict[str, Any]:
    """What the camera's YAML says, whether or not the files that it names are there: load_camera wants them all."""
    return yaml.safe_load((folder / f"{camera}.yaml").read_text(encoding="utf-8"))


def named_files(camera: str, folder: Path = MANIFESTS) -> dict[tuple[str, str], Path]:
    """The files that the manifest names, by its keys."""
    said, keys = manifest(camera, folder), (("source", "path"), ("calibration", "tsai_xml"), ("detector", "model"))
    return {(part, key): (folder / said[part][key]).resolve() for part, key in keys if key in said.get(part, {})}


def footage(camera: str) -> Path:
    """The camera's video."""
    return named_files(camera)["source", "path"]


def missing(camera: str, folder: Path = MANIFESTS) -> str:
    """The first file the camera's manifest names and this machine lacks; empty where all are there."""
    return next((path.name for path in named_files(camera, folder).values() if not path.exists()), "")


def yielded(camera_dir: Path) -> dict:
    """What came out."""
    shards = clipart_dir(camera_dir, "walt3d")
    objects = read_parts(shards / "objects", columns=["visible_fraction", "category"]).to_pandas()
    cutouts = read_parts(camera_dir / "cutouts", columns=["track_id"]).to_pandas()
    return {
        "frames": pq.read_metadata(camera_dir / "frames" / "index.parquet").num_rows,
        "cutouts": len(cutouts),
        "tracks": cutouts["track_id"].nunique(),
        "scenes": read_parts(shards / "images", columns=["scene_id"]).num_rows,
        "objects": len(objects),
        "partly_hidden": float(partly_hidden(hidden_fraction(objects["visible_fraction"])).mean()),
    }


def annotated_boxes(path: Path) -> pd.DataFrame:
    """Amodal boxes of PETS: frame, person, x, y, w, h in pixels (edges)."""
    rows = []
    for frame in ElementTree.parse(path).getroot().iter("frame"):
        for person in frame.iter("object"):
            box = {key: float(value) for key, value in next(person.iter("box")).attrib.items()}
            x, y = box["xc"] - box["w"] / 2, box["yc"] - box["h"] / 2
            rows.append((int(frame.attrib["number"]), int(person.attrib["id"]), x, y, box["w"], box["h"]))
    return pd.DataFrame(rows, columns=["frame", "person", "x", "y", "w", "h"])


def are_unoccluded(frame: pd.DataFrame, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool, for the N annotated boxes of one frame: inside the picture and not overlapped by anyone nearer."""
    x, y, w, h = (frame[name].to_numpy() for name in "xywh")
    wide = np.minimum(x[:, None] + w[:, None], x + w) - np.maximum(x[:, None], x)
    tall = np.minimum(y[:, None] + h[:, None], y + h) - np.maximum(y[:, None], y)
    overlap = np.clip(wide, 0, None) * np.clip(tall, 0, None) / (w * h)[:, None]
    nearer = (y + h)[None] > (y + h)[:, None]
    hidden = (overlap * nearer).max(axis=1, initial=0) > _OVERLAP
    return ~hidden & (x > 1) & (y > 1) & (x + w < size_hw[1] - 1) & (y + h < size_hw[0] - 1)


def ever_unoccluded(boxes: pd.DataFrame, size_hw: tuple[int, int]) -> set[int]:
    """People who in some frame are inside the picture and not overlapped by anyone nearer."""
    found: set[int] = set()
    for _, frame in boxes.groupby("frame"):
        found |= set(frame["person"].to_numpy()[are_unoccluded(frame, size_hw)])
    return found


def against_annotations(camera_dir: Path, boxes: pd.DataFrame, placed: pd.DataFrame) -> dict:
    """Median distance between the feet of placed people (rows of RECONSTRUCTED) and the annotated boxes' feet;
    fraction of identities covered."""
    entry, size_hw = load_camera(camera_dir.name, MANIFESTS), frame_size_hw(camera_dir)
    camera, plane = entry.calibrated(size_hw)
    cutouts = read_parts(camera_dir / "cutouts", columns=["cutout_id", "frame_id", "bbox_xywh"]).to_pandas()
    joined = cutouts.merge(placed[["cutout_id", "t", "refusal"]], on="cutout_id")
    errors, covered = [], set()
    for frame, rows in joined.groupby("frame_id"):
        there = boxes[boxes["frame"] == frame]
        if there.empty:
            continue
        iou = box_iou(np.stack(rows["bbox_xywh"].to_list())[:, None], there[["x", "y", "w", "h"]].to_numpy())
        for row, best, value in zip(rows.itertuples(), iou.argmax(axis=1), iou.max(axis=1), strict=True):
            if value < _MATCH_IOU:
                continue
            true = there.iloc[best]
            covered.add(int(true["person"]))
            if pd.isna(row.refusal):
                foot = np.array([true["x"] + true["w"] / 2, true["y"] + true["h"]]) - 0.5
                gap = plane.to_world(plane.intersect(camera, foot)) - plane.to_world(np.array(row.t))
                errors.append(float(np.hypot(*gap[:2])))
    able = ever_unoccluded(boxes, size_hw)
    return {
        "median_foot_error_m": float(np.median(errors)) if errors else float("nan"),
        "identities_covered": len(covered & able) / len(able),
        "compared": len(errors),
    }


def report(quick: bool, data: Path) -> Report:
    """One row a camera; the bars bind the PETS camera with a network."""
    rows: list[dict] = []
    bars: list[Bar] = []
    skipped: dict[str, str] = {}
    for camera in QUICK_CAMERAS if quick else CAMERAS:
        if lacking := missing(camera):
            skipped[f"{camera} skipped"] = f"no {lacking} on this machine"
            continue
        ended = run("GenerateClipArt", data, "--camera", camera, "--manifests", str(MANIFESTS), "--scenes", "120")
        if ended.code:
            skipped[f"{camera} failed"] = ended.output.strip().splitlines()[-1]
            bars.append(Bar(f"{camera} ends well", ended.code, at_most=0))
            continue
        row = {"camera": camera, **yielded(data / camera)}
        row |= {"median_foot_error_m": float("nan"), "identities_covered": float("nan"), "compared": 0}
        if camera.startswith("pets"):
            truth = footage(camera).with_name("PETS2009-S2L1_frames0000-0399.xml")
            placed = read_parts(data / camera / "reconstructed", columns=["cutout_id", "t", "refusal"]).to_pandas()
            row |= against_annotations(data / camera, annotated_boxes(truth), placed)
        rows.append(row)
    for row in rows:
        if row["camera"] == "pets-onnx":
            bars.append(Bar("pets-onnx median_foot_error_m", row["median_foot_error_m"], at_most=0.35))
            bars.append(Bar("pets-onnx identities_covered", row["identities_covered"], at_least=0.50))
    return Report(rows, bars, skipped)


if __name__ == "__main__":
    main("real_cameras", __doc__, report)
