"""What couples do together in the pictures that train, and in those of the same motions that test: `TRAIN`.

Joints are SMPL's by number: 3, 6, 9 the spine upwards, 16 and 17 the shoulders, 18 and 19 the elbows, 1, 4 and 2, 5
hips and knees. What the style of each person changes is said beside each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.people_groups.couples.meetings import (
    AHEAD,
    BACK,
    FIRST,
    LEFT,
    OUT_LEFT,
    RIGHT,
    SECOND,
    UP,
    Chance,
    Clasp,
    Meeting,
    Touch,
    changed,
    standing,
    stepping,
    walking,
)
from models.poses import motions
from models.poses.angles import flat_feet

_FACING = 180.0  # degrees of yaw of someone who looks at the first


def hug(chance: Chance) -> Meeting:
    """Face to face, arms around each other: the first's below, the second's above; the style leans in."""
    side = chance.between(0.05, 0.11) * (1 if chance.often(0.5) else -1)
    first = standing(chance, FIRST, spine_lean=chance.styled(4, 16), head_side=np.sign(side) * -8,
                     head_yaw=np.sign(side) * -chance.between(0, 25))  # fmt: skip
    second = standing(chance, SECOND, spine_lean=chance.styled(4, 16, SECOND), head_side=np.sign(side) * -8,
                      head_yaw=np.sign(side) * -chance.between(0, 25), shoulder_flex=80.0,
                      shoulder_out=35.0)  # fmt: skip
    high, low = chance.between(0.6, 1.0), chance.between(0.0, 0.6)
    below = (0.2, 0.9, -0.5), (0.2, -0.9, -0.5)
    above = (0.3, 0.8, 0.4), (0.3, -0.8, 0.4)
    touches = (
        Touch(FIRST, LEFT, (3, 9), low, (-0.9, -0.35, 0.0), below[LEFT]),
        Touch(FIRST, RIGHT, (3, 9), high, (-0.9, 0.35, 0.0), below[RIGHT]),
        Touch(SECOND, LEFT, (6, 12), chance.between(0.4, 0.9), (-0.9, -0.4, 0.0), above[LEFT]),
        Touch(SECOND, RIGHT, (6, 12), chance.between(0.3, 0.8), (-0.9, 0.4, 0.0), above[RIGHT]),
    )
    return Meeting((first, second), (0.5, side, 0), _FACING + chance.near(0, 8), BACK, touches)


def back_hug(chance: Chance) -> Meeting:
    """The second holds the first from behind; the style leans over the shoulder."""
    side = chance.between(0.04, 0.10) * (1 if chance.often(0.5) else -1)
    first = standing(chance, FIRST, spine_lean=chance.near(0, 4), head_side=8 * np.sign(side),
                     shoulder_out=8.0, shoulder_flex=10.0, elbow=50.0)  # fmt: skip
    second = standing(chance, SECOND, spine_lean=chance.styled(6, 18, SECOND), head_side=-6 * np.sign(side))
    at = chance.between(0.0, 0.9)
    touches: tuple[Touch, ...] = (
        Touch(SECOND, LEFT, (3, 9), at, (0.95, -0.25, 0.0), (0.2, 0.9, -0.4)),
        Touch(SECOND, RIGHT, (3, 9), min(at + 0.15, 1.0), (0.95, 0.25, 0.0), (0.2, -0.9, -0.4)),
        Touch(FIRST, LEFT, (19, 21), 0.5, (0.9, 0.0, 0.4), (-0.3, 0.9, -0.5), chest=False),
        Touch(FIRST, RIGHT, (18, 20), 0.5, (0.9, 0.0, 0.4), (-0.3, -0.9, -0.5), chest=False),
    )
    if chance.often(0.4):  # the first's arms hang
        touches = touches[:2]
    return Meeting((first, second), (-0.5, side, 0), chance.near(0, 8), AHEAD, touches)


def waltz(chance: Chance) -> Meeting:
    """A ballroom hold in mid-step; the styles are the length of each one's step."""
    ahead, reach = int(chance.often(0.5)), chance.styled(4, 26)
    first = stepping(chance, FIRST, ahead, reach, spine_lean=-2.0, head_yaw=chance.between(5, 35), head_lean=-4.0,
                     shoulder_out=45.0)  # fmt: skip
    # Opposite legs move together: who is faced steps back with the other foot.
    second = stepping(chance, SECOND, ahead, chance.styled(4, 24, SECOND), spine_lean=-chance.styled(2, 14, SECOND),
                      head_yaw=chance.between(5, 35), head_lean=-6.0, shoulder_out=45.0)  # fmt: skip
    touches = (
        Touch(FIRST, RIGHT, (6, 9), chance.between(0.2, 1.0), (-0.8, 0.6, 0.0), (0.2, -0.9, 0.1)),
        Touch(SECOND, LEFT, (17, 19), chance.between(0.1, 0.5), (-0.2, -0.6, 0.8), (0.1, 0.9, 0.0)),
    )
    hold = Clasp((LEFT, RIGHT), (chance.between(0.08, 0.16), chance.between(0.28, 0.36), chance.between(0.72, 0.86)),
                 ((-0.2, 0.5, -0.8), (-0.2, -0.5, -0.8)))  # fmt: skip
    at = (0.6, chance.between(0.0, 0.08), 0)
    return Meeting((first, second), at, _FACING + chance.near(0, 6), BACK, touches, (hold,), apart_m=0.06)


