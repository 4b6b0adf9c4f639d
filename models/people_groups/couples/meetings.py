"""How two people meet: the poses they start from, where the second stands, and which hand touches what.

The first stands at the origin and faces x, the second where `at` says, metres, in that frame. Angles are those of
`models.poses.angles`, degrees, one row each. What is described here is made to touch, and not to pass through itself,
by `models.people_groups.couples.solve`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.poses import motions
from models.poses.angles import Angles, flat_feet
from models.poses.motions import Sample

FIRST, SECOND = 0, 1
LEFT, RIGHT = 0, 1
Triple = tuple[float, float, float]
UP, DOWN, AHEAD, BACK, OUT_LEFT, OUT_RIGHT = (
    (0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Touch:
    """A hand on the partner's skin: where the skin is met from outside along `towards`, a direction in the frame of the
    partner's chest, or in the partner's own where not `chest`, at `along` of the bone between two joints.

    who: whose hand; side: which; elbow: where it points, in the frame of who touches. off_m: between skin and wrist.
    """

    who: int
    side: int
    bone: tuple[int, int]
    along: float
    towards: Triple
    elbow: Triple
    chest: bool = True
    off_m: float = 0.045


@dataclass(frozen=True)
class Clasp:
    """A hand of each holds the other's, at a place in the first one's own frame, in fractions of the first's height."""

    sides: tuple[int, int]
    at: Triple
    elbows: tuple[Triple, Triple]


@dataclass(frozen=True)
class Meeting:
    """Two people who are to meet.

    angles of both; at (3,) and yaw_deg of the second, from pelvis to pelvis where it is `carried`; approach (3,): along
    it the second comes until the two touch, none where it is zero; touches and clasps; seated: both sit on a bench.
    """

    angles: tuple[Angles, Angles]
    at: Triple
    yaw_deg: float = 0.0
    approach: Triple = (0.0, 0.0, 0.0)
    touches: tuple[Touch, ...] = ()
    clasps: tuple[Clasp, ...] = ()
    carried: bool = False
    seated: bool = False
    apart_m: float = 0.02  # what may remain between two who touch

    @property
    def touch(self) -> bool:
        """Whether the two touch at all."""
        return bool(any(self.approach) or self.touches or self.clasps)


@dataclass(frozen=True)
class Chance:
    """Random numbers of a meeting, and the styles in [0, 1) of both: how far each goes in what the motion is about."""

    rng: np.random.Generator
    styles: tuple[float, float]

    def near(self, mean: float, spread: float) -> float:
        """Normal, clipped at twice the spread."""
        return float(mean + spread * np.clip(self.rng.standard_normal(), -2, 2))

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return float(self.rng.uniform(low, high))

    def styled(self, at_0: float, at_1: float, who: int = FIRST) -> float:
        """What a style moves from one end to the other."""
        return at_0 + (at_1 - at_0) * self.styles[who]

    def often(self, probability: float) -> bool:
        """True as often as that."""
        return bool(self.rng.random() < probability)

    def sample(self, who: int) -> Sample:
        """What one person's motions are sampled from."""
        return Sample(self.rng, np.array([self.styles[who]]))


def standing(chance: Chance, who: int, **angles: float | tuple[float, float]) -> Angles:
    """Someone who stands, with angles of the trunk, or of both limbs, or of (left, right) limbs."""
    return flat_feet(changed(motions.stand(chance.sample(who)), **angles))


def walking(chance: Chance, who: int, **angles: float | tuple[float, float]) -> Angles:
    """Someone who walks, with some angles changed."""
    return changed(motions.walk(chance.sample(who)), **angles)


def changed(now: Angles, **angles: float | tuple[float, float]) -> Angles:
    """Angles of one person with some in other values."""
    return now | {
        name: np.array([value], float)
        if now[name].ndim == 1
        else np.broadcast_to(np.array(value, float), (1, 2)).copy()
        for name, value in angles.items()
    }


def stepping(chance: Chance, who: int, ahead: int, reach: float, **angles: float | tuple[float, float]) -> Angles:
    """Someone who stands with one leg ahead and the other behind by `reach` degrees, knees soft."""
    flex = [-0.8 * reach, -0.8 * reach]
    flex[ahead] = reach
    knee = [chance.between(8, 22), chance.between(8, 22)]
    knee[ahead] += 0.6 * abs(reach)
    return standing(chance, who, thigh_flex=(flex[0], flex[1]), knee=(knee[0], knee[1]), **angles)
