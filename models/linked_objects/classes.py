"""Classes of objects and the keypoints of each: their number, links and mirror order, and the names people use."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.skeletons import Skeleton

_SPREAD = 0.05  # of annotators, as the vehicles' (`pipeline.core.skeletons`): nobody has measured it for other classes
MOST_POINTS = 200  # of a class: what learns from it holds squares of them
_OTHER_SIDE = {"left": "right", "right": "left"}


def same_name(name: str) -> str:
    """What two spellings of one name have in common: `Left Front-Wheel` is `left_front_wheel`."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


@dataclass(frozen=True)
class ObjectClass:
    """One class: its name, the keypoints of its skeleton, other names data sets have for it and for its points.

    Raises ValueError, which names the class, for a name without letters, for no points or too many, and for a link that
    joins a point to itself or stands twice.
    """

    name: str
    skeleton: Skeleton
    aliases: tuple[str, ...] = ()
    point_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not same_name(self.name).strip("_"):
            raise ValueError(f"class {self.name!r}: expected a name with letters")
        if not len(self.skeleton):
            raise ValueError(f"class {self.name}: has no points; list at least one under `points`")
        if len(self.skeleton) > MOST_POINTS:
            raise ValueError(f"class {self.name}: expected at most {MOST_POINTS} points, got {len(self.skeleton)}")
        seen: set[frozenset[int]] = set()
        for a, b in self.skeleton.links:
            if a == b or frozenset((a, b)) in seen:
                pair = f"[{self.skeleton.names[a]}, {self.skeleton.names[b]}]"
                said = "joins a point to itself" if a == b else "stands twice"
                raise ValueError(f"class {self.name}: link {pair} {said}; remove it")
            seen.add(frozenset((a, b)))

    @staticmethod
    def of_names(
        name: str,
        points: Iterable[str],
        links: Iterable[tuple[str, str]],
        mirror: Iterable[tuple[str, str]] | None = None,
        aliases: Iterable[str] = (),
        point_aliases: Mapping[str, Iterable[str]] | None = None,
    ) -> ObjectClass:
        """A class whose links and mirror pairs are given by the names of points.

        mirror: pairs that change places in the mirror image, all others stay; without it they are those that differ
        in `left` and `right` alone. Raises ValueError, which names the class, for a link or a pair that names a point
        the class does not have, and for points of one name.
        """
        names = tuple(points)
        where = {same_name(n): k for k, n in enumerate(names)}
        if len(where) != len(names):
            twice = next(n for k, n in enumerate(names) if same_name(n) in map(same_name, names[:k]))
            raise ValueError(f"class {name}: point {twice!r} stands twice; give every point a name of its own")

        def index(point: str, what: str) -> int:
            if same_name(point) not in where:
                raise ValueError(f"class {name}: {what} names the point {point!r}, which the class does not have; "
                                 f"expected {', '.join(names) or 'points first'}")  # fmt: skip
            return where[same_name(point)]

        pairs = tuple((index(a, f"link [{a}, {b}]"), index(b, f"link [{a}, {b}]")) for a, b in links)
        flip = list(range(len(names)))
        for a, b in _sides(names) if mirror is None else mirror:
            j, k = (index(end, f"mirror [{a}, {b}]") for end in (a, b))
            if j != k and (flip[j] != j or flip[k] != k):
                raise ValueError(f"class {name}: mirror [{a}, {b}]: a point may stand in one pair only")
            flip[j], flip[k] = k, j
        for point in point_aliases or {}:
            index(point, "point_aliases")
        others = {names[where[same_name(p)]]: tuple(a) for p, a in (point_aliases or {}).items()}
        skeleton = Skeleton(names, tuple(flip), pairs, (_SPREAD,) * len(names))
        return ObjectClass(name, skeleton, tuple(aliases), others)

    def __len__(self) -> int:
        return len(self.skeleton)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the points; never what a network sees."""
        return self.skeleton.names

    @property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Pairs of indices of points."""
        return self.skeleton.links

    @property
    def flip(self) -> tuple[int, ...]:
        """Of each point the index of the one in its place in the mirror image."""
        return self.skeleton.flip

    def adjacency(self) -> np.ndarray:
        """(N, N) bool, symmetric, False on its diagonal: which points are linked."""
        linked = np.zeros((len(self), len(self)), bool)
        for a, b in self.links:
            linked[a, b] = linked[b, a] = True
        return linked

    def point_named(self, name: str) -> int | None:
        """The index of a point by its name or another that the class knows for it; None where there is none."""
        wanted = same_name(name)
        for index, own in enumerate(self.names):
            if wanted in map(same_name, (own, *self.point_aliases.get(own, ()))):
                return index
        return None


