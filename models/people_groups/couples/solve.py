"""From how two people are to meet to two figures that touch and do not pass through each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.people_groups.couples.contact import (
    KIND,
    LEG,
    TOLERANCE_M,
    TRUNK,
    depth_between,
    gap,
    inside,
    parted,
    signed_distance,
    skin_scene,
)
from models.people_groups.couples.figure import Figure
from models.people_groups.couples.meetings import FIRST, SECOND, Meeting
from models.people_groups.couples.reach import clasping, touching
from pipeline.simulate.people.gait import ARMS
from pipeline.simulate.people.person import Person

DEEPEST_M = 0.02  # a couple whose skins pass deeper into each other is refused
_NEAR_M = 0.004  # who approaches stops here
_HAND_OFF_M = 0.09  # wrist or knuckles of a hand that touches are as near to the skin as that
_ROUNDS, _PASSES, _STEPS = 3, 2, 8  # of reaching and parting; of the arms, one after the other; of parting


@dataclass(frozen=True)
class Couple:
    """Two figures; how deep, metres, their skins pass into each other, and how far apart they are; the height, metres,
    of the bench that they sit on, 0 where there is none."""

    figures: tuple[Figure, Figure]
    depth_m: float
    gap_m: float
    seat_m: float = 0.0


def brought_together(people: tuple[Person, Person], meeting: Meeting) -> Couple | None:
    """The couple, or None where the two cannot meet so: they remain too deep in each other, or apart."""
    first = Figure.of(people[FIRST], meeting.angles[FIRST], 0.0, np.zeros(3))
    second = Figure.of(people[SECOND], meeting.angles[SECOND], np.radians(meeting.yaw_deg), np.array(meeting.at))
    seat = 0.0
    if meeting.carried:
        second = second.moved(first.joints[0] + np.array(meeting.at) - second.joints[0])
    if meeting.seated:
        lows = [_seat_of(figure) for figure in (first, second)]
        seat = max(lows)
        first, second = (f.moved(np.array([0, 0, seat - low])) for f, low in zip((first, second), lows, strict=True))
    if any(meeting.approach):
        second = _approached(first, second, np.array(meeting.approach), meeting.carried)
    touching_hands = [(touch.who, touch.side) for touch in meeting.touches]
    first, second = _reaching(first, second, meeting, arms_too=False)
    for _ in range(_ROUNDS):
        for _ in range(_PASSES):
            first, second = _reaching(first, second, meeting, arms_too=True)
        first, second, depth = _parted(first, second, meeting, _STEPS)
        if depth <= DEEPEST_M and _hands_lie((first, second), touching_hands):
            left = gap(second, skin_scene(first))
            if left <= meeting.apart_m or not meeting.touch:
                return Couple((first, second), depth, left, seat)
    return None


def _hands_lie(figures: tuple[Figure, Figure], hands: list[tuple[int, int]]) -> bool:
    """Whether each hand, of (who, side), is at the other's skin."""
    scenes = {who: skin_scene(figures[1 - who]) for who, _ in hands}
    return all(
        float(signed_distance(scenes[who], figures[who].joints[list(ARMS[side][3:])]).min()) <= _HAND_OFF_M
        for who, side in hands
    )


def _parted(first: Figure, second: Figure, meeting: Meeting, steps: int) -> tuple[Figure, Figure, float]:
    """Moved out of each other in so many steps at the most, and how deep they still are."""
    for _ in range(steps):
        first, second, depth = parted(first, second, free=meeting.carried)
        if depth <= TOLERANCE_M:
            return first, second, depth
    return first, second, depth_between(first, second)


def _seat_of(figure: Figure) -> float:
    """Metres above the ground of what someone who sits sits on."""
    return float(figure.vertices[np.isin(figure.carriers, (0, 1, 2)), 2].min())


def _approached(first: Figure, second: Figure, along: np.ndarray, carried: bool) -> Figure:
    """The second where its trunk, and its legs unless it is carried, just touch those of the first."""
    kinds = (TRUNK,) if carried else (TRUNK, LEG)
    scene = skin_scene(first, kinds)
    whole = skin_scene(first)
    for _ in range(12):  # out of each other first
        deep = inside(second, first, whole)
        if not (np.isin(KIND[deep.own], kinds) & np.isin(KIND[deep.other], kinds)).any():
            break
        second = second.moved(-0.06 * along)
    for _ in range(14):
        left = gap(second, scene, kinds)
        if left < _NEAR_M:
            break
        second = second.moved(along * left)
    return second


def _reaching(first: Figure, second: Figure, meeting: Meeting, *, arms_too: bool) -> tuple[Figure, Figure]:
    """Both with their hands on each other as the meeting has it."""
    figures = [first, second]
    for touch in meeting.touches:
        figures[touch.who] = touching(figures[touch.who], figures[1 - touch.who], touch, arms_too=arms_too)
    for clasp in meeting.clasps:
        figures = clasping(figures, clasp)
    return figures[FIRST], figures[SECOND]
