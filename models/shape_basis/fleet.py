"""Vehicles of a procedural fleet as models to learn from, resampled onto the shared envelope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from models.shape_basis.build import Example
from models.shape_basis.envelope import resample


class FleetVehicle(Protocol):
    """What a fleet's vehicle must have; mesh has vertices (V, 3) and triangles (T, 3), metres, vehicle frame."""

    @property
    def mesh(self) -> Any:
        """The whole vehicle's triangles."""

    @property
    def keypoints(self) -> np.ndarray:
        """(12, 3) in the order of VEHICLE_12."""

    @property
    def dims_lwh_m(self) -> Sequence[float]:
        """Length, width over mirrors, height."""


def fleet_models(
    group: str, bodies: Sequence[str], seeds: Iterable[int], make: Callable[[str, int], FleetVehicle]
) -> Iterator[Example]:
    """One model for each body type and seed; `make(body, seed)` gives the vehicle."""
    for seed in seeds:
        for body in bodies:
            vehicle = make(body, seed)
            vertices = np.asarray(vehicle.mesh.vertices, float)
            dense = resample(group, vertices, vehicle.mesh.triangles, vehicle.keypoints)
            yield Example(f"{body} {seed}", vehicle.keypoints, np.asarray(vehicle.dims_lwh_m, float), dense)