def _sides(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of names that differ in left and right alone, each once."""
    known = {same_name(n): n for n in names}
    swapped = {n: re.sub("left|right", lambda side: _OTHER_SIDE[side[0]], same_name(n)) for n in names}
    return [(n, known[other]) for n, other in swapped.items() if other in known and same_name(n) < other]


@dataclass(frozen=True)
class ClassTable:
    """Every class that a data set or a network knows, in an order; indices of classes are into it.

    Raises ValueError where there is no class, or two go by one name.
    """

    classes: tuple[ObjectClass, ...]

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("classes: expected at least one class, got none")
        owners: dict[str, str] = {}
        for one in self.classes:
            for name in dict.fromkeys(map(same_name, (one.name, *one.aliases))):
                if name in owners:
                    raise ValueError(f"classes: {owners[name]!r} and {one.name!r} both go by the name {name!r}; "
                                     "rename one of them")  # fmt: skip
                owners[name] = one.name

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: int) -> ObjectClass:
        return self.classes[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        return tuple(one.name for one in self.classes)

    @property
    def most_points(self) -> int:
        """Of any class: how many nodes a batch of objects is padded to."""
        return max(len(one) for one in self.classes)

    @property
    def counts(self) -> np.ndarray:
        """(C,) how many points each class has."""
        return np.array([len(one) for one in self.classes])

    def adjacency(self) -> np.ndarray:
        """(C, N, N) bool of most_points N: which points of each class are linked; False beyond a class's own."""
        table = np.zeros((len(self), self.most_points, self.most_points), bool)
        for index, one in enumerate(self.classes):
            table[index, : len(one), : len(one)] = one.adjacency()
        return table

    def find(self, name: str) -> int | None:
        """The index of a class by its name or an alias, None where no class goes by it."""
        wanted = same_name(name)
        for index, one in enumerate(self.classes):
            if wanted in map(same_name, (one.name, *one.aliases)):
                return index
        return None

    def index(self, name: str) -> int:
        """As `find`. Raises ValueError, which lists the known ones, where no class goes by the name."""
        found = self.find(name)
        if found is None:
            raise ValueError(f"unknown class {name!r}; expected {', '.join(self.names)}")
        return found

    def without(self, names: Collection[str]) -> ClassTable:
        """The table less some classes. Raises ValueError for an unknown one."""
        gone = {self.index(name) for name in names}
        return ClassTable(tuple(one for index, one in enumerate(self.classes) if index not in gone))

    def to_plain(self) -> dict[str, Any]:
        """Plain values, as a link table's YAML and the metadata of shards hold them."""
        return {"classes": {one.name: _plain(one) for one in self.classes}}


def _plain(one: ObjectClass) -> dict[str, Any]:
    pairs = [[one.names[k], one.names[other]] for k, other in enumerate(one.flip) if k < other]
    plain: dict[str, Any] = {
        "points": list(one.names),
        "links": [[one.names[a], one.names[b]] for a, b in one.links],
        "mirror": pairs,
    }
    if one.aliases:
        plain["aliases"] = list(one.aliases)
    if one.point_aliases:
        plain["point_aliases"] = {point: list(names) for point, names in one.point_aliases.items()}
    return plain
