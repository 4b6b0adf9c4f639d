"""Train: a network of models/ in a run folder, and the tasks that render what it learns from."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import luigi
import pyarrow.parquet as pq

from models.synthetic.car_views_plan import CarViewSettings, plan_views
from models.synthetic.people_plan import PeopleSettings, plan_people, plan_vehicles
from models.synthetic.vehicle_plan import CropSettings, plan_shards
from tasks.common.console import Report
from tasks.common.stage import data_root_of
from tasks.frames import INDEX
from tasks.learn.matting import MattingSamples
from tasks.learn.occlusion import OcclusionCrops
from tasks.learn.training_data import Drawings, DrawnData
from tasks.reconstruct import ReconstructVehicles


class RenderVehicleCrops(DrawnData, settings=CropSettings):
    """Vehicles and people drawn one by one under any light, and backdrops: what training crops are composed of."""

    prefix = "vehicle_crops"

    def drawings(self) -> Drawings:
        """All of one kind."""
        from models.synthetic.vehicle_shards import draw_vehicle_shard  # its ray caster loads for a second

        return [(draw_vehicle_shard, plan_shards(self.settings, self.folder))]


class RenderPeopleCrops(DrawnData, settings=PeopleSettings):
    """Dressed people drawn one by one in any pose and light, vehicles, backdrops: what crops of people are made of."""

    prefix = "people_crops"

    def drawings(self) -> Drawings:
        """Vehicles, then people."""
        from models.synthetic.people_shards import (
            draw_people_shard as draw_people,  # their ray caster loads for a second
        )
        from models.synthetic.vehicle_shards import draw_vehicle_shard as draw_vehicles

        settings, folder = self.settings, self.folder
        return [(draw_vehicles, plan_vehicles(settings, folder)), (draw_people, plan_people(settings, folder))]


class RenderCarViews(DrawnData, settings=CarViewSettings):
    """Car-render: vehicles of the fleet, each from cameras on an icosphere, and people and backdrops beside them."""

    prefix = "car_views"

    def drawings(self) -> Drawings:
        """All of one kind."""
        from models.synthetic.car_views import draw_view_shard  # its ray caster loads for a second

        return [(draw_view_shard, plan_views(self.settings, self.folder))]


# The task that makes each model's training data.
_DATA: dict[str, Callable[..., Any]] = {
    "vehicle_keypoints": RenderVehicleCrops,
    "matting": MattingSamples,
    "hmr": RenderPeopleCrops,
    "occlusion_net": RenderCarViews,
    "occlusion_classifier": OcclusionCrops,
}
_FROM_CAMERAS = ("occlusion_net",)


class Train(luigi.Task):
    """Train a network, or go on where a stopped run was; the run's folder is <data root>/runs/<run>."""

    model = luigi.Parameter(default="vehicle_keypoints", description="a network with a recipe in models/")
    preset = luigi.Parameter(default="tiny", description="tiny for two CPU cores, base for a GPU")
    run_name = luigi.Parameter(default="", description="name of the run, <model>-<preset> by default")
    steps = luigi.IntParameter(default=0, description="optimiser steps, else the preset's")
    init_from = luigi.Parameter(default="", description="weights to start from")
    labels = luigi.Parameter(default="", description="human labels to train on, in the formats that the model reads")
    images = luigi.Parameter(default="", description="folder of the labelled pictures, else the labels'")
    backdrops = luigi.Parameter(default="", description="folder of your own pictures to render vehicles before")
    cameras = luigi.Parameter(
        default="", description="cameras whose own vehicles it learns from, too, with commas between: occlusion_net"
    )
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recipe()  # an unknown model or preset is told before anything is drawn
        if self.cameras and self.model not in _FROM_CAMERAS:
            raise ValueError(f"Train: --cameras is read by {', '.join(_FROM_CAMERAS)} alone, not by {self.model}")
        if self.cameras and not self._cameras():
            raise ValueError(f"Train: --cameras: expected ids with commas between, got {self.cameras!r}")
        if self.cameras and self.labels:
            raise ValueError("Train: --cameras goes with rendered vehicles, not with --labels; expected one of them")

    def requires(self) -> list[Any]:
        """The model's data, unless human labels are given, and the cameras' vehicles in 3D."""
        data = [] if self.labels else [_DATA[self.model](data_root=self.data_root)]
        return [*data, *self._cameras()]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return data_root_of(self.data_root) / "runs" / (self.run_name or f"{self.model}-{self.preset}")

    def output(self) -> luigi.LocalTarget:
        """The weights, written when the last step is done."""
        return luigi.LocalTarget(str(self.folder / "weights.safetensors"))

    def run(self) -> None:
        """Train, or go on."""
        from models.train import train  # torch loads for seconds, other stages do without it

        recipe_of = self._recipe()
        network, settings = recipe_of.PRESETS[self.preset]
        if self.steps:
            settings = dataclasses.replace(settings, steps=self.steps)
        crops = Path() if self.labels else self.requires()[0].folder
        given: dict[str, Any] = {n: Path(v).expanduser().resolve() if v else None for n, v in self._files().items()}
        if self.cameras:
            sizes = [pq.read_table(task.folder / INDEX, columns=["height", "width"]) for task in self._cameras()]
            pairs = zip(self._cameras(), sizes, strict=True)
            given["cameras"] = [(task.folder, task.calibrated(size)[0], task.network()) for task, size in pairs]
        recipe = recipe_of.build(network, settings.seed, crops, **given)
        report = Report(self, f"Train {self.model}", "steps")
        last = train(recipe, settings, self.folder, progress=report)
        report.close(", ".join(f"{name} {value:.3f}" for name, value in last.items() if name != "step"))

    def _cameras(self) -> list[ReconstructVehicles]:
        return [
            ReconstructVehicles(camera=name, data_root=self.data_root, manifests=self.manifests)
            for name in self.cameras.split(",")
            if name
        ]

    def _files(self) -> dict[str, str]:
        names = ("init_from", "labels", "images", "backdrops")
        return {name: getattr(self, name) for name in names}

    def _recipe(self) -> Any:
        if self.model not in _DATA:
            raise ValueError(f"Train: expected --model of {', '.join(_DATA)}, got {self.model!r}")
        recipe = importlib.import_module(f"models.{self.model}.recipe")
        if self.preset not in recipe.PRESETS:
            raise ValueError(f"Train: expected --preset of {', '.join(recipe.PRESETS)}, got {self.preset!r}")
        return recipe
