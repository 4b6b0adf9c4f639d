"""Composed scenes against exact truth: how much is hidden, is the depth order true, do true footprints cross.

    python -m benchmarks.composition_truth [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]

The same cutouts composed in three ways: by place in 3D, by box bottom (WALT), at random (WALT as released). Who is the
nearer of two that overlap, and what ground each covers, is told by the solids that the simulator drew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco
from shapely import Polygon

from benchmarks.common.actors import TrueActors
from benchmarks.common.job import CHECKED_CAMERAS, Site, clipart_dir, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import LONG_VEHICLES, match, truth_of
from calibration.camera import GroundPlane
from data_manifest import load_camera
from pipeline.composition.depth_order import footprints, in_front
from pipeline.composition.hidden_fraction import BANDS, OPEN_TO, band_of, hidden_fraction, partly_hidden
from pipeline.core import masks
from pipeline.core.storage import read_parts
from pipeline.core.tables import MODES

AT_LEAST = {
    "objects_per_scene": 18, "hidden_over_10": 0.40, "hidden_over_40": 0.15, "vehicles_over_40": 0.06,
    "least_tenth_20_to_70": 0.025, "order_right": 0.995, "bus_lorry_right": 0.99,
}  # fmt: skip
AT_MOST = {
    "hidden_over_90": 0.03, "main_occluder_most": 0.05, "most_used": 0.40, "crossing_in_10000": 2.0,
    "worst_crossing": 0.30,
}  # fmt: skip
_TOUCH_M2 = 1e-4

Nearer = Callable[[int, int], bool | None]


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
    columns = ["frame_id", "actor_id", "body", "mask_amodal_rle", "R", "t", "dims_lwh_m"]
    true = truth.reindex(matched["truth_row"]).set_axis(matched.index)[columns]
    return objects.join(true.add_prefix("true_"), on="cutout_id"), GroundPlane(plane[:3], plane[3])


class Truth:
    """What is true of cutouts, by cutout_id: footprints, and who is nearer. Without the actors' solids, by the
    rectangles of their sizes."""

    def __init__(self, objects: pd.DataFrame, plane: GroundPlane, actors: TrueActors | None) -> None:
        known = objects[objects["true_actor_id"].notna()].drop_duplicates("cutout_id").set_index("cutout_id")
        self.actors = actors
        columns = [known[f"true_{name}"].tolist() for name in ("frame_id", "actor_id", "mask_amodal_rle")]
        self.keys = {cutout: (int(f), int(a), str(m)) for cutout, f, a, m in zip(known.index, *columns, strict=True)}
        quads = quads_of(known, plane, "true_") if len(known) else np.zeros((0, 4, 2))
        self.quads = dict(zip(known.index, quads, strict=True))
        self.polygon = lru_cache(maxsize=None)(self._polygon)
        self.nearer = lru_cache(maxsize=None)(self._nearer)

    def _polygon(self, cutout: int) -> Polygon:
        return Polygon(self.quads[cutout] if self.actors is None else self.actors.footprint(*self.keys[cutout][:2]))

    def _nearer(self, first: int, second: int) -> bool | None:
        """Whether the first is the nearer of two that overlap; None where their true silhouettes do not."""
        if self.actors is None:
            return truly_nearer(self.quads[first], self.quads[second])
        share = self.actors.nearer(self.keys[first], self.keys[second])
        return None if share is None else share > 0.5

    def crossings(self, cutouts: Sequence[int]) -> list[float]:
        """Of each two that share ground the share of the smaller one's that they do."""
        polygons = [self.polygon(cutout) for cutout in cutouts]
        return crossings(polygons)


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


def crossings(polygons: Sequence[Polygon]) -> list[float]:
    """Of each two of the polygons that share ground the share of the smaller one that they do."""
    shared = [(a.intersection(b).area, min(a.area, b.area)) for a, b in combinations(polygons, 2) if a.intersects(b)]
    return [area / smaller for area, smaller in shared if area > _TOUCH_M2]


def quads_of(objects: pd.DataFrame, plane: GroundPlane, prefix: str = "") -> np.ndarray:
    """(N, 4, 2) footprints from the columns R, t, dims_lwh_m with a prefix."""
    R, t, dims = (np.stack(objects[prefix + name].to_list()) for name in ("R", "t", "dims_lwh_m"))
    return footprints(R.reshape(-1, 3, 3), t, dims, plane)


