"""Decide which detections show a whole object: nothing in front of it, nothing cut off, nothing merged into it.

Works on the TRACKS table alone. A detection gets the first reason of REASONS that applies to it; what has none is
accepted. Boxes are xywh in COCO's edges, nearer means a lower bottom edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from pipeline import masks
from pipeline.observations import Observations, from_tracks, meeting_pairs
from pipeline.occluders import OccluderMap, OccluderSettings
from pipeline.outlines import Outline, OutlineSettings, expected_outlines, reference_area
from pipeline.selection import SelectionSettings, box_iou, repeated_stays, spread, stays

REASONS = {
    "low_score": "the detector is not sure",
    "untracked": "seen too briefly to know how it should look",
    "border": "touches the frame's border or an ignored region",
    "too_small": "too few pixels",
    "no_ground": "its foot does not see the ground",
    "implausible_size": "no person or vehicle is of this size in metres",
    "implausible_shape": "its outline has deeper hollows than one person or vehicle has",
    "occluded_by": "another object is in front of it",
    "merged": "shows more than the object's own outline: two objects in one mask",
    "static_occluder": "something that never moves is in front of it",
    "unstable": "a part of the expected outline is missing",
    "stationary_duplicate": "stands still: another frame shows it as well or better",
    "too_similar": "another frame of the track shows it at almost the same place",
}


@dataclass(frozen=True)
class MiningSettings:
    """What makes a detection a cutout."""

    min_score: float = field(
        default=0.5, metadata={"help": "detections below are no cutouts; they may still hide others"}
    )
    min_track: int = field(default=4, metadata={"help": "frames of a track, at least"})
    border_px: int = field(default=3, metadata={"help": "closer to the frame's border counts as truncated, pixels"})
    min_area_px: int = field(default=250, metadata={"help": "mask area, at least, pixels"})
    min_side_px: int = field(default=8, metadata={"help": "shorter side of the box, at least, pixels"})
    mode: str = field(
        default="mask", metadata={"help": "how occlusion by others is told: mask (contact) or box (overlap)"}
    )
    delta: float = field(
        default=0.05, metadata={"help": "WALT's threshold: box overlap and horizontal overlap that occlude"}
    )
    contact_share: float = field(
        default=0.02, metadata={"help": "share of a mask's outline that a nearer mask touches to occlude it"}
    )
    gap_px: int = field(default=3, metadata={"help": "masks this close to each other touch, pixels"})
    max_missing: float = field(
        default=0.06, metadata={"help": "share of a vehicle's expected outline that may be missing"}
    )
    max_missing_person: float = field(
        default=0.12, metadata={"help": "share of a person's expected outline that may be missing: legs swing"}
    )
    max_extra: float = field(
        default=0.12, metadata={"help": "share beyond the expected outline that tells two objects"}
    )
    max_area_change: float = field(
        default=0.30, metadata={"help": "how far the metric area may be from its neighbours' on the track, share"}
    )
    max_static: float = field(default=0.01, metadata={"help": "share of the outline's area on static occluders"})
    max_static_contact: float = field(
        default=0.04, metadata={"help": "share of the ring around the outline on static occluders"}
    )
    outline: OutlineSettings = field(default_factory=OutlineSettings)
    occluders: OccluderSettings = field(default_factory=OccluderSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)

    def __post_init__(self) -> None:
        if self.mode not in ("mask", "box"):
            raise ValueError(f"mining mode: expected mask or box, got {self.mode!r}")


# Metres (width, height) of the box, as a card at its foot: low and high. Vehicles show their length too, and from
# above a long one that drives away seems tall. Two people side by side have more than one's width or area.
_SIZES_M = {True: ((0.25, 1.2), (1.1, 2.15)), False: ((1.2, 1.2), (20.0, 12.0))}
_AREA_M2 = {True: (0.25, 0.9), False: (2.2, 90.0)}
# Share of its convex hull that a silhouette fills: cars are nearly convex, people with their legs apart less so.
_SOLIDITY = {True: 0.45, False: 0.75}


@dataclass(frozen=True)
class Judgement:
    """The verdict on the N rows of a TRACKS table.

    reason (N,) object: a key of REASONS, or "" for accepted; stationary (N,) bool; occluder_ids: see `hidden_by`.
    """

    detection_id: np.ndarray
    reason: np.ndarray
    stationary: np.ndarray
    report: dict
    occluders: OccluderMap

    @property
    def accepted(self) -> pa.Table:
        """detection_id and stationary of the cutouts to make, in the table's order."""
        keep = self.reason == ""
        return pa.table({"detection_id": self.detection_id[keep], "stationary": self.stationary[keep]})


