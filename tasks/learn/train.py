"""Train: any network in a run folder; what it learns from is made first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import luigi

from data_manifest import CAMERAS
from models.contract import Given, OwnCamera, Shards, Spec, TrainOptions, find
from models.launch import given_of, run_training, start_of
from readers.texts import expanded
from tasks.common.configuration import walt3d
from tasks.common.console import Report
from tasks.common.settings import collect, declare
from tasks.common.stage import Stage, data_root_of
from tasks.common.variants import DEFAULT, DataSet, taken
from tasks.compose import GenerateClipArt
from tasks.learn.training_data import task_of
from tasks.reconstruct import ReconstructPeople, ReconstructVehicles

# What a network that learns from a camera's own objects reads of its job.
_OBJECTS: dict[str, type[Stage]] = {"vehicle": ReconstructVehicles, "person": ReconstructPeople}


class Learning(luigi.Task):
    """A network, a training's options, and what both are made of; what Train and Evaluate share."""

    model = luigi.Parameter(default="vehicle_keypoints", description="a network of models/, or an installed one")
    camera = luigi.Parameter(default="cam07", description="camera whose clip-art it learns from, if it learns from any")
    variant = luigi.Parameter(default="", description="name of that data set, else the one that is there")
    run_name = luigi.Parameter(default="", description="name of the run, else made of model, camera and preset")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")

    options_type: ClassVar[type]

    def __init_subclass__(cls, options: type | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if options is not None:
            cls.options_type = options
            declare(cls, options)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spec: Spec = find(self.model, f"make {type(self).__name__.lower()} MODEL=matting")
        self.chosen = self.spec.preset(self.options)
        start_of(self.spec, self.options)  # a mistake is told before anything is rendered
        if self.options.cameras and not self._cameras():
            raise ValueError(f"{self.model}: --cameras: expected ids with commas between, got {self.options.cameras!r}")
        self.given()

    @property
    def options(self) -> TrainOptions:
        """The training's."""
        return collect(self, self.options_type)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        options, own = self.options, isinstance(self.spec.source, Shards)
        parts = [self.model, "labels" if options.labels else self._clip_art] if own else [self.model]
        amodal = ["amodal"] if options.masks == "amodal" and not options.labels else []
        return data_root_of(self.data_root) / "runs" / (self.run_name or "-".join([*parts, options.preset, *amodal]))

    def sources(self) -> list[luigi.Task]:
        """What makes the data, unless human labels are given or they are there, and the cameras' objects in 3D."""
        made = [self._data] if isinstance(self._data, luigi.Task) else []
        return [*made, *(task for tasks in self._cameras().values() for task in tasks)]

    def given(self) -> Given:
        """What the network's data are read from. Raises ValueError for options that do not go together."""
        folder = expanded(self.manifests, "--manifests").resolve() if self.manifests else _manifests()
        data: Path | None = self._data_set.folder if self._data_set else self._data.folder if self._data else None
        root = data_root_of(self.data_root)
        cameras = [
            OwnCamera(root / name, name, folder, getattr(tasks[0], "network", None) if tasks else None)
            for name, tasks in self._cameras().items()
        ]
        return given_of(self.spec, self.options, data, cameras)

    @cached_property
    def _data(self) -> Any:
        """The task that makes what is learnt from, or the camera's data set that is there; None beside labels."""
        if self.options.labels:
            return None
        if isinstance(self.spec.source, Shards):
            there = taken(data_root_of(self.data_root) / self.camera, self.variant)
            return there or GenerateClipArt(camera=self.camera, data_root=self.data_root, manifests=self.manifests)
        task = task_of(self.spec)
        return task(data_root=self.data_root) if task else None

    @property
    def _data_set(self) -> DataSet | None:
        made = self._data
        return made.data_set if isinstance(made, GenerateClipArt) else made if isinstance(made, DataSet) else None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While it lasts, nobody removes a data set that is learnt from, nor makes again what a camera's objects are
        read from."""
        root = data_root_of(self.data_root)
        with ExitStack() as held:
            if self._data_set:
                held.enter_context(self._data_set.read())
                for name in self._cameras():
                    held.enter_context(DataSet(root / name, self._data_set.name).read())
            for task in (task for tasks in self._cameras().values() for task in tasks if isinstance(task, Stage)):
                held.enter_context(task.reading())
            yield

    @property
    def _clip_art(self) -> str:
        """The camera, and its data set where that is not the default one."""
        name = self._data_set.name if self._data_set else DEFAULT
        return self.camera if name == DEFAULT else f"{self.camera}-{name}"

    def _cameras(self) -> dict[str, list[Any]]:
        """Of each camera beside the first what makes what is read of it: its clip-art, unless that is there, or its
        objects in 3D."""
        kinds = self.spec.categories or tuple(_OBJECTS)
        here = {"data_root": self.data_root, "manifests": self.manifests}
        names = [name for name in self.options.cameras.split(",") if name]
        if isinstance(self.spec.source, Shards):
            root = data_root_of(self.data_root)
            return {n: [] if taken(root / n, self.variant) else [GenerateClipArt(camera=n, **here)] for n in names}
        return {name: [_OBJECTS[kind](camera=name, **here) for kind in kinds] for name in names}


def _manifests() -> Path:
    named = walt3d().manifests
    return expanded(named, "[walt3d] manifests").resolve() if named else CAMERAS


class Train(Learning, options=TrainOptions):
    """Train a network, or go on where a stopped run was; the run's folder is <data root>/runs/<run>."""

    def requires(self) -> list[luigi.Task]:
        """What it learns from."""
        return self.sources()

    def output(self) -> luigi.LocalTarget:
        """The weights, written when the last step is done."""
        return luigi.LocalTarget(str(self.folder / self.spec.trained))

    def complete(self) -> bool:
        """Whether the weights are there. Raises ValueError where they learnt from another data set than there is."""
        there, learnt = self._data_set, self._learnt_from()
        now = there.manifest.get("hash", "") if there else ""
        if there and now and learnt and learnt != now:
            raise ValueError(
                f"{self.folder}: this run learns from data set {learnt[:12]}, {there.folder} is {now[:12]}; choose "
                "another --run-name, or remove the run's folder"
            )
        return super().complete()

    def _learnt_from(self) -> str:
        """The hash that the run's configuration names; empty before it began, and where it names none."""
        about = self.folder / "config.json"
        return json.loads(about.read_text()).get("source", {}).get("data_set", "") if about.is_file() else ""

    def run(self) -> None:
        """Train, or go on; nobody removes the data set meanwhile."""
        report = Report(self, f"Train {self.model}", "steps")
        with self.reading():
            last = run_training(self.spec, self.options, self.given(), self.folder, report)
        report.close(", ".join(f"{name} {value:.3f}" for name, value in last.items() if name != "step"))
