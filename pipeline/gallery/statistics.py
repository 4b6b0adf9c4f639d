"""Count what the shards hold, as bar charts the gallery draws.

A chart is {title, note, x, y, labels, series}: one number a label in each named series; series are stacked. `wanted`,
where it is there, is a number a label beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.composition.hidden_fraction import BANDS, OPEN_TO, band_of, hidden_fraction, partly_hidden

Chart = dict[str, Any]
_SEVERELY = 0.4


def facts(images: pa.Table, objects: pa.Table) -> list[tuple[str, str]]:
    """The data set in a few numbers: value and what it counts."""
    hidden = _hidden(objects)
    partly = f"{100 * np.mean(partly_hidden(hidden)):.0f} %" if len(hidden) else "–"
    return [
        (_spaced(len(images)), "scenes"),
        (_spaced(len(objects)), "objects"),
        (_spaced(pc.count_distinct(objects["cutout_id"]).as_py()), "cutouts"),
        (_spaced(pc.count_distinct(objects["track_id"]).as_py()), "tracks"),
        (partly, "partly hidden"),
    ]


def charts(images: pa.Table, objects: pa.Table, asked: Mapping[str, Sequence[float]] | None = None) -> list[Chart]:
    """Hidden fractions by category, objects a scene, depth, classes, time buckets and how often cutouts are used.

    `asked`: by category the shares (10,) of its objects that were to be hidden by each tenth.
    """
    return [
        *_hidden_fractions(objects, asked or {}),
        _objects_per_scene(images),
        _depth(objects),
        _classes(objects),
        _buckets(images, objects),
        _cutout_uses(objects),
    ]


def _objects_per_scene(images: pa.Table) -> Chart:
    counts = images["n_objects"].to_numpy()
    low, high = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    width = -(-(high - low + 1) // 24)
    starts = np.arange(low, high + 1, width)
    bars = np.bincount((counts - low) // width, minlength=len(starts))
    note = f"{counts.mean():.1f} in the mean" if len(counts) else ""
    labels = [str(s) if width == 1 else f"{s}–{s + width - 1}" for s in starts]
    return _chart("Objects per scene", note, "objects", "scenes", labels, {"scenes": bars})


def _hidden_fractions(objects: pa.Table, asked: Mapping[str, Sequence[float]]) -> list[Chart]:
    """A chart a category: objects by the tenth of them that is hidden, beside as many as were asked for."""
    category, hidden = np.array(objects["category"].to_pylist(), dtype=object), _hidden(objects)
    labels = [f"{10 * band}–{10 * (band + 1)}" for band in range(BANDS)]
    found = []
    for name in sorted({*category, *(name for name, shares in asked.items() if sum(shares))}):
        mine = hidden[category == name]
        bars = np.bincount(band_of(mine), minlength=BANDS)
        over = [float(np.mean(mine > least)) if len(mine) else 0.0 for least in (OPEN_TO, _SEVERELY)]
        note = (
            f"{_percent(over[0])} hidden by more than {_percent(OPEN_TO)}, {_percent(over[1])} by {_percent(_SEVERELY)}"
        )
        chart = _chart(f"Hidden fraction: {name}", note, "% of the object hidden", "objects", labels, {name: bars})
        if name in asked:
            chart["wanted"] = [round(len(mine) * share, 1) for share in asked[name]]
            wanted = [_percent(sum(asked[name][round(least * BANDS) :])) for least in (OPEN_TO, _SEVERELY)]
            chart["note"] += f"; wanted: {' and '.join(wanted)}"
        found.append(chart)
    return found


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f}\u00a0%"


def _depth(objects: pa.Table) -> Chart:
    depth = objects["z_m"].to_numpy(zero_copy_only=False).astype(float)
    known = np.isfinite(depth)
    step = _nice_step(float(depth[known].max()) if known.any() else 1.0, 16)
    bins = np.where(known, np.nan_to_num(depth) // step, 0).astype(int).clip(0)
    size = int(bins.max(initial=0)) + 1
    labels = [f"{step * i:g}–{step * (i + 1):g}" for i in range(size)]
    note = f"{np.median(depth[known]):.0f} m in the median" if known.any() else ""
    series = _by_category(objects, bins, size, known)
    return _chart("Depth", note, "metres from the camera", "objects", labels, series)


def _classes(objects: pa.Table) -> Chart:
    names, bins = np.unique(np.array(objects["category"].to_pylist(), dtype=object), return_inverse=True)
    series = _by_category(objects, bins, len(names))
    return _chart("Classes", f"{len(names)} in the shards", "", "objects", names.tolist(), series)


def _buckets(images: pa.Table, objects: pa.Table) -> Chart:
    names, _ = _value_counts(images["background"])
    place = {name: i for i, name in enumerate(names)}
    bucket_of = dict(zip(images["scene_id"].to_pylist(), images["background"].to_pylist(), strict=True))
    bins = np.array([place[bucket_of[s]] for s in objects["scene_id"].to_pylist()], int)
    note = f"{_spaced(len(images))} scenes, backgrounds: {len(names)}"
    return _chart("Time buckets", note, "", "objects", names, _by_category(objects, bins, len(names)))


def _cutout_uses(objects: pa.Table) -> Chart:
    _, uses = _value_counts(objects["cutout_id"])
    high = int(uses.max(initial=1))
    width = -(-high // 20)
    bars = np.bincount((uses - 1) // width, minlength=-(-high // width)) if len(uses) else np.zeros(1, int)
    labels = [str(1 + i) if width == 1 else f"{1 + i * width}–{(i + 1) * width}" for i in range(len(bars))]
    note = f"{_spaced(len(uses))} cutouts, each in {uses.mean():.1f} scenes in the mean" if len(uses) else ""
    return _chart("Uses of a cutout", note, "scenes", "cutouts", labels, {"cutouts": bars})


def _chart(title: str, note: str, x: str, y: str, labels: Sequence[str], series: dict[str, np.ndarray]) -> Chart:
    stacked = [{"name": name, "values": [int(v) for v in values]} for name, values in series.items()]
    return {"title": title, "note": note, "x": x, "y": y, "labels": list(labels), "series": stacked}


def _by_category(
    objects: pa.Table, bins: np.ndarray, size: int, counted: np.ndarray | bool = True
) -> dict[str, np.ndarray]:
    """Counts (size,) of the counted objects by their bin; every class is listed, so that colours agree over charts."""
    categories = np.array(objects["category"].to_pylist(), dtype=object)
    names = sorted(set(categories))
    return {name: np.bincount(bins[(categories == name) & counted], minlength=size) for name in names}


def _value_counts(values: pa.ChunkedArray) -> tuple[list, np.ndarray]:
    names, counts = np.unique(np.array(values.to_pylist(), dtype=object), return_counts=True)
    return names.tolist(), counts


def _hidden(objects: pa.Table) -> np.ndarray:
    return hidden_fraction(objects["visible_fraction"].to_numpy())


def _nice_step(high: float, bars: int) -> float:
    """The smallest 1, 2 or 5 times a power of ten that covers 0 to high in so many bars."""
    rough = max(high, 1e-9) / bars
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(power * m for m in (1, 2, 5, 10) if power * m >= rough))


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
