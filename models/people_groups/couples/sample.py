"""Which two bodies, in what clothes, do what: one couple of a split, drawn again until the two can meet so.

Splits share no body and no backdrop, and training no style of a motion with any other; the pictures of `unseen` show
motions that no other shows, by the people who walk in the simulated street.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.people_groups.couples import motions, rare_motions
from models.people_groups.couples.meetings import Chance
from models.people_groups.couples.motions import Motion
from models.people_groups.couples.solve import Couple, brought_together
from models.poses.sample import sample_styles
from models.synthetic.people_shards import BODIES
from pipeline.simulate.people.person import BAKED, Person, body_count, dress

_STYLES = {"train": "train", "val": "held_out", "test": "held_out", "unseen": "held_out"}
_TRIES = 40
_SMALLEST_M = 1.42  # whoever is shorter is a child
# Height of the second, in heights of the first. Children are embraced, carried and led by the hand.
_ANY, _ALIKE, _LIGHTER = (0.5, 1.5), (0.87, 1.15), (0.45, 1.0)
_HEIGHTS: Mapping[Motion, tuple[float, float]] = {
    motions.piggyback: _LIGHTER, motions.lift: _LIGHTER, rare_motions.cradle: _LIGHTER, motions.hand_in_hand: _ANY,
    motions.sit_beside: _ANY, motions.queue: _ANY, motions.hug: (0.72, 1.25), motions.back_hug: (0.6, 1.1),
}  # fmt: skip


@dataclass(frozen=True)
class Sampled:
    """A couple, what it does, its two bodies' names, and how many meetings were refused before it."""

    couple: Couple
    motion: str
    identities: tuple[str, str]
    refused: int


def bodies_of(split: str) -> tuple[Path, np.ndarray]:
    """The file of bodies and the rows in it that a split shows: of every nine training bodies, children too, one is
    val's and one is test's."""
    if split == "unseen":
        return BAKED, np.arange(body_count(BAKED))
    every = np.arange(body_count(BODIES))
    kept = {7: "val", 8: "test"}
    return BODIES, every[[kept.get(int(row) % 9, "train") == split for row in every]]


def sample_couple(split: str, rng: np.random.Generator) -> Sampled:
    """A couple of a split. Raises RuntimeError where so many in a row could not meet."""
    kinds = rare_motions.UNSEEN if split == "unseen" else motions.TRAIN
    weights = np.array(list(kinds.values()))
    motion = list(kinds)[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    for refused in range(_TRIES):
        people = _two_people(split, _HEIGHTS.get(motion, _ALIKE), rng)
        styles = sample_styles(rng, 2, _STYLES[split])
        meeting = motion(Chance(rng, (float(styles[0]), float(styles[1]))))
        couple = brought_together(people, meeting)
        if couple is not None:
            names = f"{people[0].baked.stem}/{people[0].body}", f"{people[1].baked.stem}/{people[1].body}"
            return Sampled(couple, motion.__name__, names, refused)
    raise RuntimeError(f"{motion.__name__}: none of {_TRIES} couples could meet; its angles need other values")


def _two_people(split: str, heights: tuple[float, float], rng: np.random.Generator) -> tuple[Person, Person]:
    """Two of the split's bodies, the second so tall to the first, the first grown."""
    baked, rows = bodies_of(split)
    while True:
        first, second = (_plain(dress(int(row), baked, rng)) for row in rng.choice(rows, 2, replace=False))
        if first.height_m >= _SMALLEST_M and heights[0] <= second.height_m / first.height_m <= heights[1]:
            return first, second


def _plain(person: Person) -> Person:
    """Without what hangs or is carried, which would stand in the other's way: no bags, skirts or long coats."""
    outfit = person.outfit
    upper = "jacket" if "coat" in outfit.upper else outfit.upper
    lower = "trousers" if outfit.lower in ("skirt", "long skirt", "dress") else outfit.lower
    hat = "cap" if outfit.hat == "brim" else outfit.hat
    return replace(person, outfit=replace(outfit, bag="none", upper=upper, lower=lower, hat=hat))
