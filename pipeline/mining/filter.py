"""Decide which detections show a whole object: nothing in front of it, nothing truncated, nothing merged into it.

Works on the TRACKS table alone. A detection gets the first reason of REASONS that applies to it; what has none is
accepted. Boxes are xywh in COCO's edges, nearer means a lower bottom edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibration.camera import Camera, GroundPlane
from pipeline.core.instances import RIDER
from pipeline.mining.background_evidence import background_like_fraction, evidence_on
from pipeline.mining.classifier_gate import chance_of, doubted
from pipeline.mining.cut_edges import cut_by_edges
from pipeline.mining.expected_outline import OutlineSettings
from pipeline.mining.observations import Observations, from_tracks, track_length
from pipeline.mining.occlusion import behind_poles, occluded_by_boxes, occluded_by_masks, touches_border
from pipeline.mining.plausibility import hollow, implausible
from pipeline.mining.selection import SelectionSettings, select
from pipeline.mining.short_places import at_short_places
from pipeline.mining.static_occluders import OccluderMap, OccluderSettings, track_shapes

REASONS = {
    "low_score": "the detector is not confident",
    "untracked": "seen too briefly to predict its outline",
    "border": "touches the frame's border or an ignored region",
    "rider": "a person who rides something, without which he would stand on the road",
    "too_small": "too few pixels",
    "no_ground": "its foot does not see the ground",
    "implausible_size": "no person or vehicle is of this size in metres",
    "implausible_shape": "its outline has deeper hollows than one person or vehicle has",
    "occluded_by": "another object is in front of it",
    "merged": "shows more than the object's own outline: two objects in one mask",
    "static_occluder": "something that never moves is in front of it",
    "background_outline": "its outline follows edges of the background: hidden by what stands there, or a ghost of it",
    "unstable": "a part of the expected outline is missing",
    "looks_occluded": "the occlusion classifier does not see a whole object",
    "stationary_duplicate": "stands still: another frame shows it as well or better",
    "too_similar": "another frame of the track shows it at almost the same place",
}


@dataclass(frozen=True)
class MiningSettings:
    """What makes a detection a cutout."""

    min_score: float = field(
        default=0.4, metadata={"help": "detections below are no cutouts; they may still hide others"}
    )
    min_track: int = field(default=3, metadata={"help": "frames of a track, at least"})
    border_px: int = field(default=3, metadata={"help": "closer to the frame's border counts as truncated, pixels"})
    min_area_px: int = field(default=200, metadata={"help": "mask area, at least, pixels"})
    min_vehicle_fraction: float = field(
        default=0.0015,
        metadata={
            "help": "mask area of a vehicle, at least, fraction of the frame: far ones do not show what hides them",
            "formerly": "min_vehicle_share",
        },
    )
    min_side_px: int = field(default=8, metadata={"help": "shorter side of the box, at least, pixels"})
    mode: str = field(
        default="mask", metadata={"help": "how occlusion by others is found: mask (contact) or box (overlap)"}
    )
    delta: float = field(
        default=0.05, metadata={"help": "WALT's threshold: box overlap and horizontal overlap that occlude"}
    )
    contact_fraction: float = field(
        default=0.01,
        metadata={
            "help": "fraction of a mask's outline that a nearer mask touches to occlude it",
            "formerly": "contact_share",
        },
    )
    gap_px: int = field(default=3, metadata={"help": "masks this close to each other touch, pixels"})
    max_missing: float = field(
        default=0.08, metadata={"help": "fraction of a vehicle's expected outline that may be missing"}
    )
    max_missing_person: float = field(
        default=0.12, metadata={"help": "fraction of a person's expected outline that may be missing: legs swing"}
    )
    max_extra: float = field(
        default=0.12, metadata={"help": "fraction beyond the expected outline that shows two objects"}
    )
    max_area_change: float = field(
        default=0.30, metadata={"help": "how far the metric area may be from its neighbours' on the track, fraction"}
    )
    max_static: float = field(default=0.01, metadata={"help": "fraction of the outline's area on static occluders"})
    max_static_contact: float = field(
        default=0.03, metadata={"help": "fraction of the ring around the outline on static occluders"}
    )
    max_edges: float = field(
        default=0.33, metadata={"help": "fraction of a vehicle's outline that follows edges of the background"}
    )
    max_edges_person: float = field(
        default=0.28, metadata={"help": "fraction of a person's outline that follows edges of the background"}
    )
    max_background_like: float = field(
        default=0.06,
        metadata={
            "help": "fraction of a vehicle's mask that shows the empty street: poles, branches",
            "formerly": "max_bare",
        },
    )
    min_unoccluded: float = field(
        default=0.5,
        metadata={"help": "the occlusion classifier's chance of a whole vehicle, at least, 0 to 1"},
    )
    min_unoccluded_person: float = field(
        default=0.8,
        metadata={"help": "the same of a whole person; where both are 0 the classifier is not asked"},
    )
    trusted: float = field(
        default=0.9,
        metadata={"help": "from this chance of a whole vehicle on, edges of the background along it count for nothing"},
    )
    trusted_person: float = field(default=0.97, metadata={"help": "the same of a person"})
    outline: OutlineSettings = field(default_factory=OutlineSettings)
    occluders: OccluderSettings = field(default_factory=OccluderSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)

    def __post_init__(self) -> None:
        if self.mode not in ("mask", "box"):
            raise ValueError(f"mining mode: expected mask or box, got {self.mode!r}")
        for name in ("min_unoccluded", "min_unoccluded_person", "trusted", "trusted_person"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"mining {name}: expected 0 to 1, got {getattr(self, name)}")

    @property
    def asks_classifier(self) -> bool:
        """Whether the occlusion classifier has a say."""
        return self.min_unoccluded > 0 or self.min_unoccluded_person > 0


@dataclass(frozen=True)
class Decisions:
    """The decisions on the N rows of a TRACKS table.

    reason (N,) object: a key of REASONS, or "" for accepted; stationary (N,) bool; occluders: what was found static.
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

    @property
    def refused(self) -> pa.Table:
        """detection_id and reason of all others, in the table's order."""
        lost = self.reason != ""
        return pa.table({"detection_id": self.detection_id[lost], "reason": pa.array(self.reason[lost], pa.string())})


