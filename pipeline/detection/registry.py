"""Detectors by their names: what one has to say of itself to be chosen by a manifest or a setting.

A new detector is one module of this folder with a `BACKEND`, or a package's entry point of the group `walt3d.detectors`
that names one. `detector: {backend: NAME, ...}` in a manifest, `detector` and `NAME_<setting>` in luigi.cfg under
[DetectObjects] then know it, and detections are made again when a setting that changes them does, or a file it reads.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from pipeline.core.instances import Detector
from pipeline.core.registry import choose, offered

GROUP = "walt3d.detectors"


@dataclass(frozen=True)
class Inputs:
    """What a detector may be made of beside its settings. Of single pictures nothing but their names is known.

    backgrounds: (H, W, 3) BGR uint8 by time bucket; frames: the FRAMES table; ignore (H, W) bool: where nothing is
    looked for, as burned-in captions.
    """

    camera: Camera | None = None
    plane: GroundPlane | None = None
    backgrounds: Mapping[str, np.ndarray] | None = None
    frames: pa.Table | None = None
    ignore: np.ndarray | None = None


@dataclass(frozen=True)
class Backend:
    """A detector before it is made.

    settings: a frozen dataclass of bool, int, float and str fields with defaults. Their metadata say what they mean
    ("help"), that one does not change what is found ("speed"), and that one is a file's path ("file": True, or a
    function that says whether a value is one). make: of settings and Inputs; libraries and weights are loaded there,
    not on import. needs: the fields of Inputs that it cannot do without; others may be None, camera and plane are:
    what does not hang on the calibration stays when that is corrected. complete: fills settings in before anything
    runs, of them and the folder of downloaded weights; it raises ValueError for what is missing.
    told: lines for people, said once before it runs: what of a file is left out, how a network's outputs are read.
    sure: score from which one picture is enough to believe that a vehicle is there; 0 where any find is. Of an empty
    street there are several, and what stands there all day is in most of them; a shadow is in one.
    """

    name: str
    make: Callable[[Any, Inputs], Detector]
    settings: type | None = None
    needs: tuple[str, ...] = ()
    complete: Callable[[Any, Path], Any] = field(default=lambda settings, weights: settings)
    told: Callable[[Any, Inputs], list[str]] = field(default=lambda settings, inputs: [])
    sure: float = 0.0

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"detector: name: expected a-z, 0-9 and _ only, got {self.name!r}")

    @property
    def metric(self) -> bool:
        """Whether what it finds hangs on the camera's calibration."""
        return bool({"camera", "plane"} & set(self.needs))

    def files(self, settings: Any) -> dict[str, str]:
        """The settings, by name, that name a file."""
        found = {}
        for one in dataclasses.fields(settings) if settings is not None else ():
            is_file, value = one.metadata.get("file"), getattr(settings, one.name)
            if is_file and value and (is_file is True or is_file(value)):
                found[one.name] = value
        return found


@cache
def backends() -> dict[str, Backend]:
    """Every detector by its name."""
    return offered(Backend, __package__, "BACKEND", GROUP)


def backend_of(name: str, where: str = "detector") -> Backend:
    """The detector of a name. Raises ValueError that names the known ones."""
    return choose(backends(), name, where)


def make_detector(name: str, settings: Any, inputs: Inputs) -> Detector:
    """The detector of a name. Raises ValueError where it needs what is not there."""
    backend = backend_of(name)
    missing = [one for one in backend.needs if getattr(inputs, one) is None]
    if missing:
        raise ValueError(
            f"detector {name}: expected {', '.join(backend.needs)}, got no {missing[0]}; run a camera's job with it"
        )
    return backend.make(settings, inputs)
