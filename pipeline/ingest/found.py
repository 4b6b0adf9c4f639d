"""Frames as they are found, and the FRAMES table of them: numbered by time, told apart by what can be used.

Timestamps are UTC; time buckets are those of the camera's local clock. A sequence is a run of frames without a gap
longer than a setting: tracks never cross its ends.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from data_manifest.times import utc_of
from pipeline.core.frames import ANCHORS
from pipeline.core.tables import FRAMES
from pipeline.core.video import Anchor
from pipeline.ingest.look import BLACK, OK, ONE_COLOUR, REPEAT

FirstOrLast = int | datetime | time | None
# Can be read, and say nothing: left out and counted.
EMPTY = (REPEAT, BLACK, ONE_COLOUR)


@dataclass(frozen=True)
class IngestSettings:
    """What counts as an unbroken, readable recording."""

    max_unreadable_fraction: float = field(
        default=0.05,
        metadata={
            "help": "fraction of frames that may be unreadable before the stage fails, 0 to 1",
            "formerly": "max_unreadable_share",
        },
    )
    max_gap_s: float = field(
        default=2.0, metadata={"help": "a longer pause between two frames ends a sequence, seconds"}
    )


@dataclass(frozen=True, slots=True)  # a day has 10^5
class FoundFrame:
    """A frame before it has a number. timestamp has a time zone; position is -1 for an image file."""

    timestamp: datetime
    source: str
    position: int
    size_hw: tuple[int, int] = (0, 0)
    status: str = "ok"


def index_table(
    found: Sequence[FoundFrame],
    bucket_of: Callable[[datetime], str | None],
    settings: IngestSettings,
    *,
    what: str,
    anchors: Mapping[str, Sequence[Anchor]] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> pa.Table:
    """FRAMES rows in time order; frames outside every bucket are not frames of this camera.

    anchors: of videos, by source, the frames to which seeks go.

    Raises ValueError, naming `what` was read, where no frame or too few can be read, and where all are black.
    """
    rows = sorted(found, key=lambda f: (f.timestamp, f.source, f.position))
    buckets = [bucket_of(f.timestamp) for f in rows]
    rows, buckets = [f for f, b in zip(rows, buckets, strict=True) if b], [b for b in buckets if b]
    if found and not rows:
        raise ValueError(f"{what}: none of its {len(found)} frames falls into a time bucket of the manifest")
    rows = _one_size(_something_left(rows, what, tell))
    _refuse_unreadable(rows, settings, what)
    moments = np.array([f.timestamp.astimezone(UTC).replace(tzinfo=None) for f in rows], "datetime64[us]")
    gaps = np.diff(moments) > np.timedelta64(round(settings.max_gap_s * 1e6), "us")
    columns = {
        "frame_id": np.arange(len(rows)),
        "timestamp": pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
        "bucket": buckets,
        "sequence": np.r_[0, np.cumsum(gaps)],
        "source": [f.source for f in rows],
        "position": [f.position for f in rows],
        "width": [f.size_hw[1] for f in rows],
        "height": [f.size_hw[0] for f in rows],
        "status": [f.status for f in rows],
    }
    return pa.table(columns, schema=FRAMES.with_metadata({ANCHORS: json.dumps(anchors)} if anchors else None))


def _one_size(rows: list[FoundFrame]) -> list[FoundFrame]:
    """A camera has one frame size, that of most frames; other frames are unreadable."""
    sizes = Counter(f.size_hw for f in rows if f.status == OK)
    if not sizes:
        return rows
    height, width = size = sizes.most_common(1)[0][0]

    def checked(f: FoundFrame) -> FoundFrame:
        if f.status == OK and f.size_hw != size:
            return replace(
                f, size_hw=size, status=f"size {f.size_hw[1]}x{f.size_hw[0]}, the others are {width}x{height}"
            )
        return replace(f, size_hw=size)

    return [checked(f) for f in rows]


def moved(index: pa.Table, places: Mapping[str, str]) -> pa.Table:
    """The FRAMES table of a recording that lies elsewhere now: places, the new source of each."""
    at = index.schema.get_field_index("source")
    column = pa.array([places.get(source, source) for source in index["source"].to_pylist()])
    metadata = dict(index.schema.metadata or {})
    if ANCHORS in metadata:
        anchors = json.loads(metadata[ANCHORS])
        metadata[ANCHORS] = json.dumps(
            {places.get(source, source): found for source, found in anchors.items()}
        ).encode()
    return index.set_column(at, index.schema.field(at), column).replace_schema_metadata(metadata)


def _something_left(rows: list[FoundFrame], what: str, tell: Callable[[str], None]) -> list[FoundFrame]:
    """The frames as they are, or, where all that can be read show one colour or the same picture, these as they are."""
    fine = sum(f.status == OK for f in rows)
    if fine > 1 or len(rows) < 2 or not any(f.status in EMPTY for f in rows):
        return rows
    if all(f.status == BLACK for f in rows):
        raise ValueError(f"{what}: no frame shows anything, all {len(rows)} are black; look at it in another program")
    tell(f"{what}: there is nothing to find in it: every frame shows {'the same picture' if fine else 'one colour'}")
    return [replace(f, status=OK) if f.status == ONE_COLOUR and not fine else f for f in rows]


def _refuse_unreadable(rows: list[FoundFrame], settings: IngestSettings, what: str) -> None:
    bad = [f for f in rows if f.status != OK and f.status not in EMPTY]
    if len(bad) == len(rows):
        raise ValueError(f"{what}: no frame can be read" + (f"; the first: {bad[0].status}" if bad else ""))
    fraction = len(bad) / len(rows)
    if fraction > settings.max_unreadable_fraction:
        raise ValueError(
            f"{what}: {len(bad)} of {len(rows)} frames cannot be read, {fraction:.0%}, more than the allowed "
            f"{settings.max_unreadable_fraction:.0%}; the first: {bad[0].status}. Mend the source, or raise "
            "max_unreadable_fraction under [IngestFrames] in luigi.cfg"
        )


def in_words(table: pa.Table) -> str:
    """How many frames there are, and how many of them are left out for which reasons."""
    reasons = Counter(status for status in table["status"].to_pylist() if status != OK)
    sequences = pa.compute.count_distinct(table["sequence"]).as_py()
    pieces = [f"{table.num_rows} frames" + (f" in {sequences} sequences" if sequences > 1 else "")]
    if reasons:
        shown = [
            f"{count} are {reason}" if reason in EMPTY else f"{count}: {reason}"
            for reason, count in reasons.most_common(3)
        ]
        more = f" (and {len(reasons) - 3} more reasons)" if len(reasons) > 3 else ""
        pieces.append(f"{sum(reasons.values())} left out ({'; '.join(shown)}{more})")
    return ", ".join(pieces)


def within(
    frames: Sequence[FoundFrame],
    numbers: Sequence[int],
    first: FirstOrLast,
    last: FirstOrLast,
    zone: ZoneInfo,
    what: str,
) -> list[FoundFrame]:
    """The frames of a recording from `first` to `last`, both included.

    numbers: of the frames in the recording; times are local, a clock's of the day of the first frame. Raises ValueError
    where none is left.
    """
    begin, end = frames[0].timestamp, frames[-1].timestamp
    low, high = number_or_moment(first, begin, zone), number_or_moment(last, begin, zone)
    kept = [
        frame
        for frame, number in zip(frames, numbers, strict=True)
        if (low is None or _order(frame, number, low) >= 0) and (high is None or _order(frame, number, high) <= 0)
    ]
    if not kept:
        local = [f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" for moment in (begin, end)]
        raise ValueError(
            f"{what}: no frame from source.first, {first}, to source.last, {last}; the recording's frames are "
            f'{numbers[0]} to {numbers[-1]}, {local[0]} to {local[1]}. Times need quotes: "07:10:00"'
        )
    return kept


def number_or_moment(value: FirstOrLast, begin: datetime, zone: ZoneInfo) -> int | datetime | None:
    """A frame's number as it is, a local time as a moment in UTC; a clock's is of the day on which `begin` lies."""
    if isinstance(value, time):
        value = datetime.combine(begin.astimezone(zone).date(), value)
    return utc_of(value, zone) if isinstance(value, datetime) else value


def _order(frame: FoundFrame, number: int, limit: int | datetime) -> float:
    """Below 0 before the limit, above 0 after it."""
    return number - limit if isinstance(limit, int) else (frame.timestamp - limit).total_seconds()
