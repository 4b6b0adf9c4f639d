"""The motions of people in a street, each a function of random draws that gives joint angles in degrees.

A motion's style in [0, 1) sets what is most its own: how far a walker strides, how much of the weight is on one leg.
The rest of a pose is drawn about the middle of a relaxed person. One-sided motions use the left arm or leg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.poses.angles import Angles, flat_feet, zeros
from models.poses.gait import RUN, WALK, series_at

LEFT, RIGHT, BOTH = 0, 1, slice(None)


@dataclass(frozen=True)
class Draw:
    """Random numbers for one batch of poses of a motion; style (N,) in [0, 1)."""

    rng: np.random.Generator
    style: np.ndarray

    def styled(self, at_0: float, at_1: float) -> np.ndarray:
        """(N,) degrees that the style moves from one end to the other."""
        return at_0 + (at_1 - at_0) * self.style

    def between(self, low: float, high: float) -> np.ndarray:
        """(N,) uniform."""
        return self.rng.uniform(low, high, len(self.style))

    def near(self, mean: float, spread: float) -> np.ndarray:
        """(N,) normal, cut off at 2.5 times the spread."""
        return mean + spread * np.clip(self.rng.standard_normal(len(self.style)), -2.5, 2.5)

    def pair(self, mean: float, spread: float) -> np.ndarray:
        """(N, 2) left and right: half of the variance is common to both."""
        own = np.stack([self.near(0, spread), self.near(0, spread)], axis=1)
        return mean + (self.near(0, spread)[:, None] + own) / np.sqrt(2)

    def chance(self, probability: float) -> np.ndarray:
        """(N,) bool."""
        return self.rng.random(len(self.style)) < probability


def _relaxed(draw: Draw) -> Angles:
    """The trunk, head and hanging arms of anyone upright."""
    now = zeros(len(draw.style))
    now["pelvis_lean"], now["spine_lean"] = draw.near(2, 3), draw.near(3, 5)
    now["spine_side"], now["spine_yaw"] = draw.near(0, 2), draw.near(0, 5)
    now["head_lean"], now["head_side"], now["head_yaw"] = draw.near(2, 9), draw.near(0, 4), draw.near(0, 18)
    now["clavicle"] = draw.pair(-1, 3)
    now["shoulder_flex"], now["shoulder_out"] = draw.pair(-1, 5), np.maximum(draw.pair(12, 3), 8)
    now["shoulder_turn"], now["elbow"] = draw.pair(8, 6), np.abs(draw.pair(18, 7))
    now["pronation"], now["wrist"] = draw.pair(15, 12), draw.pair(3, 8)
    return now


def stand(draw: Draw) -> Angles:
    """Standing; the style moves the weight onto the left leg: the right knee bends, its hip drops (contrapposto)."""
    now = _relaxed(draw)
    shift = draw.styled(0, 1)
    now["pelvis_side"] = -6 * shift + draw.near(0, 1)
    now["spine_side"] = 8 * shift + draw.near(0, 2)
    bend = np.abs(draw.pair(4, 3))
    bend[:, RIGHT] += 30 * shift * draw.between(0.7, 1.2)
    now["knee"], now["thigh_flex"] = bend, bend / 2 + draw.pair(0, 2)
    now["thigh_out"] = draw.pair(3, 2)
    now["thigh_out"] += np.stack([-5 * shift, 5 * shift], axis=1)
    now["thigh_turn"] = draw.pair(8, 5)
    return flat_feet(now)


def walk(draw: Draw) -> Angles:
    """Walking at any phase; the style lengthens the stride."""
    now = _relaxed(draw)
    phase = _phases(draw)
    swing = draw.styled(0.6, 1.2)
    for name in WALK:
        now[name] = series_at(WALK[name], phase, (swing * draw.between(0.92, 1.08))[:, None]) + draw.pair(0, 2)
    # A shorter stride keeps the stance knee where it is.
    now["knee"] = np.maximum(now["knee"], 1 + np.abs(draw.pair(0, 1)))
    now["toes"] = now["toes"] * 0.5
    now["thigh_out"], now["thigh_turn"] = draw.pair(-1, 2), draw.pair(6, 5)
    now["inversion"] = now["thigh_out"]
    turn = np.cos(2 * np.pi * phase[:, 0]) * swing
    rise = np.sin(2 * np.pi * phase[:, 0]) * swing
    # The leading side's hip is forward, the chest turns against it; the free side's hip drops.
    now["pelvis_yaw"], now["spine_yaw"] = -4 * turn + draw.near(0, 1), 10 * turn + draw.near(0, 3)
    now["pelvis_side"], now["spine_side"] = -3 * rise + draw.near(0, 1), 3 * rise + draw.near(0, 1.5)
    return _swing_arms(draw, now, phase, swing, mean=-8, reach=16, elbow=30)


def run(draw: Draw) -> Angles:
    """Running at any phase; the style is the pace."""
    now = _relaxed(draw)
    phase = _phases(draw)
    swing = draw.styled(0.6, 1.15)
    for name in RUN:
        now[name] = series_at(RUN[name], phase, (swing * draw.between(0.92, 1.08))[:, None]) + draw.pair(0, 3)
    now["knee"] = np.maximum(now["knee"], 5)
    now["toes"] = now["toes"] * 0.5
    now["thigh_out"], now["thigh_turn"] = draw.pair(-2, 2), draw.pair(4, 4)
    now["inversion"] = now["thigh_out"]
    turn = np.cos(2 * np.pi * phase[:, 0]) * swing
    now["pelvis_yaw"], now["spine_yaw"] = -6 * turn, 16 * turn + draw.near(0, 3)
    now["pelvis_lean"], now["spine_lean"] = draw.near(6, 2), draw.near(6, 3)
    return _swing_arms(draw, now, phase, swing, mean=-12, reach=32, elbow=88)


def _phases(draw: Draw) -> np.ndarray:
    """(N, 2) phases of the left and the right foot, the timing a little off between people and sides."""
    phase = draw.between(0, 1)[:, None] + np.array([0.0, 0.5]) + draw.pair(0, 0.008)
    return phase + draw.near(0, 0.012)[:, None] * np.sin(2 * np.pi * (phase + draw.between(0, 1)[:, None]))


def _swing_arms(
    draw: Draw, now: Angles, phase: np.ndarray, swing: np.ndarray, mean: float, reach: float, elbow: float
) -> Angles:
    """Arms that swing against their side's leg, `reach` to each side of the mean.

    Walking: shoulder 24 back to 8 forward, elbow 20 to 45, furthest back at the same foot's contact (Perry and
    Burnfield 2010, chapter 7).
    """
    forward = -np.cos(2 * np.pi * (phase + draw.near(0, 0.03)[:, None]))
    size = swing[:, None] * np.clip(draw.pair(1, 0.3), 0.1, 1.8)
    now["shoulder_flex"] = mean + reach * size * forward + draw.pair(0, 3)
    now["elbow"] = np.maximum(draw.pair(elbow, 7) + 12 * size * forward, 3)
    return now


def step(draw: Draw) -> Angles:
    """Turning on the spot, one foot lifted; the style is how high."""
    now = stand(Draw(draw.rng, np.zeros_like(draw.style)))
    lift = draw.styled(0.15, 1)
    now["thigh_flex"][:, LEFT] += 34 * lift * draw.between(0.8, 1.2)
    now["knee"][:, LEFT] += 62 * lift * draw.between(0.8, 1.2)
    now["thigh_turn"][:, LEFT] += draw.near(8, 14)
    now["thigh_out"][:, LEFT] += draw.near(3, 4)
    now["pelvis_side"], now["pelvis_yaw"] = draw.near(1, 3), draw.near(0, 6)
    now["spine_yaw"], now["head_yaw"] = draw.near(8, 12), draw.near(10, 22)
    return flat_feet(now) | {"ankle": now["knee"] - now["thigh_flex"] - _only_left(20 * lift)}


def sit(draw: Draw) -> Angles:
    """Sitting, hands on the thighs or in the lap; the style leans back to forward."""
    now = _relaxed(draw)
    now["pelvis_lean"], now["spine_lean"] = draw.styled(-13, 6), draw.styled(2, 28) + draw.near(0, 4)
    now["thigh_flex"], now["knee"] = draw.pair(84, 6), draw.pair(86, 11)
    now["thigh_out"], now["thigh_turn"] = draw.pair(8, 5), draw.pair(5, 5)
    now["ankle"] = now["knee"] - now["thigh_flex"] + draw.pair(0, 5)
    now["shoulder_flex"], now["shoulder_out"] = draw.pair(26, 8), draw.pair(12, 4)
    now["shoulder_turn"], now["elbow"] = draw.pair(24, 9), draw.pair(62, 13)
    now["pronation"] = draw.pair(55, 12)
    return now


def _upright(draw: Draw, walking: float = 0.6) -> Angles:
    """Walking with a probability, else standing, each of the draw's style."""
    moving, still, chosen = walk(draw), stand(draw), draw.chance(walking)
    return {name: np.where(chosen if m.ndim == 1 else chosen[:, None], m, still[name]) for name, m in moving.items()}


