"""What a network declares so that the whole house can train, evaluate, load and run it: one folder a network.

A folder of models/ with a card.md is a network, and its `__init__` has a `SPEC`; so is what an installed package names
under the entry point group `walt3d.networks`. Tasks, make targets, `models.load` and the contract's test find it by its
Spec and by nothing else. Importing a Spec loads no torch: what needs it is named as "module:attribute" and loaded when
it is used.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, get_type_hints

from pipeline.core.registry import by_name, choose, of_packages

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from calibration.camera import Camera
    from models.topdown.keypoints import VehicleKeypoints
    from pipeline.core.skeletons import Skeleton

ENTRY_POINTS = "walt3d.networks"
MASKS = ("visible", "amodal")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained; fields marked "speed" do not change what is learnt."""

    steps: int = field(default=3000, metadata={"help": "optimiser steps"})
    batch: int = field(default=64, metadata={"help": "samples of a step, on each device"})
    lr: float = field(default=2e-3, metadata={"help": "AdamW's learning rate after the warm-up"})
    warmup: int = field(default=100, metadata={"help": "steps over which the rate rises linearly; a cosine follows"})
    weight_decay: float = field(default=0.05, metadata={"help": "of matrices and kernels; norms and biases have none"})
    clip: float = field(default=1.0, metadata={"help": "largest norm of the gradient"})
    ema: float = field(default=0.998, metadata={"help": "decay of the moving average of the weights, which is kept"})
    bfloat16: bool = field(default=True, metadata={"help": "mixed precision; on CPUs without bfloat16 units, slower"})
    seed: int = field(default=0, metadata={"help": "of the initial weights, of the samples and of dropout"})
    evaluate_every: int = field(default=500, metadata={"help": "steps between evaluations"})
    val_samples: int = field(default=512, metadata={"help": "samples of an evaluation"})
    save_every: int = field(default=100, metadata={"help": "steps between checkpoints", "speed": True})
    workers: int = field(default=2, metadata={"help": "processes that prepare samples", "speed": True})
    threads: int = field(default=0, metadata={"help": "torch threads on a CPU, else torch's choice", "speed": True})

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "lr", "clip", "evaluate_every", "val_samples", "save_every"):
            if getattr(self, name) <= 0:
                raise ValueError(f"training: {name}: expected more than 0, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"training: ema: expected 0 <= ema < 1, got {self.ema}")


@dataclass(frozen=True)
class TrainOptions:
    """What a user may change of a training, by the same names in every command; 0 and "" leave it to the preset.

    batch_size and data_workers are `batch` and `workers` of the preset: luigi has options of those names.
    """

    preset: str = field(default="tiny", metadata={"help": "tiny for two CPU cores, base for a GPU"})
    steps: int = field(default=0, metadata={"help": "optimiser steps, else the preset's"})
    lr: float = field(default=0.0, metadata={"help": "learning rate after the warm-up, else the preset's"})
    batch_size: int = field(default=0, metadata={"help": "samples of a step, else the preset's"})
    seed: int = field(default=-1, metadata={"help": "of weights and samples, else the preset's"})
    data_workers: int = field(default=-1, metadata={"help": "processes that prepare samples, else the preset's"})
    init_from: str = field(default="", metadata={"help": "weights to start from"})
    labels: str = field(default="", metadata={"help": "human labels to train on, in the formats that the model reads"})
    images: str = field(default="", metadata={"help": "folder of the labelled pictures, else the labels'"})
    backdrops: str = field(default="", metadata={"help": "folder of your own pictures to render objects before"})
    cameras: str = field(default="", metadata={"help": "cameras whose own objects it learns from, commas between"})
    masks: str = field(default="", metadata={"help": "visible or amodal: which masks of clip-art are learnt"})


_READ = ("labels", "images", "backdrops", "cameras", "masks")


class Preset(NamedTuple):
    """Settings of the network and of its training."""

    network: Any
    train: Any


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
        import pyarrow.parquet as pq

        from data_manifest import load_camera

        index = pq.read_table(self.folder / "frames" / "index.parquet", columns=["height", "width"])
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
    settings: the task's options, a dataclass; the others as those of Rendered.
    """

    task: str
    summary: str
    prefix: str
    collect: Callable[..., pa.Table]
    cameras: tuple[str, ...] = ("cam03", "cam05")
    settings: type | None = None
    version: int = 1


@dataclass(frozen=True)
class Shards:
    """A Source that is a camera's own clip-art; `Given.shards` is its folder."""


@dataclass(frozen=True)
class Spec:
    """One network.

    name: of its folder; summary: one line of what it does. settings: dataclass of the network's shape and losses,
    stored with its weights. network: "module:class" of its `models.network.Network`. data: "module:function" from
    (settings, Given, seed) to Splits. presets: by name. source: where its training data come from. takes: those of
    TrainOptions' sources (labels, images, backdrops, cameras, masks) that it reads. unit: what one prediction is made
    of: a box, a frame. categories: of the objects that it is for, all where empty. needs and gives: columns, named as
    those of `objects`, that it reads of a frame's objects and fills in. best: the validation metric that says which
    checkpoint is best, with a minus where less is better. weights: what ships; trained: the file that ends a run.

    train, measure, predictor: "module:function" in place of the house's own, for a network of another library:
    train(spec, preset, given, folder, init_from=, progress=) -> metrics; measure(spec, preset, given, weights, device=,
    progress=) -> rows of a table; predictor(spec, weights, device) -> a callable like `models.predictor.Predictor`.
    evaluate: "module:main" from arguments to an exit code, for tables and plots of its own.
    """

    name: str
    summary: str
    settings: type
    network: str
    data: str
    presets: Mapping[str, Preset]
    source: Rendered | Collected | Shards | None = None
    takes: tuple[str, ...] = ()
    skeleton: Skeleton | None = None
    unit: str = "box"
    categories: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("bbox_xywh",)
    gives: tuple[str, ...] = ()
    best: str = "-loss"
    weights: Path | None = None
    trained: str = "weights.safetensors"
    train: str = ""
    measure: str = ""
    predictor: str = ""
    evaluate: str = ""

    @property
    def shipped(self) -> Path:
        """The weights that ship. Raises FileNotFoundError, which names the command that makes some, where none do."""
        if self.weights is None or not self.weights.is_file():
            at = f"{self.weights}: " if self.weights else ""
            raise FileNotFoundError(f"{at}no weights ship with {self.name}; `make train MODEL={self.name}` writes some")
        return self.weights

    def preset(self, options: TrainOptions) -> Preset:
        """The preset that the options name, with what they change of it.

        Raises ValueError for an unknown preset and for options that this network does not read.
        """
        if options.preset not in self.presets:
            raise ValueError(f"{self.name}: expected --preset of {', '.join(self.presets)}, got {options.preset!r}")
        if options.masks not in ("", *MASKS):
            raise ValueError(f"{self.name}: expected --masks of {', '.join(MASKS)}, got {options.masks!r}")
        for unread in (name for name in _READ if getattr(options, name) and name not in self.takes):
            reads = ", ".join(f"--{name}" for name in self.takes) or "none of these"
            raise ValueError(f"{self.name}: has no use for --{unread}; it reads {reads}")
        network, train = self.presets[options.preset]
        positive = {"steps": options.steps, "lr": options.lr, "batch": options.batch_size}
        others = {"seed": options.seed, "workers": options.data_workers}
        changed = {n: v for n, v in positive.items() if v} | {n: v for n, v in others.items() if v >= 0}
        return Preset(network, dataclasses.replace(train, **changed))

    def config(self, settings: Any) -> dict[str, Any]:
        """What `rebuilt` makes the network's settings from again; stored with its weights."""
        return {"model": self.name, "network": dataclasses.asdict(settings)}

    def rebuilt(self, config: Mapping[str, Any], path: Path) -> Any:
        """The settings of a weights file's config.

        Raises ValueError, naming the file, where it holds another model's weights or settings this one does not know.
        """
        if config.get("model") != self.name:
            raise ValueError(f"{path}: expected weights of {self.name}, got those of {config.get('model')!r}")
        try:
            return from_plain(self.settings, config["network"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: weights of another version of {self.name} ({error})") from None


def from_plain(kind: type, plain: Mapping[str, Any]) -> Any:
    """A dataclass from what `dataclasses.asdict` and JSON made of it; lists become tuples again."""
    hints = get_type_hints(kind)
    values = {
        name: from_plain(hints[name], value)
        if dataclasses.is_dataclass(hints.get(name))
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in plain.items()
    }
    return kind(**values)


def load_object(name: str) -> Any:
    """What a Spec names as "module:attribute"; the one place where the house imports by a string."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


@cache
def specs() -> dict[str, Spec]:
    """Every network by name: the folders of models/ with a card, and what installed packages name."""
    cards = sorted(Path(__file__).parent.glob("*/card.md"))
    modules = [importlib.import_module(f"models.{card.parent.name}") for card in cards]
    found = [(str(module.__file__), module.SPEC) for module in modules if hasattr(module, "SPEC")]
    return by_name(Spec, [*found, *of_packages(ENTRY_POINTS)])


def find(name: str) -> Spec:
    """The Spec of a network. Raises ValueError that names the known ones."""
    return choose(specs(), name, "network")