def swing(chance: Chance) -> Meeting:
    """Dancing at arm's length, both hands held or one raised; the styles bend and step."""
    first = stepping(chance, FIRST, int(chance.often(0.5)), chance.styled(6, 30), spine_lean=chance.near(2, 5))
    second = stepping(chance, SECOND, int(chance.often(0.5)), chance.styled(6, 30, SECOND),
                      spine_lean=chance.near(0, 6), pelvis_side=chance.near(0, 5))  # fmt: skip
    far, side = chance.between(0.45, 0.72), chance.near(0, 0.08)
    middle = far / 2 / 1.7
    raised = chance.often(0.5)
    tall = chance.between(1.0, 1.1) if raised else chance.between(0.55, 0.72)
    elbow = (0.0, 0.6, -0.8), (0.0, -0.6, -0.8)
    clasps = [Clasp((LEFT, RIGHT), (middle, chance.between(0.05, 0.16), tall), elbow)]
    if chance.often(0.6):
        low = chance.between(0.55, 0.66)
        clasps.append(Clasp((RIGHT, LEFT), (middle, -chance.between(0.08, 0.18), low), elbow[::-1]))
    yaw = _FACING + chance.near(0, 15 if len(clasps) > 1 else 45)
    return Meeting((first, second), (far, side, 0), yaw, clasps=tuple(clasps))


def clinch(chance: Chance) -> Meeting:
    """Wrestlers bent forward, heads side by side, hands on necks and arms; the styles are how low they are."""
    side = chance.between(0.08, 0.15) * (1 if chance.often(0.5) else -1)
    first, second = (_wrestler(chance, who, chance.styled(18, 42, who)) for who in (FIRST, SECOND))
    elbow = (0.0, 0.8, -0.6), (0.0, -0.8, -0.6)
    touches = (
        Touch(FIRST, RIGHT, (9, 12), chance.between(0.4, 1.0), (-0.7, 0.3, 0.6), (0.1, -0.9, 0.2)),
        Touch(FIRST, LEFT, (17, 19), chance.between(0.3, 0.8), (0.0, -0.9, 0.2), elbow[LEFT]),
        Touch(SECOND, RIGHT, (9, 12), chance.between(0.4, 1.0), (-0.7, 0.3, 0.6), (0.1, -0.9, 0.2)),
        Touch(SECOND, LEFT, (17, 19), chance.between(0.3, 0.8), (0.0, -0.9, 0.2), elbow[LEFT]),
    )
    return Meeting((first, second), (0.95, side, 0), _FACING + chance.near(0, 10), BACK, touches)


