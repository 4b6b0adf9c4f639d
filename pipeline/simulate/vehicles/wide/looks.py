"""Paints, glass, lamps, rims and plates of one vehicle; sampled once, so that front and rear share no single cue.

Lenses of either end may be clear, smoked or coloured, lit or not; only shape and context tell front from rear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.vehicles.parts import (
    ALLOY,
    BRAKE_LIGHT,
    CHROME,
    GLASS,
    INDICATOR,
    PLASTIC,
    SHADOW,
    STEEL,
    TAIL_LIGHT,
    Material,
)

WHITE = Material((0.72, 0.72, 0.71), 0.4)
BLACK = Material((0.012, 0.012, 0.014), 0.5)
_SMOKED = (0.035, 0.033, 0.035)
_CLEAR = (0.36, 0.37, 0.39)
_DUST = np.array([0.23, 0.19, 0.14])


@dataclass(frozen=True)
class Plate:
    """A number plate: width and height in metres, and its ground colour."""

    width_m: float
    height_m: float
    ground: Material
    ink: Material


# Sizes: EU 520 x 110 and two lines of 280 x 200 mm, North America 305 x 152, Japan 330 x 165, Australia 372 x 134.
_PLATE_SIZES = ((0.52, 0.11), (0.28, 0.20), (0.305, 0.152), (0.33, 0.165), (0.372, 0.134))
_PLATE_GROUNDS = (Material((0.72, 0.72, 0.70), 0.15), Material((0.72, 0.50, 0.04), 0.15),
                  Material((0.02, 0.05, 0.30), 0.15), Material((0.02, 0.16, 0.07), 0.15), BLACK)  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """Materials of one vehicle's parts.

    tail, brake and signal are the rear lenses, front the headlights'; day: what shines beside the headlights by day, or
    None; dirt 0 clean to 1; rim: its fraction of the wheel; spokes 0: a disc.
    """

    paint: Material
    upper: Material  # roof and pillars
    lower: Material  # below the belt
    lip: Material  # sills and lower bumpers
    trim: Material  # grille surrounds, strips, rails
    mirror: Material
    glass: Material
    see_through: float  # how bright the far side shines through the glass; 0 for dark glass
    front: Material
    day: Material | None
    tail: Material
    brake: Material
    signal: Material
    reversing: Material
    rim: float
    spokes: int
    metal: Material
    plate_front: Plate | None
    plate_rear: Plate
    dirt: float


def sample_looks(paint: Material, rng: np.random.Generator, *, commercial: bool = False) -> Looks:
    """The looks of a vehicle of a paint; commercial ones have plainer trim, steel rims, and are dirtier."""
    finish = rng.choice(3, p=[0.78, 0.14, 0.08])  # as it is, matt, metallic mirror
    gloss = (paint.gloss, float(rng.uniform(0.0, 0.08)), float(rng.uniform(0.7, 0.95)))[finish]
    paint = Material(paint.albedo, gloss)
    second = any_colour(rng, gloss)
    two_tone = rng.choice(5, p=[0.72, 0.12, 0.06, 0.06, 0.04])
    upper = (paint, BLACK, WHITE, second, paint)[two_tone]
    lower = second if two_tone == 4 else paint
    trim = (PLASTIC, CHROME, paint)[rng.choice(3, p=[0.5, 0.3, 0.2])]
    glass, through = _glass(rng)
    rims = (ALLOY, STEEL, BLACK, CHROME, WHITE, Material((0.35, 0.24, 0.08), 0.5))
    weights = [0.25, 0.5, 0.1, 0.08, 0.05, 0.02] if commercial else [0.5, 0.15, 0.2, 0.08, 0.04, 0.03]
    spokes = int(
        rng.choice([0, 3, 4, 5, 6, 7, 8, 10, 12, 14], p=[0.18, 0.02, 0.05, 0.28, 0.1, 0.08, 0.09, 0.12, 0.05, 0.03])
    )
    front, day = _front_lens(rng)
    tail, brake, signal = _rear_lens(rng)
    plate = _plate(rng)
    mirrors = [0.1, 0.8, 0.06, 0.04] if commercial else [0.6, 0.2, 0.14, 0.06]
    return Looks(
        paint, upper, lower,
        lip=(PLASTIC, paint, second, trim)[rng.choice(4, p=[0.45, 0.45, 0.05, 0.05])],
        trim=trim,
        mirror=(paint, PLASTIC, BLACK, CHROME)[rng.choice(4, p=mirrors)],
        glass=glass, see_through=through, front=front, day=day, tail=tail, brake=brake, signal=signal,
        reversing=Material(_CLEAR, 0.6, Lamp.LIT_WHITE if rng.random() < 0.05 else Lamp.NONE),
        rim=float(rng.uniform(0.55, 0.68) if commercial else rng.uniform(0.58, 0.80)),
        spokes=0 if commercial and rng.random() < 0.7 else spokes,
        metal=rims[rng.choice(6, p=weights)],
        plate_front=plate if rng.random() < 0.85 else None,
        plate_rear=plate if rng.random() < 0.8 else _plate(rng),
        dirt=float(rng.beta(0.8, 2.0) if commercial else rng.beta(0.6, 3.5)),
    )  # fmt: skip


def any_colour(rng: np.random.Generator, gloss: float = 0.3) -> Material:
    """Any hue, dark to bright."""
    red, green, blue = (float(c) for c in rng.uniform(0.02, 0.72) * rng.uniform(0.08, 1.0, 3))
    return Material((red, green, blue), gloss)


def _glass(rng: np.random.Generator) -> tuple[Material, float]:
    """Dark, tinted or clear glass, and how bright what is behind it shines through."""
    kind = rng.choice(3, p=[0.4, 0.2, 0.4])
    if kind == 0:
        return GLASS, 0.0
    if kind == 1:
        tint = rng.uniform(0.01, 0.06) * rng.uniform(0.6, 1.0, 3)
        return Material((float(tint[0]), float(tint[1]), float(tint[2])), 0.8), float(rng.uniform(0.0, 0.08))
    return Material((0.03, 0.032, 0.034), 0.6), float(rng.uniform(0.08, 0.40))


def _front_lens(rng: np.random.Generator) -> tuple[Material, Material | None]:
    """Headlights: clear, smoked, yellowish or reddish; running lights of white or amber on some."""
    glass = (_CLEAR, _SMOKED, (0.40, 0.30, 0.08), (0.30, 0.05, 0.05))[rng.choice(4, p=[0.72, 0.15, 0.09, 0.04])]
    lit = rng.choice(3, p=[0.70, 0.26, 0.04])  # as at night only, dipped by day, red by day
    lens = Material(glass, 0.9, (Lamp.HEADLIGHT, Lamp.LIT_WHITE, Lamp.LIT_RED)[lit])
    day = (None, Lamp.LIT_WHITE, Lamp.LIT_AMBER, Lamp.LIT_RED)[rng.choice(4, p=[0.62, 0.28, 0.06, 0.04])]
    return lens, None if day is None else Material(_CLEAR, 0.8, day)


def _rear_lens(rng: np.random.Generator) -> tuple[Material, Material, Material]:
    """Tail, brake and indicator lenses: red and amber, all red, smoked or clear; tail lights lit by day on some."""
    kind = rng.choice(4, p=[0.45, 0.25, 0.12, 0.18])
    glass = (TAIL_LIGHT.albedo, TAIL_LIGHT.albedo, _SMOKED, _CLEAR)[kind]
    amber = (INDICATOR.albedo, TAIL_LIGHT.albedo, _SMOKED, _CLEAR)[kind]
    lit = (Lamp.TAIL_LIGHT, Lamp.LIT_RED, Lamp.LIT_WHITE)[rng.choice(3, p=[0.78, 0.18, 0.04])]
    return (
        Material(glass, TAIL_LIGHT.gloss, lit),
        Material(glass if kind else BRAKE_LIGHT.albedo, BRAKE_LIGHT.gloss, Lamp.BRAKE_LIGHT),
        Material(amber, INDICATOR.gloss, Lamp.INDICATOR_LEFT),
    )


def _plate(rng: np.random.Generator) -> Plate:
    width, height = _PLATE_SIZES[rng.choice(5, p=[0.5, 0.1, 0.2, 0.1, 0.1])]
    ground = _PLATE_GROUNDS[rng.choice(5, p=[0.66, 0.18, 0.06, 0.04, 0.06])]
    return Plate(width, height, ground, WHITE if ground.albedo[1] < 0.2 else BLACK)


def weathered(mesh: Mesh, dirt: float, rng: np.random.Generator) -> Mesh:
    """The mesh under dust and splashes, most near the ground; lamps and the underside keep their colours."""
    if dirt < 0.02:
        return mesh
    height = mesh.vertices[mesh.triangles, 2].mean(axis=1)
    reach = rng.uniform(0.35, 1.2)
    cover = dirt * (0.18 + 0.82 * np.exp(-((height / reach) ** 2))) * rng.uniform(0.6, 1.0, len(height))
    cover = np.where((mesh.lamp > 0) | (mesh.albedo.max(axis=1) <= SHADOW.albedo[0]), 0.3 * cover, cover)[:, None]
    dust = _DUST * rng.uniform(0.4, 1.3)
    albedo = mesh.albedo * (1 - cover) + dust * cover
    return replace(mesh, albedo=albedo.astype(np.float32), gloss=(mesh.gloss * (1 - cover[:, 0])).astype(np.float32))
