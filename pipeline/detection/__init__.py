"""Objects in frames, by any detector that `registry` knows: one module of this folder each, behind one protocol.

A detector turns a frame into instances with a category (person or vehicle), a score, a box and a mask; `detect_shard`
runs one over a block of frames and writes DETECTIONS rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.core.frames import FrameReader, read_backgrounds
from pipeline.core.instances import BatchDetector, Detector, Instance
from pipeline.core.storage import damaged, read_table, write_table
from pipeline.core.tables import CATEGORY_IDS, DETECTIONS
from pipeline.detection.registry import Backend, Inputs, backend_of, backends, make_detector
from pipeline.detection.riders import ONE, TWO, with_riders

__all__ = ["Backend", "DetectJob", "DetectionSettings", "Inputs", "backends", "detect_shard", "make_detector"]

_MOST = 10_000  # detection_id = frame_id * 10000 + number


@dataclass(frozen=True)
class DetectionSettings:
    """Which detector, and what of its results is kept. options: the detector's own settings, else its defaults."""

    detector: str = field(default="motion", metadata={"help": "name of the detector"})
    categories: str = field(default="person,vehicle", metadata={"help": "categories to keep, comma-separated"})
    min_score: float = field(default=0.0, metadata={"help": "lowest score to keep, 0 to 1"})
    options: Any = field(default=None, metadata={"apart": True})
    riders: str = field(
        default=ONE,
        metadata={
            "help": "riders and their two-wheelers: one (a vehicle) or two (the person, as a rider, is not composed)"
        },
    )

    def __post_init__(self) -> None:
        if self.riders not in (ONE, TWO):
            raise ValueError(f"riders: expected {ONE} or {TWO}, got {self.riders!r}")
        own = backend_of(self.detector).settings
        if self.options is None and own is not None:
            object.__setattr__(self, "options", own())
        if own is not None and not isinstance(self.options, own):
            raise ValueError(f"detector {self.detector}: expected options of {own.__name__}, got {self.options!r}")
        unknown = self.kept - set(CATEGORY_IDS)
        if unknown or not self.kept:
            raise ValueError(f"categories: expected some of {', '.join(CATEGORY_IDS)}, got {self.categories!r}")

    @property
    def kept(self) -> set[str]:
        """The categories as a set."""
        return {name.strip() for name in self.categories.split(",") if name.strip()}


@dataclass(frozen=True)
class DetectJob:
    """A block of frames: `name` of the shard, where the FRAMES table, the camera's folder and the backgrounds are.

    camera, plane: None for a detector that needs none of them.
    """

    name: str
    frame_ids: Sequence[int]
    index: Path
    root: Path
    backgrounds: Path
    out: Path
    settings: DetectionSettings
    camera: Camera | None
    plane: GroundPlane | None
    ignore_rle: str | None = None


def detect_shard(job: DetectJob, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the DETECTIONS of a block of frames; the number of rows."""
    needs = backend_of(job.settings.detector).needs
    # The table of a day is read for each of its blocks: only by whom the other frames concern.
    frames = read_table(job.index) if "frames" in needs else None
    block = pc.field("frame_id").isin(pa.array(list(job.frame_ids), pa.int64()))
    index = read_table(job.index, filters=block) if frames is None else frames.filter(block)
    readable = index.filter(pc.equal(index["status"], "ok"))
    backgrounds = _backgrounds(job, set(readable["bucket"].to_pylist())) if "backgrounds" in needs else None
    size_hw = (index["height"][0].as_py(), index["width"][0].as_py())
    ignore = None if job.ignore_rle is None else masks.full(job.ignore_rle, size_hw)
    inputs = Inputs(job.camera, job.plane, backgrounds, frames, ignore)
    detector = make_detector(job.settings.detector, job.settings.options, inputs)
    buckets = dict(zip(index["frame_id"].to_pylist(), index["bucket"].to_pylist(), strict=True))
    images = FrameReader(index, job.root).read(list(job.frame_ids))
    rows: list[dict] = []
    for done, (frame_id, size_hw, found) in enumerate(_detected(detector, images, buckets), start=1):
        rows += _rows_of_frame(found, frame_id, size_hw, job.settings)
        if progress:
            progress(done, len(job.frame_ids))
    write_table(job.out, pa.Table.from_pylist(rows, schema=DETECTIONS))
    return len(rows)


def _detected(
    detector: Detector, images: Iterator[tuple[int, np.ndarray]], buckets: dict[int, str]
) -> Iterator[tuple[int, tuple[int, int], list[Instance]]]:
    """Every frame's id, size and instances, in the frames' order."""
    if not isinstance(detector, BatchDetector):
        for frame_id, image in images:
            yield frame_id, image.shape[:2], detector(image, buckets[frame_id], frame_id)
        return
    while block := list(islice(images, detector.batch)):
        for (frame_id, image), found in zip(block, detector.many([image for _, image in block]), strict=True):
            yield frame_id, image.shape[:2], found


def _backgrounds(job: DetectJob, buckets: set[str]) -> dict[str, np.ndarray]:
    found = read_backgrounds(job.backgrounds)
    missing = sorted(buckets - set(found))
    if missing:
        raise damaged(job.backgrounds / f"{missing[0]}.png", "there is none of this bucket")
    return {bucket: found[bucket] for bucket in sorted(buckets)}


def _rows_of_frame(
    instances: list[Instance], frame_id: int, size_hw: tuple[int, int], settings: DetectionSettings
) -> list[dict]:
    seen = [i for i in instances if i.score >= settings.min_score]
    kept = [i for i in with_riders(seen, settings.riders) if i.category in settings.kept]
    if len(kept) >= _MOST:
        kept = sorted(kept, key=lambda i: -i.score)[: _MOST - 1]
    return [
        {
            "detection_id": frame_id * _MOST + number,
            "frame_id": frame_id,
            "category": instance.category,
            "subcategory": instance.subcategory,
            "score": instance.score,
            "bbox_xywh": instance.box_xywh,
            "mask_rle": masks.encode(instance.crop, instance.xy, size_hw),
        }
        for number, instance in enumerate(kept)
    ]
