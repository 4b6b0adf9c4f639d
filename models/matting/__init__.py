"""Make a rough mask exact: a small network that sees a crop, the empty street behind it, and the rough mask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.contract import Collected, Preset, Spec, TrainSettings

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class MattingSettings:
    """The network's shape."""

    widths: tuple[int, ...] = field(default=(8, 16, 32, 48), metadata={"help": "channels at each scale"})


# tiny is what ships: under half an hour on two CPU cores. base wants a GPU.
PRESETS = {
    "tiny": Preset(
        MattingSettings(),
        TrainSettings(
            steps=6000, batch=16, lr=3e-3, weight_decay=0.01, ema=0.995, bfloat16=False, evaluate_every=400,
            val_samples=480, workers=1, threads=2,
        ),
    ),
    "base": Preset(
        MattingSettings((32, 48, 80, 128)),
        TrainSettings(steps=30_000, batch=128, lr=2e-3, warmup=500, weight_decay=0.01, ema=0.999, workers=12),
    ),
}  # fmt: skip


def _collected_samples(camera_dir: Path) -> pa.Table:
    from models.matting.data import matting_samples  # torch loads for seconds, other stages do without it

    return matting_samples(camera_dir)


SPEC = Spec(
    name="matting",
    summary="a rough mask made exact, before the empty street behind the object",
    settings=MattingSettings,
    network="models.matting.network:MattingNetwork",
    data="models.matting.data:splits",
    presets=PRESETS,
    source=Collected(
        task="MattingSamples",
        summary="Detections of the training cameras beside their exact masks, one Parquet file a camera.",
        prefix="matting",
        collect=_collected_samples,
    ),
    unit="frame",  # what other objects cover is theirs
    needs=("bbox_xywh", "mask_rle"),
    gives=("mask_visible_rle", "bbox_visible_xywh"),
    best="iou",
    weights=Path(__file__).with_name("matting.onnx"),
    measure="models.matting.exported:measure",
    predictor="models.matting.exported:load",
)
