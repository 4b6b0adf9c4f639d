"""The WALT3D network: does it learn a few scenes by heart, and where does the time of a step go.

    python -m benchmarks.walt3d [--check] [--quick] [--only PART] [--data DIR]

overfit: eight composed scenes, seen again and again without augmentation and then judged as they are; objects whose
longer side is below 32 px are left out. What cannot learn eight scenes by heart learns nothing from thousands. speed:
how long windows and steps of the preset tiny take, and of a step what.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate

from benchmarks.common.job import Site, clipart_dir
from benchmarks.common.report import Bar, Report, main
from models.contract import Given, Splits
from models.scenes.evaluate import Page, frame_of_scene, page_of, tables
from models.scenes.objects import Scene, Scenes
from models.train import Recipe, train_recipe
from models.walt3d import PRESETS, SPEC
from models.walt3d.data import Windows, splits
from models.walt3d.network import Walt3d
from models.walt3d.predict import load

PARTS = ("overfit", "speed")
SCENES, LEAST_PX = 8, 32
STEPS, QUICK_STEPS = 1600, 700
_BATCH, _WINDOW_PX = 4, 320
_TIMED = 6


def overfit(shards: Path, folder: Path, steps: int) -> list[dict]:
    """Rows of the tables on the scenes that the network learnt by heart, its run in a folder."""
    preset = PRESETS["tiny"]
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
    predictor = load(SPEC, folder / SPEC.trained, "cpu", bodies=False)
    pages = []
    for number in range(len(scenes)):
        scene = scenes[number]
        (found,) = predictor.of_frames([frame_of_scene(scene)])
        pages.append(_of_large(page_of(scene, found), scene))
    return tables(pages)


def _of_large(page: Page, scene: Scene) -> Page:
    """The page without what is small: neither right nor wrong, and not compared."""
    large = [max(one.box_xywh[2:]) >= LEAST_PX for one in page.things]
    wanted = [replace(one, ignored=not kept) for one, kept in zip(page.wanted, large, strict=True)]
    compared = np.array([kept for kept, pair in zip(large, page.pairs, strict=True) if pair >= 0], bool)
    overlaps = {name: values[compared] for name, values in page.overlaps.items()}
    return replace(page, wanted=wanted, pairs=np.where(large, page.pairs, -1), overlaps=overlaps)


def timed(shards: Path) -> Iterator[dict]:
    """Seconds of a step's parts and of its windows, at one thread, the least of a few."""
    preset = PRESETS["tiny"]
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


def report(quick: bool, data: Path, sites: Sequence[Site], only: str | None) -> Report:
    """Both parts, or one."""
    (site,) = sites
    shards = clipart_dir(site.job(data), "walt3d")
    rows, bars = [], []
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


if __name__ == "__main__":
    main("walt3d", __doc__, report, cameras=("quick07",), parts=PARTS)
