"""How a network is trained: its settings, those that a command may change, and the presets that name both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


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
class SteppedTraining(TrainSettings):
    """With a learning rate that falls by steps, as detectors' schedules do."""

    decays: tuple[float, ...] = field(
        default=(), metadata={"help": "fractions of the run at which the rate falls to a tenth; none: half a cosine"}
    )


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
    verify: bool = field(default=True, metadata={"help": "compare what is learnt from with its hashes first"})
    masks: str = field(default="", metadata={"help": "visible or amodal: which masks of clip-art are learnt"})


class Preset(NamedTuple):
    """Settings of the network and of its training."""

    network: Any
    train: Any
