"""What each two cutouts would do to each other in one scene: who may stand beside whom, who hides how much of whom.

Of each cutout's mask SAMPLES pixels are looked at, evenly spread. What one hides of another is a bit for each, so that
what several hide together is the OR of their bits, and a hidden fraction a count of bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.composition import depth_order
from pipeline.composition.hidden_fraction import BANDS, OPEN_TO, band_of
from pipeline.composition.pool import Pool, make_pool
from pipeline.core import masks
from pipeline.core.frames import read_backgrounds
from pipeline.core.illumination import alike, relative_noise
from pipeline.core.storage import read_parts
from pipeline.core.tables import CATEGORY_IDS, CUTOUTS, MODES, PIXELS
from pipeline.empty_frames import read_empty_frames

SAMPLES = 256
WORDS = SAMPLES // 64
# A bucket's table grows with the square of its cutouts: 768 take 19 MB and half a second.
MOST = 768


@dataclass(frozen=True)
class Pairs:
    """The n cutouts of one bucket and split; `rows` (n,) of the pool, which the other arrays are of.

    category (n,) number in CATEGORY_IDS' order; track (n,), each untracked cutout its own; together (n, n) bool: the
    two may stand in one scene; hides (n, n, WORDS) uint64, [i, j]: the sample pixels of j that i would hide.
    ordered: who is nearer is known beforehand; else whoever comes later hides those before.
    """

    rows: np.ndarray
    category: np.ndarray
    track: np.ndarray
    together: np.ndarray
    hides: np.ndarray
    ordered: bool

    @cached_property
    def planted(self) -> dict[tuple[int, int], np.ndarray]:
        """(P, 2) pairs [i, j] that may stand together and of which i alone hides a fraction of j in a band, by j's
        category and that band; the open band is left out."""
        found = np.argwhere(self.together & self.hides.any(axis=-1))
        band = band_of(covered_fraction(self.hides[found[:, 0], found[:, 1]]))
        kind = self.category[found[:, 1]]
        return {(c, b): found[(kind == c) & (band == b)] for c in range(len(CATEGORY_IDS)) for b in range(1, BANDS)}

    def occludable(self) -> np.ndarray:
        """(n,) bool: all that may stand before a cutout would together hide more than OPEN_TO of it."""
        allowed = np.where(self.together[..., None], self.hides, np.uint64(0))
        most = np.bitwise_or.reduce(allowed, axis=0) if len(self.rows) else np.zeros((0, WORDS), np.uint64)
        return covered_fraction(most) > OPEN_TO


def covered_fraction(bits: np.ndarray) -> np.ndarray:
    """(...) share of the sample pixels that are set in bits (..., WORDS)."""
    return np.bitwise_count(bits).sum(axis=-1, dtype=np.int64) / SAMPLES


def make_pairs(pool: Pool, rows: np.ndarray, mode: str, crossing_probability: float) -> Pairs:
    """The table of rows of the pool, as the mode has it: the flat ones do not look at the ground."""
    n = len(rows)
    track = np.where(pool.track_id[rows] < 0, -1 - np.arange(n), pool.track_id[rows])
    together = track[:, None] != track
    pairs = np.argwhere(np.triu(np.ones((n, n), bool), 1))
    if mode == "walt3d":
        together &= _clear(pool, rows, pairs, crossing_probability)
    met = pairs[_meet(pool.box_xywh[rows], pairs) & together[pairs[:, 0], pairs[:, 1]]]
    front = _front(pool, rows, met, mode)
    hides = _hidden_samples([pool.mask_rle[row] for row in rows], pool.size_hw, front)
    names = list(CATEGORY_IDS)
    category = np.array([names.index(name) for name in pool.category[rows]], int)
    return Pairs(rows, category, track, together, hides, mode != "walt2d_released")


def _clear(pool: Pool, rows: np.ndarray, pairs: np.ndarray, crossing_probability: float) -> np.ndarray:
    """(n, n) bool: the footprints cross at most with the probability."""
    needed = NormalDist().inv_cdf(1 - crossing_probability)
    footprints, place, covariance = pool.footprints[rows], pool.place[rows], pool.covariance[rows]
    radius = np.linalg.norm(footprints - place[:, None], axis=-1).max(axis=1, initial=0)
    # The largest that any direction may ask for, a turn at the farthest corner included.
    spread = np.sqrt(np.trace(covariance[:, :2, :2], axis1=1, axis2=2) + radius**2 * covariance[:, 2, 2])
    room = radius + 2 * needed * spread
    apart_m = np.linalg.norm(place[pairs[:, 0]] - place[pairs[:, 1]], axis=1)
    near = pairs[apart_m < room[pairs].sum(axis=1)]
    clear = np.ones((len(rows), len(rows)), bool)
    clear[tuple(near.T)] = depth_order.clearance(footprints, place, covariance, near) >= needed
    return clear & clear.T


def _meet(box_xywh: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(P,) bool: the boxes (n, 4) of pairs (P, 2) share pixels."""
    low, high = box_xywh[:, :2], box_xywh[:, :2] + box_xywh[:, 2:]
    first, second = pairs.T
    return ((low[first] < high[second]) & (low[second] < high[first])).all(axis=1)


