"""ShowCutouts: what there is to compose with and why the rest was refused, as a page to open in a browser."""

from __future__ import annotations

import luigi

from pipeline.gallery.cutout_sheet import SheetSettings, write_cutout_sheet
from tasks.common.console import Report
from tasks.common.stage import Stage
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles

SHEET = "cutouts.html"


class ShowCutouts(Stage, settings=SheetSettings):
    """Write cutouts.html in the camera's folder: before composing, so that there is something to see without."""

    outputs = (SHEET,)
    shows_only = True

    def requires(self) -> list[luigi.Task]:
        """Cutouts with their place in the world, or why they have none."""
        return [self.clone(ReconstructVehicles), self.clone(ReconstructPeople)]

    def work(self, report: Report) -> str:
        """One page."""
        out = write_cutout_sheet(self.camera, self.folder, self.folder / SHEET, self.settings)
        return f"cutouts by time bucket and refusals by reason are in {out}"
