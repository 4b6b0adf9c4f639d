"""How well predictions find the objects of composed scenes: average precision by what is hidden, masks, keypoints and
poses; and whatever else gives `Instances` with whole and visible masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calibration.camera import Camera, GroundPlane
from models.contract import Progress
from models.frames import Frame
from models.metrics.average_precision import Detected, Judged, Wanted, rows
from models.metrics.keypoint_precision import keypoint_precision, keypoint_similarity
from models.metrics.keypoints import PCK_FRACTION
from models.metrics.matching import mask_overlaps, match
from models.metrics.poses import pose_summary
from models.scenes.objects import CLASSES, Scene, SceneSource, Thing
from pipeline.core import masks
from pipeline.core.instances import Instances
from pipeline.core.skeletons import OF_CATEGORY, VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

Predict = Callable[[Sequence[Frame]], list[Instances]]
_FOUND_IOU = 0.5  # of whole masks: with less, an object was not found
_LEAST_HIDDEN = 0.1
_IGNORED = 0.5  # of a detection that lies where nothing is right or wrong


def frame_of_scene(scene: Scene) -> Frame:
    """The picture as networks take it, with its camera where the scene knows it."""
    known = bool(np.isfinite(scene.K).all())
    camera = Camera(scene.K, scene.size_hw, np.nan_to_num(scene.distortion)) if known else None
    plane = GroundPlane(scene.plane[:3], scene.plane[3]) if np.isfinite(scene.plane).all() else None
    return Frame(scene.image_bgr, Instances(scene.size_hw, {}), camera=camera, plane=plane)


def evaluate_scenes(predict: Predict, scenes: SceneSource, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Rows of all tables of predictions of every scene; predict: objects of frames, best first."""
    pages = []
    for number in range(len(scenes)):
        scene = scenes[number]
        (found,) = predict([frame_of_scene(scene)])
        pages.append(page_of(scene, found))
        if progress:
            progress(number + 1, len(scenes))
    return tables(pages)


@dataclass
class Page:
    """A scene's objects and what was found: which detection is which object, and of the pairs what is compared."""

    size_hw: tuple[int, int]
    wanted: list[Wanted]
    found: list[Detected]
    things: list[Thing]
    objects: Instances
    pairs: np.ndarray
    overlaps: dict[str, np.ndarray] = field(default_factory=dict)


def page_of(scene: Scene, found: Instances) -> Page:
    """Compare; what is found mostly where the scene ignores is left out."""
    size_hw = scene.size_hw
    found = found.rows([k for k in range(len(found)) if not _ignored(scene.ignore, found["mask_visible_rle"][k])])
    things = [thing for thing in scene.things if thing.whole.crop.size]
    true = [tuple(masks.encode(p.crop, p.xy, size_hw) for p in (one.whole, one.visible)) for one in things]
    wanted = [
        Wanted(CLASSES[one.number], rle[0], one.hidden, box_xywh=one.box_xywh)
        for one, rle in zip(things, true, strict=True)
    ]
    seen = [
        Detected(found["category"][k], found["mask_amodal_rle"][k], float(found["score"][k]),
                 tuple(map(float, found["bbox_amodal_xywh"][k])))
        for k in range(len(found))
    ]  # fmt: skip
    overlap = masks.iou([one.mask_rle for one in seen], [one.mask_rle for one in wanted], size_hw)
    same = np.array([[a.category == b.category for b in wanted] for a in seen], bool).reshape(overlap.shape)
    pairs = match(overlap * same, np.array([one.score for one in seen]), _FOUND_IOU)
    rows_ = np.flatnonzero(pairs >= 0)
    mine = [(found["mask_amodal_rle"][pairs[k]], found["mask_visible_rle"][pairs[k]]) for k in rows_]
    return Page(
        size_hw,
        wanted,
        seen,
        things,
        found,
        pairs,
        mask_overlaps(mine, [true[k] for k in rows_], size_hw),
    )


def _ignored(ignore: np.ndarray | None, rle: str) -> bool:
    if ignore is None:
        return False
    crop, (x, y, w, h) = masks.decode(rle, ignore.shape)
    return bool((ignore[y : y + h, x : x + w] & crop).sum() > _IGNORED * crop.sum())


