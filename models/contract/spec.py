"""A network's Spec: what the house knows of it before any of it is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from models.contract.sources import Collected, Rendered, Shards
from models.contract.training import Preset, TrainOptions

if TYPE_CHECKING:
    from pipeline.core.skeletons import Skeleton

MASKS = ("visible", "amodal")
_READ = ("labels", "images", "backdrops", "cameras", "masks")


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

    adapt: "module:function" from (settings, Given) to the settings as the data ask for them, as their classes.
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
    adapt: str = ""
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

    @property
    def unread(self) -> tuple[str, ...]:
        """What other networks learn from and this one has no use for, by the options' names."""
        return tuple(name for name in _READ if name not in self.takes)

    def preset(self, options: TrainOptions) -> Preset:
        """The preset that the options name, with what they change of it.

        Raises ValueError for an unknown preset and for options that this network does not read.
        """
        if options.preset not in self.presets:
            raise ValueError(f"{self.name}: expected --preset of {', '.join(self.presets)}, got {options.preset!r}")
        if options.masks not in ("", *MASKS):
            raise ValueError(f"{self.name}: expected --masks of {', '.join(MASKS)}, got {options.masks!r}")
        for unread in (name for name in self.unread if getattr(options, name)):
            reads = ", ".join(f"--{name}" for name in self.takes) or "none of these"
            raise ValueError(f"{self.name}: has no use for --{unread}; it reads {reads}")
        preset = self.presets[options.preset]
        positive = {"steps": options.steps, "lr": options.lr, "batch": options.batch_size}
        others = {"seed": options.seed, "workers": options.data_workers}
        changed = {n: v for n, v in positive.items() if v} | {n: v for n, v in others.items() if v >= 0}
        return preset._replace(train=dataclasses.replace(preset.train, **changed))

    def config(self, settings: Any) -> dict[str, Any]:
        """What `rebuilt` makes the network's settings from again; stored with its weights."""
        return {"model": self.name, "network": to_plain(settings)}

    def rebuilt(self, config: Mapping[str, Any], path: Path) -> Any:
        """The settings of a weights file's config.

        Raises ValueError, naming the file, where it holds another model's weights or settings this one does not know.
        """
        if config.get("model") != self.name:
            raise ValueError(f"{path}: expected weights of {self.name}, got those of {config.get('model')!r}")
        try:
            return from_plain(self.settings, config["network"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: weights of another version of {self.name} ({error})") from None


def to_plain(settings: Any) -> dict[str, Any]:
    """A dataclass of settings as plain values, those within it too.

    A field that was renamed is stored by its old name, which its metadata have as "formerly": files and stopped runs of
    the version before are the same as ever.
    """
    values = ((_stored_name(field), getattr(settings, field.name)) for field in dataclasses.fields(settings))
    return {name: to_plain(value) if dataclasses.is_dataclass(value) else value for name, value in values}


def _stored_name(field: dataclasses.Field) -> str:
    return str(field.metadata.get("formerly", field.name))


def from_plain(kind: type, plain: Mapping[str, Any]) -> Any:
    """A dataclass from what `to_plain` and JSON made of it; lists become tuples again. A field goes by either name."""
    hints = get_type_hints(kind)
    now = {_stored_name(field): field.name for field in dataclasses.fields(kind)}
    values = {
        name: from_plain(hints[name], value)
        if dataclasses.is_dataclass(hints.get(name))
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in ((now.get(stored, stored), value) for stored, value in plain.items())
    }
    return kind(**values)
