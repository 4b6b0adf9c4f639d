"""What things are made of: woods, metals, plastics, cloths and paints, sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.simulate.vehicles.parts import Material
from pipeline.simulate.vehicles.wide.looks import any_colour

_WOODS = ((0.30, 0.17, 0.08), (0.16, 0.08, 0.04), (0.45, 0.30, 0.16), (0.07, 0.04, 0.025), (0.55, 0.43, 0.28))
_METALS = ((0.30, 0.30, 0.31), (0.03, 0.03, 0.032), (0.12, 0.125, 0.13), (0.55, 0.55, 0.56), (0.02, 0.05, 0.03))


def _varied(colours: Sequence[Sequence[float]], gloss: float, rng: np.random.Generator) -> Material:
    colour = np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.7, 1.3) * rng.uniform(0.93, 1.07, 3)
    red, green, blue = (float(c) for c in np.clip(colour, 0.006, 0.85))
    return Material((red, green, blue), gloss)


def wood(rng: np.random.Generator) -> Material:
    """Oak to ebony."""
    return _varied(_WOODS, float(rng.uniform(0.0, 0.15)), rng)


def metal(rng: np.random.Generator) -> Material:
    """Bare, black, grey or dark green."""
    return _varied(_METALS, float(rng.uniform(0.1, 0.6)), rng)


def paint(rng: np.random.Generator, gloss: float = 0.3) -> Material:
    """Any hue; white, grey or black every other time."""
    if rng.random() < 0.5:
        return _varied(((0.75, 0.75, 0.74), (0.02, 0.02, 0.022), (0.2, 0.2, 0.21)), gloss, rng)
    return any_colour(rng, gloss)


def cloth(rng: np.random.Generator) -> Material:
    """Matte, of any hue, or leather with a shine."""
    return any_colour(rng, 0.0 if rng.random() < 0.75 else 0.25)


def any_finish(rng: np.random.Generator) -> Material:
    """One of them all."""
    return (wood, metal, paint, cloth)[int(rng.choice(4, p=[0.4, 0.2, 0.25, 0.15]))](rng)


def darker(material: Material, factor: float) -> Material:
    """The same in the shade, or brighter."""
    red, green, blue = (min(c * factor, 0.9) for c in material.albedo)
    return Material((red, green, blue), material.gloss, material.lamp)
