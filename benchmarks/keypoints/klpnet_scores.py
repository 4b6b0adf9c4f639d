"""What benchmarks of KLPNet and of its detector measure of one trained network: scores by group, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.perception.real_metrics import detected
from models import dpad, klpnet
from models.contract import load_object
from models.geometry.boxes import to_box
from models.klpnet.data import worth_learning
from models.klpnet.evaluate import Judged, frame_of_picture, judge, readings_of, scored_of
from models.klpnet.network import KlpNet
from models.klpnet.reading import Reading, nearest_in_layout
from models.linked_objects import LinkedObject, LinkedPicture
from models.linked_objects.shards import LinkedPictures
from models.metrics.links import pooled_scores
from models.predictor import Predictor
from pipeline.core.instances import Instances

_BATCH = 16  # pictures
_LAYOUT_OF = 5  # labelled objects that a user's table of a new class comes with


def cost_of(network: Any) -> dict[str, float]:
    """Billions of floating-point operations of one prediction, and millions of parameters."""
    side = network.settings.cklm.input_px if isinstance(network, KlpNet) else network.settings.side_px
    batch = {"image": torch.zeros(1, 3, side, side, dtype=torch.uint8), "label": torch.ones(1, dtype=torch.int64),
             "aspect": torch.ones(1)}  # fmt: skip
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(batch)
    parameters = sum(p.numel() for p in network.parameters())
    return {"GFLOPs": counter.get_total_flops() / 1e9, "M parameters": parameters / 1e6}


def costs_of_presets() -> list[dict[str, Any]]:
    """What each preset of both networks costs, beside Tables 2, 6 and 7's columns of operations: an object of KLPNet's,
    a training picture of DPAD's. The larger ones are trained on GPUs alone."""
    rows = []
    for spec in (klpnet.SPEC, dpad.SPEC):
        for name, preset in spec.presets.items():
            network = load_object(spec.network)(preset.network).eval()
            rows.append({"preset": f"{spec.name} {name}", **cost_of(network)})
    return rows


def scores_of(network: KlpNet, pictures: LinkedPictures, hidden: Collection[str]) -> dict[str, dict[str, float]]:
    """Scores of all objects, of those alone and of those that overlap their like, with LIS and without; of the classes
    that are `hidden` from trainings that hide some; and, as `class NAME`, of each class."""
    unseen = {network.table.index(name) for name in hidden}
    groups: dict[str, Callable[[Judged], bool]] = {
        "all": lambda j: True, "alone": lambda j: j.overlapping == 0, "overlap": lambda j: j.overlapping > 0,
        "held out": lambda j: j.class_id in unseen,
    }  # fmt: skip
    classes: dict[str, Callable[[Judged], bool]] = {
        f"class {name}": lambda j, k=k: j.class_id == k  # type: ignore[misc]
        for k, name in enumerate(network.table.names)
    }
    result = {}
    for suffix, lis in (("", True), (" without LIS", False)):
        judged = judge(network, pictures, lis=lis)
        for name, chosen in (groups if suffix else groups | classes).items():
            mine = [one.scored for one in judged if chosen(one)]
            result[name + suffix] = {"count": len(mine), **pooled_scores(mine)}
    return result


def unnamed_scores(
    network: KlpNet, pictures: LinkedPictures, labelled: LinkedPictures, hidden: Collection[str]
) -> dict[str, dict[str, float]]:
    """Scores of objects of `hidden` classes, which training never saw, when their class is not said. `not told`: the
    points and links that are found then; which point is which nobody knows, so that only its PCK with OracleId means
    something. `user's table`: the same points, the likeliest ones, given to the class's mean layout over the first few
    `labelled` objects, with the links of its table. `points`: how many are found for one that there is."""
    told = [("" if name in hidden else name) for name in network.table.names]
    unseen = {network.table.index(name) for name in hidden}
    layouts = {k: layout_of(labelled, k) for k in unseen}
    listed = [p for p in pictures if unseen & {one.class_id for one in p.objects}]
    found: dict[str, list] = {"not told": [], "user's table": []}
    points = true = 0
    for first in range(0, len(listed), _BATCH):
        for picture, row, reading in readings_of(network, listed[first : first + _BATCH], told):
            one = picture.objects[row]
            if one.class_id not in unseen:
                continue
            points, true = points + len(reading.xy), true + int(one.inside.sum())
            found["not told"].append(scored_of(network, one, reading))
            told_by_table = by_table(reading, layouts[one.class_id], network.table[one.class_id].adjacency())
            found["user's table"].append(scored_of(network, one, told_by_table))
    ratio = points / true if true else float("nan")
    return {name: {"count": len(mine), "points": ratio, **pooled_scores(mine)} for name, mine in found.items()}


def layout_of(pictures: LinkedPictures, class_id: int) -> np.ndarray:
    """(R, 2) mean places, in the box's frame, of the points of the first few objects of a class; NaN of points that
    none of them has."""
    mine: list[LinkedObject] = []
    for picture in pictures:
        mine += [one for one in picture.objects if one.class_id == class_id and worth_learning(one)]
        if len(mine) >= _LAYOUT_OF:
            break
    places = np.stack([to_box(one.xy, one.box_xywh) for one in mine[:_LAYOUT_OF]]) if mine else np.zeros((0, 0, 2))
    known = np.isfinite(places)
    total = np.where(known, places, 0).sum(0)
    count = known.sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def by_table(reading: Reading, layout: np.ndarray, adjacency: np.ndarray) -> Reading:
    """The likeliest points of a reading without roles, as many as the class has, under the roles of its layout and with
    its links."""
    kept = np.argsort(-reading.score, kind="stable")[: len(adjacency)]
    if not len(layout) or not len(kept):
        given = np.full(len(adjacency), -1)
    else:
        nearest = nearest_in_layout(layout, reading.xy[kept])
        given = np.where(nearest >= 0, kept[nearest], -1)
    there = given >= 0
    places = np.full((len(adjacency), 2), np.nan)
    places[there] = reading.xy[given[there]]
    score = np.zeros(len(adjacency))
    score[there] = reading.score[given[there]]
    return Reading(places, score, ~there, (adjacency & there[:, None] & there).astype(float))


def detection_scores(network: Any, pictures: Sequence[LinkedPicture]) -> dict[str, float]:
    """A detector's `mean_ap50`."""
    names = network.settings.table.names
    found = Predictor(dpad.SPEC, network).of_frames([frame_of_picture(p, names) for p in pictures])
    return {"AP50": mean_ap50(pictures, found, names)}


def mean_ap50(pictures: Sequence[LinkedPicture], found: Sequence[Instances], names: Sequence[str]) -> float:
    """COCO's average precision of boxes at an IoU of 0.5, the mean over the classes that the pictures show."""
    true = _boxes((n, names[one.class_id], 1.0, one.box_xywh) for n, p in enumerate(pictures) for one in p.objects)
    said = _boxes(
        (n, *row) for n, o in enumerate(found) for row in zip(o["class"], o["score"], o["bbox_xywh"], strict=True)
    )
    values = [detected(mine, said[said["class"] == name])[0] for name, mine in true.groupby("class")]
    return float(np.mean(values)) if values else float("nan")


def _boxes(rows: Iterable[tuple[int, str, float, np.ndarray]]) -> pd.DataFrame:
    """Pictures' numbers, classes, scores and boxes as `real_metrics.detected` takes them."""
    listed = [(n, name, score, *map(float, box)) for n, name, score, box in rows]
    return pd.DataFrame(listed, columns=["frame", "class", "score", "x", "y", "w", "h"])
