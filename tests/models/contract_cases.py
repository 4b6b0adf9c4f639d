"""What the contract's test needs of each network: tiny settings, tiny data, and pictures to predict on.

CASES[name] makes it, once a session: the function `case` of tests/models/<name>/case.py, of pytest's
tmp_path_factory. A network adds that file and touches nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

from models.contract import Given, Samples
from models.frames import Frame

Picture = Frame | np.ndarray


@dataclass(frozen=True)
class Case:
    """How one network is tried.

    settings: the Spec's settings, as small as the network works at all; given: tiny data that the Spec's `data` reads.
    pictures: two or more, one of them with at least two objects; where the network needs more than boxes of their
    objects they are Frames that hold it and `boxes` is None, else boxes (N, 4) xywh of each picture.
    identities: of a split what it may show, as actors, tracks, vehicles, people, source frames; those of training and
    of validation must be apart. training: the train settings of two steps on `given`, for a network that another
    library trains. shows: of a predictor numbers that its weights decide, where a network that learned nothing predicts
    nothing to tell weights apart by. lr and steps: with which one batch of `batch` samples is learnt by heart, after
    which the loss is at most `overfit` times that of the first weights.
    order: the largest difference that another order of the objects may make, in each column's own unit. mirror: of
    columns, by name, how far the prediction for a mirrored picture may be from the mirrored prediction with the weights
    that ship, in the column's unit (keypoints_2d: px, mean over keypoints; masks: one minus their overlap; states: the
    fraction that differ); columns not named are not compared.
    """

    settings: Any
    given: Given
    pictures: Sequence[Picture]
    boxes: Sequence[np.ndarray] | None = None
    identities: Callable[[Samples], Iterable[Hashable]] | None = None
    training: Any = None
    shows: Callable[[Any], np.ndarray] | None = None
    batch: int = 4
    steps: int = 60
    lr: float = 3e-3
    overfit: float = 0.5
    order: float = 1e-4
    mirror: Mapping[str, float] = field(default_factory=dict)


def _case_of(path: Path) -> Callable[[Any], Case]:
    found = spec_from_file_location(f"case_of_{path.parent.name}", path)
    assert found and found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module.case


CASES = {path.parent.name: _case_of(path) for path in sorted(Path(__file__).parent.glob("*/case.py"))}