def tables(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """Rows of average precision, then one each of masks, keypoints by state, and poses of vehicles."""
    judged = Judged([p.wanted for p in pages], [p.found for p in pages], [p.size_hw for p in pages])
    result: list[dict[str, Any]] = list(rows(judged))
    result.append({"of": "masks of what is found", **_mask_means(pages)})
    result += [row for category in CLASSES for row in _keypoint_rows(pages, category)]
    result.append({"of": "poses", "objects": "vehicles found", **_pose_row(pages)})
    return result


def _mask_means(pages: Sequence[Page]) -> dict[str, float]:
    """Mean IoU of whole and visible masks of the objects found, and of the hidden part of those hidden by a tenth."""
    hidden = np.concatenate([[p.things[k].hidden for k in np.flatnonzero(p.pairs >= 0)] for p in pages])
    parts = {name: np.concatenate([p.overlaps[name] for p in pages]) for name in ("whole", "visible", "hidden")}
    parts["hidden"] = parts["hidden"][hidden > _LEAST_HIDDEN]
    means = {
        f"mIoU {name}": float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for name, v in parts.items()
    }
    return {"count": len(hidden), **means}


def _keypoint_rows(pages: Sequence[Page], category: str) -> list[dict[str, Any]]:
    """PCK@0.1 of the keypoints of objects found, how often their state is right, and OKS's AP of all objects."""
    skeleton = OF_CATEGORY[category]
    right: dict[str, list[np.ndarray]] = {name: [] for name in ("all", *KEYPOINT_STATES)}
    agree: list[np.ndarray] = []
    likeness: dict[str, list] = {name: [] for name in right}
    scores = []
    for page in pages:
        things = [one for one in page.things if CLASSES[one.number] == category]
        own = [k for k in range(len(page.objects)) if page.objects["category"][k] == category]
        poses = np.array([page.objects["keypoints_2d"][k] for k in own]).reshape(len(own), len(skeleton), 2)
        true = np.array([one.keypoints[: len(skeleton)] for one in things]).reshape(len(things), len(skeleton), 2)
        states = np.array([one.states[: len(skeleton)] for one in things], int).reshape(true.shape[:2])
        area = np.array([np.count_nonzero(one.whole.crop) for one in things], float)
        known = np.isfinite(true).all(-1)
        everything = keypoint_similarity(poses, np.nan_to_num(true), known, area, skeleton)
        for name in right:
            chosen = known if name == "all" else known & (states == KEYPOINT_STATES.index(name))
            similarity, asked = (
                keypoint_similarity(poses, np.nan_to_num(true), chosen, area, skeleton),
                chosen.any(axis=1),
            )
            # Who found an object that is not asked about is found by all of its keypoints, and no mistake.
            likeness[name].append((np.where(asked, similarity, everything), asked))
        scores.append(np.array([float(page.objects["score"][k]) for k in own]))
        for k, thing in enumerate(page.things):
            if page.pairs[k] < 0 or CLASSES[thing.number] != category:
                continue
            row = int(page.pairs[k])
            off = np.linalg.norm(page.objects["keypoints_2d"][row] - thing.keypoints[: len(skeleton)], axis=-1)
            found_state = np.array([KEYPOINT_STATES.index(s) for s in page.objects["keypoint_state"][row]])
            state, near = thing.states[: len(skeleton)], off <= PCK_FRACTION * max(thing.box_xywh[2:])
            agree.append((found_state == state)[state >= 0])
            right["all"].append(near[np.isfinite(off)])
            for number, name in enumerate(KEYPOINT_STATES):
                right[name].append(near[np.isfinite(off) & (state == number)])
    table = []
    for name, values in right.items():
        joined = np.concatenate(values) if values else np.zeros(0, bool)
        found = keypoint_precision([s for s, _ in likeness[name]], scores, [asked for _, asked in likeness[name]])
        table.append({
            "of": f"keypoints of {category}", "objects": name, "count": len(joined),
            "PCK@0.1": float(joined.mean()) if len(joined) else float("nan"),
            "OKS AP": found["AP"], "OKS AP50": found["AP50"],
            "states right": float(np.concatenate(agree).mean()) if name == "all" and agree else float("nan"),
        })  # fmt: skip
    return table


def _pose_row(pages: Sequence[Page]) -> dict[str, float]:
    """Of vehicles found whose true pose is known."""
    R, t, true_R, true_t, points = [], [], [], [], []
    for page in pages:
        if "R" not in page.objects.columns:
            continue
        for k, thing in enumerate(page.things):
            if page.pairs[k] < 0 or not np.isfinite(thing.points).all() or not np.isfinite(thing.R).all():
                continue
            row = int(page.pairs[k])
            R.append(page.objects["R"][row])
            t.append(page.objects["t"][row])
            true_R.append(thing.R)
            true_t.append(thing.t)
            points.append(thing.points)
    found, true = ((np.array(a).reshape(-1, 3, 3), np.array(b).reshape(-1, 3)) for a, b in ((R, t), (true_R, true_t)))
    return {"count": len(R), **pose_summary(np.array(points).reshape(-1, len(VEHICLE_12), 3), found, true)}
