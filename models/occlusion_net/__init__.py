"""Occlusion-Net: the keypoints of vehicles that something hides, in 2D and 3D, by graphs that other views teach."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from models.contract import Preset, Rendered, Spec, TrainSettings
from models.synthetic.plans import CarViewSettings, view_jobs
from pipeline.core.skeletons import VEHICLE_12

SUPERVISION = ("truth", "trifocal", "transfer", "none")
BASELINE = Path(__file__).with_name("baseline.safetensors")


@dataclass(frozen=True)
class OcclusionNetSettings:
    """What the network's shape and its losses depend on; stored with its weights."""

    width: int = field(default=32, metadata={"help": "channels at a quarter of the crop's resolution"})
    blocks: int = field(default=1, metadata={"help": "residual blocks at each of four resolutions, each way"})
    graph: bool = field(default=True, metadata={"help": "2D-KGNN on the heatmaps; without, the baseline"})
    hidden: int = field(default=64, metadata={"help": "width of the graphs' layers"})
    iterations: int = field(
        default=2, metadata={"help": "of message passing, 1 or 2 (equations 2 and 4)", "formerly": "rounds"}
    )
    dropout: float = field(default=0.0, metadata={"help": "in the graphs' layers, while training only"})
    lift: bool = field(default=True, metadata={"help": "3D-KGNN behind the 2D-KGNN"})
    supervision: str = field(default="trifocal", metadata={"help": "of hidden points: " + ", ".join(SUPERVISION)})
    edge_weight: float = field(default=0.25, metadata={"help": "of equation 5, beside the heatmaps' cross-entropy"})
    hidden_weight: float = field(default=1.0, metadata={"help": "of equation 9, or what stands in its place"})
    visible_weight: float = field(default=2.0, metadata={"help": "of the decoder's distance from visible labels"})
    reprojection_weight: float = field(default=1.0, metadata={"help": "of equation 10"})
    confidence_noise: float = field(
        default=1.5,
        metadata={
            "help": "standard deviation by which a crop's confidences fall, in logits, in training",
            "formerly": "doubt",
        },
    )
    noise: float = field(default=0.0, metadata={"help": "standard deviation, half boxes, on the graph's input points"})

    def __post_init__(self) -> None:
        if self.supervision not in SUPERVISION:
            raise ValueError(f"network: supervision: expected {', '.join(SUPERVISION)}, got {self.supervision!r}")
        if self.iterations not in (1, 2):
            raise ValueError(f"network: iterations: expected 1 or 2, got {self.iterations}")
        if self.lift and not self.graph:
            raise ValueError("network: lift: the 3D graph stands on the 2D graph; expected graph with it")


_TINY = TrainSettings(
    steps=2400, batch=32, lr=2e-3, warmup=100, evaluate_every=600, val_samples=360, workers=1, threads=1
)
_ON = replace(_TINY, lr=1e-3, seed=1)
_HEATMAPS = OcclusionNetSettings(graph=False, lift=False)
# tiny trains all at once. What ships learns in turn: baseline, the heatmaps alone; graphs stacked on them (`stack`);
# both together, finetune with --init-from. finetune_baseline is what it is compared with: as many steps, no graphs.
# base wants a GPU.
PRESETS = {
    "tiny": Preset(OcclusionNetSettings(), _TINY),
    "baseline": Preset(_HEATMAPS, _TINY),
    "finetune": Preset(OcclusionNetSettings(), _ON),
    "finetune_baseline": Preset(_HEATMAPS, _ON),
    "base": Preset(
        OcclusionNetSettings(width=96, blocks=2, hidden=256),
        TrainSettings(steps=60_000, batch=128, lr=1e-3, warmup=1000, ema=0.9995, val_samples=4096, workers=12),
    ),
}


SPEC = Spec(
    name="occlusion_net",
    summary="keypoints of vehicles that something hides, in 2D and 3D",
    settings=OcclusionNetSettings,
    network="models.occlusion_net.network:OcclusionNet",
    data="models.occlusion_net.data:splits",
    presets=PRESETS,
    source=Rendered(
        task="RenderCarViews",
        summary="Car-render: vehicles of the fleet, each from cameras on an icosphere; people, backdrops.",
        prefix="car_views",
        settings=CarViewSettings,
        jobs=view_jobs,
    ),
    takes=("labels", "backdrops", "cameras"),
    skeleton=VEHICLE_12,
    categories=("vehicle",),
    gives=(
        "keypoints_2d", "keypoint_state", "keypoint_score", "keypoint_visible", "points_m", "wire_xy", "quaternion",
        "translation_m", "focal_px",
    ),
    best="pck_hidden_graph",
    weights=Path(__file__).with_name("weights.safetensors"),
    evaluate="models.occlusion_net.evaluate:main",
)  # fmt: skip
