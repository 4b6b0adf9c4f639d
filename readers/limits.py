"""How large what comes from outside may be: generous for real files, far below what a forged header may claim.

A limit is a setting: `[limits]` in luigi.cfg, or the environment variable WALT3D_ and its name in capitals, such as
WALT3D_PICTURE_MEGAPIXELS=400, which every program and every worker process sees.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


def _at_most(value: float, meaning: str) -> Any:
    return field(default=value, metadata={"help": meaning, "speed": True})


@dataclass(frozen=True)
class Limits:
    """What of each kind of file is read; MB are millions of bytes."""

    picture_megapixels: float = _at_most(128.0, "pixels of a picture or of a video's frame, millions")
    picture_mb: float = _at_most(512.0, "bytes of a picture's file")
    yaml_mb: float = _at_most(0.25, "bytes of a camera's manifest")
    yaml_values: float = _at_most(50_000.0, "values of a manifest, those of aliases counted each time")
    json_mb: float = _at_most(2000.0, "bytes of a JSON file of labels or detections")
    xml_mb: float = _at_most(500.0, "bytes of an XML file")
    csv_mb: float = _at_most(500.0, "bytes of a CSV file")
    pickle_mb: float = _at_most(1000.0, "bytes of a pickled body model")
    arrays_mb: float = _at_most(1000.0, "bytes of an .npz or .mat once it is unpacked")
    weights_mb: float = _at_most(16_000.0, "bytes of a file of weights or a checkpoint")
    mesh_mb: float = _at_most(500.0, "bytes of a CAD mesh")
    frames_millions: float = _at_most(100.0, "frames of one recording or simulation")


class TooLarge(ValueError):
    """What a file holds, or claims to hold, is above a limit."""


def variable(name: str) -> str:
    """The environment variable of a limit."""
    return f"WALT3D_{name.upper()}"


def limit(name: str) -> float:
    """A limit by its name. Raises ValueError where its variable holds no positive number."""
    default = next(one.default for one in fields(Limits) if one.name == name)
    text = os.environ.get(variable(name), "")
    try:
        value = float(text or str(default))
    except ValueError:
        value = math.nan
    if not value > 0:
        raise ValueError(f"{variable(name)}: expected a number above 0, got {text!r}")
    return value


def check(found: float, name: str, where: str, what: str) -> None:
    """Raise TooLarge, naming the setting, where what was found in `where` is above a limit, in its own unit."""
    most = limit(name)
    if not found <= most:
        raise TooLarge(
            f"{where}: {what}: expected at most {most:g}, found {found:.4g}; is it right, raise the limit: "
            f"{name} under [limits] of luigi.cfg, or {variable(name)}"
        )


def check_file(path: Path, name: str) -> None:
    """Raise TooLarge for a file above a limit in MB, FileNotFoundError where there is none."""
    check(path.stat().st_size / 1e6, name, str(path), "size in MB")


def read_bytes(path: Path, name: str) -> bytes:
    """All of a file that a limit in MB allows."""
    check_file(path, name)
    return path.read_bytes()
