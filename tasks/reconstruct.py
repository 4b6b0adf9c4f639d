"""ReconstructVehicles and ReconstructPeople: where each cutout stood in metres, how it was turned, how large it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import luigi
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.reconstruct import ReconstructSettings, reconstruct_people, reconstruct_vehicles
from pipeline.storage import read_parts, write_table
from pipeline.tables import CUTOUTS
from tasks.console import Report
from tasks.frames import INDEX
from tasks.mine import CUTOUTS as CUTOUTS_FOLDER
from tasks.mine import MineUnoccluded
from tasks.stage import Stage
from tasks.track import TRACKS

RECONSTRUCTED = "reconstructed"
_PIXELS = {"sprite", "sprite_xy", "shadow", "shadow_xy"}


class _Reconstruct(Stage):
    """What the two have in common; `fit` takes the cutouts of its category."""

    unit = "cutouts"
    fit: ClassVar[Callable[..., pa.Table]]

    def requires(self) -> luigi.Task:
        """The cutouts."""
        return self.clone(MineUnoccluded)

    def depends_on(self) -> Any:
        """The calibration."""
        return self.entry.manifest.model_dump(mode="json")["calibration"]

    def work(self, report: Report) -> str:
        """All cutouts of the category."""
        camera, plane = self.calibrated(pq.read_table(self.folder / INDEX, columns=["height", "width"]))
        columns = [name for name in CUTOUTS.names if name not in _PIXELS]
        cutouts = read_parts(self.folder / CUTOUTS_FOLDER, columns)
        tracks = pq.read_table(self.folder / TRACKS)
        table = type(self).fit(cutouts, tracks, camera, plane, self.settings, report)
        write_table(self.folder / self.outputs[0], table)
        return f"{table['refusal'].null_count} of {table.num_rows} placed"


class ReconstructVehicles(_Reconstruct, settings=ReconstructSettings):
    """Vehicles as boxes with a heading."""

    outputs = (f"{RECONSTRUCTED}/vehicles-00000.parquet",)
    fit = staticmethod(reconstruct_vehicles)


class ReconstructPeople(_Reconstruct, settings=ReconstructSettings):
    """People by foot point and height."""

    outputs = (f"{RECONSTRUCTED}/people-00000.parquet",)
    fit = staticmethod(reconstruct_people)