def _wrestler(chance: Chance, who: int, lean: float):
    wide, bend = chance.between(12, 26), chance.between(25, 60)
    split = chance.near(0, 14)
    now = standing(
        chance, who, pelvis_lean=0.5 * lean, spine_lean=0.6 * lean, head_lean=-0.5 * lean, pelvis_side=0.0,
        spine_side=0.0, knee=(bend, chance.between(25, 60)), thigh_flex=(0.55 * bend + split, 0.55 * bend - split),
        thigh_out=(wide, wide), thigh_turn=15.0, shoulder_flex=60.0, shoulder_out=30.0, elbow=60.0,
    )  # fmt: skip
    return flat_feet(now)


def takedown(chance: Chance) -> Meeting:
    """The first stoops and holds the second round the waist or the thighs, who leans over; the style is how low."""
    low = chance.styled(0.45, 0.9)
    first = flat_feet(changed(
        _wrestler(chance, FIRST, 40), pelvis_lean=30 * low, spine_lean=34 * low, head_side=chance.near(0, 10),
        thigh_flex=(75 * low + 12, 75 * low - 22), knee=(95 * low, 80 * low), thigh_out=16.0,
    ))  # fmt: skip
    second = _wrestler(chance, SECOND, chance.styled(20, 48, SECOND))
    side = chance.between(0.16, 0.24) * (1 if chance.often(0.5) else -1)
    waist = chance.often(0.6)
    on = ((0, 6), chance.between(0.2, 0.9)) if waist else ((1, 4), chance.between(0.3, 0.7))
    other = on if waist else ((2, 5), on[1])
    touches = (
        Touch(FIRST, LEFT, *other, (-0.3, -0.9, 0.0), (0.2, 0.8, -0.4), chest=False),
        Touch(FIRST, RIGHT, *on, (-0.3, 0.9, 0.0), (0.2, -0.8, -0.4), chest=False),
        Touch(SECOND, LEFT, (6, 12), chance.between(0.2, 0.9), (-0.8, -0.5, 0.3), (0.2, 0.9, 0.0)),
        Touch(SECOND, RIGHT, (6, 12), chance.between(0.2, 0.9), (-0.8, 0.5, 0.3), (0.2, -0.9, 0.0)),
    )
    return Meeting((first, second), (1.1, side, 0), _FACING + chance.near(0, 12), BACK, touches)


def behind_hold(chance: Chance) -> Meeting:
    """A wrestler holds the other, who bends forward, from behind round the waist; the styles are how far they bend."""
    first = _wrestler(chance, FIRST, chance.styled(20, 60))
    second = _wrestler(chance, SECOND, chance.styled(15, 40, SECOND))
    touches: tuple[Touch, ...] = (
        Touch(SECOND, LEFT, (0, 6), chance.between(0.4, 1.0), (0.95, -0.2, 0.0), (0.2, 0.9, -0.3)),
        Touch(SECOND, RIGHT, (0, 6), chance.between(0.4, 1.0), (0.95, 0.2, 0.0), (0.2, -0.9, -0.3)),
    )
    if chance.often(0.6):  # tries to open the grip
        touches += (
            Touch(FIRST, RIGHT, (18, 20), chance.between(0.4, 0.8), (0.9, 0.0, 0.3), (-0.2, -0.9, -0.2), chest=False),
        )
    return Meeting((first, second), (-0.8, chance.near(0, 0.04), 0), chance.near(0, 8), AHEAD, touches)


