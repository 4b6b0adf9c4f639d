"""Vehicle keypoints: twelve points of every vehicle, hidden ones too, each with state, score and expected error."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.contract import Preset, Rendered, Spec, TrainSettings
from models.synthetic.plans import CropSettings, crop_jobs
from pipeline.core.skeletons import VEHICLE_12


@dataclass(frozen=True)
class KeypointSettings:
    """What the network's shape depends on; stored with its weights."""

    width: int = field(default=48, metadata={"help": "channels at a quarter of the crop's resolution"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions, each way"})


# tiny is what ships: under an hour on two CPU cores. base wants a GPU.
PRESETS = {
    "tiny": Preset(
        KeypointSettings(width=40, blocks=1),
        TrainSettings(steps=2800, batch=32, lr=1.5e-3, warmup=150, evaluate_every=700, workers=1, threads=1),
    ),
    "base": Preset(
        KeypointSettings(width=96, blocks=2),
        TrainSettings(steps=60_000, batch=128, lr=1e-3, warmup=1000, ema=0.9995, val_samples=4096, workers=12),
    ),
}

SPEC = Spec(
    name="vehicle_keypoints",
    summary="twelve keypoints of every vehicle, hidden ones too, each with state, score and expected error",
    settings=KeypointSettings,
    network="models.vehicle_keypoints.network:KeypointNetwork",
    data="models.vehicle_keypoints.data:splits",
    presets=PRESETS,
    source=Rendered(
        task="RenderVehicleCrops",
        summary="Vehicles and people rendered one by one in any illumination, and backdrops: what crops are made of.",
        prefix="vehicle_crops",
        settings=CropSettings,
        jobs=crop_jobs,
    ),
    takes=("labels", "images", "backdrops"),
    skeleton=VEHICLE_12,
    categories=("vehicle",),
    gives=("keypoints_2d", "keypoint_state", "keypoint_score", "keypoint_sigma_px"),
    best="pck",
    weights=Path(__file__).with_name("weights.safetensors"),
    evaluate="models.vehicle_keypoints.evaluate:main",
)
