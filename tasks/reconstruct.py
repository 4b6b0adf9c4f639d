"""ReconstructVehicles and ReconstructPeople: where each cutout stood in metres, how it was turned, how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import luigi
import pyarrow as pa

import models
from calibration.camera import Camera, GroundPlane
from models import hmr
from models.contract import find
from models.headers import check_header
from models.mm.configs import resolve_config
from models.shape_basis import load_bases
from models.topdown import load_pose
from models.topdown.keypoints import NETWORK, VehicleKeypoints, load_keypoints, predict_keypoints
from pipeline.core.storage import read_parts, read_table, write_table
from pipeline.core.tables import CUTOUTS, PIXELS
from pipeline.reconstruction.outline_fit import ReconstructSettings, place_by_outline
from pipeline.reconstruction.people import stage as metric_people
from pipeline.reconstruction.people.stage import MetricPeopleSettings
from pipeline.reconstruction.vehicles.stage import MetricSettings, fit_vehicle_rows
from readers.texts import expanded
from tasks.common.console import Report
from tasks.common.contents import digest
from tasks.common.settings import collect, declare
from tasks.common.stage import Stage
from tasks.frames import INDEX
from tasks.learn.networks import mmpose_stamps, pose_stamps
from tasks.mine import CUTOUTS as CUTOUTS_FOLDER
from tasks.mine import MineUnoccluded
from tasks.track import TRACKS

RECONSTRUCTED = "reconstructed"
# Not asked of models.body_model, which would load torch wherever tasks are listed.
FREE_BODY = Path(models.__file__).parent / "body_model" / "anny.npz"


@dataclass(frozen=True)
class FitSettings:
    """The outline's fit, and the one that takes its place: to keypoints, or of a body."""

    outline: ReconstructSettings
    metric: Any


class _Reconstruct(Stage):
    """What the two have in common; `place` takes the cutouts. Subclasses say `metric=` the second fit's dataclass."""

    metric_type: ClassVar[type]

    def __init_subclass__(cls, metric: type, **kwargs: Any) -> None:
        super().__init_subclass__(settings=ReconstructSettings, **kwargs)
        cls.metric_type = metric
        declare(cls, metric)

    unit = "cutouts"

    def requires(self) -> luigi.Task:
        """The cutouts."""
        return self.clone(MineUnoccluded)

    def configure(self) -> FitSettings:
        """Both fits' settings under one section."""
        return FitSettings(collect(self, ReconstructSettings), collect(self, self.metric_type))

    def depends_on(self) -> Any:
        """The calibration."""
        return self.entry.calibration_identity()

    def work(self, report: Report) -> str:
        """All cutouts of the category."""
        frames = read_table(self.folder / INDEX)
        columns = [name for name in CUTOUTS.names if name not in PIXELS]
        cutouts = read_parts(self.folder / CUTOUTS_FOLDER, columns)
        table, done = self.place(cutouts, frames, *self.calibrated(frames), report)
        write_table(self.folder / self.outputs[0], table)
        return f"{table['refusal'].null_count} of {table.num_rows} placed{done}"

    def place(
        self, cutouts: pa.Table, frames: pa.Table, camera: Camera, plane: GroundPlane, report: Report
    ) -> tuple[pa.Table, str]:
        """RECONSTRUCTED, and what else there is to say."""
        raise NotImplementedError