def _arm(
    now: Angles, side: int | slice, draw: Draw, flex: float, out: float, turn: float, elbow: float, spread: float
) -> Angles:
    """Put an arm, or both, near given angles."""
    for name, mean in (("shoulder_flex", flex), ("shoulder_out", out), ("shoulder_turn", turn), ("elbow", elbow)):
        now[name][:, side] = draw.pair(mean, spread)[:, side]
    return now


def carry(draw: Draw) -> Angles:
    """Something in the crook of the left arm, or held before the body in both; half of the carriers hold a bag down."""
    now = _upright(draw)
    one, two = (_arm(_copy(now), side, draw, 12, 10, 30, 88, 9) for side in (LEFT, BOTH))
    bag = _arm(_copy(now), LEFT, draw, 0, 13, 8, 6, 3)
    bag["clavicle"][:, LEFT] -= 3
    bag["spine_side"] = bag["spine_side"] + draw.near(4, 2)
    return _either(draw.between(0, 1), (bag, one, two), (0.5, 0.8))


def phone(draw: Draw) -> Angles:
    """A telephone at the left ear, or held before the chest and looked at."""
    now = _upright(draw)
    ear = _arm(_copy(now), LEFT, draw, 38, 22, 30, 138, 5)
    ear["head_side"], ear["head_lean"] = draw.near(-5, 4), draw.near(3, 5)
    look = _arm(_copy(now), LEFT, draw, 30, 10, 32, 98, 7)
    look["head_lean"] = draw.near(28, 6)
    look["head_yaw"] = draw.near(3, 6)
    return _either(draw.between(0, 1), (ear, look), (0.5,))


