"""The motions of people in a street, each a function of random samples that gives joint angles in degrees.

A motion's style in [0, 1) sets what is most its own: how far a walker strides, how much of the weight is on one leg.
The rest of a pose is sampled about the middle of a relaxed person. One-sided motions use the left arm or leg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.poses.angles import Angles, flat_feet, zeros
from models.poses.gait import RUN, WALK, series_at

LEFT, RIGHT, BOTH = 0, 1, slice(None)


@dataclass(frozen=True)
class Sample:
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
        """(N,) normal, clipped at 2.5 times the spread."""
        return mean + spread * np.clip(self.rng.standard_normal(len(self.style)), -2.5, 2.5)

    def pair(self, mean: float, spread: float) -> np.ndarray:
        """(N, 2) left and right: half of the variance is common to both."""
        own = np.stack([self.near(0, spread), self.near(0, spread)], axis=1)
        return mean + (self.near(0, spread)[:, None] + own) / np.sqrt(2)

    def chance(self, probability: float) -> np.ndarray:
        """(N,) bool."""
        return self.rng.random(len(self.style)) < probability


def _relaxed(sample: Sample) -> Angles:
    """The trunk, head and hanging arms of anyone upright."""
    now = zeros(len(sample.style))
    now["pelvis_lean"], now["spine_lean"] = sample.near(2, 3), sample.near(3, 5)
    now["spine_side"], now["spine_yaw"] = sample.near(0, 2), sample.near(0, 5)
    now["head_lean"], now["head_side"], now["head_yaw"] = sample.near(2, 9), sample.near(0, 4), sample.near(0, 18)
    now["clavicle"] = sample.pair(-1, 3)
    now["shoulder_flex"], now["shoulder_out"] = sample.pair(-1, 5), np.maximum(sample.pair(12, 3), 8)
    now["shoulder_turn"], now["elbow"] = sample.pair(8, 6), np.abs(sample.pair(18, 7))
    now["pronation"], now["wrist"] = sample.pair(15, 12), sample.pair(3, 8)
    return now


def stand(sample: Sample) -> Angles:
    """Standing; the style moves the weight onto the left leg: the right knee bends, its hip drops (contrapposto)."""
    now = _relaxed(sample)
    shift = sample.styled(0, 1)
    now["pelvis_side"] = -6 * shift + sample.near(0, 1)
    now["spine_side"] = 8 * shift + sample.near(0, 2)
    bend = np.abs(sample.pair(4, 3))
    bend[:, RIGHT] += 30 * shift * sample.between(0.7, 1.2)
    now["knee"], now["thigh_flex"] = bend, bend / 2 + sample.pair(0, 2)
    now["thigh_out"] = sample.pair(3, 2)
    now["thigh_out"] += np.stack([-5 * shift, 5 * shift], axis=1)
    now["thigh_turn"] = sample.pair(8, 5)
    return flat_feet(now)


def walk(sample: Sample) -> Angles:
    """Walking at any phase; the style lengthens the stride."""
    now = _relaxed(sample)
    phase = _phases(sample)
    swing = sample.styled(0.6, 1.2)
    for name in WALK:
        now[name] = series_at(WALK[name], phase, (swing * sample.between(0.92, 1.08))[:, None]) + sample.pair(0, 2)
    # A shorter stride keeps the stance knee where it is.
    now["knee"] = np.maximum(now["knee"], 1 + np.abs(sample.pair(0, 1)))
    now["toes"] = now["toes"] * 0.5
    now["thigh_out"], now["thigh_turn"] = sample.pair(-1, 2), sample.pair(6, 5)
    now["inversion"] = now["thigh_out"]
    turn = np.cos(2 * np.pi * phase[:, 0]) * swing
    rise = np.sin(2 * np.pi * phase[:, 0]) * swing
    # The leading side's hip is forward, the chest turns against it; the free side's hip drops.
    now["pelvis_yaw"], now["spine_yaw"] = -4 * turn + sample.near(0, 1), 10 * turn + sample.near(0, 3)
    now["pelvis_side"], now["spine_side"] = -3 * rise + sample.near(0, 1), 3 * rise + sample.near(0, 1.5)
    return _swing_arms(sample, now, phase, swing, mean=-8, reach=16, elbow=30)


def run(sample: Sample) -> Angles:
    """Running at any phase; the style is the pace."""
    now = _relaxed(sample)
    phase = _phases(sample)
    swing = sample.styled(0.6, 1.15)
    for name in RUN:
        now[name] = series_at(RUN[name], phase, (swing * sample.between(0.92, 1.08))[:, None]) + sample.pair(0, 3)
    now["knee"] = np.maximum(now["knee"], 5)
    now["toes"] = now["toes"] * 0.5
    now["thigh_out"], now["thigh_turn"] = sample.pair(-2, 2), sample.pair(4, 4)
    now["inversion"] = now["thigh_out"]
    turn = np.cos(2 * np.pi * phase[:, 0]) * swing
    now["pelvis_yaw"], now["spine_yaw"] = -6 * turn, 16 * turn + sample.near(0, 3)
    now["pelvis_lean"], now["spine_lean"] = sample.near(6, 2), sample.near(6, 3)
    return _swing_arms(sample, now, phase, swing, mean=-12, reach=32, elbow=88)


def _phases(sample: Sample) -> np.ndarray:
    """(N, 2) phases of the left and the right foot, the timing a little off between people and sides."""
    phase = sample.between(0, 1)[:, None] + np.array([0.0, 0.5]) + sample.pair(0, 0.008)
    return phase + sample.near(0, 0.012)[:, None] * np.sin(2 * np.pi * (phase + sample.between(0, 1)[:, None]))


def _swing_arms(
    sample: Sample, now: Angles, phase: np.ndarray, swing: np.ndarray, mean: float, reach: float, elbow: float
) -> Angles:
    """Arms that swing against their side's leg, `reach` to each side of the mean.

    Walking: shoulder 24 back to 8 forward, elbow 20 to 45, furthest back at the same foot's contact (Perry and
    Burnfield 2010, chapter 7).
    """
    forward = -np.cos(2 * np.pi * (phase + sample.near(0, 0.03)[:, None]))
    size = swing[:, None] * np.clip(sample.pair(1, 0.3), 0.1, 1.8)
    now["shoulder_flex"] = mean + reach * size * forward + sample.pair(0, 3)
    now["elbow"] = np.maximum(sample.pair(elbow, 7) + 12 * size * forward, 3)
    return now


def step(sample: Sample) -> Angles:
    """Turning on the spot, one foot lifted; the style is how high."""
    now = stand(Sample(sample.rng, np.zeros_like(sample.style)))
    lift = sample.styled(0.15, 1)
    now["thigh_flex"][:, LEFT] += 34 * lift * sample.between(0.8, 1.2)
    now["knee"][:, LEFT] += 62 * lift * sample.between(0.8, 1.2)
    now["thigh_turn"][:, LEFT] += sample.near(8, 14)
    now["thigh_out"][:, LEFT] += sample.near(3, 4)
    now["pelvis_side"], now["pelvis_yaw"] = sample.near(1, 3), sample.near(0, 6)
    now["spine_yaw"], now["head_yaw"] = sample.near(8, 12), sample.near(10, 22)
    return flat_feet(now) | {"ankle": now["knee"] - now["thigh_flex"] - _only_left(20 * lift)}


def sit(sample: Sample) -> Angles:
    """Sitting, hands on the thighs or in the lap; the style leans back to forward."""
    now = _relaxed(sample)
    now["pelvis_lean"], now["spine_lean"] = sample.styled(-13, 6), sample.styled(2, 28) + sample.near(0, 4)
    now["thigh_flex"], now["knee"] = sample.pair(84, 6), sample.pair(86, 11)
    now["thigh_out"], now["thigh_turn"] = sample.pair(8, 5), sample.pair(5, 5)
    now["ankle"] = now["knee"] - now["thigh_flex"] + sample.pair(0, 5)
    now["shoulder_flex"], now["shoulder_out"] = sample.pair(26, 8), sample.pair(12, 4)
    now["shoulder_turn"], now["elbow"] = sample.pair(24, 9), sample.pair(62, 13)
    now["pronation"] = sample.pair(55, 12)
    return now


def _upright(sample: Sample, walking: float = 0.6) -> Angles:
    """Walking with a probability, else standing, each of the sample's style."""
    moving, still, chosen = walk(sample), stand(sample), sample.chance(walking)
    return {name: np.where(chosen if m.ndim == 1 else chosen[:, None], m, still[name]) for name, m in moving.items()}


