"""Make one self-contained HTML page of what there is to compose with: cutouts by time bucket, refusals by reason.

It needs no scene: it is what to look at when composing cannot start. Each refusal is counted and shown in examples.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.composition.pool import SPLITS, split_cutouts
from pipeline.core.storage import read_parts, read_table, write_bytes
from pipeline.gallery.pictures import spread_over
from pipeline.gallery.refusals import SheetPicture, cutout_examples, refused_examples
from pipeline.gallery.template import fill, text
from pipeline.mining.filter import REASONS
from pipeline.reconstruction.outline_fit import REFUSALS

_COLUMNS = ["cutout_id", "track_id", "bucket", "category", "timestamp"]


@dataclass(frozen=True)
class SheetSettings:
    """How much the sheet shows; all is counted."""

    examples: int = field(default=8, metadata={"help": "pictures of each reason for a refusal, at most"})
    cutouts: int = field(default=240, metadata={"help": "pictures of cutouts, at most, spread over the time buckets"})


@dataclass(frozen=True)
class Reason:
    """Why some were refused: by which stage, the word of its report, what that means, how many, a few of them."""

    stage: str
    word: str
    meaning: str
    count: int
    examples: Sequence[SheetPicture]


def write_cutout_sheet(camera: str, camera_dir: Path, out: Path, settings: SheetSettings = SheetSettings()) -> Path:
    """Write the page of a camera's folder to `out`.

    Needs mining's report and refusals; a camera without a cutout, or not reconstructed yet, has a page too.
    """
    report = json.loads((camera_dir / "mining_report.json").read_text())
    cutouts, refusal = _cutouts(camera_dir)
    usable = [row for row in cutouts if refusal.get(row["cutout_id"], "") is None]
    shown = _spread_over_buckets(usable, settings.cutouts)
    reasons = [
        *_of_mining(camera_dir, report, settings.examples),
        *_of_fits(camera_dir, cutouts, refusal, settings.examples),
    ]
    page = fill(
        "sheet.html",
        styles=["base.css", "sheet.css"],
        title=text(f"{camera} · cutouts and refusals"),
        camera=text(camera),
        about=text(_headline(report, cutouts, usable)),
        facts=_facts(report, cutouts, usable),
        buckets=_bucket_table(usable),
        refusals="\n".join(
            _reason_html(reason, report["detections"] if reason.stage == "mining" else len(cutouts))
            for reason in reasons
        ),
        shown=text(f"{len(shown)} of {len(usable)}, each as composition would paint it." if shown else "None."),
        cutouts=_cutouts_html(camera_dir, shown),
    )
    write_bytes(out, page.encode())
    return out


def _cutouts(camera_dir: Path) -> tuple[list[dict], dict[int, str | None]]:
    """Rows of CUTOUTS without pixels, and by cutout_id why reconstruction refuses it, None where it does not."""
    try:
        cutouts = read_parts(camera_dir / "cutouts", _COLUMNS).to_pylist()
        placed = read_parts(camera_dir / "reconstructed", ["cutout_id", "refusal"])
    except FileNotFoundError:
        return [], {}
    return cutouts, dict(zip(placed["cutout_id"].to_pylist(), placed["refusal"].to_pylist(), strict=True))


def _of_mining(camera_dir: Path, report: Mapping, each: int) -> list[Reason]:
    """Mining's refusals, the commonest first."""
    refused = read_table(camera_dir / "mining" / "refused.parquet").sort_by("detection_id")
    ids, words = refused["detection_id"].to_numpy(), np.array(refused["reason"].to_pylist(), object)
    by_reason = {word: ids[words == word].tolist() for word, count in report["refused"].items() if count}
    examples = refused_examples(camera_dir, by_reason, each)
    return [
        Reason("mining", word, REASONS[word], len(by_reason[word]), examples[word])
        for word in sorted(by_reason, key=lambda word: -len(by_reason[word]))
    ]


def _of_fits(
    camera_dir: Path, cutouts: Sequence[Mapping], refusal: Mapping[int, str | None], each: int
) -> list[Reason]:
    """Reconstruction's refusals, the commonest first."""
    counts = Counter(word for word in refusal.values() if word)
    chosen = {}
    for word in counts:
        mine = [row for row in cutouts if refusal.get(row["cutout_id"]) == word]
        chosen[word] = [mine[i] for i in sorted(spread_over(len(mine), each))]
    pictures = cutout_examples(camera_dir, [row for rows in chosen.values() for row in rows])
    return [
        Reason(
            "reconstruction", word, REFUSALS.get(word, word), count, [pictures[r["cutout_id"]] for r in chosen[word]]
        )
        for word, count in counts.most_common()
    ]


