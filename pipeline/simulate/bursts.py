"""Render a simulated camera's frames burst by burst, as shards that workers share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.camera import Camera, GroundPlane

if TYPE_CHECKING:
    from pipeline.simulate import Burst, Simulation


@dataclass(frozen=True)
class BurstJob:
    """One burst of a simulated camera, rendered below `folder`."""

    simulation: Simulation
    camera: Camera
    plane: GroundPlane
    burst: Burst
    folder: Path

    @property
    def name(self) -> str:
        """As the user reads it."""
        return f"burst {self.burst.index}"

    @property
    def truth(self) -> Path:
        """Written after the burst's last frame."""
        return self.folder / "truth" / f"part-{self.burst.index:05d}.parquet"


def burst_shard(job: BurstJob) -> None:
    """Render a burst's frames and write its truth."""
    from pipeline.simulate import render_burst

    render_burst(job.simulation, job.camera, job.plane, job.burst, job.folder / "frames/images", job.truth)