class ReconstructVehicles(_Reconstruct, metric=MetricSettings):
    """Vehicles as deformable shapes that stand on the ground, fitted to their keypoints; else as hulls."""

    outputs = (f"{RECONSTRUCTED}/vehicles-00000.parquet",)
    version = 8

    @property
    def weights(self) -> Path:
        """Of the keypoint network."""
        metric = self.settings.metric
        given = metric.keypoint_checkpoint if metric.keypoint_config else metric.keypoint_weights
        return expanded(given, "body_weights").resolve() if given else find(NETWORK).shipped

    def depends_on(self) -> Any:
        """The calibration, and the network, which is looked at before anything is made anew."""
        metric = self.settings.metric
        if not metric.keypoints:
            return super().depends_on()
        if metric.keypoint_config:
            files = "keypoint_config", metric.keypoint_config, "keypoint_checkpoint", metric.keypoint_checkpoint
            return [super().depends_on(), *mmpose_stamps("ReconstructVehicles", *files)]
        check_header(self.weights, NETWORK)
        return [super().depends_on(), digest(self.weights)]

    def network(self) -> VehicleKeypoints:
        """The one that ships, or one of mmpose."""
        metric = self.settings.metric
        if not metric.keypoint_config:
            return load_keypoints(self.weights)
        # mmpose loads for seconds.
        from models.topdown.vehicles import MmposeKeypoints

        config = resolve_config(metric.keypoint_config, "mmpose")
        return MmposeKeypoints(config, self.weights, metric.keypoint_map)

    def place(
        self, cutouts: pa.Table, frames: pa.Table, camera: Camera, plane: GroundPlane, report: Report
    ) -> tuple[pa.Table, str]:
        """By outline first; then by keypoints, where they hold."""
        settings, tracks = self.settings, read_table(self.folder / TRACKS)
        # First, for what is wrong with a network of one's own is told here.
        network = self.network() if settings.metric.keypoints else None
        outlines = report.part(0, 0.3, "outlines")
        outlined = place_by_outline("vehicle", cutouts, tracks, camera, plane, settings.outline, outlines)
        if network is None or not len(outlined.table):
            return outlined.table, ""
        points = predict_keypoints(
            outlined.cutouts, frames, self.folder, network, report.part(0.3, 0.6, "frames' keypoints")
        )
        table = fit_vehicle_rows(outlined, points, camera, plane, load_bases(), settings.metric)
        return table, f", {len(table) - table['shape'].null_count} by their keypoints"


class ReconstructPeople(_Reconstruct, metric=MetricPeopleSettings):
    """People as body meshes that stand on the ground, from a network's and refined to what is seen; else as hulls."""

    outputs = (f"{RECONSTRUCTED}/people-00000.parquet",)
    version = 7

    @property
    def networks(self) -> dict[str, Path]:
        """Of the mesh network and the body."""
        metric = self.settings.metric
        named = {"weights": metric.body_weights, "body": metric.body_model}
        given = {name: expanded(path, name).resolve() for name, path in named.items() if path}
        return {"weights": hmr.SPEC.shipped, "body": FREE_BODY} | given

    def depends_on(self) -> Any:
        """The calibration, and the networks and the body, which are looked at before anything is made anew."""
        metric = self.settings.metric
        if not metric.bodies:
            return super().depends_on()
        files = self.networks
        hmr.check_weights(files["weights"])
        if not files["body"].is_file():
            raise ValueError(f"[ReconstructPeople] body_model: {files['body']}: no such file")
        pose = pose_stamps("ReconstructPeople", metric.pose_model, metric.pose_checkpoint)
        return [super().depends_on(), *(digest(path) for path in files.values()), *pose]

    def place(
        self, cutouts: pa.Table, frames: pa.Table, camera: Camera, plane: GroundPlane, report: Report
    ) -> tuple[pa.Table, str]:
        """By outline first; then by body meshes, where they fit."""
        settings, tracks = self.settings, read_table(self.folder / TRACKS)
        metric = settings.metric
        pose = load_pose(metric.pose_model, metric.pose_checkpoint) if metric.bodies else None
        outlines = report.part(0, 0.2, "outlines")
        outlined = place_by_outline("person", cutouts, tracks, camera, plane, settings.outline, outlines)
        if not metric.bodies or not len(outlined.table):
            return outlined.table, ""
        # torch is looked for here and not where tasks are listed.
        from models.body_model import load_body
        from models.poses import load_prior

        files = self.networks
        facing = metric_people.facing_of(outlined.headings, plane)
        network = models.load(hmr.SPEC.name, files["weights"])
        found = metric_people.regress(outlined.cutouts, frames, self.folder, camera, network, facing, pose,
            report.part(0.2, 0.6, "frames' people"),
        )  # fmt: skip
        body, prior = load_body(files["body"] if metric.body_model else None), load_prior()
        table = metric_people.fit_people_rows(outlined, found, camera, plane, body, prior, metric,
            report.part(0.6, 1, "bodies"),
        )  # fmt: skip
        return table, f", {len(table) - table['smpl_theta'].null_count} by body meshes"