def _front(pool: Pool, rows: np.ndarray, pairs: np.ndarray, mode: str) -> np.ndarray:
    """(F, 2) [i, j]: of pairs (P, 2) the one that may hide the other, and that other; both ways where whoever comes
    later does."""
    first, second = pairs.T
    if mode == "walt2d_released":
        return np.concatenate([pairs, pairs[:, ::-1]])
    rank = _rank_of(pool, rows, mode)
    nearer = rank[first] < rank[second]
    if mode == "walt3d":
        ray = depth_order.first_on_ray(pool.footprints[rows], pairs)
        nearer = np.where(ray == 0, nearer, ray > 0)
    return np.where(nearer[:, None], pairs, pairs[:, ::-1])


def _rank_of(pool: Pool, rows: np.ndarray, mode: str) -> np.ndarray:
    """(n,) who is nearer where no shared ray says so: by depth, or by box bottom, or the last of the rows."""
    if mode == "walt3d":
        return depth_order.ranked(pool.z_m[rows], pool.cutout_id[rows])
    if mode == "walt2d_ordered":
        return depth_order.ranked(-(pool.box_xywh[rows, 1] + pool.box_xywh[rows, 3]), pool.cutout_id[rows])
    return np.arange(len(rows))[::-1]


def arrange(pool: Pool, chosen: np.ndarray, mode: str) -> np.ndarray:
    """The chosen rows, nearest first, as the mode has it: by shared ground rays, by box bottom, by chance of draw."""
    unknown = np.zeros((len(chosen), len(chosen)), bool)
    front = depth_order.in_front(pool.footprints[chosen]) if mode == "walt3d" else unknown
    place, _ = depth_order.order(front, _rank_of(pool, chosen, mode))
    return chosen[np.argsort(place)]


def _hidden_samples(rles: Sequence[str], size_hw: tuple[int, int], front: np.ndarray) -> np.ndarray:
    """(n, n, WORDS) bits of the sample pixels of masks that others cover, for [i, j] in front (F, 2)."""
    hides = np.zeros((len(rles), len(rles), WORDS), np.uint64)
    samples = np.array([sample_pixels(rle, size_hw) for rle in rles], np.int32).reshape(-1, SAMPLES)
    column, row = np.divmod(samples, size_hw[0])
    for i in np.unique(front[:, 0]):
        behind = front[front[:, 0] == i, 1]
        crop, (x, y, w, h) = masks.decode(rles[i], size_hw)
        # A border of nothing stands for all that lies outside of the crop.
        framed = np.pad(crop, 1)
        across = np.clip(column[behind] - x + 1, 0, w + 1)
        down = np.clip(row[behind] - y + 1, 0, h + 1)
        packed = np.packbits(framed[down, across], axis=1)
        hides[i, behind] = packed.view(np.uint64)
    return hides


