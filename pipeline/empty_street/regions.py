"""What a background still holds: places where something stands that no label tells of, and why.

A network that learns from scenes on such a background would learn to miss what stands there; training, evaluation and
exports leave these regions out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.core.frames import frames_of_bucket, read_backgrounds
from pipeline.core.instances import Detector, Instance
from pipeline.core.storage import read_table, write_table
from pipeline.core.tables import IGNORED, to_table
from pipeline.detection import DetectionSettings, Inputs, make_detector
from pipeline.detection.registry import backend_of
from pipeline.empty_street.uncovered import PLAIN_MEDIAN, coverage_maps, covered_most, read_sources

FILE = "empty_street/ignored.parquet"
# standing: a detector finds it in the background, as `standing` says, or it was there in most frames; ghost: no frame
# shows the street there, and the median may hold something; unwatched: the manifest says that nothing is looked for.
REASONS = ("standing", "ghost", "unwatched")
_LEAST_PX = 40
_SAME_PLACE = 0.5  # IoU of the masks of one thing in two backgrounds
_EDGE = np.ones((9, 9), np.uint8)  # a mask is off by a few pixels, and a shadow lies beside it


@dataclass(frozen=True)
class RegionsJob:
    """A camera's backgrounds and their `sources`, the FRAMES index, the TRACKS table, what the manifest ignores.

    `out` gets rows of IGNORED. settings: of the detector, which looks at the backgrounds where it needs nothing else.
    """

    name: str
    backgrounds: Path
    sources: Path
    index: Path
    tracks: Path
    out: Path
    settings: DetectionSettings
    camera: Camera
    plane: GroundPlane
    ignore_rle: str | None = None


def regions_shard(job: RegionsJob) -> int:
    """Write the regions of all time buckets; their number."""
    pictures = read_backgrounds(job.backgrounds)
    sources = read_sources(job.sources, pictures)
    ignore = None if job.ignore_rle is None else masks.full(job.ignore_rle, job.camera.size_hw)
    detector = None
    if not backend_of(job.settings.detector).needs:
        detector = make_detector(job.settings.detector, job.settings.options, Inputs(ignore=ignore))
    found = {name: _found(detector, name, picture, job.settings) for name, picture in pictures.items()}
    stands = standing(found, backend_of(job.settings.detector).sure, job.camera.size_hw)
    rows: list[dict] = []
    for bucket, picture in pictures.items():
        if job.ignore_rle is not None:
            rows.append(_region(bucket, "unwatched", job.ignore_rle))
        rows += [_of_instance(bucket, one, picture.shape[:2]) for one in stands[bucket]]
        unknown = sources[bucket] == PLAIN_MEDIAN
        if unknown.any():
            _, ids = frames_of_bucket(job.index, bucket)
            often = covered_most(coverage_maps(job.tracks, ids, picture.shape[:2]), picture.shape[:2])
            rows += [_region(bucket, reason, rle) for reason, rle in _unseen(unknown, often)]
    write_table(job.out, to_table(rows, IGNORED))
    return len(rows)


def _found(detector: Detector | None, bucket: str, picture: np.ndarray, settings: DetectionSettings) -> list[Instance]:
    """What a detector finds in a background; nothing where none can look."""
    there = detector(picture, bucket, -1) if detector else []
    return [one for one in there if one.score >= settings.min_score and one.category in settings.kept]


def standing(
    found: Mapping[str, Sequence[Instance]], sure: float, size_hw: tuple[int, int]
) -> dict[str, list[Instance]]:
    """What stands in the background of each time bucket, of what a detector found in them.

    Finds at one place are one thing. It is believed if its best score is `sure` or more or a second bucket shows it,
    and stands in all of them where more than half do. A detector that is not sure is believed of vehicles alone:
    nobody stands all day, and windows and trunks are in every background.
    """
    known = [(name, one) for name, these in found.items() for one in these if not sure or one.category == "vehicle"]
    known.sort(key=lambda named: -named[1].score)
    rles = [masks.encode(one.crop, one.xy, size_hw) for _, one in known]
    same = masks.iou(rles, rles, size_hw) >= _SAME_PLACE
    stands: dict[str, list[Instance]] = {name: [] for name in found}
    left = np.ones(len(known), bool)
    for best, (_, thing) in enumerate(known):
        if not left[best]:
            continue
        here = np.flatnonzero(same[best] & left)
        left[here] = False
        buckets = {known[k][0] for k in here}
        if len(buckets) < 2 and thing.score < sure:
            continue
        for k in here:
            stands[known[k][0]].append(known[k][1])
        for name in set(found) - buckets if 2 * len(buckets) > len(found) else ():
            stands[name].append(thing)
    return stands


def _unseen(unknown: np.ndarray, often: np.ndarray) -> Iterator[tuple[str, str]]:
    """Reason and run lengths of each region (H, W) bool of the plain median that is not a speck.

    often (H, W) bool: on a detection in most frames; what stands there is the object itself, not the ghost of one.
    """
    for reason, region in (("standing", unknown & often), ("ghost", unknown & ~often)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
        for k in range(1, count):
            x, y, w, h, area = (int(v) for v in stats[k])
            if area >= _LEAST_PX:
                yield (
                    reason,
                    masks.encode(labels[y : y + h, x : x + w] == k, (x, y), (region.shape[0], region.shape[1])),
                )


def _of_instance(bucket: str, one: Instance, size_hw: tuple[int, int]) -> dict:
    """The region of what a detector finds in a background, with its edge."""
    whole = np.zeros(size_hw, np.uint8)
    x, y, w, h = one.box_xywh
    whole[y : y + h, x : x + w] = one.crop
    rle = masks.encode(cv2.dilate(whole, _EDGE).astype(bool), (0, 0), size_hw)
    return _region(bucket, "standing", rle, one.category, one.subcategory, float(one.score))


def _region(
    bucket: str, reason: str, rle: str, category: str | None = None, subcategory: str | None = None,
    score: float | None = None,
) -> dict:  # fmt: skip
    known = {"category": category, "subcategory": subcategory, "score": score}
    return {"bucket": bucket, "reason": reason, "mask_rle": rle, **known}


def read_ignored(camera_dir: Path) -> dict[str, list[dict]]:
    """Rows of IGNORED by time bucket; none where a folder was made without the stage that finds them."""
    path = camera_dir / FILE
    found: dict[str, list[dict]] = {}
    for row in read_table(path).to_pylist() if path.is_file() else []:
        found.setdefault(row["bucket"], []).append(row)
    return found


def ignore_columns(rows: list[dict]) -> dict[str, list]:
    """The columns of IMAGES that name the regions of rows of IGNORED."""
    columns = {"ignore_rle": "mask_rle", "ignore_reason": "reason", "ignore_category": "category"}
    return {name: [row[own] for row in rows] for name, own in columns.items()}
