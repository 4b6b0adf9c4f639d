"""Choose cutouts of one time bucket that could have stood there together, hiding each other as much as is wanted.

WALT3D section 3: unoccluded objects go back to their own places, none through another. A scene is a list of rows of the
pool, nearest first; whoever is nearer is painted later. It grows by the cutout, or the pair of one that hides another,
that brings the hidden fractions of all objects so far nearest to the wanted distribution, seldom used ones first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.composition.hidden_fraction import BANDS, EVEN, OPEN_TO, band_of, parse_wanted
from pipeline.composition.paint import MAX_OBJECTS
from pipeline.composition.pairs import SAMPLES, WORDS, Pairs, PairTables, arrange
from pipeline.composition.pool import SPLITS
from pipeline.core.tables import CATEGORY_IDS

_TRIES, _FEW_TRIES = 20, 4
_CERTAIN = 4.0  # standard deviations between what tries find and what they never will
_SINGLES, _PLANTS = 96, 96  # candidates weighed against each other for one place in a scene
_BAND_OF_COUNT = band_of(np.arange(SAMPLES + 1) / SAMPLES)
_OPEN_COUNT = int(OPEN_TO * SAMPLES)
_MIDDLE_OF_BAND = [round((band + 0.5) / BANDS * SAMPLES) for band in range(1, BANDS)]  # of those that pairs reach
# What a band is worth: the logarithm of what is wanted of it over what there is, each with so much added that a band of
# few objects does not outweigh all others; a band that nobody wants costs _UNWANTED.
_SOFT, _UNWANTED = 0.02, -3.0
_FIRST = 30.0  # objects taken for being as wanted before there are any
_WORST = -2.0  # nothing is added that costs more
_CHANCE = 0.1  # how far the worth of a candidate is left to chance
_DEAR = 0.1  # what a cutout costs that was used as often as the others of its bucket
_BORROWED = 0.15  # what one of another time bucket costs
# The share of the hidden objects that one cutout may hide most of, and the cost of one that has reached it.
_MAIN_SHARE, _TOO_OFTEN = 0.04, 2.0


@dataclass(frozen=True)
class ComposeSettings:
    """How full scenes are, and how much their objects hide each other."""

    objects_min: int = field(default=4, metadata={"help": "objects in a scene, at least"})
    objects_max: int = field(default=40, metadata={"help": f"objects in a scene, at most (to {MAX_OBJECTS})"})
    objects_mean: float = field(default=22.0, metadata={"help": "objects in a scene on average, where there is room"})
    hidden_fraction: str = field(
        default=EVEN,
        metadata={
            "help": "how much of the objects others are to hide: ranges of percent with the share of the objects in "
            "each, spread evenly over it; a category's own after its name and a semicolon, as in "
            "'0-10: 1/3, 10-90: 2/3; person 0-10: 0.5, 10-60: 0.5'"
        },
    )
    crossing_probability: float = field(
        default=0.0005,
        metadata={
            "help": "two cutouts stand in one scene if their true footprints cross at most with this probability, as "
            "the uncertainty of their fits has it; 0 to 0.5"
        },
    )
    max_use: float = field(
        default=0.4, metadata={"help": "no cutout is in more than this share of its time bucket's scenes, 0 to 1"}
    )
    relit: float = field(
        default=0.45,
        metadata={
            "help": "cutouts of another time bucket serve, in this one's illumination, where the backgrounds differ by "
            "at most this, root mean square of the logarithm of their ratio, and which are not noisier; 0: none do"
        },
    )
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
        if not 0 < self.crossing_probability < 0.5:
            raise ValueError(
                f"crossing_probability: expected more than 0, less than 0.5, got {self.crossing_probability}"
            )
        if not 0 < self.max_use <= 1:
            raise ValueError(f"max_use: expected more than 0, at most 1, got {self.max_use}")
        if self.relit < 0:
            raise ValueError(f"relit: expected 0 or more, got {self.relit}")
        parse_wanted(self.hidden_fraction)

    @property
    def wanted(self) -> np.ndarray:
        """(categories, BANDS) distributions, in CATEGORY_IDS' order."""
        return np.stack(list(parse_wanted(self.hidden_fraction).values()))


class TooFewCutouts(ValueError):
    """What there is does not fill a scene."""


