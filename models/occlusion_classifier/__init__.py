"""Tell whether a detection shows a whole object: a small network that sees a crop and the detection's mask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.contract import Collected, Preset, Spec, TrainSettings
from models.labels.occlusion import CLASSES

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ClassifierSettings:
    """What the network's shape depends on; stored with its weights."""

    width: int = field(default=24, metadata={"help": "channels at half the crop's resolution; then 2, 3 and 4 times"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions"})
    classes: tuple[str, ...] = field(default=CLASSES, metadata={"help": "what it tells apart, in its outputs' order"})

    def __post_init__(self) -> None:
        if self.classes != CLASSES:
            raise ValueError(f"expected a network of {', '.join(CLASSES)}, got one of {', '.join(self.classes)}")


# tiny is what ships: minutes on two CPU cores. base wants a GPU.
PRESETS = {
    "tiny": Preset(
        ClassifierSettings(),
        TrainSettings(
            steps=2500, batch=64, lr=3e-3, warmup=100, ema=0.997, bfloat16=False, evaluate_every=500, val_samples=1024,
            workers=1, threads=2,
        ),
    ),
    "base": Preset(
        ClassifierSettings(width=48, blocks=2),
        TrainSettings(steps=20_000, batch=256, warmup=500, ema=0.999, val_samples=4096, workers=12),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class OcclusionCropSettings:
    """How many crops are kept."""

    per_actor: int = field(default=30, metadata={"help": "detections of one actor with one kind of label, at most"})

    def __post_init__(self) -> None:
        if self.per_actor < 1:
            raise ValueError(f"OcclusionCrops: per_actor: expected at least 1, got {self.per_actor}")


def _collect(camera_dir: Path, tracks: Path, settings: OcclusionCropSettings) -> pa.Table:
    from models.occlusion_classifier.simulated import crops_of_camera

    return crops_of_camera(camera_dir, tracks, settings.per_actor)


SPEC = Spec(
    name="occlusion_classifier",
    summary="whether a detection shows a whole object, and what hides it otherwise",
    settings=ClassifierSettings,
    network="models.occlusion_classifier.network:OcclusionNetwork",
    data="models.occlusion_classifier.data:splits",
    presets=PRESETS,
    source=Collected(
        task="OcclusionCrops",
        summary="Detections of the training cameras with what hides them, one Parquet file a camera.",
        prefix="occlusion_crops",
        collect=_collect,
        settings=OcclusionCropSettings,
        exact_masks=True,
        version=2,
    ),
    takes=("labels", "images"),
    gives=("occlusion", "occlusion_chances", "unoccluded_chance"),
    best="class_accuracy",
    weights=Path(__file__).with_name("weights.safetensors"),
    evaluate="models.occlusion_classifier.evaluate:main",
)
