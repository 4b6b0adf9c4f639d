"""Train without Luigi, as several processes need: `torchrun --nproc-per-node 4 -m models.launch --help`.

The data must be there already: `luigi --module tasks RenderVehicleCrops` makes those of vehicle_keypoints.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
from pathlib import Path

from models.train import train


def main(arguments: list[str] | None = None) -> None:
    """Train a model's preset on data in a run folder."""
    parser = argparse.ArgumentParser(prog="models.launch", description=main.__doc__)
    parser.add_argument("--model", default="vehicle_keypoints", help="a folder of models/ with a recipe")
    parser.add_argument("--preset", default="base")
    parser.add_argument("--data", type=Path, required=True, help="what the model's data task wrote")
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder; a stopped run goes on")
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps, else the preset's")
    given = parser.parse_args(arguments)
    recipe_of = importlib.import_module(f"models.{given.model}.recipe")
    if given.preset not in recipe_of.PRESETS:
        parser.error(f"--preset: expected {', '.join(recipe_of.PRESETS)}, got {given.preset!r}")
    network, settings = recipe_of.PRESETS[given.preset]
    if given.steps:
        settings = dataclasses.replace(settings, steps=given.steps)
    last = train(recipe_of.build(network, settings.seed, given.data), settings, given.folder)
    print(", ".join(f"{name} {value:.3f}" for name, value in last.items()), file=sys.stderr)


if __name__ == "__main__":
    main()
