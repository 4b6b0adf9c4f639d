"""The WALT3D network: whole objects behind others, in 2D and 3D, learnt from composed scenes.

Mask R-CNN on a Swin backbone (section 4 of the paper) with whole and visible boxes and masks, keypoints with their
state, and vehicles' shape and pose; its parts are registered in mmdet, and `config.model_config` names them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from models.contract import Preset, Shards, Spec, SteppedTraining
from models.scenes import WindowSettings


@dataclass(frozen=True)
class SwinSettings:
    """The backbone's size (Liu et al., 2021)."""

    dim: int = field(default=48, metadata={"help": "channels of the first stage; each further one has twice as many"})
    depths: tuple[int, ...] = field(default=(2, 2, 4, 2), metadata={"help": "blocks of the four stages"})
    heads: tuple[int, ...] = field(default=(2, 4, 8, 16), metadata={"help": "attention heads of the four stages"})
    mlp_ratio: int = field(default=3, metadata={"help": "channels inside a block's MLP, times its own"})
    stem: bool = field(default=True, metadata={"help": "convolutions in place of patches of 4 px, which learn faster"})
    drop_path: float = field(default=0.0, metadata={"help": "fraction of blocks left out, at the last one"})


@dataclass(frozen=True)
class RegionSettings:
    """How many regions are proposed, learnt from, and how alike they may be."""

    scales: tuple[float, ...] = field(default=(6.0,), metadata={"help": "sides of anchors, strides"})
    ratios: tuple[float, ...] = field(default=(0.5, 1.0, 2.5), metadata={"help": "height to width of anchors"})
    overlap: float = field(default=0.8, metadata={"help": "proposals that overlap more are one, IoU of whole boxes"})
    before: int = field(default=400, metadata={"help": "proposals of a level before that"})
    train: int = field(default=200, metadata={"help": "proposals of a training window"})
    test: int = field(default=300, metadata={"help": "proposals of a picture"})
    rpn_batch: int = field(default=128, metadata={"help": "anchors of a window that are learnt from"})
    batch: int = field(default=96, metadata={"help": "regions of a window whose class and boxes are learnt from"})
    inside: int = field(default=16, metadata={"help": "of these, on average, whose masks and keypoints are"})


@dataclass(frozen=True)
class LossWeights:
    """Of the terms of L_2D and of equation (1)."""

    whole_box: float = field(default=1.0, metadata={"help": "smooth L1 of the whole box"})
    visible_box: float = field(default=0.5, metadata={"help": "smooth L1 of the visible box"})
    masks: float = field(default=1.0, metadata={"help": "cross-entropies of whole, visible and covered masks"})
    keypoints: float = field(default=0.4, metadata={"help": "cross-entropy of the heatmaps"})
    states: float = field(default=0.2, metadata={"help": "cross-entropy of keypoints' states"})
    group: float = field(default=0.2, metadata={"help": "cross-entropy of the shape's group"})
    shape: float = field(default=0.05, metadata={"help": "squares of coefficients, standard deviations"})
    kp2d: float = field(default=2.0, metadata={"help": "reprojection, longer sides of the box"})
    rotation: float = field(default=0.2, metadata={"help": "of angles, radians"})
    translation: float = field(default=0.2, metadata={"help": "fractions of the distance"})

    def by_part(self) -> dict[str, float]:
        """Each by the name of its part of the loss."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Walt3dSettings:
    """The network's shape, its losses, and what it sees."""

    backbone: SwinSettings = field(default_factory=SwinSettings)
    channels: int = field(default=64, metadata={"help": "of the pyramid of features"})
    hidden: int = field(default=256, metadata={"help": "of the layers behind a region's features"})
    inside: int = field(default=64, metadata={"help": "channels of the head of masks and keypoints"})
    convolutions: int = field(default=3, metadata={"help": "of that head"})
    layered: bool = field(default=False, metadata={"help": "predict what is covered first, as WALT's head"})
    lift: bool = field(default=True, metadata={"help": "with the 3D branch of vehicles"})
    grown: float = field(default=1.2, metadata={"help": "sides of the region that masks are found in, times the box's"})
    score: float = field(default=0.05, metadata={"help": "lowest score of a candidate, 0 to 1"})
    overlap: float = field(
        default=0.5, metadata={"help": "candidates whose whole and visible boxes both overlap more are one object, IoU"}
    )
    mask_overlap: float = field(
        default=0.7, metadata={"help": "objects whose whole and visible masks both overlap more are one, IoU"}
    )
    regions: RegionSettings = field(default_factory=RegionSettings)
    weights: LossWeights = field(default_factory=LossWeights)
    window: WindowSettings = field(default_factory=WindowSettings)

    def __post_init__(self) -> None:
        if self.window.side_px % 32:
            raise ValueError(f"walt3d: side_px: expected a multiple of 32, got {self.window.side_px}")


_TINY = Walt3dSettings()
_BASE = Walt3dSettings(
    # Swin-T and the sizes of WALT's heads (notes A6).
    backbone=SwinSettings(dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), mlp_ratio=4, stem=False, drop_path=0.1),
    channels=256,
    hidden=1024,
    inside=256,
    convolutions=4,
    regions=RegionSettings(before=2000, train=1000, test=1000, rpn_batch=256, batch=512, inside=64),
    window=WindowSettings(side_px=640, smallest=0.6, largest=1.6),
)
# The paper's 12 epochs with steps at 8 and 11, of 5,000 scenes.
_EPOCHS, _SCENES = 12, 5000
_BY_STEPS = SteppedTraining(batch=8, lr=1e-4, warmup=500, clip=35.0, ema=0.999, decays=(8 / _EPOCHS, 11 / _EPOCHS))
PRESETS = {
    "tiny": Preset(
        _TINY,
        SteppedTraining(
            steps=1600, batch=6, lr=1e-3, warmup=100, clip=5.0, ema=0.995, evaluate_every=800, val_samples=48, workers=1
        ),
    ),
    "base": Preset(
        _BASE,
        replace(
            _BY_STEPS, steps=_EPOCHS * _SCENES // 8, evaluate_every=1250, val_samples=512, save_every=500, workers=12
        ),
    ),
    # On each of eight devices, by torchrun.
    "paper": Preset(
        _BASE,
        replace(
            _BY_STEPS,
            steps=_EPOCHS * 10 * 10_000 // (5 * 8),
            batch=5,
            ema=0.0,
            evaluate_every=5000,
            val_samples=2000,
            save_every=1000,
            workers=8,
        ),
    ),
}

SPEC = Spec(
    name="walt3d",
    summary="whole people and vehicles behind others: both masks, keypoints with their state, vehicles' shape and pose",
    settings=Walt3dSettings,
    network="models.walt3d.network:Walt3d",
    data="models.walt3d.data:splits",
    presets=PRESETS,
    source=Shards(),
    takes=("cameras", "masks"),
    unit="frame",
    needs=(),
    gives=(
        "category", "score", "bbox_amodal_xywh", "bbox_visible_xywh", "mask_amodal_rle", "mask_visible_rle",
        "visible_fraction", "keypoints_2d", "keypoint_score", "keypoint_state", "shape_basis", "shape", "R", "t",
        "dims_lwh_m", "smpl_theta", "smpl_beta", "smpl_transl",
    ),
    best="iou_whole",
    predictor="models.walt3d.network:load",
    measure="models.walt3d.network:measure",
)  # fmt: skip
