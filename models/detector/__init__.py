"""An instance segmenter of mmdet, trained on a camera's own clip-art or on frames with COCO labels.

`make train MODEL=detector CAMERA=cam07` trains one; the detector `mmdet` then finds the camera's people and vehicles
with it. mmengine's Runner trains it in place of the project's loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.contract import Preset, Shards, Spec
from models.scenes import WindowSettings


@dataclass(frozen=True)
class DetectorSettings:
    """The network's shape."""

    width: float = field(default=0.25, metadata={"help": "channels of CSPNeXt, of the large model's"})
    depth: float = field(default=0.167, metadata={"help": "blocks of CSPNeXt, of the large model's"})
    first_stage: int = field(default=1, metadata={"help": "finest stage that is used: 1 has a stride of 4 px"})
    channels: int = field(default=48, metadata={"help": "of the neck and the head"})
    convolutions: int = field(default=1, metadata={"help": "of each branch of the head"})

    def __post_init__(self) -> None:
        _check_positive(self, "width", "depth", "channels", "convolutions")
        if self.first_stage not in (1, 2):
            raise ValueError(f"detector: first_stage: expected 1 or 2, got {self.first_stage}")


@dataclass(frozen=True)
class DetectorTraining:
    """How it is trained; fields marked "speed" do not change what is learnt."""

    steps: int = field(default=700, metadata={"help": "optimiser steps"})
    batch: int = field(default=8, metadata={"help": "windows of a step, on each device"})
    lr: float = field(default=2e-3, metadata={"help": "AdamW's learning rate after the warm-up"})
    warmup: int = field(default=50, metadata={"help": "steps over which the rate rises linearly; a cosine follows"})
    weight_decay: float = field(default=0.05, metadata={"help": "of kernels; norms and biases have none"})
    ema: float = field(default=0.01, metadata={"help": "weight of a step in the moving average, which is kept"})
    bfloat16: bool = field(default=True, metadata={"help": "mixed precision; on CPUs without such units, slower"})
    seed: int = field(default=0, metadata={"help": "of the initial weights and of the windows"})
    save_every: int = field(default=100, metadata={"help": "steps between checkpoints", "speed": True})
    workers: int = field(default=1, metadata={"help": "processes that prepare windows", "speed": True})
    threads: int = field(default=0, metadata={"help": "torch threads on a CPU, else torch's choice", "speed": True})
    window: WindowSettings = field(default_factory=WindowSettings)

    def __post_init__(self) -> None:
        _check_positive(self, "steps", "batch", "lr", "save_every")


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) <= 0:
            raise ValueError(f"detector: {name}: expected more than 0, got {getattr(settings, name)}")


PRESETS = {
    "tiny": Preset(DetectorSettings(), DetectorTraining()),
    # RTMDet-Ins-s with one finer level.
    "base": Preset(
        DetectorSettings(width=0.5, depth=0.33, channels=128, convolutions=2),
        DetectorTraining(
            steps=20_000,
            batch=16,
            warmup=500,
            ema=5e-4,
            save_every=1000,
            workers=12,
            window=WindowSettings(side_px=640),
        ),
    ),
}

SPEC = Spec(
    name="detector",
    summary="people and vehicles of a camera's frames with their masks, learnt from its own clip-art",
    settings=DetectorSettings,
    network="models.detector.config:model_config",
    data="models.detector.pictures:splits",
    presets=PRESETS,
    source=Shards(),
    takes=("labels", "images", "masks"),
    unit="frame",
    needs=(),
    gives=("category", "score", "bbox_xywh", "mask_rle"),
    trained="weights.pth",
    train="models.detector.train:train",
    measure="models.detector.evaluate:measure",
    predictor="models.detector.predict:load",
)