def piggyback(chance: Chance) -> Meeting:
    """The second is carried on the first's back; the style leans the first forward."""
    make = walking if chance.often(0.6) else standing
    lean = chance.styled(8, 26)
    first = make(chance, FIRST, pelvis_lean=0.4 * lean, spine_lean=0.6 * lean, pelvis_side=0.0)
    second = changed(
        standing(chance, SECOND), pelvis_lean=0.5 * lean + 4, spine_lean=chance.between(4, 18), pelvis_side=0.0,
        spine_side=0.0, thigh_flex=chance.between(66, 84), thigh_out=chance.between(30, 38), thigh_turn=-4.0,
        knee=chance.between(60, 100), ankle=-10.0, head_yaw=chance.near(0, 25), shoulder_flex=50.0,
    )  # fmt: skip
    touches = (
        Touch(SECOND, LEFT, (6, 9), chance.between(0.4, 1.0), (0.9, -0.3, 0.2), (0.0, 0.9, -0.2)),
        Touch(SECOND, RIGHT, (6, 9), chance.between(0.2, 0.8), (0.9, 0.3, 0.2), (0.0, -0.9, -0.2)),
        Touch(FIRST, LEFT, (1, 4), chance.between(0.5, 0.75), (0.0, 0.1, -1.0), (-0.5, 0.8, -0.4), chest=False),
        Touch(FIRST, RIGHT, (2, 5), chance.between(0.5, 0.75), (0.0, -0.1, -1.0), (-0.5, -0.8, -0.4), chest=False),
    )
    at = (-0.42, 0.0, chance.between(0.10, 0.18))
    return Meeting((first, second), at, 0.0, AHEAD, touches, carried=True)


def lift(chance: Chance) -> Meeting:
    """The first lifts the second off the ground in an embrace; the style leans back."""
    side = chance.between(0.03, 0.09) * (1 if chance.often(0.5) else -1)
    first = standing(chance, FIRST, spine_lean=-chance.styled(4, 14), thigh_flex=(12.0, -4.0), knee=(14.0, 6.0),
                     head_side=np.sign(side) * -6)  # fmt: skip
    bent = chance.between(20, 95)
    second = changed(
        standing(chance, SECOND), spine_lean=chance.styled(8, 20, SECOND), thigh_flex=(-4.0, 2.0),
        knee=(bent, bent * chance.between(0.5, 1.0)), ankle=-25.0, thigh_out=(2.0, 2.0), shoulder_flex=60.0,
    )  # fmt: skip
    at = chance.between(0.0, 0.6)
    touches = (
        Touch(FIRST, LEFT, (0, 6), at, (-0.9, -0.3, 0.0), (0.1, 0.9, -0.4)),
        Touch(FIRST, RIGHT, (0, 6), min(at + 0.25, 1.0), (-0.9, 0.3, 0.0), (0.1, -0.9, -0.4)),
        Touch(SECOND, LEFT, (6, 12), chance.between(0.5, 1.0), (-0.9, -0.4, 0.0), (0.3, 0.8, 0.3)),
        Touch(SECOND, RIGHT, (6, 12), chance.between(0.4, 0.9), (-0.9, 0.4, 0.0), (0.3, -0.8, 0.3)),
    )
    at_3 = (0.5, side, chance.between(0.08, 0.22))
    return Meeting((first, second), at_3, _FACING + chance.near(0, 6), BACK, touches, carried=True)


def sit_beside(chance: Chance) -> Meeting:
    """Side by side on a bench, an arm around the other, a hand on a knee, or each with themselves."""
    first, second = (motions.sit(chance.sample(who)) for who in (FIRST, SECOND))
    first, second = changed(first, head_yaw=-chance.between(-5, 40)), changed(second, head_yaw=chance.between(-5, 40))
    touches: tuple[Touch, ...] = ()
    kind = chance.between(0, 1)
    if kind < 0.45:
        touches += (Touch(FIRST, RIGHT, (9, 17), chance.between(0.5, 1.0), (-0.8, -0.1, 0.5), (-0.6, -0.5, 0.2)),)
    if 0.3 < kind < 0.75:
        touches += (Touch(SECOND, LEFT, (2, 5), chance.between(0.5, 0.95), UP, (-0.4, 0.4, -0.5), chest=False),)
    at = (chance.near(0, 0.05), -0.75, 0)
    return Meeting((first, second), at, chance.near(0, 10), OUT_LEFT, touches, seated=True)