def _arm(
    now: Angles, side: int | slice, sample: Sample, flex: float, out: float, turn: float, elbow: float, spread: float
) -> Angles:
    """Put an arm, or both, near given angles."""
    for name, mean in (("shoulder_flex", flex), ("shoulder_out", out), ("shoulder_turn", turn), ("elbow", elbow)):
        now[name][:, side] = sample.pair(mean, spread)[:, side]
    return now


def carry(sample: Sample) -> Angles:
    """Something in the crook of the left arm, or held before the body in both; half of the carriers hold a bag down."""
    now = _upright(sample)
    one, two = (_arm(_copy(now), side, sample, 12, 10, 30, 88, 9) for side in (LEFT, BOTH))
    bag = _arm(_copy(now), LEFT, sample, 0, 13, 8, 6, 3)
    bag["clavicle"][:, LEFT] -= 3
    bag["spine_side"] = bag["spine_side"] + sample.near(4, 2)
    return _either(sample.between(0, 1), (bag, one, two), (0.5, 0.8))


def phone(sample: Sample) -> Angles:
    """A telephone at the left ear, or held before the chest and looked at."""
    now = _upright(sample)
    ear = _arm(_copy(now), LEFT, sample, 38, 22, 30, 138, 5)
    ear["head_side"], ear["head_lean"] = sample.near(-5, 4), sample.near(3, 5)
    look = _arm(_copy(now), LEFT, sample, 30, 10, 32, 98, 7)
    look["head_lean"] = sample.near(28, 6)
    look["head_yaw"] = sample.near(3, 6)
    return _either(sample.between(0, 1), (ear, look), (0.5,))


