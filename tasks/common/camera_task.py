"""A task of one camera: its parameters, its settings, and a fingerprint of all that its bytes depend on.

Settings come from the command line, else the camera's manifest, else luigi.cfg, else the dataclass that declares them.
The fingerprint is a hash of them, of parts of the manifest, of the code's version and of the fingerprints upstream.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, ClassVar, Self, cast

import luigi

from data_manifest import CAMERAS, CameraEntry, load_camera
from readers.texts import expanded
from tasks.common.camera_settings import settings_for
from tasks.common.configuration import walt3d
from tasks.common.records import hash_of, shortened
from tasks.common.settings import Setting, collect, declare, identity


class CameraTask(luigi.Task):
    """A task of one camera, and all that its bytes depend on. Subclasses say `settings=` their dataclass."""

    camera = luigi.Parameter(description="id of the camera: a YAML of this name in data_manifest/cameras")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML, else data_manifest/cameras")
    cpus = luigi.IntParameter(default=0, significant=False, description="processes for shards, else [walt3d] cpus")
    redo = luigi.BoolParameter(
        significant=False, description="make again what is there with other settings; never a finished data set"
    )

    settings_type: ClassVar[type | None] = None
    settable: ClassVar[tuple[str, ...]] = ()  # parameters that a manifest's `settings` may give beside the settings
    version: ClassVar[int] = 1  # raised when the stage's code makes other bytes
    shows_only: ClassVar[bool] = False  # for people to look at: the bytes of no other stage depend on it

    def __init_subclass__(cls, settings: type | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if settings is not None:
            cls.settings_type = settings
            declare(cls, settings)

    @classmethod
    def get_param_values(cls, params: Any, args: Any, kwargs: Any) -> list[tuple[str, Any]]:
        """Luigi's, with what the camera's manifest gives."""
        values = dict(super().get_param_values(params, args, kwargs))
        entry = cls.entry_of(values["camera"], values["manifests"], values["data_root"])
        return list((values | settings_for(cls, entry, kwargs)).items())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entry: CameraEntry = self.entry_of(self.camera, self.manifests, self.data_root)
        self.settings: Any = self.configure()
        _ = self.fingerprint  # now: a mistake in any upstream task's settings is told before anything runs

    @classmethod
    def entry_of(cls, camera: str, manifests: str, data_root: str) -> CameraEntry:
        """The camera's manifest, whatever lies in the data root."""
        return camera_entry(camera, manifests or walt3d().manifests)

    def clone(self, cls: Any = None, **kwargs: Any) -> Any:
        """Another stage of the same camera, with settings of its own."""
        if cls is None:
            return super().clone(**kwargs)
        own = [name for name, one in cls.get_params() if not isinstance(one, Setting) and hasattr(self, name)]
        shared = {name: getattr(self, name) for name in own if name != "redo" or self.redo}
        return cls(**(shared | kwargs))

    def configure(self) -> Any:
        """The stage's settings, an instance of the dataclass it was declared with."""
        return collect(self, self.settings_type) if self.settings_type else None

    def depends_on(self) -> Any:
        """What beyond settings and upstream the bytes depend on, as JSON: parts of the manifest, files' stamps."""
        return None

    def identity(self) -> dict[str, Any] | None:
        """What of the settings the bytes depend on, as plain values."""
        return identity(self.settings) if self.settings else None

    @property
    def kind(self) -> str:
        """What it is called in fingerprints and to users; the same for all data sets of a camera."""
        return self.task_family

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the bytes depend on beside what is upstream."""
        return {"version": self.version, "settings": self.identity(), "depends_on": self.depends_on()}

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that the stage's bytes depend on."""
        upstream = {task.kind: task.fingerprint for task in self._read()}
        return hash_of({"stage": self.kind, **self.content, "upstream": upstream})

    @cached_property
    def upstream(self) -> list[Self]:
        """Every stage that this one reads, however far, the farthest first."""
        found: dict[Self, None] = {}
        for task in self._read():
            found |= dict.fromkeys([*task.upstream, task])
        return list(found)

    def _read(self) -> list[Self]:
        """The stages whose outputs this one reads itself."""
        return [task for task in cast(list[Self], luigi.task.flatten(self.requires())) if not task.shows_only]

    @cached_property
    def made_of(self) -> dict[str, Any]:
        """What the fingerprint is a hash of, by stage, the farthest upstream first."""
        return {task.kind: shortened(task.content | task._as_typed()) for task in [*self.upstream, self]}

    def _as_typed(self) -> dict[str, Any]:
        """The settings by the names that the command line and luigi.cfg have for them."""
        if type(self).identity is not CameraTask.identity:
            return {}
        return {"settings": {name: getattr(self, name) for name, _ in self._typed()}}

    def _typed(self) -> list[tuple[str, Setting]]:
        return [(name, one) for name, one in self.get_params() if isinstance(one, Setting) and not one.speed]

    @cached_property
    def options(self) -> dict[str, dict[str, Any]]:
        """By stage, the settings that are not the defaults and change the bytes."""
        chosen = {task.kind: task._chosen() for task in [*self.upstream, self]}
        return {kind: settings for kind, settings in chosen.items() if settings}

    def _chosen(self) -> dict[str, Any]:
        return {name: value for name, one in self._typed() if (value := getattr(self, name)) != one.default}


@lru_cache
def camera_entry(camera: str, manifests: str) -> CameraEntry:
    """The camera's manifest, read once; manifests: the folder, or empty for the project's."""
    return load_camera(camera, expanded(manifests, "--manifests").resolve() if manifests else CAMERAS)