def pockets(draw: Draw) -> Angles:
    """Hands in the pockets, both or the left."""
    now = _upright(draw, walking=0.5)
    both, one = (_arm(_copy(now), side, draw, -14, 19, 28, 42, 4) for side in (BOTH, LEFT))
    return _either(draw.between(0, 1), (both, one), (0.7,))


def crossed(draw: Draw) -> Angles:
    """Standing with folded arms."""
    now = _arm(stand(draw), BOTH, draw, 24, 8, 62, 97, 5)
    now["shoulder_flex"][:, LEFT] += 4
    return now


def reach(draw: Draw) -> Angles:
    """The left arm points or reaches at something; the style raises it from the hip to above the head."""
    now = _upright(draw, walking=0.25)
    now = _arm(now, LEFT, draw, 0, 20, 5, 14, 8)
    now["shoulder_flex"][:, LEFT] = draw.styled(35, 135)
    now["shoulder_out"][:, LEFT] += draw.near(8, 14)
    now["clavicle"][:, LEFT] += draw.styled(0, 14)
    now["spine_yaw"] = now["spine_yaw"] + draw.near(-5, 8)
    now["elbow"] = np.maximum(now["elbow"], 2)
    return now


def lean(draw: Draw) -> Angles:
    """Bending at the hips and back towards something low; the style is how far."""
    now = stand(Draw(draw.rng, draw.style / 2))
    bend = draw.styled(0.2, 1)
    now["pelvis_lean"], now["spine_lean"] = 15 * bend, 55 * bend + draw.near(0, 4)
    now["head_lean"] = draw.near(10, 8)
    now["thigh_flex"] = now["thigh_flex"] - 8 * bend[:, None]
    now["knee"] = now["knee"] + (18 * bend * draw.between(0, 1))[:, None]
    # Arms hang from a bent trunk.
    now["shoulder_flex"] = draw.pair(8, 14) + 60 * bend[:, None]
    return flat_feet(now)