def pockets(sample: Sample) -> Angles:
    """Hands in the pockets, both or the left."""
    now = _upright(sample, walking=0.5)
    both, one = (_arm(_copy(now), side, sample, -14, 19, 28, 42, 4) for side in (BOTH, LEFT))
    return _either(sample.between(0, 1), (both, one), (0.7,))


def crossed(sample: Sample) -> Angles:
    """Standing with folded arms."""
    now = _arm(stand(sample), BOTH, sample, 24, 8, 62, 97, 5)
    now["shoulder_flex"][:, LEFT] += 4
    return now


def reach(sample: Sample) -> Angles:
    """The left arm points or reaches at something; the style raises it from the hip to above the head."""
    now = _upright(sample, walking=0.25)
    now = _arm(now, LEFT, sample, 0, 20, 5, 14, 8)
    now["shoulder_flex"][:, LEFT] = sample.styled(35, 135)
    now["shoulder_out"][:, LEFT] += sample.near(8, 14)
    now["clavicle"][:, LEFT] += sample.styled(0, 14)
    now["spine_yaw"] = now["spine_yaw"] + sample.near(-5, 8)
    now["elbow"] = np.maximum(now["elbow"], 2)
    return now


def lean(sample: Sample) -> Angles:
    """Bending at the hips and back towards something low; the style is how far."""
    now = stand(Sample(sample.rng, sample.style / 2))
    bend = sample.styled(0.2, 1)
    now["pelvis_lean"], now["spine_lean"] = 15 * bend, 55 * bend + sample.near(0, 4)
    now["head_lean"] = sample.near(10, 8)
    now["thigh_flex"] = now["thigh_flex"] - 8 * bend[:, None]
    now["knee"] = now["knee"] + (18 * bend * sample.between(0, 1))[:, None]
    # Arms hang from a bent trunk.
    now["shoulder_flex"] = sample.pair(8, 14) + 60 * bend[:, None]
    return flat_feet(now)


def crouch(sample: Sample) -> Angles:
    """Squatting down with the hands before the knees; the style is how deep."""
    now = _relaxed(sample)
    deep = sample.styled(0.45, 1)[:, None]
    now["thigh_flex"], now["knee"] = 92 * deep + sample.pair(0, 4), 112 * deep + sample.pair(0, 4)
    now["thigh_out"], now["thigh_turn"] = sample.pair(10, 4), sample.pair(12, 5)
    now["pelvis_lean"], now["spine_lean"] = 12 * deep[:, 0], 38 * deep[:, 0] + sample.near(0, 4)
    now["shoulder_flex"], now["elbow"] = sample.pair(38, 14) + 20 * deep, sample.pair(45, 18)
    now["shoulder_turn"] = sample.pair(15, 8)
    return flat_feet(now)


def ride(sample: Sample) -> Angles:
    """On a bicycle, hands on the bar; the style leans from upright to sporty."""
    now = _relaxed(sample)
    turn = 2 * np.pi * (sample.between(0, 1)[:, None] + np.array([0.0, 0.5]))
    now["pelvis_lean"], now["spine_lean"] = sample.styled(3, 14), sample.styled(8, 40)
    now["head_lean"] = -sample.styled(2, 30) + sample.near(0, 4)
    # Thigh 20 to 65 forward and knee 30 to 108 over a turn of the crank: Ericson et al. 1988, "Joint motions of the
    # lower limb during ergometer cycling", Journal of Orthopaedic & Sports Physical Therapy 9.
    now["thigh_flex"] = sample.pair(44, 3) + 22 * np.cos(turn)
    now["knee"] = sample.pair(70, 4) + 38 * np.cos(turn - 0.4)
    now["ankle"] = sample.pair(4, 4) - 10 * np.sin(turn)
    now["thigh_out"] = sample.pair(3, 2)
    now = _arm(now, BOTH, sample, 62, 14, 18, 22, 5)
    now["shoulder_flex"] = now["shoulder_flex"] + sample.styled(-8, 20)[:, None]
    return now


def wave(sample: Sample) -> Angles:
    """Waving with the left hand beside or above the head; the style raises the elbow."""
    now = _arm(stand(sample), LEFT, sample, 30, 62, -62, 78, 8)
    now["shoulder_out"][:, LEFT] += sample.styled(-12, 12)
    return now


def push(sample: Sample) -> Angles:
    """Walking behind a pram or a trolley, both hands on its bar; the style is the stride."""
    now = _arm(walk(sample), BOTH, sample, 28, 10, 12, 52, 6)
    now["spine_lean"] = now["spine_lean"] + sample.near(6, 3)
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


Motion = Callable[[Sample], Angles]
