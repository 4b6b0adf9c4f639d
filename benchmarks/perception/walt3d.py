"""The WALT3D network: does it learn a few scenes by heart, and where does the time of a step go.

    python -m benchmarks.walt3d [--check] [--quick] [--only PART] [--data DIR]

overfit: eight composed scenes, seen again and again without augmentation and then judged as they are; objects whose
longer side is below 32 px are left out. What cannot learn eight scenes by heart learns nothing from thousands. speed:
how long windows and steps of the preset tiny take, and of a step what. With --weights, on the exact truth of the
camera's frames: lost, the share of objects that each step still has a box of, by how much of them is hidden; unseen,
average precision by how much is hidden, of objects from 32 px, and of what is found masks, keypoints and poses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import bbox2roi
from torch.utils.data import default_collate

from benchmarks.common.job import Site, clipart_dir
from benchmarks.common.report import Bar, Report, main
from models.contract import Given, Splits
from models.layers.regions import box_overlaps
from models.metrics.average_precision import SIZES, TENTHS, Judged
from models.scenes.evaluate import Page, frame_of_scene, page_of, tables
from models.scenes.objects import CLASSES, Scene, Scenes, SceneSource
from models.scenes.truth import TrueFrames
from models.train import Recipe, train_recipe
from models.walt3d import PRESETS, SPEC
from models.walt3d.data import Windows, splits
from models.walt3d.network import Walt3d, load

PARTS = ("overfit", "speed", "lost", "unseen")
OF_WEIGHTS = ("lost", "unseen")
SCENES, LEAST_PX = 8, 32
STEPS, QUICK_STEPS = 700, 400
_BATCH, _WINDOW_PX = 4, 320
_TIMED = 6
JUDGED, QUICK_JUDGED = 60, 12  # frames of a camera, spread over its day
BANDS = {
    "hidden below 10 %": (0.0, 0.1), "hidden 10 to 30 %": (0.1, 0.3), "hidden 30 to 70 %": (0.3, 0.7),
    "hidden over 40 %": (0.4, 1.01),
}  # fmt: skip


def overfit(shards: Path, folder: Path, steps: int) -> list[dict]:
    """Rows of the tables on the scenes that the network learnt by heart, its run in a folder."""
    preset = PRESETS["scratch"]
    window = replace(preset.network.window, side_px=_WINDOW_PX, smallest=1.0, largest=1.0)
    settings = replace(preset.network, window=window)
    scenes = Scenes([shards], "train").first(SCENES)
    windows = Windows(scenes, settings, 0, "amodal", augment=False)
    training = replace(
        preset.train, steps=steps, batch=_BATCH, evaluate_every=steps, val_samples=_BATCH, ema=0.98, save_every=200
    )
    torch.manual_seed(0)
    network = Walt3d(settings)
    network.initialise(0)
    train_recipe(Recipe(network, Splits(windows, windows), SPEC.config(settings), SPEC.best), training, folder)
    predictor = load(SPEC, folder / SPEC.trained, "cpu", least=0.0, bodies=False)
    pages = []
    for number in range(len(scenes)):
        scene = scenes[number]
        (found,) = predictor.of_frames([frame_of_scene(scene)])
        pages.append(of_large(page_of(scene, found), scene))
    return tables(pages)


def of_large(page: Page, scene: Scene) -> Page:
    """The page without what is small: neither right nor wrong, and not compared."""
    large = [max(one.box_xywh[2:]) >= LEAST_PX for one in page.things]
    wanted = [replace(one, ignored=not kept) for one, kept in zip(page.wanted, large, strict=True)]
    compared = np.array([kept for kept, pair in zip(large, page.pairs, strict=True) if pair >= 0], bool)
    overlaps = {name: values[compared] for name, values in page.overlaps.items()}
    return replace(page, wanted=wanted, pairs=np.where(large, page.pairs, -1), overlaps=overlaps)


def timed(shards: Path) -> Iterator[dict]:
    """Seconds of a step's parts and of its windows, at one thread, the least of a few."""
    preset = PRESETS["scratch"]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Walt3d(preset.network).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    network.initialise(0)
    train = splits(preset.network, Given(shards=shards), 0).train
    spent: dict[str, list[float]] = {"windows": [], "features": [], "heads and losses": [], "gradients": []}
    for turn in range(_TIMED):
        marks = [time.perf_counter()]
        batch = default_collate([train[preset.train.batch * turn + k] for k in range(preset.train.batch)])
        marks.append(time.perf_counter())
        with torch.autocast("cpu", torch.bfloat16, enabled=preset.train.bfloat16):
            pred = network(batch)
            marks.append(time.perf_counter())
            total = network.loss(pred, batch)["total"]
        marks.append(time.perf_counter())
        network.zero_grad()
        total.backward()
        marks.append(time.perf_counter())
        for name, seconds in zip(spent, np.diff(marks), strict=True):
            spent[name].append(float(seconds))
    for name, seconds_ in spent.items():
        yield {"of a step": name, "seconds": min(seconds_), "windows": preset.train.batch}