def decide(
    tracks: pa.Table,
    camera: Camera,
    plane: GroundPlane,
    settings: MiningSettings,
    *,
    ignore: np.ndarray | None = None,
    evidence: pa.Table | None = None,
    unoccluded: pa.Table | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Decisions:
    """Decide on every row of a TRACKS table.

    ignore (H, W) bool: pixels outside the region of interest. evidence: rows of
    pipeline.mining.background_evidence.EVIDENCE; without it only the masks' own gaps show static occluders.
    unoccluded: rows of pipeline.mining.classifier_gate.UNOCCLUDED, which min_unoccluded is asked of; a detection that
    lacks there is let through.
    """
    seen = from_tracks(tracks, camera, plane)
    truncated = touches_border(seen, camera.size_hw, ignore, settings.border_px)
    decision = _alone(seen, tracks, truncated, camera.size_hw, settings)
    like_background, edges = evidence_on(evidence, seen)
    chance = chance_of(unoccluded, seen)
    trusted = chance >= np.where(seen.is_person, settings.trusted_person, settings.trusted)
    confident = seen.score >= settings.min_score
    shape = track_shapes(seen, ~truncated, confident, camera, plane, (settings.outline, settings.occluders), progress)
    decision.refuse("merged", (shape.extra > settings.max_extra) | (shape.growth > settings.max_area_change))
    static, ring = shape.static_fractions(seen.range_m)
    hidden = (static > settings.max_static) | (ring > settings.max_static_contact)
    hidden |= ~seen.is_person & (
        background_like_fraction(seen, like_background, camera.size_hw) > settings.max_background_like
    )
    hidden |= behind_poles(seen, like_background, camera.size_hw)
    hidden |= at_short_places(seen, decision.clean & confident)
    hidden |= cut_by_edges(seen, confident & ~truncated, camera.size_hw)
    decision.refuse("static_occluder", hidden)
    most_edges = np.where(seen.is_person, settings.max_edges_person, settings.max_edges)
    # Kerbs and lane lines run along cars: where the classifier sees a whole one, they do not count.
    decision.refuse("background_outline", (edges > most_edges) & ~trusted)
    most = np.where(seen.is_person, settings.max_missing_person, settings.max_missing)
    decision.refuse("unstable", ~(shape.missing <= most) | (shape.growth < -settings.max_area_change))
    least = settings.min_unoccluded_person, settings.min_unoccluded
    decision.refuse("looks_occluded", doubted(chance, seen.is_person, decision.clean, least))
    quality = np.nan_to_num(chance, nan=1.0) - (shape.missing + shape.extra + ring + np.abs(shape.growth) + edges)
    stationary, duplicate, similar = select(seen, quality, decision.clean, settings.selection)
    decision.refuse("stationary_duplicate", duplicate)
    decision.refuse("too_similar", similar)
    return Decisions(seen.detection_id, decision.reason, stationary, _counts(seen, decision.reason), shape.occluders)


def candidates(
    tracks: pa.Table, camera: Camera, plane: GroundPlane, settings: MiningSettings, ignore: np.ndarray | None = None
) -> pa.Table:
    """detection_id of the rows of a TRACKS table that their own frame gives no reason to refuse."""
    seen = from_tracks(tracks, camera, plane)
    truncated = touches_border(seen, camera.size_hw, ignore, settings.border_px)
    return pa.table(
        {"detection_id": seen.detection_id[_alone(seen, tracks, truncated, camera.size_hw, settings).clean]}
    )


def _alone(
    seen: Observations, tracks: pa.Table, truncated: np.ndarray, size_hw: tuple[int, int], settings: MiningSettings
) -> _Refusals:
    """What each detection's own frame tells."""
    decision = _Refusals(len(seen))
    decision.refuse("low_score", seen.score < settings.min_score)
    decision.refuse("untracked", track_length(seen.track_id) < settings.min_track)
    decision.refuse("border", truncated)
    rider = pc.fill_null(pc.equal(tracks["subcategory"], RIDER), False).to_numpy().astype(bool)
    decision.refuse("rider", seen.is_person & rider)
    least_px = np.where(seen.is_person, 0, settings.min_vehicle_fraction * np.prod(size_hw))
    small = seen.area_px < np.maximum(settings.min_area_px, least_px)
    small |= seen.box_xywh[:, 2:].min(axis=1) < settings.min_side_px
    decision.refuse("too_small", small)
    decision.refuse("no_ground", ~np.isfinite(seen.foot_xy_m).all(axis=1) | ~np.isfinite(seen.scale_px).all(axis=1))
    decision.refuse("implausible_size", implausible(seen))
    decision.refuse("implausible_shape", hollow(seen, size_hw))
    decision.refuse("occluded_by", _occluded(seen, size_hw, settings))
    return decision


class _Refusals:
    """The first reason each of n detections was refused for."""

    def __init__(self, n: int) -> None:
        self.reason = np.full(n, "", object)

    @property
    def clean(self) -> np.ndarray:
        return self.reason == ""

    def refuse(self, reason: str, which: np.ndarray) -> None:
        self.reason[self.clean & which] = reason


def _occluded(seen: Observations, size_hw: tuple[int, int], settings: MiningSettings) -> np.ndarray:
    if settings.mode == "box":
        return occluded_by_boxes(seen, settings.delta)
    return occluded_by_masks(seen, size_hw, settings.gap_px, settings.contact_fraction)


def _counts(seen: Observations, reason: np.ndarray) -> dict:
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
