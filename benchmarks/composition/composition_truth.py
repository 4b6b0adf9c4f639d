"""Composed scenes against exact truth: are overlapping objects in their true depth order, do footprints intersect.

    python -m benchmarks.composition_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

The same cutouts composed in three ways: by place in 3D, by box bottom (WALT), at random (WALT as released).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from shapely import Polygon

from benchmarks.common.job import CHECKED_CAMERAS, Site, clipart_dir, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import LONG_VEHICLES, match, truth_of
from calibration.camera import GroundPlane
from pipeline.composition.depth_order import footprints, in_front
from pipeline.core import masks
from pipeline.core.storage import read_parts
from pipeline.core.tables import MODES

BARS = {"order_right": 0.985, "footprints_crossing": 0}


def with_truth(camera_dir: Path, mode: str) -> tuple[pd.DataFrame, GroundPlane]:
    """Objects of all scenes with their actor's truth (columns true_*), and the ground plane."""
    shards = clipart_dir(camera_dir, mode)
    objects = read_parts(shards / "objects").to_pandas()
    plane = np.array(read_parts(shards / "images", columns=["ground_plane"])["ground_plane"][0].as_py())
    truth = truth_of(camera_dir)
    # A cutout returns in many scenes: match each once.
    sources = objects.drop_duplicates("cutout_id").set_index("cutout_id")
    instances = sources[["source_frame", "mask_amodal_rle"]].set_axis(["frame_id", "mask_rle"], axis=1)
    matched = match(instances, truth, frame_size_hw(camera_dir))
    true = truth.reindex(matched["truth_row"]).set_axis(matched.index)[["actor_id", "body", "R", "t", "dims_lwh_m"]]
    return objects.join(true.add_prefix("true_"), on="cutout_id"), GroundPlane(plane[:3], plane[3])


def overlapping_pairs(scene: pd.DataFrame, size_hw: tuple[int, int]) -> list[tuple[int, int]]:
    """Positions of objects whose amodal masks share a pixel."""
    rles = scene["mask_amodal_rle"].tolist()
    return [tuple(pair) for pair in np.argwhere(np.triu(masks.iou(rles, rles, size_hw), 1) > 0)]


def truly_nearer(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the first footprint (4, 2) hides the second: along shared ground rays, else by nearest corner."""
    order = in_front(np.stack([first, second]))
    if order[0, 1] or order[1, 0]:
        return bool(order[0, 1])
    return bool(np.linalg.norm(first, axis=1).min() < np.linalg.norm(second, axis=1).min())


def crossings(quads: np.ndarray) -> int:
    """Pairs of footprints (N, 4, 2) that share ground."""
    polygons = [Polygon(q) for q in quads]
    return sum(a.intersection(b).area > 1e-6 for a, b in combinations(polygons, 2))


def quads_of(objects: pd.DataFrame, plane: GroundPlane, prefix: str = "") -> np.ndarray:
    """(N, 4, 2) footprints from the columns R, t, dims_lwh_m with a prefix."""
    R, t, dims = (np.stack(objects[prefix + name].to_list()) for name in ("R", "t", "dims_lwh_m"))
    return footprints(R.reshape(-1, 3, 3), t, dims, plane)


def measure_scene(scene: pd.DataFrame, plane: GroundPlane, size_hw: tuple[int, int]) -> dict:
    """Counts of one scene: overlapping pairs, those in true order, the same with long vehicles, crossings."""
    known = scene[scene["true_actor_id"].notna()].reset_index(drop=True)
    counts = {"pairs": 0, "right": 0, "long_pairs": 0, "long_right": 0, "true_crossing": 0, "unknown": 0}
    counts["unknown"] = len(scene) - len(known)
    counts["crossing"] = crossings(quads_of(scene, plane))
    if known.empty:
        return counts
    quads = quads_of(known, plane, "true_")
    counts["true_crossing"] = crossings(quads)
    order, body = known["depth_order"].to_numpy(), known["true_body"].to_numpy()
    for i, j in overlapping_pairs(known, size_hw):
        right = truly_nearer(quads[i], quads[j]) == (order[i] < order[j])
        long = body[i] in LONG_VEHICLES or body[j] in LONG_VEHICLES
        counts["pairs"] += 1
        counts["right"] += right
        counts["long_pairs"] += long
        counts["long_right"] += right and long
    return counts


def measure(camera_dir: Path, mode: str) -> dict:
    """One row: shares over all overlapping pairs of all scenes of a mode."""
    objects, plane = with_truth(camera_dir, mode)
    size_hw = frame_size_hw(camera_dir)
    total = pd.DataFrame(
        [measure_scene(scene, plane, size_hw) for _, scene in objects.groupby("scene_id", sort=False)]
    ).sum()
    return {
        "camera": camera_dir.name,
        "mode": mode,
        "scenes": objects["scene_id"].nunique(),
        "objects": len(objects),
        "pairs": int(total["pairs"]),
        "order_right": _share(total["right"], total["pairs"]),
        "bus_lorry_pairs": int(total["long_pairs"]),
        "bus_lorry_right": _share(total["long_right"], total["long_pairs"]),
        "footprints_crossing": int(total["crossing"]),
        "true_footprints_crossing": int(total["true_crossing"]),
        "objects_without_actor": int(total["unknown"]),
    }


def _share(part: float, whole: float) -> float:
    """NaN of nothing: no pair is neither right nor wrong, and meets no bar."""
    return float(part / whole) if whole else float("nan")


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras in all modes; the bars bind the project's own mode."""
    rows = [measure(site.job(data, mode), mode) for site in sites for mode in MODES]
    own = [r for r in rows if r["mode"] == "walt3d"]
    bars = [Bar(f"{r['camera']} order_right", r["order_right"], at_least=BARS["order_right"]) for r in own]
    for name in ("footprints_crossing", "true_footprints_crossing"):
        bars += [Bar(f"{r['camera']} {name}", r[name], at_most=BARS["footprints_crossing"]) for r in own]
    return Report(rows, bars)


if __name__ == "__main__":
    main("composition_truth", __doc__, report, cameras=CHECKED_CAMERAS)
