"""DPAD, KLPNet's deep path aggregation detector (its section 3.1): boxes and classes of objects with linked keypoints.

A ResNeXt, the neck `DPAD` or another beside it, and a dense one-stage head whose boxes learn by CIoU, all of mmdet.
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

NECKS = ("DPAD", "PAFPN", "FPN")
DEPTHS = (14, 50, 101, 152)
FIRST_LEVEL = 3  # strides of 2 ** level


@dataclass(frozen=True)
class DpadSettings:
    """The network's shape, its loss and its classes; stored with its weights."""

    classes: str = field(
        default_factory=lambda: json.dumps(CATALOGUE.to_plain()), metadata={"help": "a link table's content as JSON"}
    )
    depth: int = field(default=14, metadata={"help": "layers of the ResNeXt: 14, 50, 101 or 152 (Table 6)"})
    base_channels: int = field(default=16, metadata={"help": "of its first stage, a quarter of what it gives"})
    groups: int = field(default=8, metadata={"help": "of its convolutions"})
    neck: str = field(default="DPAD", metadata={"help": "DPAD, PAFPN (PANet's) or FPN (Table 7)"})
    levels: int = field(default=5, metadata={"help": "of features, from level 3 on; the paper has 7"})
    channels: int = field(default=48, metadata={"help": "of the neck and the head"})
    convolutions: int = field(default=1, metadata={"help": "of each branch of the head"})
    side_px: int = field(default=256, metadata={"help": "sides of a training picture"})
    mosaic: float = field(default=0.5, metadata={"help": "training pictures that are made of four, a fraction"})

    def __post_init__(self) -> None:
        for name, known in (("neck", NECKS), ("depth", DEPTHS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"dpad: {name}: expected one of {', '.join(map(str, known))}, got {getattr(self, name)!r}"
                )
        if self.levels < 3:
            raise ValueError(f"dpad: levels: expected at least the backbone's three, got {self.levels}")
        if self.side_px % 32:
            raise ValueError(f"dpad: side_px: expected a multiple of 32, got {self.side_px}")

    @cached_property
    def table(self) -> ClassTable:
        """The classes."""
        return table_of(json.loads(self.classes), "dpad: classes")


_TINY = TrainSettings(
    steps=1500, batch=8, lr=1e-3, warmup=100, clip=10.0, evaluate_every=500, val_samples=96, workers=1, threads=1
)
_NET = DpadSettings()
_LARGE = DpadSettings(depth=50, base_channels=64, groups=32, levels=7, channels=256, convolutions=4, side_px=320)
PRESETS = {
    "tiny": Preset(_NET, _TINY),
    "pafpn": Preset(replace(_NET, neck="PAFPN"), _TINY),
    "fpn": Preset(replace(_NET, neck="FPN"), _TINY),
    "base": Preset(_LARGE, replace(_TINY, steps=30_000, batch=16, workers=12, threads=0, val_samples=240)),
    # From the first step on: published weights of its backbone are not read.
    "paper": Preset(replace(_LARGE, depth=101), replace(_TINY, steps=180_000, batch=4, lr=1e-4, workers=8, threads=0)),
}

SPEC = Spec(
    name="dpad",
    summary="boxes and classes of objects with linked keypoints, for klpnet to find these in",
    settings=DpadSettings,
    network="models.dpad.network:Dpad",
    data="models.dpad.data:splits",
    adapt="models.dpad.data:with_classes",
    presets=PRESETS,
    source=SOURCE,
    unit="frame",
    needs=(),
    gives=("class", "category", "score", "bbox_xywh"),
    best="recall",
    weights=Path(__file__).with_name("weights.safetensors"),
)
