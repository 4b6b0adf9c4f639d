"""Choose cutouts of one time bucket that could have stood there together, and put them in depth order.

Footprints are (N, 4, 2) world metres, boxes xywh in COCO's edges. A scene is a list of rows of the pool; whoever is
nearer is painted later. WALT3D section 3: unoccluded objects go back to their own places, none through another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pycocotools import mask as coco

from calibration.camera import GroundPlane
from pipeline.composition import depth_order
from pipeline.composition.paint import MAX_OBJECTS
from pipeline.composition.splits import split_cutouts
from pipeline.core import masks
from pipeline.core.tables import MODES, matrix

_TRIES = 50
_AT_ONCE = 8  # candidates weighed against each other for one place in a scene


@dataclass(frozen=True)
class ComposeSettings:
    """How full scenes are, and how much their objects hide each other."""

    objects_min: int = field(default=3, metadata={"help": "objects in a scene, at least"})
    objects_max: int = field(default=16, metadata={"help": f"objects in a scene, at most (to {MAX_OBJECTS})"})
    objects_mean: float = field(default=8.0, metadata={"help": "objects in a scene on average, where there is room"})
    clearance_m: float = field(
        default=0.8, metadata={"help": "free ground between two footprints, which are estimates, metres"}
    )
    clearance_share: float = field(
        default=0.05, metadata={"help": "and so much more with distance from the camera, metres a metre"}
    )
    occlusion_share: float = field(
        default=0.45, metadata={"help": "share of the objects that others partly hide, aimed at, 0 to 1"}
    )
    min_hidden: float = field(
        default=0.05, metadata={"help": "an object that is to be hidden is so at least by this share of its pixels"}
    )
    max_hidden: float = field(default=0.9, metadata={"help": "no object is hidden by more than this share, 0 to 1"})
    jpeg_quality: int = field(default=92, metadata={"help": "of the scenes' pictures, 1 to 100"})
    geometry: bool = field(
        default=False, metadata={"help": "also write depth and normals of each scene, rendered from the fitted shapes"}
    )
    sprite_cache_mb: int = field(
        default=256, metadata={"help": "memory for decoded cutouts in each worker, MB", "speed": True}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.objects_min <= self.objects_max <= MAX_OBJECTS:
            raise ValueError(
                f"objects_min, objects_max: expected 1 <= min <= max <= {MAX_OBJECTS}, "
                f"got {self.objects_min} and {self.objects_max}"
            )
        if not 0 <= self.min_hidden <= self.max_hidden <= 1 or not 0 <= self.occlusion_share <= 1:
            raise ValueError(
                "occlusion_share, min_hidden, max_hidden: expected shares with min_hidden <= max_hidden, "
                f"got {self.occlusion_share}, {self.min_hidden}, {self.max_hidden}"
            )


@dataclass(frozen=True)
class Pool:
    """The N cutouts of a camera that may be composed, by cutout_id.

    table: columns of CUTOUTS (without pixels) and RECONSTRUCTED; quads (N, 4, 2) footprints; box_xywh (N, 4);
    buckets: rows of each time bucket; split (N,): see `splits`; coco_masks: N of pycocotools' mask objects.
    """

    table: pa.Table
    quads: np.ndarray
    z_m: np.ndarray
    box_xywh: np.ndarray
    track_id: np.ndarray
    cutout_id: np.ndarray
    buckets: dict[str, np.ndarray]
    split: np.ndarray
    coco_masks: list[dict]


def make_pool(cutouts: pa.Table, reconstructed: pa.Table, plane: GroundPlane, size_hw: tuple[int, int]) -> Pool:
    """Join CUTOUTS (without pixels) with RECONSTRUCTED, leaving out what has a refusal."""
    placed = reconstructed.filter(pc.is_null(reconstructed["refusal"]))
    # pyarrow's join knows no list columns.
    _, mine, theirs = np.intersect1d(
        cutouts["cutout_id"].to_numpy(), placed["cutout_id"].to_numpy(), assume_unique=True, return_indices=True
    )
    table, placed = cutouts.take(pa.array(mine)), placed.take(pa.array(theirs))
    for name in placed.column_names:
        if name != "refusal" and name not in table.column_names:
            table = table.append_column(placed.schema.field(name), placed[name])
    table = table.combine_chunks()
    R, t, dims = (matrix(table[name], width) for name, width in (("R", 9), ("t", 3), ("dims_lwh_m", 3)))
    bucket = np.array(table["bucket"].to_pylist(), object)
    time_s = table["timestamp"].cast(pa.int64()).to_numpy() / 1e6
    return Pool(
        table,
        depth_order.footprints(R, t, dims, plane),
        table["z_m"].to_numpy(),
        matrix(table["bbox_xywh"], 4),
        table["track_id"].to_numpy(),
        table["cutout_id"].to_numpy(),
        {str(name): np.flatnonzero(bucket == name) for name in sorted(set(bucket))},
        split_cutouts(time_s, bucket, table["track_id"].to_numpy()),
        masks.as_coco(table["mask_rle"].to_pylist(), size_hw),
    )


class TooFewCutouts(ValueError):
    """What there is does not fill a scene."""


def sample(pool: Pool, split: str, mode: str, settings: ComposeSettings, rng: np.random.Generator) -> np.ndarray:
    """Rows of one scene of a split's cutouts, nearest first. Raises TooFewCutouts when no bucket yields enough."""
    mine = {name: rows[pool.split[rows] == split] for name, rows in pool.buckets.items()}
    usable = {name: rows for name, rows in mine.items() if len(rows) >= settings.objects_min}
    most = max(map(len, mine.values()), default=0)
    if not usable:
        raise TooFewCutouts(
            f"too few cutouts to compose: the fullest time bucket has {most} of at least {settings.objects_min} to "
            f"{split} with; "
            "take more frames, loosen [MineUnoccluded] or lower objects_min of [ComposeShards]"
        )
    weights = np.array([len(rows) for rows in usable.values()], float)
    for _ in range(_TRIES):
        rows = list(usable.values())[rng.choice(len(usable), p=weights / weights.sum())]
        wanted = settings.objects_min + rng.poisson(max(settings.objects_mean - settings.objects_min, 0))
        draft = _Draft(pool, rng.permutation(rows), mode, settings)
        draft.fill(min(wanted, settings.objects_max))
        if len(draft.chosen) >= settings.objects_min:
            return arrange(pool, np.array(draft.chosen), mode)
    raise TooFewCutouts(
        f"too few cutouts to compose: {_TRIES} tries found no {settings.objects_min} that stand clear of each other; "
        "take more frames, or lower objects_min or clearance_m of [ComposeShards]"
    )