class Sampler:
    """Draws the scenes of one shard, each with those before it in mind."""

    def __init__(self, tables: PairTables, settings: ComposeSettings, rng: np.random.Generator, shard: int = 0) -> None:
        self.tables, self.settings, self.rng, self.shard = tables, settings, rng, shard
        self.pool, self.wanted = tables.pool, settings.wanted
        self.reached = np.zeros((len(CATEGORY_IDS), BANDS))
        count = len(self.pool.cutout_id)
        # By time bucket, in which a cutout counts as used where it is borrowed as well.
        self.uses = {bucket: np.zeros(count, int) for bucket in self.pool.buckets}
        self.drawn = {(bucket, split): 0 for bucket in self.pool.buckets for split in SPLITS}
        self.main = np.zeros(count, int)
        self._hopeless: set[str] = set()  # splits whose cutouts filled no scene: not tried again

    def scene(self, split: str) -> tuple[str, np.ndarray]:
        """A time bucket, and rows of the pool, nearest first. Raises TooFewCutouts when no bucket yields enough."""
        usable = self._usable(split)
        weights = np.array([len(self.pool.buckets[name]) for name in usable], float)
        tried: dict[str, list[int]] = {name: [] for name in usable}
        for _ in range(0 if split in self._hopeless else _TRIES):
            bucket = list(usable)[self.rng.choice(len(usable), p=weights / weights.sum())]
            # Where the seldom used ones fill no scene, every other try may use the others as well.
            draft = self._draft(bucket, split, sparing=len(tried[bucket]) % 2 == 0)
            s = self.settings
            wanted = s.objects_min + self.rng.poisson(max(s.objects_mean - s.objects_min, 0))
            draft.fill(min(wanted, s.objects_max), s.objects_min)
            if len(draft.chosen) >= s.objects_min:
                self._remember(draft, bucket, split)
                return bucket, arrange(self.pool, draft.pairs.rows[draft.chosen], self.tables.mode)
            tried[bucket].append(len(draft.chosen))
            if all(_falls_short(found, s.objects_min) for found in tried.values()):
                break
        self._hopeless.add(split)
        raise TooFewCutouts(
            f"too few cutouts to compose: tries found no {self.settings.objects_min} that stand clear of each other; "
            "take more frames, or lower objects_min or raise crossing_probability of [ComposeShards]"
        )

    def _usable(self, split: str) -> list[str]:
        """The buckets that can fill a scene."""
        least, mine = self.settings.objects_min, self.tables.rows(split)
        usable = [name for name, rows in mine.items() if len(rows) >= least]
        if not usable:
            most = max(map(len, mine.values()), default=0)
            raise TooFewCutouts(
                f"too few cutouts to compose: the fullest time bucket has {most} of at least {least} to {split} with; "
                "take more frames, loosen [MineUnoccluded] or lower objects_min of [ComposeShards]"
            )
        return usable

    def _draft(self, bucket: str, split: str, *, sparing: bool) -> _Draft:
        pairs = self.tables.get(bucket, split, self.shard)
        uses = self.uses[bucket][pairs.rows]
        # One use more than the share, so that a bucket's first scenes can be filled at all; shards add up to less.
        free = (uses < 0.75 * self.settings.max_use * self.drawn[bucket, split] + 1) | (not sparing)
        least = min(2 * self.settings.objects_min, len(uses))
        if free.sum() < least:  # too few cutouts for so many scenes: the seldomest used ones, which is told in the end
            free[np.argsort(uses, kind="stable")[:least]] = True
        # A few are let pass, so that a shard's first hidden objects are nobody's fault.
        main = self.main[pairs.rows] / (3 + _MAIN_SHARE * self.main.sum())
        dear = _DEAR * uses / (1 + uses.mean()) + _TOO_OFTEN * np.maximum(2 * main - 1, 0)
        dear += _BORROWED * ~np.isin(pairs.rows, self.pool.buckets[bucket])
        return _Draft(pairs, self.wanted, self.reached, free, dear, self.rng)

    def _remember(self, draft: _Draft, bucket: str, split: str) -> None:
        self.drawn[bucket, split] += 1
        self.reached = draft.reached
        self.uses[bucket][draft.pairs.rows[draft.chosen]] += 1
        self.main += np.bincount(draft.pairs.rows[draft.main_occluders()], minlength=len(self.main))


def _falls_short(found: list[int], needed: int) -> bool:
    """Whether tries of a bucket that found so many objects each fall short of a number by far more than they vary."""
    return len(found) >= _FEW_TRIES and float(np.mean(found)) + _CERTAIN * max(float(np.std(found)), 0.5) < needed