def judge(
    tracks: pa.Table,
    camera: Camera,
    plane: GroundPlane,
    settings: MiningSettings,
    *,
    ignore: np.ndarray | None = None,
    bare: pa.Table | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Judge every row of a TRACKS table.

    ignore (H, W) bool marks pixels outside the region of interest; bare, rows of pipeline.bare.BARE, what of the masks
    shows the empty street: without it only the masks' own gaps tell of static occluders.
    """
    seen = from_tracks(tracks, camera, plane)
    cut = touches_border(seen, camera.size_hw, ignore, settings)
    verdict = _Verdict(len(seen))
    verdict.refuse("low_score", seen.score < settings.min_score)
    verdict.refuse("untracked", _track_length(seen.track_id) < settings.min_track)
    verdict.refuse("border", cut)
    small = (seen.area_px < settings.min_area_px) | (seen.box_xywh[:, 2:].min(axis=1) < settings.min_side_px)
    verdict.refuse("too_small", small)
    verdict.refuse("no_ground", ~np.isfinite(seen.foot_xy_m).all(axis=1) | ~np.isfinite(seen.scale_px).all(axis=1))
    verdict.refuse("implausible_size", implausible(seen))
    verdict.refuse("implausible_shape", hollow(seen, camera.size_hw))
    verdict.refuse("occluded_by", occluded(seen, camera.size_hw, settings))
    bare_of = _bare_by_id(bare)
    shape = _shapes(seen, ~cut, bare_of, camera, plane, settings, progress)
    verdict.refuse("merged", (shape.extra > settings.max_extra) | (shape.growth > settings.max_area_change))
    static, contact_ = _static_shares(seen, shape)
    verdict.refuse("static_occluder", (static > settings.max_static) | (contact_ > settings.max_static_contact))
    verdict.refuse("static_occluder", behind_poles(seen, bare_of, camera.size_hw))
    most = np.where(seen.is_person, settings.max_missing_person, settings.max_missing)
    verdict.refuse("unstable", ~(shape.missing <= most) | (shape.growth < -settings.max_area_change))
    quality = -(shape.missing + shape.extra + contact_ + np.abs(shape.growth))
    stationary = _select(seen, quality, verdict, settings.selection)
    return Judgement(seen.detection_id, verdict.reason, stationary, _report(seen, verdict.reason), shape.occluders)


class _Verdict:
    """The first reason each of n detections was refused for."""

    def __init__(self, n: int) -> None:
        self.reason = np.full(n, "", object)

    @property
    def clean(self) -> np.ndarray:
        return self.reason == ""

    def refuse(self, reason: str, which: np.ndarray) -> None:
        self.reason[self.clean & which] = reason


def _track_length(track_id: np.ndarray) -> np.ndarray:
    """(N,) detections of each one's track; 1 for the untracked."""
    ids, number, count = np.unique(track_id, return_inverse=True, return_counts=True)
    return np.where(ids[number] < 0, 1, count[number])


def touches_border(
    seen: Observations, size_hw: tuple[int, int], ignore: np.ndarray | None, settings: MiningSettings
) -> np.ndarray:
    """(N,) bool: the box comes within border_px of the frame's border, or the mask of an ignored pixel."""
    low, high = seen.box_xywh[:, :2], seen.box_xywh[:, :2] + seen.box_xywh[:, 2:]
    height, width = size_hw
    cut = (low <= settings.border_px).any(axis=1) | (high >= np.array([width, height]) - settings.border_px).any(axis=1)
    if ignore is None or not ignore.any():
        return cut
    wide = cv2.dilate(ignore.astype(np.uint8), np.ones((2 * settings.border_px + 1,) * 2, np.uint8))
    # A summed-area table spares decoding the masks that are clear of it.
    total = cv2.integral(wide)
    (x0, y0), (x1, y1) = low.astype(int).T, high.astype(int).T
    near = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0] > 0
    for i in np.flatnonzero(near & ~cut):
        crop, (x, y, w, h) = masks.decode(seen.rle[i], size_hw)
        cut[i] = bool((wide[y : y + h, x : x + w].astype(bool) & crop).any())
    return cut


def implausible(seen: Observations) -> np.ndarray:
    """(N,) bool: the box or the mask is of no size that a person or a vehicle has."""
    bad = np.zeros(len(seen), bool)
    with np.errstate(invalid="ignore"):
        for person in (True, False):
            (low, high), (least, most) = _SIZES_M[person], _AREA_M2[person]
            wrong = (seen.size_m < low).any(axis=1) | (seen.size_m > high).any(axis=1)
            wrong |= (seen.area_m2 < least) | (seen.area_m2 > most)
            bad |= wrong & (seen.is_person == person)
    return bad