def _spread_over_buckets(rows: Sequence[Mapping], wanted: int) -> list[Mapping]:
    """As many rows as wanted, of each bucket as large a part."""
    ordered = sorted(rows, key=lambda row: (row["bucket"], row["cutout_id"]))
    return [ordered[i] for i in sorted(spread_over(len(ordered), wanted))]


def _headline(report: Mapping, cutouts: Sequence, usable: Sequence) -> str:
    if not cutouts:
        return "No detection became a cutout: composing cannot start. What refused most comes first below."
    if not usable:
        return (
            "No cutout has a place in the street: composing cannot start. Is the calibration right (ShowCalibration)?"
        )
    return f"{report['tracks_with_cutout']} of {report['tracks']} tracks have a cutout."


def _facts(report: Mapping, cutouts: Sequence, usable: Sequence) -> str:
    counted = [(report["detections"], "detections"), (len(cutouts), "cutouts"), (len(usable), "to compose with")]
    return "".join(f"<div><dt>{name}</dt><dd>{count:,}</dd></div>".replace(",", " ") for count, name in counted)


def _bucket_table(rows: Sequence[Mapping]) -> str:
    """Counts by bucket and category, and by split, as composition.pool them."""
    if not rows:
        return "<p>None.</p>"
    columns = pa.Table.from_pylist(list(rows))
    bucket, category = (np.array(columns[name].to_pylist(), object) for name in ("bucket", "category"))
    time_s = columns["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    split = split_cutouts(time_s, bucket, columns["track_id"].to_numpy())
    kinds: list[tuple[str, Any]] = [(name, category == name) for name in sorted(set(category))]
    kinds += [(f"to {'train' if name == SPLITS[0] else 'validate'}", split == name) for name in SPLITS]
    kinds += [
        ("to neither: its track crosses from one to the other", ~np.isin(split, SPLITS)),
        ("all", np.ones(len(rows), bool)),
    ]
    head = "".join(f"<th scope=col>{text(name)}</th>" for name, _ in kinds)
    body = "".join(
        _table_row(name, [int((which & (bucket == name)).sum()) for _, which in kinds]) for name in sorted(set(bucket))
    )
    foot = _table_row("all", [int(which.sum()) for _, which in kinds])
    return (
        f'<div class="wide"><table><thead><tr><th scope=col>time bucket</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table></div>"
    )


def _table_row(name: str, counts: Sequence[int]) -> str:
    return f"<tr><th scope=row>{text(name)}</th>{''.join(f'<td>{count}</td>' for count in counts)}</tr>"


def _reason_html(reason: Reason, of: int) -> str:
    share = f"{100 * reason.count / max(of, 1):.1f}\u00a0%"
    what = "detections, by mining" if reason.stage == "mining" else "cutouts, by reconstruction"
    return (
        f'<article class="reason"><div><h3>{text(reason.word.replace("_", " "))}</h3>'
        f'<p class="quiet">{text(reason.meaning)}</p>'
        f'<p><span class="count">{reason.count}</span> <span class="quiet">of {of} {what}, {share}</span></p>'
        f'<meter max="{max(of, 1)}" value="{reason.count}" aria-label="{text(reason.word)}: {share}"></meter></div>'
        f"{_pictures_html(reason.examples)}</article>"
    )


def _cutouts_html(camera_dir: Path, rows: Sequence[Mapping]) -> str:
    pictures = cutout_examples(camera_dir, rows)
    counts = Counter(row["bucket"] for row in rows)
    return "\n".join(
        f'<h3 class="bucket">{text(bucket)}</h3>'
        + _pictures_html([pictures[row["cutout_id"]] for row in rows if row["bucket"] == bucket])
        for bucket in sorted(counts)
    )


def _pictures_html(examples: Sequence[SheetPicture]) -> str:
    items = (
        f'<li><figure><img src="data:image/jpeg;base64,{base64.b64encode(example.jpeg).decode("ascii")}" '
        f'alt="{text(example.caption)}"><figcaption>{text(example.caption)}</figcaption></figure></li>'
        for example in examples
    )
    return f'<ul class="pictures">{"".join(items)}</ul>'