@torch.inference_mode()
def lost(weights: Path, scenes: SceneSource) -> Iterator[dict]:
    """By tenth of hidden fraction the fraction of objects, of at least LEAST_PX, with a box of IoU 0.5 after each step:
    proposals, likely candidates, distinct boxes, distinct masks."""
    predictor = load(SPEC, weights, "cpu", least=0.0, bodies=False)
    network: Any = predictor.network
    rows: dict[str, list[list[bool]]] = {name: [] for name in TENTHS}
    for number in range(len(scenes)):
        scene = scenes[number]
        frame = frame_of_scene(scene)
        pred = network(network.encode([frame]))
        (proposed,) = network.proposals(pred, [frame.size_hw])
        heads = network.heads
        likely = heads.candidates(proposed.bboxes, heads.boxes_of(pred.maps, bbox2roi([proposed.bboxes])))
        (boxes,) = heads.predict(pred.maps, [proposed])
        (objects,) = network.decode(pred, [frame])
        x, y, w, h = torch.from_numpy(objects["bbox_amodal_xywh"]).float().reshape(-1, 4).unbind(1)
        masked = torch.stack([x, y, x + w, y + h], 1)
        classes = torch.tensor([CLASSES.index(name) for name in objects["category"]], dtype=torch.int64)
        for thing in (one for one in scene.things if max(one.box_xywh[2:]) >= LEAST_PX):
            left, top, width, height = thing.box_xywh
            true = torch.tensor([[left, top, left + width, top + height]])
            steps = ((proposed.bboxes, None), (likely[2], likely[0]), (boxes.bboxes, boxes.labels), (masked, classes))
            there = [
                bool(
                    (
                        (box_overlaps(found, true)[:, 0] >= 0.5) & ((of == thing.number) if of is not None else True)
                    ).any()
                )
                for found, of in steps
            ]
            rows[list(TENTHS)[min(int(10 * thing.hidden), 9)]].append(there)
    for name, values in rows.items():
        shares = np.mean(values, axis=0) if values else np.full(4, np.nan)
        named = dict(zip(("proposed", "likely", "distinct boxes", "distinct masks"), shares.tolist(), strict=True))
        yield {"objects": name, "count": len(values), **named}


def unseen(weights: Path, scenes: SceneSource, most: int) -> list[dict]:
    """Rows on frames that nothing was learnt from, at most so many: masks by band and size, then the other tables."""
    predictor = load(SPEC, weights, "cpu", least=0.0, bodies=False)
    pages = []
    for number in np.unique(np.linspace(0, len(scenes) - 1, most).round().astype(int)).tolist():
        scene = scenes[number]
        (found,) = predictor.of_frames([frame_of_scene(scene)])
        pages.append(of_large(page_of(scene, found), scene))
    judged = Judged([p.wanted for p in pages], [p.found for p in pages], [p.size_hw for p in pages])
    of = {"of": "masks of unseen frames"}
    rows = [{**of, "objects": name, **judged.precision(size=size)} for name, size in SIZES.items()]
    rows += [{**of, "objects": name, **judged.precision(band=band)} for name, band in BANDS.items()]
    return rows + [row for row in tables(pages) if row["of"] not in ("masks", "boxes")]


def report(quick: bool, data: Path, sites: Sequence[Site], only: str | None, weights: Path | None) -> Report:
    """All parts, or one."""
    (site,) = sites
    rows: list[dict] = []
    bars: list[Bar] = []
    if only in OF_WEIGHTS or (weights and only is None):
        if weights is None:
            raise SystemExit(f"benchmarks.walt3d: --only {only}: expected --weights of a run, got none")
        scenes = TrueFrames(site.demand("IngestFrames", data), *site.calibrated(data))
        if only != "unseen":
            rows += list(lost(weights, scenes))
        if only != "lost":
            table = unseen(weights, scenes, QUICK_JUDGED if quick else JUDGED)
            rows += table
            bars += _of_unseen({row["objects"]: row for row in table if row["of"] == "masks of unseen frames"})
    if only in OF_WEIGHTS:
        return Report(rows, bars)
    shards = clipart_dir(site.job(data), "walt3d")
    if only in (None, "overfit"):
        steps = QUICK_STEPS if quick else STEPS
        table = overfit(shards, data / "runs" / f"walt3d-overfit-{steps}", steps)
        rows += [row for row in table if row["of"] == "masks" or row.get("objects") == "all"]
        rows += [row for row in table if row["of"] in ("poses", "masks of what is found")]
        everything = next(row for row in table if row["of"] == "masks")
        keypoints = [row for row in table if row["of"].startswith("keypoints") and row["objects"] == "all"]
        right = sum(row["PCK@0.1"] * row["count"] for row in keypoints) / sum(row["count"] for row in keypoints)
        bars += [
            Bar("AP50 of masks of scenes known by heart", everything["AP50"], at_least=0.95),
            Bar("AP of them", everything["AP"], at_least=0.70),
            Bar("PCK@0.1 of them", right, at_least=0.95),
        ]
    if only in (None, "speed"):
        parts = list(timed(shards))
        rows += parts
        step = sum(row["seconds"] for row in parts[1:])
        bars.append(
            Bar("windows made while a step is taken, over those it takes", step / parts[0]["seconds"], at_least=3)
        )
    return Report(rows, bars)


def _of_unseen(row: dict[str, dict]) -> list[Bar]:
    hidden, large = row["hidden 30 to 70 %"], row["large"]
    return [
        Bar("AP50 of masks hidden by 30 to 70 %", hidden["AP50"], at_least=0.35),
        Bar("recall of them", hidden["recall"], at_least=0.65),
        Bar("AP50 of large masks", large["AP50"], at_least=0.88),
    ]


if __name__ == "__main__":
    main(
        "walt3d",
        __doc__,
        report,
        cameras=("quick07",),
        parts=PARTS,
        weights="weights of a run, whose losses by step are told",
    )