def hollow(seen: Observations, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the mask fills too little of its convex hull: notched, torn, or several objects in one."""
    return np.array(
        [
            solidity(masks.decode(rle, size_hw)[0]) < _SOLIDITY[bool(person)]
            for rle, person in zip(seen.rle, seen.is_person, strict=True)
        ],
        bool,
    )


def solidity(crop: np.ndarray) -> float:
    """Share of its convex hull that a mask (h, w) fills, 0 to 1."""
    if not crop.any():
        return 0.0
    contours, _ = cv2.findContours(crop.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(contours))
    # Contours run through pixel centres: half a pixel outwards is missing all around.
    return float(crop.sum()) / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1)


def behind_poles(seen: Observations, bare: dict[int, str], size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) bool: an upright strip of the empty street, a quarter of the box high, runs through the mask."""
    hidden = np.zeros(len(seen), bool)
    for i, detection_id in enumerate(seen.detection_id.tolist()):
        if detection_id in bare:
            crop, _ = masks.decode(bare[detection_id], size_hw)
            strip = np.ones((max(7, int(0.25 * seen.box_xywh[i, 3])), 2), np.uint8)
            hidden[i] = cv2.erode(crop.astype(np.uint8), strip, borderValue=0).any()
    return hidden


def occluded(seen: Observations, size_hw: tuple[int, int], settings: MiningSettings) -> np.ndarray:
    """(N,) bool: a nearer detection of the frame, whatever its score, is in front.

    WALT's test: the boxes overlap by more than delta, also across, and the other's bottom edge is lower. Masks of one
    frame never overlap, so in mask mode the overlap is the share of the outline that touches the other's mask.
    """
    pairs = meeting_pairs(seen.frame_id, seen.box_xywh, 0.0 if settings.mode == "box" else settings.gap_px)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])  # (behind, in front)
    box = seen.box_xywh
    bottom = box[:, 1] + box[:, 3]
    # Within two pixels nobody can tell who is nearer: both are refused.
    pairs = pairs[bottom[pairs[:, 1]] > bottom[pairs[:, 0]] - 2]
    behind, front = box[pairs[:, 0]], box[pairs[:, 1]]
    hidden = np.zeros(len(seen), bool)
    if settings.mode == "box":
        right = np.minimum(behind[:, 0] + behind[:, 2], front[:, 0] + front[:, 2])
        across = (right - np.maximum(behind[:, 0], front[:, 0])) / behind[:, 2]
        hidden[pairs[(box_iou(behind, front) > settings.delta) & (across > settings.delta), 0]] = True
        return hidden
    for i, j in pairs.tolist():
        if not hidden[i]:
            hidden[i] = contact(seen.rle[i], seen.rle[j], size_hw, settings.gap_px) > settings.contact_share
    return hidden


def contact(rle: str, other: str, size_hw: tuple[int, int], gap_px: int) -> float:
    """Share of the ring, gap_px wide, around a mask that another mask covers."""
    crop, (x, y, w, h) = masks.decode(rle, size_hw)
    second, (x2, y2, w2, h2) = masks.decode(other, size_hw)
    padded = np.pad(crop, gap_px).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap_px + 1,) * 2)
    ring = cv2.dilate(padded, kernel) - padded
    there = np.zeros(ring.shape, bool)
    x0, y0 = x - gap_px, y - gap_px
    left, top = max(x0, x2), max(y0, y2)
    right, bottom = min(x0 + w + 2 * gap_px, x2 + w2), min(y0 + h + 2 * gap_px, y2 + h2)
    if right > left and bottom > top:
        there[top - y0 : bottom - y0, left - x0 : right - x0] = second[top - y2 : bottom - y2, left - x2 : right - x2]
    # A mask drawn over the other's own pixels hides it as much as one beside it.
    return float((there & ((ring | padded) > 0)).sum()) / max(int(ring.sum()), 1)


@dataclass(frozen=True)
class _Shapes:
    """What the tracks tell of each detection: shares `missing` and `extra` of the expected outline, `growth` of the
    metric area, NaN where they tell nothing; `regions`: packed outline (mask and expectation) with its place."""

    missing: np.ndarray
    extra: np.ndarray
    growth: np.ndarray
    regions: list[tuple[np.ndarray, tuple[int, int], tuple[int, ...]] | None]
    occluders: OccluderMap


