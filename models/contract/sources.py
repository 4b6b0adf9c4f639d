"""Where training data come from: a Source makes them, a training is given them, and they are read as samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipeline.core.storage import data_set_of, read_table

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from calibration.camera import Camera
    from models.topdown.keypoints import VehicleKeypoints


class Samples(Protocol):
    """Training or validation samples: item i >= 0, as large as one likes, is a pure function of (seed, split, i)."""

    def __getitem__(self, index: int) -> Mapping[str, Tensor]: ...


class Splits(NamedTuple):
    """What is learnt from and what is validated on; apart by identity and time, never by picture."""

    train: Samples
    val: Samples


@dataclass(frozen=True)
class OwnCamera:
    """A camera whose job is done: its folder of results, its id, the folder of its YAML, and what loads the network
    whose keypoints its vehicles were fitted to, what ships where it is None."""

    folder: Path
    camera_id: str
    manifests: Path
    keypoints: Callable[[], VehicleKeypoints] | None = None

    def calibrated(self) -> Camera:
        """Its camera, for frames as large as its job's. Raises ValueError as the manifest's loader does."""

        from data_manifest import load_camera

        index = read_table(self.folder / "frames" / "index.parquet", columns=["height", "width"])
        size_hw = index["height"][0].as_py(), index["width"][0].as_py()
        return load_camera(self.camera_id, self.manifests).calibrated(size_hw)[0]


@dataclass(frozen=True)
class Given:
    """What a training was given.

    data: the folder that the Source made, None where human labels take its place; the others as the options of their
    names have them, None or empty where they were not given.
    """

    data: Path | None = None
    labels: Path | None = None
    images: Path | None = None
    backdrops: Path | None = None
    cameras: tuple[OwnCamera, ...] = ()
    shards: Path | None = None
    masks: str = ""

    def named(self) -> dict[str, Any]:
        """By name what a run's configuration records of it; empty where nothing but the Source's data was given."""
        files = {n: getattr(self, n) for n in ("labels", "images", "backdrops")}
        names: dict[str, Any] = {name: path.name for name, path in files.items() if path is not None}
        names |= {"cameras": [camera.camera_id for camera in self.cameras]} if self.cameras else {}
        if self.shards is not None:
            names["source"] = {"data_set": data_set_of(self.shards)}
        return names | ({"masks": self.masks} if self.masks else {})


@dataclass(frozen=True)
class Rendered:
    """A Source that renders pictures in shards, by a task of its own.

    task: the Luigi task's name; prefix: of its folder below training/; settings: the task's options, a dataclass; jobs:
    of the settings and the folder the module-level functions that render a shard, each with its shards, whose `out` is
    the file; version: raised when the code renders other bytes.
    """

    task: str
    summary: str
    prefix: str
    settings: type
    jobs: Callable[[Any, Path], Sequence[tuple[Callable[[Any], int], Sequence[Any]]]]
    version: int = 1


@dataclass(frozen=True)
class Collected:
    """A Source that collects a table of each simulated training camera's tracks, by a task of its own.

    collect: of a camera's folder, and of the settings where there are any, a table; cameras: ids of bundled cameras;
    settings: the task's options, a dataclass; exact_masks: collect also gets, after the folder, the file of its tracks
    with the masks that mining decides by; the others as those of Rendered.
    """

    task: str
    summary: str
    prefix: str
    collect: Callable[..., pa.Table]
    cameras: tuple[str, ...] = ("cam03", "cam05")
    settings: type | None = None
    exact_masks: bool = False
    version: int = 1


@dataclass(frozen=True)
class Shards:
    """A Source that is a camera's own clip-art; `Given.shards` is its folder."""