class _Draft:
    """A scene being filled. Cutouts are numbered as in the table of pairs; `chosen` in the order they were taken."""

    def __init__(
        self,
        pairs: Pairs,
        wanted: np.ndarray,
        reached: np.ndarray,
        free: np.ndarray,
        dear: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.pairs, self.wanted, self.before, self.reached, self.rng = pairs, wanted, reached, reached, rng
        self.free, self.dear = free.copy(), dear
        self.covered = np.zeros((len(free), WORDS), np.uint64)
        self.chosen: list[int] = []

    def fill(self, count: int, least: int) -> None:
        """Take objects until there are as many as wanted, or none fits any more."""
        while len(self.chosen) < count:
            worth = self._worth()
            best, taken = self._best_single(worth)
            if len(self.chosen) + 2 <= count:
                pair, both = self._best_pair(worth)
                best, taken = (pair, both) if pair > best else (best, taken)
            if not taken or (best < _WORST and len(self.chosen) >= least):
                return
            for place in taken:
                self._take(place)

    def _worth(self) -> np.ndarray:
        """(categories, SAMPLES + 1) what one object more is worth by its category and how many samples are hidden."""
        total = self.reached.sum(axis=1, keepdims=True) + _FIRST
        have = (self.reached + _FIRST * self.wanted) / total
        worth = np.where(self.wanted > 0, np.log((self.wanted + _SOFT) / (have + _SOFT)), _UNWANTED)
        return worth[:, _BAND_OF_COUNT]

    def _best_single(self, worth: np.ndarray) -> tuple[float, list[int]]:
        """The most worth of a few free cutouts, and that cutout."""
        if not len(free := np.flatnonzero(self.free)):
            return -np.inf, []
        some = self.rng.choice(free, _SINGLES, replace=False) if len(free) > _SINGLES else free
        own = worth[self.pairs.category[some], self._counts(self._covered_before(some))]
        total = own + self._change(worth, self._hides_of_chosen(some)) - self.dear[some]
        total = total + self.rng.gumbel(0, _CHANCE, len(some))
        best = int(total.argmax())
        return float(total[best]), [int(some[best])]

    def _best_pair(self, worth: np.ndarray) -> tuple[float, list[int]]:
        """The most worth, for each of the two, of a few pairs of a hidden and a hiding cutout, and that pair."""
        if not len(pairs := self._plantable(worth)):
            return -np.inf, []
        front, behind = pairs.T
        hides, kind = self.pairs.hides, self.pairs.category
        total = worth[kind[behind], self._counts(self._covered_before(behind) | hides[front, behind])]
        total = total + worth[kind[front], self._counts(self._covered_before(front))]
        total = total + self._change(worth, self._hides_of_chosen(front) | self._hides_of_chosen(behind))
        total = (total - self.dear[front] - self.dear[behind]) / 2 + self.rng.gumbel(0, _CHANCE, len(pairs))
        best = int(total.argmax())
        return float(total[best]), [int(behind[best]), int(front[best])]

    def _plantable(self, worth: np.ndarray) -> np.ndarray:
        """(P, 2) a few of the pairs of free cutouts, one hiding the other, of one of the most wanted bands."""
        value = worth[:, _MIDDLE_OF_BAND].ravel()
        best = int((value + self.rng.gumbel(0, _CHANCE, len(value))).argmax())
        pairs = self.pairs.planted[best // len(_MIDDLE_OF_BAND), best % len(_MIDDLE_OF_BAND) + 1]
        if len(pairs) > 4 * _PLANTS:
            pairs = pairs[self.rng.integers(0, len(pairs), 4 * _PLANTS)]
        return pairs[self.free[pairs[:, 0]] & self.free[pairs[:, 1]]][:_PLANTS]

    def _covered_before(self, places: np.ndarray) -> np.ndarray:
        """(K, WORDS) what those already there hide of cutouts (K,)."""
        return self.covered[places] if self.pairs.ordered else np.zeros((len(places), WORDS), np.uint64)

    def _change(self, worth: np.ndarray, more: np.ndarray) -> np.ndarray:
        """(K,) what is gained on the objects there when each of K candidates hides more (K, chosen, WORDS) of them."""
        kind, before = self.pairs.category[self.chosen], self.covered[self.chosen]
        more |= before
        first = kind * worth.shape[1]
        return worth.take(first + self._counts(more)).sum(axis=1) - worth.take(first + self._counts(before)).sum()

    def _hides_of_chosen(self, places: np.ndarray) -> np.ndarray:
        """(K, chosen, WORDS) what cutouts (K,) would hide of those there."""
        # By one number a pair: a row of few words is gathered quicker than through two indices.
        each = places[:, None] * len(self.free) + np.array(self.chosen, int)
        return self.pairs.hides.reshape(-1, WORDS)[each]

    @staticmethod
    def _counts(bits: np.ndarray) -> np.ndarray:
        # A sum along four is slower than three sums; two words' counts still fit a byte.
        counts = np.bitwise_count(bits)
        return np.add(counts[..., 0] + counts[..., 1], counts[..., 2] + counts[..., 3], dtype=np.int64)

    def _take(self, place: int) -> None:
        there = np.array(self.chosen, int)
        self.covered[place] = self._covered_before(np.array([place]))[0]
        if self.pairs.ordered:
            self.covered |= self.pairs.hides[place]
        else:
            self.covered[there] |= self.pairs.hides[place, there]
        self.chosen.append(place)
        there = np.array(self.chosen)
        band = _BAND_OF_COUNT[self._counts(self.covered[there])]
        mine = np.bincount(self.pairs.category[there] * BANDS + band, minlength=self.before.size)
        self.reached = self.before + mine.reshape(self.before.shape)
        self.free &= self.pairs.together[place]

    def main_occluders(self) -> np.ndarray:
        """Of each chosen object that is hidden, the one that hides most of it."""
        there = np.array(self.chosen, int)
        hides = self._counts(self.pairs.hides[np.ix_(there, there)])
        hidden = self._counts(self.covered[there]) > _OPEN_COUNT
        return there[hides.argmax(axis=0)[hidden]]
