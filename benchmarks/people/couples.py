"""What the rendered couples are: how much they hide each other, how deep they pass into each other, what each costs.

    python -m benchmarks.couples [--check] [--quick] [--data DIR] [--couples FOLDER] [--sheet PNG]

A row a split, as Table 1 of the OPEC-Net paper, beside the paper's own row of OCPose. No set can have that row's four
numbers at once (`models.people_groups.couples.views`): the bars are ten points around each. Depth is measured on the
meshes when the couples are made: of the deepest vertex of either skin within the other. --couples measures a folder
that RenderCouples wrote; without it a small set is rendered. --sheet writes a page of pictures to look at.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.report import Bar, Report, main
from models.people_groups.couples.plan import SPLITS, CoupleSettings, couple_jobs
from models.people_groups.levels import LEVELS, level_row
from models.people_groups.store import Pictures, read_pictures
from pipeline.core.engine import map_shards

OCPOSE = {"IoU > 0.3": 0.90, "IoU > 0.5": 0.76, "IoU > 0.75": 0.27, "mean IoU": 0.47}
WITHIN = 0.10
DEEPEST_MM, OFTEN = 20.0, 0.95
_SMALL = CoupleSettings(couples=40, val_couples=4, test_couples=8, unseen_couples=8, views=6, per_shard=4)
_SMALLEST = CoupleSettings(couples=4, val_couples=1, test_couples=1, unseen_couples=1, views=4, per_shard=4)
_CELL, _COLUMNS, _ROWS = 200, 8, 6


def measure(quick: bool, data: Path, couples: Path | None, sheet: Path | None) -> Report:
    """The rows of a folder's splits and the bars of all of them together."""
    notes: dict[str, Any] = {}
    if couples is None:
        settings = _SMALLEST if quick else _SMALL
        couples = data / "training" / f"couples-{'quick' if quick else 'small'}"
        notes["seconds a picture"] = _rendered(settings, couples)
    splits = {split: read_pictures(couples, split) for split in SPLITS}
    rows = [{"set": "OCPose (paper)", "pictures": 9000, "people": 18000, **OCPOSE}]
    table = [level_row(split, pictures) | _motions(pictures) for split, pictures in splits.items()]
    every = Pictures([row for pictures in splits.values() for row in pictures.rows])
    whole = level_row("all", every)
    depth = np.array([depth for pictures in splits.values() for depth in _depths(pictures).values()])
    bars = [
        bar
        for name, theirs in OCPOSE.items()
        for bar in (
            Bar(f"{name}, least", float(whole[name]), at_least=theirs - WITHIN),
            Bar(f"{name}, most", float(whole[name]), at_most=theirs + WITHIN),
        )
    ]
    bars.append(Bar("couples at most 2 cm deep", float((depth <= DEEPEST_MM).mean()), at_least=OFTEN))
    bars.append(Bar("bodies of two splits", float(_shared_bodies(splits)), at_most=0))
    notes |= {"depth mm": {"median": float(np.median(depth)), "largest": float(depth.max())}, "levels": list(LEVELS)}
    if sheet is not None:
        _write_sheet(every, sheet)
    return Report(rows + [*table, whole], bars, notes)


def _rendered(settings: CoupleSettings, folder: Path) -> float:
    """Render what is not there yet; CPU seconds for each picture of a first shard, in this process."""
    jobs = [(render, job) for render, batch in couple_jobs(settings, folder) for job in batch]
    todo = [(render, job) for render, job in jobs if not job.out.exists()]
    if not todo:
        return float("nan")
    begun = time.process_time()
    render, job = todo[0]
    count = render(job)
    each = (time.process_time() - begun) / count
    map_shards(render, [job for _, job in todo[1:]])
    return each


def _motions(pictures: Pictures) -> dict[str, int]:
    return {"motions": len(Counter(row["motion"] for row in pictures.rows))}


def _depths(pictures: Pictures) -> dict[int, float]:
    """Of each couple, mm."""
    return {row["couple"]: float(row["depth_mm"]) for row in pictures.rows}


def _shared_bodies(splits: dict[str, Pictures]) -> int:
    bodies = {split: {name for row in pictures.rows for name in row["identity"]} for split, pictures in splits.items()}
    return sum(len(bodies[a] & bodies[b]) for a in bodies for b in bodies if a < b)


def _write_sheet(pictures: Pictures, path: Path) -> None:
    """A page of pictures spread evenly over the set, one motion after the other."""
    order = sorted(range(len(pictures)), key=lambda n: (pictures.rows[n]["motion"], n))
    chosen = np.unique(np.linspace(0, len(order) - 1, _COLUMNS * _ROWS).astype(int))
    page = np.zeros((_ROWS * _CELL, _COLUMNS * _CELL, 3), np.uint8)
    for place, number in enumerate(chosen):
        image = pictures[order[number]].image()
        scale = _CELL / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:_CELL, :_CELL]
        y, x = _CELL * (place // _COLUMNS), _CELL * (place % _COLUMNS)
        page[y : y + small.shape[0], x : x + small.shape[1]] = small
    cv2.imwrite(str(path), page[..., ::-1])


if __name__ == "__main__":
    main("couples", __doc__, measure, couples="a folder that RenderCouples wrote", sheet="a PNG of pictures to write")
