"""What every form of calibration can do; nothing is guessed from the numbers, what they mean is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from calibration.camera import Camera, GroundPlane
from calibration.forms.poses import METRES_PER_UNIT, Convention
from data_manifest.strict import Strict

Resolve = Callable[[Path], Path]
SizeHw = tuple[int, int]
Units = Literal["m", "cm", "mm", "ft"]
Axes = Literal["opencv", "opengl"]
Pose = Literal["world_to_camera", "camera_to_world"]
Up = Literal["z", "y", "x", "-z", "-y", "-x"]


class Form(Strict):
    """One way to say a calibration. `files`: its keys that name a file; `original`: the keys it always had."""

    files: ClassVar[tuple[str, ...]] = ()
    original: ClassVar[tuple[str, ...]] = ()

    def size_hw(self, resolve: Resolve) -> SizeHw | None:
        """(height, width) of the pictures that it is of, where it says so."""
        raise NotImplementedError

    def build(self, size_hw: SizeHw, resolve: Resolve) -> tuple[Camera, GroundPlane]:
        """Camera and ground plane, for pictures of this size unless it says its own; resolve: finds its files."""
        raise NotImplementedError

    def variants(self) -> Iterator[tuple[str, Form]]:
        """The same numbers read in other ways, the likeliest first, each with what a manifest would say of it."""
        return iter(())

    def named_files(self) -> list[tuple[str, Path]]:
        """Keys that name a file, with its path as it is written."""
        return [(key, path) for key in self.files if (path := getattr(self, key)) is not None]

    @model_serializer(mode="wrap")
    def _without_defaults(self, to_dict: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What a form could not say before it had the key stays the same: results of such calibrations stay valid.
        fields = type(self).model_fields
        return {
            key: value
            for key, value in to_dict(self).items()
            if key in self.original or getattr(self, key) != fields[key].default
        }


class Posed(Form):
    """How R and t are meant."""

    pose: Pose = "world_to_camera"
    axes: Axes = "opencv"
    up: Up = "z"
    units: Units = "m"

    @property
    def convention(self) -> Convention:
        """The same for the forms of calibration."""
        return Convention(self.pose, self.axes, self.up, METRES_PER_UNIT[self.units])

    def variants(self) -> Iterator[tuple[str, Form]]:
        """Every other way to mean R and t, those that change least first."""
        ways = {
            "pose": {"camera_to_world": "a camera-to-world matrix", "world_to_camera": "a world-to-camera matrix"},
            "axes": {"opengl": "a camera with OpenGL's axes", "opencv": "a camera with OpenCV's axes"},
            "up": {name: f"a world whose {name} axis points up" for name in ("z", "y", "-z", "-y")},
            "units": {"m": "metres", "mm": "millimetres"},
        }
        readings = []
        for values in product(*ways.values()):
            said = dict(zip(ways, values, strict=True))
            changed = {key: value for key, value in said.items() if value != getattr(self, key)}
            names = " of ".join(ways[key][value] for key, value in changed.items())
            readings.append((len(changed), f"{names} ({', '.join(f'{k}: {v}' for k, v in changed.items())})", changed))
        for number, words, changed in sorted(readings, key=lambda one: one[0]):
            if number:
                yield words, self.model_copy(update=changed)
