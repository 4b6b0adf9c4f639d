"""What couples do that training never shows: the motions of the second test set, `UNSEEN`."""

from __future__ import annotations

from models.people_groups.couples.meetings import (
    AHEAD,
    BACK,
    FIRST,
    LEFT,
    OUT_LEFT,
    RIGHT,
    SECOND,
    Chance,
    Meeting,
    Touch,
    changed,
    standing,
    stepping,
    walking,
)
from models.people_groups.couples.motions import Motion
from models.poses import motions
from models.poses.angles import flat_feet


def support(chance: Chance) -> Meeting:
    """The second limps, an arm over the first's neck, held round the waist; the style is how much it hangs there."""
    first = walking(chance, FIRST, spine_side=chance.styled(0, 8))
    lean = chance.styled(6, 18, SECOND)
    second = walking(chance, SECOND, pelvis_side=-0.3 * lean, spine_side=-0.7 * lean, head_lean=chance.between(5, 25))
    lifted = chance.between(25, 70)
    second["knee"][:, RIGHT], second["thigh_flex"][:, RIGHT] = lifted, 0.5 * lifted
    touches = (
        Touch(SECOND, LEFT, (9, 16), chance.between(0.8, 1.0), (0.6, 0.3, 0.6), (0.2, 0.7, 0.4)),
        Touch(FIRST, RIGHT, (0, 6), chance.between(0.3, 0.9), (-0.3, -0.9, 0.0), (-0.7, -0.4, -0.4)),
    )
    return Meeting((first, second), (chance.near(0.02, 0.03), -0.75, 0), chance.near(0, 8), OUT_LEFT, touches)


def cradle(chance: Chance) -> Meeting:
    """The second lies in the first's arms, side on; the style is how far it leans back."""
    first = standing(chance, FIRST, pelvis_lean=-3.0, spine_lean=-chance.styled(4, 12), shoulder_flex=30.0, elbow=80.0)
    back, thigh = chance.styled(35, 60, SECOND), chance.between(48, 72)
    second = changed(
        motions.sit(chance.sample(SECOND)), pelvis_lean=-back, spine_lean=chance.between(8, 20), head_lean=14.0,
        pelvis_side=0.0, spine_side=0.0, thigh_flex=thigh, thigh_out=(0.0, 0.0), knee=chance.between(60, 95),
        ankle=-20.0, shoulder_out=25.0, shoulder_flex=35.0, elbow=50.0,
    )  # fmt: skip
    touches = (
        Touch(FIRST, RIGHT, (3, 9), chance.between(0.5, 1.0), (-0.8, -0.6, 0.0), (-0.5, -0.7, -0.5)),
        Touch(FIRST, LEFT, (2, 5), chance.between(0.6, 0.9), (0.0, -0.7, -0.7), (-0.5, 0.7, -0.5), chest=False),
        Touch(SECOND, LEFT, (9, 12), chance.between(0.3, 0.9), (-0.7, 0.3, 0.6), (0.0, 0.5, 0.5)),
    )
    at = (0.55, chance.between(-0.02, 0.12), chance.between(0.16, 0.28))
    return Meeting((first, second), at, 90.0 + chance.near(0, 6), BACK, touches, carried=True)


def boxing(chance: Chance) -> Meeting:
    """The first's fist at the other's head or chest, both guarding; the styles are the depth of their stances."""
    first = _boxer(chance, FIRST)
    second = _boxer(chance, SECOND)
    head = chance.often(0.5)
    bone, along = ((12, 15), 1.0) if head else ((3, 9), chance.between(0.4, 1.0))
    side = RIGHT if chance.often(0.5) else LEFT
    touch = Touch(FIRST, side, bone, along, (0.9, chance.near(0, 0.3), 0.1), (-0.2, 0.8 - 1.6 * side, -0.5), off_m=0.11)
    return Meeting((first, second), (chance.between(0.56, 0.7), chance.near(0, 0.1), 0), 180 + chance.near(0, 15),
                   touches=(touch,), apart_m=0.05)  # fmt: skip


def _boxer(chance: Chance, who: int):
    deep = chance.styled(8, 26, who)
    return flat_feet(stepping(
        chance, who, LEFT, deep, thigh_out=10.0, spine_lean=chance.between(4, 22), pelvis_yaw=-chance.between(5, 25),
        head_lean=10.0, shoulder_flex=(52.0, 30.0), shoulder_out=(14.0, 12.0), shoulder_turn=(12.0, 18.0),
        elbow=(chance.between(85, 110), chance.between(110, 130)),
    ))  # fmt: skip


def dip(chance: Chance) -> Meeting:
    """A dance's last figure: the second leans far back over the first's arm; the style is how far."""
    first = stepping(chance, FIRST, RIGHT, chance.styled(18, 34), spine_lean=chance.between(10, 26), thigh_out=8.0)
    back = chance.styled(25, 45, SECOND)
    second = stepping(chance, SECOND, LEFT, 14, pelvis_lean=-back, spine_lean=-chance.between(8, 18), head_lean=-14.0)
    second = changed(second, thigh_flex=(chance.between(10, 40), -0.75 * back), knee=(chance.between(20, 60), 8.0))
    touches = (
        Touch(FIRST, RIGHT, (3, 9), chance.between(0.4, 1.0), (-0.9, 0.3, 0.0), (0.2, -0.9, -0.2)),
        Touch(FIRST, LEFT, (0, 6), chance.between(0.1, 0.6), (-0.8, -0.5, 0.0), (0.2, 0.9, -0.2)),
        Touch(SECOND, LEFT, (9, 12), chance.between(0.3, 0.9), (-0.6, -0.3, 0.6), (0.2, 0.8, 0.2)),
    )
    return Meeting((first, second), (0.75, chance.near(0.04, 0.03), 0), 180 + chance.near(0, 8), BACK, touches)


def whisper(chance: Chance) -> Meeting:
    """The second leans to the first's ear from behind a shoulder, a hand on it; the style is how far."""
    first = standing(chance, FIRST, head_side=-chance.between(0, 8), head_yaw=-chance.between(0, 25))
    lean = chance.styled(8, 22, SECOND)
    second = standing(chance, SECOND, spine_lean=lean, spine_side=-chance.between(4, 12), head_lean=4.0)
    touches = (Touch(SECOND, LEFT, (17, 19), chance.between(0.0, 0.4), (-0.3, -0.7, 0.6), (-0.3, 0.8, -0.3)),)
    at = (-0.7, -chance.between(0.10, 0.2), 0)
    return Meeting((first, second), at, chance.between(0, 30), AHEAD, touches)


UNSEEN: dict[Motion, float] = {support: 0.22, cradle: 0.22, boxing: 0.16, dip: 0.24, whisper: 0.16}