def measure_scene(scene: pd.DataFrame, truth: Truth, size_hw: tuple[int, int]) -> dict:
    """Counts of one scene: overlapping pairs, those in true order, the same with long vehicles, crossings."""
    known = scene[scene["true_actor_id"].notna()].reset_index(drop=True)
    counts: dict[str, float] = {
        "pairs": 0,
        "right": 0,
        "long_pairs": 0,
        "long_right": 0,
        "unknown": len(scene) - len(known),
    }
    found = truth.crossings(known["cutout_id"].tolist())
    counts |= {"ground_pairs": len(known) * (len(known) - 1) // 2, "crossing": len(found)}
    counts["worst"] = max(found, default=0.0)
    order, body, cutout = (known[name].tolist() for name in ("depth_order", "true_body", "cutout_id"))
    for i, j in overlapping_pairs(known, size_hw) if len(known) else []:
        nearer = truth.nearer(cutout[i], cutout[j])
        if nearer is None:
            continue
        right = nearer == (order[i] < order[j])
        long = body[i] in LONG_VEHICLES or body[j] in LONG_VEHICLES
        counts["pairs"] += 1
        counts["right"] += right
        counts["long_pairs"] += long
        counts["long_right"] += right and long
    return counts


def main_occluders(scene: pd.DataFrame, size_hw: tuple[int, int]) -> list[int]:
    """Of each object that is hidden by more than OPEN_TO the cutout that covers most of it."""
    rles = masks.as_coco(scene["mask_amodal_rle"].tolist(), size_hw)
    place = dict(zip(scene["object_id"], range(len(scene)), strict=True))
    hidden = np.flatnonzero(hidden_fraction(scene["visible_fraction"].to_numpy()) > OPEN_TO)
    found = []
    for k in hidden:
        others = [place[i] for i in scene["occluder_ids"].iloc[k]]
        # With "crowd" set, pycocotools divides the intersection by the first mask's area: the share that is covered.
        covered = coco.iou([rles[k]], [rles[i] for i in others], [1] * len(others))[0]
        found.append(int(scene["cutout_id"].iloc[others[int(covered.argmax())]]))
    return found


def hidden(objects: pd.DataFrame, background: pd.Series, size_hw: tuple[int, int]) -> dict:
    """How much of the objects of all scenes is hidden, and how the cutouts' use is spread; background: by scene."""
    fraction = hidden_fraction(objects["visible_fraction"].to_numpy())
    tenths = np.bincount(band_of(fraction), minlength=BANDS) / len(fraction)
    occluders = Counter(c for _, scene in objects.groupby("scene_id") for c in main_occluders(scene, size_hw))
    bucket = objects["scene_id"].map(background)
    uses = objects.groupby([bucket, "cutout_id"]).size()
    share = uses / background.value_counts().reindex(uses.index.get_level_values(0)).to_numpy()
    vehicles = fraction[(objects["category"] == "vehicle").to_numpy()]
    return {
        "objects_per_scene": len(objects) / len(background),
        "partly_hidden": float(partly_hidden(fraction).mean()),
        "hidden_over_10": float((fraction > OPEN_TO).mean()),
        "hidden_over_40": float((fraction > 0.4).mean()),
        "vehicles_over_40": float((vehicles > 0.4).mean()) if len(vehicles) else float("nan"),
        "least_tenth_20_to_70": float(tenths[2:7].min()),
        "hidden_over_90": float((fraction > 0.9).mean()),
        "main_occluder_most": max(occluders.values(), default=0) / max(occluders.total(), 1),
        "most_used": float(share.max()),
    }


def measure(camera_dir: Path, mode: str, actors: TrueActors | None = None) -> dict:
    """One row: shares over all objects and overlapping pairs of all scenes of a mode."""
    objects, plane = with_truth(camera_dir, mode)
    size_hw, truth = frame_size_hw(camera_dir), Truth(objects, plane, actors)
    images = read_parts(clipart_dir(camera_dir, mode) / "images", columns=["scene_id", "background"]).to_pandas()
    scenes = [measure_scene(scene, truth, size_hw) for _, scene in objects.groupby("scene_id", sort=False)]
    total = pd.DataFrame(scenes).sum()
    return {
        "camera": camera_dir.name,
        "mode": mode,
        "scenes": objects["scene_id"].nunique(),
        "objects": len(objects),
        **hidden(objects, images.set_index("scene_id")["background"], size_hw),
        "pairs": int(total["pairs"]),
        "order_right": _share(total["right"], total["pairs"]),
        "bus_lorry_pairs": int(total["long_pairs"]),
        "bus_lorry_right": _share(total["long_right"], total["long_pairs"]),
        "crossing_in_10000": 1e4 * _share(total["crossing"], total["ground_pairs"]),
        "worst_crossing": max(scene["worst"] for scene in scenes),
        "objects_without_actor": int(total["unknown"]),
    }


def _share(part: float, whole: float) -> float:
    """NaN of nothing: no pair is neither right nor wrong, and meets no bar."""
    return float(part / whole) if whole else float("nan")


def report(quick: bool, data: Path, sites: Sequence[Site]) -> Report:
    """The cameras in all modes; the bars bind the project's own mode."""
    rows = []
    for site in sites:
        folders = {mode: site.job(data, mode) for mode in MODES}
        actors = TrueActors(load_camera(site.camera, site.manifests), *site.calibrated(data))
        rows += [measure(folder, mode, actors) for mode, folder in folders.items()]
    own = [row for row in rows if row["mode"] == "walt3d"]
    bars = [Bar(f"{r['camera']} {name}", r[name], at_least=value) for r in own for name, value in AT_LEAST.items()]
    bars += [Bar(f"{r['camera']} {name}", r[name], at_most=value) for r in own for name, value in AT_MOST.items()]
    return Report(rows, bars)


if __name__ == "__main__":
    main("composition_truth", __doc__, report, cameras=CHECKED_CAMERAS)