def sample_pixels(rle: str, size_hw: tuple[int, int]) -> np.ndarray:
    """(SAMPLES,) pixels of a mask, evenly spread along its columns, counted down the columns; none of an empty mask
    is inside it."""
    edges = masks.run_edges(rle, size_hw)
    length = edges[:, 1] - edges[:, 0]
    ends = np.cumsum(length)
    if not len(ends) or not ends[-1]:
        return np.zeros(SAMPLES, np.int64)
    place = ((np.arange(SAMPLES) + 0.5) * (ends[-1] / SAMPLES)).astype(np.int64)
    run = np.searchsorted(ends, place, side="right")
    return edges[run, 0] + place - (ends[run] - length[run])


class PairTables:
    """The tables of pairs of a pool's buckets, each made when it is first asked for.

    A scene of a bucket may show cutouts of those that `neighbours` has for it, itself among them, in that order.
    """

    def __init__(
        self,
        pool: Pool,
        mode: str,
        crossing_probability: float,
        neighbours: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
        self.pool, self.mode, self.crossing_probability = pool, mode, crossing_probability
        given = neighbours or {}
        self.neighbours = {
            name: tuple(other for other in given.get(name, (name,)) if other in pool.buckets) for name in pool.buckets
        }
        self._made: dict[tuple[tuple[str, ...], str, int], Pairs] = {}

    def rows(self, split: str) -> dict[str, np.ndarray]:
        """Rows of a split's cutouts that may stand in scenes of each bucket."""
        mine = {name: rows[self.pool.split[rows] == split] for name, rows in self.pool.buckets.items()}
        return {
            name: np.sort(np.concatenate([mine[other] for other in self.neighbours[name]]))
            for name in self.pool.buckets
        }

    def get(self, bucket: str, split: str, shard: int) -> Pairs:
        """The table that a shard draws from: all that may serve in the bucket, or where they are many the shard's part
        of them."""
        rows = self.rows(split)[bucket]
        parts = max(-(-len(rows) // MOST), 1)
        key = tuple(sorted(self.neighbours[bucket])), split, shard % parts
        if key not in self._made:
            part = rows[shard % parts :: parts]
            self._made[key] = make_pairs(self.pool, part, self.mode, self.crossing_probability)
        return self._made[key]


def read_tables(
    camera_dir: Path, camera: Camera, plane: GroundPlane, mode: str, crossing_probability: float, relit: float = 0.0
) -> PairTables:
    """Those of the tables in a camera's folder; the last ones are kept, as long as the files stay what they are.

    relit: how far the illumination of two buckets may differ for one's cutouts to serve in the other, see `alike`.
    """
    folders = [camera_dir / name for name in ("cutouts", "reconstructed", "background", "empty_frames")]
    files = [path for folder in folders for path in sorted(folder.glob("[!.]*.*"))]
    # Two runs in one process may find other files by the same name.
    stamps = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    seen = tuple(camera.K.ravel()), camera.size_hw, tuple(camera.distortion), tuple(plane.n), plane.d
    return _read_tables(camera_dir, stamps, seen, mode, crossing_probability, relit)


@lru_cache(maxsize=1)
def _read_tables(
    folder: Path, stamps: tuple, seen: tuple, mode: str, crossing_probability: float, relit: float
) -> PairTables:
    K, size_hw, distortion, n, d = seen
    camera = Camera(np.reshape(K, (3, 3)), size_hw, np.array(distortion))
    cutouts = read_parts(folder / "cutouts", [name for name in CUTOUTS.names if name not in PIXELS])
    pool = make_pool(cutouts, read_parts(folder / "reconstructed"), camera, GroundPlane(np.array(n), d))
    neighbours = _lending(folder, relit) if relit else None
    return PairTables(pool, mode, crossing_probability, neighbours)


def _lending(folder: Path, relit: float) -> dict[str, tuple[str, ...]]:
    """Time buckets alike in illumination, and in noise where mining kept empty frames."""
    backgrounds = read_backgrounds(folder / "background")
    noise = {}
    for name, image in backgrounds.items():
        frames = read_empty_frames(folder, name, image.shape[:2])
        if frames is not None:
            noise[name] = relative_noise(frames, image)
    return alike(backgrounds, relit, noise)