def crouch(draw: Draw) -> Angles:
    """Squatting down with the hands before the knees; the style is how deep."""
    now = _relaxed(draw)
    deep = draw.styled(0.45, 1)[:, None]
    now["thigh_flex"], now["knee"] = 92 * deep + draw.pair(0, 4), 112 * deep + draw.pair(0, 4)
    now["thigh_out"], now["thigh_turn"] = draw.pair(10, 4), draw.pair(12, 5)
    now["pelvis_lean"], now["spine_lean"] = 12 * deep[:, 0], 38 * deep[:, 0] + draw.near(0, 4)
    now["shoulder_flex"], now["elbow"] = draw.pair(38, 14) + 20 * deep, draw.pair(45, 18)
    now["shoulder_turn"] = draw.pair(15, 8)
    return flat_feet(now)


def ride(draw: Draw) -> Angles:
    """On a bicycle, hands on the bar; the style leans from upright to sporty."""
    now = _relaxed(draw)
    turn = 2 * np.pi * (draw.between(0, 1)[:, None] + np.array([0.0, 0.5]))
    now["pelvis_lean"], now["spine_lean"] = draw.styled(3, 14), draw.styled(8, 40)
    now["head_lean"] = -draw.styled(2, 30) + draw.near(0, 4)
    # Thigh 20 to 65 forward and knee 30 to 108 over a turn of the crank: Ericson et al. 1988, "Joint motions of the
    # lower limb during ergometer cycling", Journal of Orthopaedic & Sports Physical Therapy 9.
    now["thigh_flex"] = draw.pair(44, 3) + 22 * np.cos(turn)
    now["knee"] = draw.pair(70, 4) + 38 * np.cos(turn - 0.4)
    now["ankle"] = draw.pair(4, 4) - 10 * np.sin(turn)
    now["thigh_out"] = draw.pair(3, 2)
    now = _arm(now, BOTH, draw, 62, 14, 18, 22, 5)
    now["shoulder_flex"] = now["shoulder_flex"] + draw.styled(-8, 20)[:, None]
    return now


def wave(draw: Draw) -> Angles:
    """Waving with the left hand beside or above the head; the style raises the elbow."""
    now = _arm(stand(draw), LEFT, draw, 30, 62, -62, 78, 8)
    now["shoulder_out"][:, LEFT] += draw.styled(-12, 12)
    return now


def push(draw: Draw) -> Angles:
    """Walking behind a pram or a trolley, both hands on its bar; the style is the stride."""
    now = _arm(walk(draw), BOTH, draw, 28, 10, 12, 52, 6)
    now["spine_lean"] = now["spine_lean"] + draw.near(6, 3)
    return now


def _copy(now: Angles) -> Angles:
    return {name: value.copy() for name, value in now.items()}


def _only_left(value: np.ndarray) -> np.ndarray:
    """(N, 2) of (N,): nothing on the right."""
    return np.stack([value, np.zeros_like(value)], axis=1)


def _either(chance: np.ndarray, options: tuple[Angles, ...], ends: tuple[float, ...]) -> Angles:
    """For each pose the option in whose interval, up to its end in [0, 1), its chance falls."""
    which, rows = np.searchsorted(ends, chance, side="right"), np.arange(len(chance))
    return {name: np.stack([option[name] for option in options])[which, rows] for name in options[0]}


Motion = Callable[[Draw], Angles]
