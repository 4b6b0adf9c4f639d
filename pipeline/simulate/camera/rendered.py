"""An actor as one frame of the simulated camera has it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.core.mesh import Mesh
from pipeline.simulate.traffic.actors import ActorState


@dataclass
class RenderedActor:
    """An actor's own silhouette in a crop that may leave the frame.

    xy: the crop's top-left pixel; depth (h, w, 4) of each sample, inf beside it; seen (h, w, 4): nothing hides it.
    hits: triangle and barycentrics at `rows`, the flat indices of the samples that hit.
    """

    state: ActorState
    mesh: Mesh  # in the actor's own frame
    R: np.ndarray  # world from actor
    t: np.ndarray
    xy: tuple[int, int]
    depth: np.ndarray
    hits: dict = field(repr=False)
    rows: np.ndarray = field(repr=False)
    seen: np.ndarray = field(repr=False)

    def shared(self, size_hw: tuple[int, int]) -> tuple[slice, slice, slice, slice]:
        """Rows and columns of the frame, and of the crop, that they share."""
        (x, y), (h, w) = self.xy, self.depth.shape[:2]
        y0, y1, x0, x1 = max(y, 0), min(y + h, size_hw[0]), max(x, 0), min(x + w, size_hw[1])
        return slice(y0, y1), slice(x0, x1), slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
