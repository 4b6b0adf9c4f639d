"""What a network declares so that the whole house can train, evaluate, load and run it: one folder a network.

A folder of models/ with a card.md is a network, and its `__init__` has a `SPEC`; so is what an installed package names
under the entry point group `walt3d.networks`. Tasks, make targets, `models.load` and the contract's test find it by its
Spec and by nothing else. Importing a Spec loads no torch: what needs it is named as "module:attribute" and loaded when
it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from models.contract.sources import Collected, Given, OwnCamera, Rendered, Samples, Shards, Splits
from models.contract.spec import MASKS, Spec
from models.contract.training import Preset, SteppedTraining, TrainOptions, TrainSettings
from pipeline.core.registry import by_name, choose, of_packages

__all__ = [
    "MASKS", "Collected", "Given", "OwnCamera", "Preset", "Progress", "Rendered", "Samples", "Shards", "Spec",
    "Splits", "SteppedTraining", "TrainOptions", "TrainSettings", "find", "load_object", "specs",
]  # fmt: skip
ENTRY_POINTS = "walt3d.networks"
Progress = Callable[[int, int], None]  # of what is done and of how much


def load_object(name: str) -> Any:
    """What a Spec names as "module:attribute"; the one place where the house imports by a string."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


@cache
def specs() -> dict[str, Spec]:
    """Every network by name: the folders of models/ with a card, and what installed packages name."""
    cards = sorted(Path(__file__).parents[1].glob("*/card.md"))
    modules = [importlib.import_module(f"models.{card.parent.name}") for card in cards]
    found = [(str(module.__file__), module.SPEC) for module in modules if hasattr(module, "SPEC")]
    return by_name(Spec, [*found, *of_packages(ENTRY_POINTS)])


def find(name: str, example: str = "") -> Spec:
    """The Spec of a network. Raises ValueError that names the known ones; example: what to type, with one of them."""
    known = specs()
    try:
        return choose(known, name, "network")
    except ValueError as error:
        raise ValueError(f"{error}; try `{example}`" if example else str(error)) from None
