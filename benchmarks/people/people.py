"""People of a finished job, fitted again in other ways than the job's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from calibration.camera import Camera, GroundPlane
from models.body_model import load_body
from models.poses import load_prior
from models.predictor import FramePredictor
from models.topdown import PersonPose
from pipeline.core.storage import read_parts
from pipeline.core.tables import CUTOUTS
from pipeline.reconstruction.outline_fit import ReconstructSettings, place_by_outline
from pipeline.reconstruction.people.stage import MetricPeopleSettings, facing_of, fit_people_rows, regress
from pipeline.reconstruction.people.types import RegressedPeople

METRIC = MetricPeopleSettings()
# The start of the refinement, taken as it is wherever the outline says that somebody stands.
UNREFINED = replace(METRIC, min_box_overlap=0.0, fit=replace(METRIC.fit, iterations=0, max_residual_fraction=1.0))


class Refit:
    """The person cutouts of a camera's folder with all that fits of them start from: `outlined`."""

    def __init__(self, camera_dir: Path, camera: Camera, plane: GroundPlane) -> None:
        columns = [name for name in CUTOUTS.names if not name.startswith(("sprite", "shadow", "halo"))]
        self.folder, self.camera, self.plane = camera_dir, camera, plane
        cutouts, tracks = read_parts(camera_dir / "cutouts", columns), pq.read_table(camera_dir / "tracks.parquet")
        self.outlined = place_by_outline("person", cutouts, tracks, camera, plane, ReconstructSettings())

    def regress(self, network: FramePredictor, pose: PersonPose | None = None) -> RegressedPeople:
        """What networks see in the cutouts' own frames."""
        frames = pq.read_table(self.folder / "frames" / "index.parquet")
        facing = facing_of(self.outlined.headings, self.plane)
        return regress(self.outlined.cutouts, frames, self.folder, self.camera, network, facing, pose)

    def fit(self, people: RegressedPeople, settings: MetricPeopleSettings) -> pa.Table:
        """RECONSTRUCTED from them, with the body that ships."""
        return fit_people_rows(self.outlined, people, self.camera, self.plane, load_body(), load_prior(), settings)


def stacked(table: pa.Table, column: str, *shape: int) -> np.ndarray:
    """(N, *shape) float64 of a column of lists without nulls."""
    return np.array(table[column].to_pylist(), float).reshape(-1, *shape)
