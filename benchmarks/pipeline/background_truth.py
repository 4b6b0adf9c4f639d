"""Backgrounds against the simulator's empty street: what traffic left in them, and what stands there unlabelled.

    python -m benchmarks.background_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]
                                         [--onnx FILE]

Runs (or resumes) a camera up to its backgrounds. The true picture of each time bucket is rendered without noise, under
the median of its frames' clouds. Off by so many grey levels: the largest of a pixel's three channels. What stands there
all day only a network finds: the one that ships, as [EmptyStreet] asks it with `detector = walt3d`, or an export that
--onnx names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.job import CHECKED_CAMERAS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from data_manifest import SimulatedSource, load_camera
from pipeline.core import masks
from pipeline.core.frames import read_backgrounds
from pipeline.core.storage import write_bytes
from pipeline.detection import DetectionSettings
from pipeline.detection.onnx import OnnxSettings
from pipeline.empty_street.regions import FILE as IGNORED
from pipeline.empty_street.regions import RegionsJob, read_ignored, regions_shard
from pipeline.empty_street.uncovered import OTHER_BUCKET, OWN_FRAMES, read_sources
from pipeline.simulate import plan_bursts
from pipeline.simulate.empty_street import render_empty
from tasks.frames import COMPARED, simulation_of
from tasks.track import BACKGROUND, EMPTY_STREET, TRACKS

OFF, LEAST_PX = 25, 100  # grey levels, pixels: a region that is seen
STANDING_PX = 50  # of an object parked all day that can be told from what hides it


def true_streets(site: Site, root: Path) -> dict[str, tuple[np.ndarray, list[dict]]]:
    """By time bucket the empty street (H, W, 3) uint8, and the TRUTH rows of what is parked in it."""
    entry, (camera, plane) = load_camera(site.camera, site.manifests), site.calibrated(root)
    source = entry.manifest.source
    if not isinstance(source, SimulatedSource):
        raise SystemExit(f"{site.camera}: no exact truth; expected a camera whose source is of kind simulated")
    sim = simulation_of(source)
    bursts = plan_bursts(sim, entry.zone)
    names = [bucket.name for bucket in sim.buckets]
    return {name: render_empty(sim, camera, plane, [b for b in bursts if b.bucket.name == name]) for name in names}


def off_by(picture: np.ndarray, street: np.ndarray) -> dict[str, Any]:
    """How far a background is from the true street, both (H, W, 3) uint8."""
    off = cv2.absdiff(picture, street).max(axis=2)
    areas = cv2.connectedComponentsWithStats((off > OFF).astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return {"p99_levels": float(np.percentile(off, 99)), "regions_off": int((areas > LEAST_PX).sum()),
            "largest_region_px": int(areas.max(initial=0))}  # fmt: skip


def standing(rows: list[dict], size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: what is seen of the objects of TRUTH rows, specks left out."""
    whole = np.zeros(size_hw, bool)
    for row in rows:
        if row["px_count_visib"] >= STANDING_PX:
            whole |= masks.full(row["mask_visible_rle"], size_hw)
    return whole


def look(camera_dir: Path, site: Site, settings: DetectionSettings, root: Path) -> Path:
    """The camera's backgrounds, looked at by another detector than its own: the folder of what it finds there."""
    camera, plane = site.calibrated(root)
    folder = camera_dir / "truth"
    regions_shard(
        RegionsJob(
            name=settings.detector, backgrounds=camera_dir / BACKGROUND, sources=camera_dir / EMPTY_STREET / "filled",
            index=camera_dir / COMPARED, tracks=camera_dir / TRACKS, out=folder / IGNORED, settings=settings,
            camera=camera, plane=plane,
        )
    )  # fmt: skip
    return folder


def measure(camera_dir: Path, streets: dict[str, tuple[np.ndarray, list[dict]]], looked: Path) -> list[dict]:
    """A row for each time bucket: of the plain median, the background, and what stands in it as `looked` has it."""
    size_hw = frame_size_hw(camera_dir)
    medians, backgrounds = (read_backgrounds(camera_dir / name) for name in ("median", "background"))
    sources = read_sources(camera_dir / "empty_street" / "filled", backgrounds)
    ignored = read_ignored(looked)
    rows = []
    for bucket, (street, parked) in streets.items():
        regions = masks.union([row["mask_rle"] for row in ignored.get(bucket, [])], size_hw)
        there = standing(parked, size_hw)
        before = {f"median_{name}": value for name, value in off_by(medians[bucket], street).items()}
        rows.append(
            {
                "camera": camera_dir.name,
                "bucket": bucket,
                **off_by(backgrounds[bucket], street),
                **before,
                "from_other_buckets": float((sources[bucket] == OTHER_BUCKET).mean()),
                "unsure": float((sources[bucket] > OTHER_BUCKET).mean()),
                "own_frames": float((sources[bucket] == OWN_FRAMES).mean()),
                "standing_px": int(there.sum()),
                "standing_ignored": float(regions[there].mean()) if there.any() else float("nan"),
                "others_ignored": float(regions[~there].mean()),
            }
        )
    return rows


def report(quick: bool, data: Path, sites: Sequence[Site], onnx: Path | None = None) -> Report:
    """All buckets of the cameras, and a bar for the worst of them."""
    rows: list[dict] = []
    settings = DetectionSettings("onnx", options=OnnxSettings(str(onnx))) if onnx else DetectionSettings("walt3d")
    for site in sites:
        camera_dir = site.demand("EmptyStreet", data)
        streets = true_streets(site, data)
        for bucket, (street, _) in streets.items():
            write_bytes(
                camera_dir / "truth" / "empty_street" / f"{bucket}.png", cv2.imencode(".png", street)[1].tobytes()
            )
        rows += measure(camera_dir, streets, look(camera_dir, site, settings, data))
    total = sum(row["standing_px"] for row in rows)
    found = sum(row["standing_px"] * row["standing_ignored"] for row in rows if row["standing_px"])
    bars = [
        Bar("p99_levels", max(row["p99_levels"] for row in rows), at_most=12),
        Bar("regions_off", sum(row["regions_off"] for row in rows), at_most=0),
        Bar("standing_ignored", found / total if total else float("nan"), at_least=0.95),
        Bar("others_ignored", max(row["others_ignored"] for row in rows), at_most=0.02),
    ]
    return Report(rows, bars)


if __name__ == "__main__":
    network = "a YOLO-seg export that looks at the backgrounds in place of walt3d"
    main("background_truth", __doc__, report, cameras=CHECKED_CAMERAS, onnx=network)