def arrange(pool: Pool, chosen: np.ndarray, mode: str) -> np.ndarray:
    """The chosen rows, nearest first, as the mode has it: by shared ground rays, by box bottom, by chance of draw."""
    place, _ = depth_order.order(*_relation(pool, chosen, mode))
    return chosen[np.argsort(place)]


def _relation(pool: Pool, rows: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Who is in front (N, N) and the rank (N,) of rows of the pool, in the order in which they were drawn."""
    if mode == "walt3d":
        ranked = depth_order.ranked(pool.z_m[rows], pool.cutout_id[rows])
        return depth_order.in_front(pool.quads[rows]), ranked
    unknown = np.zeros((len(rows), len(rows)), bool)
    if mode == "walt2d_ordered":
        bottom = pool.box_xywh[rows, 1] + pool.box_xywh[rows, 3]
        return unknown, depth_order.ranked(-bottom, pool.cutout_id[rows])
    return unknown, np.arange(len(rows))[::-1]


class _Draft:
    """A scene being filled: cutouts are taken from a shuffled list, each weighed against those already there."""

    def __init__(self, pool: Pool, shuffled: np.ndarray, mode: str, settings: ComposeSettings) -> None:
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
        self.pool, self.mode, self.settings = pool, mode, settings
        # More than this never matters for a scene, and the cost grows with it.
        self.rows = shuffled[: 16 * settings.objects_max]
        self.quads = pool.quads[self.rows]
        away = np.linalg.norm(self.quads.mean(axis=1), axis=1)
        self.around = depth_order.grown(self.quads, settings.clearance_m + settings.clearance_share * away)
        low = pool.box_xywh[self.rows, :2]
        self.low, self.high = low, low + pool.box_xywh[self.rows, 2:]
        self.free = np.ones(len(self.rows), bool)
        self.touching = np.zeros(len(self.rows), int)  # boxes of the scene that each candidate's box meets
        self.again = np.zeros(len(self.rows), bool)  # its track is in the scene already
        self.places: list[int] = []
        self.hidden = np.zeros(0)  # share of each object that nearer ones hide, overlaps counted twice

    @property
    def chosen(self) -> list[int]:
        """Rows of the pool, in the order in which they were taken."""
        return self.rows[self.places].tolist()

    def fill(self, wanted: int) -> None:
        """Take objects until the scene has as many as wanted, or none fits any more."""
        while len(self.places) < wanted and self.free.any():
            more = (self.hidden > 0).sum() < self.settings.occlusion_share * (len(self.places) + 1)
            candidates = self._candidates(bool(more and self.places))
            best, hidden = self._best(candidates, bool(more))
            if best is None:
                self.free[candidates] = False
                continue
            self._take(int(candidates[best]), hidden[best])

    def _candidates(self, overlapping: bool) -> np.ndarray:
        """A few free places: fresh tracks first, of these the ones that meet (or do not meet) the scene's boxes."""
        free = np.flatnonzero(self.free)
        rank = np.lexsort((free, (self.touching[free] > 0) != overlapping, self.again[free]))
        return free[rank[:_AT_ONCE]]

    def _best(self, candidates: np.ndarray, more: bool) -> tuple[int | None, np.ndarray]:
        """The first candidate that does what is wanted, else the first that breaks no limit; None if all do.

        Also the shares (C, K + 1) that would be hidden of the K objects there and of the candidate itself.
        """
        hidden = self._hidden_with(candidates)
        allowed = hidden.max(axis=1) <= self.settings.max_hidden
        before = np.append(self.hidden, 0.0)
        gains = ((hidden >= self.settings.min_hidden) & (before == 0)).any(axis=1)
        adds = ((hidden > 0) & (before == 0)).any(axis=1)
        fits = allowed & (gains if more else ~adds)
        best = fits if fits.any() else allowed
        return (int(np.argmax(best)) if best.any() else None), hidden

    def _hidden_with(self, candidates: np.ndarray) -> np.ndarray:
        """(C, K + 1) shares hidden once a candidate is added; the last column is the candidate's own."""
        result = np.concatenate([np.tile(self.hidden, (len(candidates), 1)), np.zeros((len(candidates), 1))], axis=1)
        meeting = np.flatnonzero(self.touching[candidates] > 0)
        places = np.array(self.places, int)
        met = np.flatnonzero(self._meet(candidates[meeting], places).any(axis=0))
        if not len(met):
            return result
        mine = [self.pool.coco_masks[i] for i in self.rows[candidates[meeting]]]
        theirs = [self.pool.coco_masks[i] for i in self.rows[places[met]]]
        # With "crowd" set, pycocotools divides the intersection by the first mask's area: the share that is covered.
        of_mine = coco.iou(mine, theirs, [1] * len(theirs))
        of_theirs = coco.iou(theirs, mine, [1] * len(mine)).T
        nearer = self._nearer(candidates[meeting], places[met])
        result[np.ix_(meeting, met)] += np.where(nearer, of_theirs, 0.0)
        result[meeting, -1] = np.where(nearer, 0.0, of_mine).sum(axis=1)
        return result

    def _meet(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(A, B) bool: whether the boxes of two lists of places share pixels."""
        low, high = self.low, self.high
        right = (low[first, None] < high[second]).all(axis=-1)
        return right & (low[second] < high[first, None]).all(axis=-1)

    def _nearer(self, candidates: np.ndarray, there: np.ndarray) -> np.ndarray:
        """(A, B) bool: the object at a place of the first list would be nearer than that of the second."""
        relation = _relation(self.pool, self.rows[np.concatenate([there, candidates])], self.mode)
        return depth_order.nearer(*relation)[len(there) :, : len(there)]

    def _take(self, place: int, hidden: np.ndarray) -> None:
        self.places.append(place)
        self.hidden = hidden
        self.free[place] = False
        if self.mode == "walt3d":
            self.free &= ~depth_order.crossing(self.around[place], self.quads)
        self.touching += self._meet(np.arange(len(self.rows)), np.array([place]))[:, 0]
        tracks = self.pool.track_id[self.rows]
        self.again |= (tracks == tracks[place]) & (tracks[place] >= 0)