def arm_in_arm(chance: Chance) -> Meeting:
    """Walking side by side, the second's arm through the first's; the styles are the strides."""
    first = walking(chance, FIRST, head_yaw=-chance.between(-10, 30))
    second = walking(chance, SECOND, head_yaw=chance.between(-10, 30))
    first["shoulder_flex"][:, RIGHT], first["elbow"][:, RIGHT] = chance.near(2, 5), chance.near(84, 9)
    first["shoulder_out"][:, RIGHT], first["shoulder_turn"][:, RIGHT] = 16.0, chance.near(22, 8)
    touches: tuple[Touch, ...] = (
        Touch(SECOND, LEFT, (19, 21), chance.between(0.2, 0.7), (0.3, 0.2, 0.9), (-0.4, 0.5, -0.8), chest=False),
    )
    if chance.often(0.4):
        touches += (Touch(SECOND, RIGHT, (17, 19), chance.between(0.5, 0.9), (0.9, -0.2, 0.1), (0.2, -0.6, -0.8)),)
    at = (chance.near(0, 0.04), -0.75, 0)
    return Meeting((first, second), at, chance.near(0, 5), OUT_LEFT, touches)


def hand_in_hand(chance: Chance) -> Meeting:
    """Walking side by side, hand in hand; the styles are the strides."""
    first, second = walking(chance, FIRST), walking(chance, SECOND)
    far = chance.between(0.42, 0.62)
    clasp = Clasp((RIGHT, LEFT), (chance.near(0.02, 0.04), -far / 2 / 1.7, chance.between(0.42, 0.5)),
                  ((-0.9, -0.3, 0.0), (-0.9, 0.3, 0.0)))  # fmt: skip
    return Meeting((first, second), (chance.near(0, 0.08), -far, 0), chance.near(0, 6), clasps=(clasp,))


def side_hug(chance: Chance) -> Meeting:
    """Walking or standing with an arm over the other's shoulders, the other's round the waist."""
    make = walking if chance.often(0.6) else standing
    first, second = make(chance, FIRST, spine_side=4.0), make(chance, SECOND, spine_side=-4.0)
    second = changed(second, head_side=-8.0)
    touches = (
        Touch(FIRST, RIGHT, (9, 17), chance.between(0.4, 1.0), (-0.8, -0.1, 0.5), (-0.5, -0.6, 0.2)),
        Touch(SECOND, LEFT, (0, 6), chance.between(0.2, 0.7), (-0.3, 0.9, 0.0), (-0.8, 0.4, -0.4)),
    )
    return Meeting((first, second), (chance.near(0.0, 0.04), -0.75, 0), chance.near(0, 6), OUT_LEFT, touches)


def queue(chance: Chance) -> Meeting:
    """One behind the other, waiting: at ease, with a telephone, folded arms or hands in the pockets."""
    kinds = (motions.stand, motions.phone, motions.crossed, motions.pockets)
    first, second = (kinds[int(chance.rng.integers(4))](chance.sample(who)) for who in (FIRST, SECOND))
    at = (-chance.between(0.42, 0.75), chance.near(0, 0.1), 0)
    return Meeting((first, second), at, chance.near(0, 12))


Motion = Callable[[Chance], Meeting]
# How often each is rendered: dances, wrestling and embraces, of which OCPose mostly consists, are two thirds.
TRAIN: dict[Motion, float] = {
    hug: 0.12, back_hug: 0.06, waltz: 0.13, swing: 0.09, clinch: 0.10, takedown: 0.07, behind_hold: 0.07,
    piggyback: 0.08, lift: 0.04, sit_beside: 0.07, arm_in_arm: 0.05, hand_in_hand: 0.03, side_hug: 0.04, queue: 0.05,
}  # fmt: skip