def _shapes(
    seen: Observations,
    whole: np.ndarray,
    bare: dict[int, str],
    camera: Camera,
    plane: GroundPlane,
    settings: MiningSettings,
    progress: Callable[[int, int], None] | None,
) -> _Shapes:
    missing, extra, growth = np.full((3, len(seen)), np.nan)
    regions: list[tuple[np.ndarray, tuple[int, int], tuple[int, ...]] | None] = [None] * len(seen)
    occluders = OccluderMap(camera.size_hw, settings.occluders)
    others = _neighbours(seen)
    tracks = _by_track(seen)
    for number, rows in enumerate(tracks):
        track = seen.at(rows)
        outlines = expected_outlines(track, whole[rows], camera, plane, settings.outline)
        growth[rows] = track.area_m2 / reference_area(track, whole[rows], settings.outline) - 1
        freed = [
            None if o is None else o.without(seen.box_xywh[others[i]]) for i, o in zip(rows, outlines, strict=True)
        ]
        sure = [o if seen.score[i] >= settings.min_score else None for i, o in zip(rows, freed, strict=True)]
        occluders.add_track(track.range_m, sure)
        for i, outline in zip(rows, outlines, strict=True):
            if outline is not None:
                missing[i], extra[i] = outline.missing_share, outline.extra_share
                region = outline.mask | outline.inside
                regions[i] = np.packbits(region), outline.xy, region.shape
        if progress:
            progress(number + 1, len(tracks))
    return _Shapes(missing, extra, growth, regions, occluders)


def _bare_by_id(bare: pa.Table | None) -> dict[int, str]:
    if bare is None:
        return {}
    return dict(zip(bare["detection_id"].to_pylist(), bare["bare_rle"].to_pylist(), strict=True))


def _with_bare(outline: Outline | None, rle: str | None, size_hw: tuple[int, int]) -> Outline | None:
    if outline is None or rle is None:
        return outline
    crop, (x, y, _, _) = masks.decode(rle, size_hw)
    return outline.with_bare(crop, (x, y))


def _by_track(seen: Observations) -> list[np.ndarray]:
    """Rows of each track, in time order; the untracked are left out."""
    order = np.lexsort((seen.time_s, seen.track_id))
    order = order[seen.track_id[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(seen.track_id[order])) + 1) if len(order) else []


def _neighbours(seen: Observations) -> list[np.ndarray]:
    """For each detection the rows of its frame that are close enough to hide it."""
    pairs = meeting_pairs(seen.frame_id, seen.box_xywh, 12.0)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(seen))))


def _static_shares(seen: Observations, shape: _Shapes) -> tuple[np.ndarray, np.ndarray]:
    area, ring = np.zeros((2, len(seen)))
    for i, region in enumerate(shape.regions):
        if region is not None and np.isfinite(seen.range_m[i]):
            bits, xy, (height, width) = region
            crop = np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
            area[i], ring[i] = shape.occluders.shares(crop, xy, float(seen.range_m[i]))
    return area, ring


def _select(seen: Observations, quality: np.ndarray, verdict: _Verdict, settings: SelectionSettings) -> np.ndarray:
    """Refuse what adds nothing; returns (N,) bool of what stands still."""
    stationary = np.zeros(len(seen), bool)
    best: list[int] = []
    for rows in _by_track(seen):
        stay = stays(seen.at(rows), settings)
        stationary[rows] = stay >= 0
        clean = verdict.clean[rows]
        for number in np.unique(stay[clean & (stay >= 0)]):
            mine = rows[clean & (stay == number)]
            keep = mine[np.argmax(quality[mine])]
            best.append(int(keep))
            verdict.refuse("stationary_duplicate", _only(mine[mine != keep], len(seen)))
        moving = rows[clean & (stay < 0)]
        kept = moving[spread(quality[moving], seen.foot_xy_m[moving], settings)]
        verdict.refuse("too_similar", _only(np.setdiff1d(moving, kept), len(seen)))
    chosen = np.array(sorted(best), int)
    repeated = repeated_stays(seen.at(chosen), quality[chosen], settings)
    verdict.refuse("stationary_duplicate", _only(chosen[repeated], len(seen)))
    return stationary


def _only(rows: np.ndarray, n: int) -> np.ndarray:
    which = np.zeros(n, bool)
    which[rows] = True
    return which


def _report(seen: Observations, reason: np.ndarray) -> dict:
    """Counts: by reason, and of the accepted by category, bucket and track."""
    keep = reason == ""
    names, counts = np.unique(reason[~keep].astype(str), return_counts=True)
    refused = {name: 0 for name in REASONS} | dict(zip(names.tolist(), counts.tolist(), strict=True))
    buckets, per_bucket = np.unique(seen.bucket[keep].astype(str), return_counts=True)
    return {
        "detections": len(seen),
        "cutouts": int(keep.sum()),
        "refused": refused,
        "cutouts_by_category": {
            "person": int(seen.is_person[keep].sum()),
            "vehicle": int((~seen.is_person[keep]).sum()),
        },
        "cutouts_by_bucket": dict(zip(buckets.tolist(), per_bucket.tolist(), strict=True)),
        "tracks": len(np.unique(seen.track_id[seen.track_id >= 0])),
        "tracks_with_cutout": len(np.unique(seen.track_id[keep])),
    }
