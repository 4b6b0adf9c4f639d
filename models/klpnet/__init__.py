"""KLPNet: keypoints of objects of many classes on one map, and the links between them, without naming the keypoints.

Yi-Ge, Fan, Liu and Shen, Conditional Link Prediction of Category-Implicit Keypoint Detection (2020). Modules are called
as the paper calls its parts: `cklm`, `clpgm`, `lis`; DPAD is `models.dpad`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from models.contract import Preset, Spec, TrainSettings
from models.linked_objects import ClassTable
from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.link_table import table_of
from models.linked_objects.source import SOURCE

KINDS = ("implicit", "agnostic", "specific")
_LEVELS = 4


@dataclass(frozen=True)
class CklmSettings:
    """The stages that locate keypoints (section 3.2)."""

    input_px: int = field(default=96, metadata={"help": "sides of a crop, a multiple of 32"})
    widths: tuple[int, ...] = field(default=(32, 48, 64, 80), metadata={"help": "channels of a stage's four levels"})
    down_blocks: tuple[int, ...] = field(default=(1, 1, 1, 1), metadata={"help": "of the four levels down (Table 9)"})
    up_blocks: tuple[int, ...] = field(default=(1, 1, 1, 1), metadata={"help": "of the four levels up, finest first"})
    groups: int = field(default=0, metadata={"help": "of ResNeXt-form bottlenecks; 0 for plain residual blocks"})
    kernels: tuple[int, ...] = field(default=(7, 5, 3), metadata={"help": "cells of each stage's targets (Table 8)"})
    aggregate: bool = field(default=True, metadata={"help": "cross-stage feature aggregation (equations 2 and 3)"})
    offset_weight: float = field(default=1.0, metadata={"help": "Upsilon of equation 1, with Theta 1"})
    shared: bool = field(default=True, metadata={"help": "the map has the points of all objects of the class in view"})

    def __post_init__(self) -> None:
        if self.input_px % 32 or self.input_px <= 0:
            raise ValueError(f"klpnet: input_px: expected a multiple of 32, got {self.input_px}")
        if not self.kernels or any(k < 3 or not k % 2 for k in self.kernels):
            raise ValueError(f"klpnet: kernels: expected odd numbers from 3 on, one a stage, got {self.kernels}")
        for name in ("widths", "down_blocks", "up_blocks"):
            if len(getattr(self, name)) != _LEVELS:
                raise ValueError(
                    f"klpnet: {name}: expected one for each of {_LEVELS} levels, got {getattr(self, name)}"
                )

    @property
    def stages(self) -> int:
        """How many."""
        return len(self.kernels)


@dataclass(frozen=True)
class GraphSettings:
    """The graph that links keypoints (section 3.3)."""

    hidden: int = field(default=64, metadata={"help": "width of the layers"})
    latent: int = field(default=32, metadata={"help": "of a node's latent variables"})
    layers: int = field(default=4, metadata={"help": "of the encoder"})
    nodes: int = field(default=24, metadata={"help": "most peaks of a map that become nodes"})
    tau: float = field(default=1.0, metadata={"help": "of equation 5; all nodes have it, so that it cancels"})
    kl_weight: float = field(default=0.02, metadata={"help": "of the Kullback-Leibler divergence in equation 7"})
    stranger_weight: float = field(default=0.5, metadata={"help": "of equation 7's other branch, other classes' nodes"})
    role_weight: float = field(default=1.0, metadata={"help": "of the roles' cross-entropy, beside equation 7"})


@dataclass(frozen=True)
class KlpNetSettings:
    """All that the network's shape, its losses and its classes depend on; stored with its weights."""

    kind: str = field(default="implicit", metadata={"help": "implicit, or a baseline: " + ", ".join(KINDS[1:])})
    classes: str = field(
        default_factory=lambda: json.dumps(CATALOGUE.to_plain()), metadata={"help": "a link table's content as JSON"}
    )
    held_out: tuple[str, ...] = field(default=(), metadata={"help": "classes that training never sees"})
    unnamed: float = field(default=0.1, metadata={"help": "objects whose class is not told in training, a fraction"})
    cklm: CklmSettings = field(default_factory=CklmSettings)
    graph: GraphSettings = field(default_factory=GraphSettings)
    alpha: float = field(default=0.3, metadata={"help": "of the keypoints' loss (equation 8)"})
    beta: float = field(default=0.7, metadata={"help": "of the links' loss (equation 8)"})
    lis: bool = field(default=True, metadata={"help": "location instability strategy, when predicting"})
    feedback: float = field(default=0.0, metadata={"help": "weight of outliers as negatives of the maps"})
    mosaic: float = field(default=0.0, metadata={"help": "crops that show three others' pictures, too, a fraction"})

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"klpnet: kind: expected {', '.join(KINDS)}, got {self.kind!r}")
        for name in self.held_out:
            self.table.index(name)

    @cached_property
    def table(self) -> ClassTable:
        """The classes."""
        return table_of(json.loads(self.classes), "klpnet: classes")


_TINY = TrainSettings(
    steps=2400, batch=32, lr=2e-3, warmup=100, evaluate_every=600, val_samples=240, save_every=100, workers=1, threads=1
)
_NET = KlpNetSettings()
_GPU = TrainSettings(steps=60_000, batch=96, lr=1e-3, warmup=1000, ema=0.9995, val_samples=2048, workers=12)
_LARGE = CklmSettings(input_px=192, widths=(96, 144, 192, 256), down_blocks=(2, 2, 2, 2), up_blocks=(2, 1, 1, 1))


def _kernels(*kernels: int) -> KlpNetSettings:
    return replace(_NET, cklm=replace(_NET.cklm, kernels=kernels))


# The tables of the paper whose networks are trained anew; `python -m benchmarks.klpnet_study` runs them.
PRESETS = {
    "tiny": Preset(_NET, _TINY),
    "agnostic": Preset(replace(_NET, kind="agnostic", unnamed=0.0), _TINY),
    "specific": Preset(replace(_NET, kind="specific", unnamed=0.0), _TINY),
    "one_stage": Preset(_kernels(7), _TINY),
    "base": Preset(replace(_NET, cklm=_LARGE, graph=GraphSettings(hidden=256, latent=64)), _GPU),
    # Table 9's counts of blocks and 180 thousand steps with mosaics, on each of four devices; its crops and widths
    # are not told.
    "paper": Preset(
        replace(
            _NET,
            cklm=CklmSettings(
                input_px=256, widths=(256, 256, 512, 512), down_blocks=(3, 5, 2, 5), up_blocks=(4, 3, 5, 3), groups=32
            ),
            graph=GraphSettings(hidden=256, latent=64),
            mosaic=0.5,
        ),
        replace(_GPU, steps=180_000, batch=32, workers=8),
    ),
}

SPEC = Spec(
    name="klpnet",
    summary="keypoints of objects of many classes and the links between them, without naming the keypoints",
    settings=KlpNetSettings,
    network="models.klpnet.network:KlpNet",
    data="models.klpnet.data:splits",
    adapt="models.klpnet.data:adapted",
    presets=PRESETS,
    source=SOURCE,
    takes=("labels", "images", "backdrops"),
    unit="frame",
    needs=("bbox_xywh",),
    gives=("keypoints_2d", "keypoint_score", "keypoint_inferred", "keypoint_links", "link_score"),
    best="pck",
    weights=Path(__file__).with_name("weights.safetensors"),
    evaluate="models.klpnet.evaluate:main",
)
