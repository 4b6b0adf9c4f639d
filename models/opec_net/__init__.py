"""OPEC-Net: poses of people whom others hide, corrected by graphs that pictures guide, and CoupleGraph for two.

After "Peeking into occluded joints" (Qiu et al., ECCV 2020) and its supplement; nobody released CoupleGraph's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from models.contract import Preset, Rendered, Spec, TrainSettings
from models.people_groups.couples.plan import CoupleSettings, couple_jobs
from pipeline.core.skeletons import COCO_17, CROWDPOSE_14, OPEC_12, Skeleton

SKELETONS = {"opec_12": OPEC_12, "crowdpose_14": CROWDPOSE_14, "coco_17": COCO_17}
INITIAL = ("blended", "integral", "given")
BEGINS = ("initial", "auxiliary")
STAYS = ("none", "visible", "sure")
LABELS = ("visible", "all")
DECONVOLUTIONS = 3


@dataclass(frozen=True)
class BaseSettings:
    """The top-down network that finds poses first: Simple Baseline's form, a ResNet and deconvolutions."""

    widths: tuple[int, ...] = field(default=(48, 96, 160, 256), metadata={"help": "channels of the ResNet's stages"})
    blocks: tuple[int, ...] = field(default=(1, 2, 2, 1), metadata={"help": "residual blocks of each stage"})
    deconvolutions: tuple[int, ...] = field(default=(96, 64, 32), metadata={"help": "channels of F1, F2 and F3"})
    fourth: int = field(default=0, metadata={"help": "channels of a fourth deconvolution, a control's; 0 has none"})
    tail: int = field(
        default=0, metadata={"help": "channels inside one more residual block, which make a control's parameters equal"}
    )
    labels: str = field(default="visible", metadata={"help": "which joints heatmaps learn: " + ", ".join(LABELS)})
    config: str = field(default="", metadata={"help": "of mmpose, by name or path: its top-down network stands in"})
    features: tuple[str, ...] = field(
        default=("head.deconv_layers.2", "head.deconv_layers.5", "head.deconv_layers.8"),
        metadata={"help": "modules of that network whose outputs are F1, F2 and F3"},
    )
    checkpoint: str = field(default="", metadata={"help": "weights of that network to start from, .pth"})

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise ValueError(f"opec_net: labels: expected {' or '.join(LABELS)}, got {self.labels!r}")
        for name in ("deconvolutions", "features"):
            if len(getattr(self, name)) != DECONVOLUTIONS:
                raise ValueError(f"opec_net: {name}: expected {DECONVOLUTIONS}, got {len(getattr(self, name))}")


@dataclass(frozen=True)
class GraphSettings:
    """The correction: CFA, IGP-GCN and CoupleGraph. Without one of the five parts of Table 6 it is an ablation."""

    first: int = field(default=48, metadata={"help": "channels of the first two graph layers"})
    width: int = field(default=64, metadata={"help": "channels of the four ResGCN attention blocks"})
    adapted: tuple[int, ...] = field(default=(32, 24, 16), metadata={"help": "channels of CFA's feature maps"})
    image_guided: bool = field(default=True, metadata={"help": "nodes see the picture; without, ablation (a)"})
    progressive: bool = field(
        default=True, metadata={"help": "three displacements, each seen from the pose before; without, ablation (b)"}
    )
    multi_scale: bool = field(default=True, metadata={"help": "a scale a block; without, F3 alone, ablation (c)"})
    adaption: bool = field(default=True, metadata={"help": "CFA; without, the base's own features, ablation (d)"})
    fusion: bool = field(default=True, metadata={"help": "CFA's fusion blocks; without, ablation (e)"})
    couples: bool = field(default=True, metadata={"help": "CoupleGraph behind OPEC-Net"})

    def __post_init__(self) -> None:
        if self.couples and not self.image_guided:
            raise ValueError("opec_net: couples: CoupleGraph sees pictures; expected image_guided with it")


@dataclass(frozen=True)
class OpecNetSettings:
    """What the network's shape and its losses depend on; stored with its weights.

    The defaults are also what weights of before a field was there did.
    """

    skeleton: str = field(default="opec_12", metadata={"help": "its joints: " + ", ".join(SKELETONS)})
    height_px: int = field(default=160, metadata={"help": "of the crop"})
    width_px: int = field(default=128, metadata={"help": "of the crop"})
    base: BaseSettings = field(default_factory=BaseSettings)
    corrected: bool = field(default=True, metadata={"help": "the correction behind the base; without, the base alone"})
    graph: GraphSettings = field(default_factory=GraphSettings)
    frozen: bool = field(default=False, metadata={"help": "the base learns no more, as in the released code"})
    initial: str = field(
        default="blended",
        metadata={
            "help": "which pose is corrected: the heatmaps' integral, where they are sure their peak (blended), the "
            "integral alone (equation 2), or a given one"
        },
    )
    sure: float = field(
        default=1.0, metadata={"help": "of blended: the confidence from which on the peak alone counts"}
    )
    begins: str = field(
        default="initial",
        metadata={
            "help": "where the graph begins: the peaks of CFA's heatmaps, which learn hidden joints too (auxiliary), "
            "or the initial pose; poses that are given it begins with in any case"
        },
    )
    stays: str = field(
        default="none",
        metadata={
            "help": "which joints the graphs do not move in the result: visible, as far as they are read to be, stay "
            "at the base's peak; sure, as far as the heatmap where the graph begins is, stay there; or none"
        },
    )
    stays_from: float = field(
        default=0.3, metadata={"help": "of stays, sure: the confidence from which on a joint is not moved at all"}
    )
    pose_weights: tuple[float, ...] = field(
        default=(0.3, 0.5, 1.0), metadata={"help": "lambda of equation 3: of the first, second and final pose"}
    )
    heatmap_weight: float = field(
        default=0.02, metadata={"help": "of the heatmaps' cross-entropy beside a correction; alone it weighs 1"}
    )
    auxiliary_heatmap_weight: float = field(
        default=0.0, metadata={"help": "of the cross-entropy of CFA's heatmaps, with all labelled joints"}
    )
    auxiliary_weight: float = field(default=0.3, metadata={"help": "of the pose of CFA's heatmap (equation 6)"})
    reading_weight: float = field(default=0.05, metadata={"help": "of the cross-entropies of states and scores"})
    least_visible: int = field(
        default=5, metadata={"help": "the correction learns from people with more visible joints than this"}
    )
    least_oks: float = field(default=0.3, metadata={"help": "and from initial poses with a larger OKS than this"})

    def __post_init__(self) -> None:
        if self.skeleton not in SKELETONS:
            raise ValueError(f"opec_net: skeleton: expected one of {', '.join(SKELETONS)}, got {self.skeleton!r}")
        if self.initial not in INITIAL:
            raise ValueError(f"opec_net: initial: expected {', '.join(INITIAL)}, got {self.initial!r}")
        if self.begins not in BEGINS:
            raise ValueError(f"opec_net: begins: expected {' or '.join(BEGINS)}, got {self.begins!r}")
        if self.stays not in STAYS:
            raise ValueError(f"opec_net: stays: expected one of {', '.join(STAYS)}, got {self.stays!r}")
        for side in ("height_px", "width_px"):
            if getattr(self, side) <= 0 or getattr(self, side) % 32:
                raise ValueError(f"opec_net: {side}: expected a multiple of 32, got {getattr(self, side)}")
        if len(self.pose_weights) != DECONVOLUTIONS:
            raise ValueError(f"opec_net: pose_weights: expected {DECONVOLUTIONS}, got {len(self.pose_weights)}")

    @property
    def joints(self) -> Skeleton:
        """The skeleton of that name."""
        return SKELETONS[self.skeleton]

    @property
    def aspect(self) -> float:
        """Width of the crop over its height."""
        return self.width_px / self.height_px


ABLATIONS = {
    "a": GraphSettings(couples=False, image_guided=False),
    "b": GraphSettings(couples=False, progressive=False),
    "c": GraphSettings(couples=False, multi_scale=False),
    "d": GraphSettings(couples=False, adaption=False),
    "e": GraphSettings(couples=False, fusion=False),
}
# A fourth deconvolution and as many parameters as the base with its correction (without CoupleGraph) has.
FOURTH = BaseSettings(fourth=32, tail=32)
CONTROLS = {"i": FOURTH, "ii": replace(FOURTH, labels="all")}

_TINY = OpecNetSettings()
_ALONE = replace(_TINY, corrected=False)
# Heatmaps weigh as much as alone and CFA's learn hidden joints, which the graphs hardly move (docs/opec_net.md).
_HELD = replace(_TINY, sure=0.5, begins="auxiliary", stays="sure", heatmap_weight=1.0, auxiliary_heatmap_weight=1.0)
_TRAIN = TrainSettings(
    steps=4800, batch=16, lr=1.5e-3, warmup=100, clip=5.0, ema=0.99, evaluate_every=800, val_samples=192, workers=1,
    threads=1,
)  # fmt: skip
_ON = replace(_TRAIN, steps=2400, lr=8e-4)
# As mmpose has Simple Baseline, by its name there; CFA and graphs of the supplement's widths.
_PAPER_GRAPH = GraphSettings(first=128, width=256, adapted=(256, 128, 128))
_GPU = TrainSettings(
    steps=40_000, batch=32, lr=5e-4, warmup=1000, ema=0.9995, evaluate_every=2000, val_samples=2048, workers=12
)


def _mmpose(config: str, height_px: int, width_px: int) -> OpecNetSettings:
    base = BaseSettings(config=config, deconvolutions=(256, 256, 256))
    return OpecNetSettings(height_px=height_px, width_px=width_px, base=base, graph=_PAPER_GRAPH)


# Two cores: baseline, the base alone on visible joints; then tiny with --init-from its weights, all end to end, or
# frozen, or held, which moves visible joints less. further is the base alone for as many steps again, what tiny is
# compared with. The others want a GPU.
PRESETS = {
    "baseline": Preset(_ALONE, _TRAIN),
    "tiny": Preset(_TINY, _ON),
    "held": Preset(_HELD, _ON),
    "frozen": Preset(replace(_TINY, frozen=True), _ON),
    "further": Preset(_ALONE, _ON),
    **{f"ablation_{name}": Preset(replace(_TINY, graph=graph), _ON) for name, graph in ABLATIONS.items()},
    **{f"control_{name}": Preset(replace(_ALONE, base=base), _ON) for name, base in CONTROLS.items()},
    "base": Preset(_mmpose("td-hm_res50_8xb64-210e_coco-256x192", 256, 192), _GPU),
    # Section 5.1: 30 epochs of 5000 pictures, 10 in a batch, Adam at 1e-3 with a cosine.
    "paper": Preset(
        _mmpose("td-hm_res101_8xb64-210e_crowdpose-320x256", 320, 256),
        replace(_GPU, steps=30 * 5000 // 10, batch=10, lr=1e-3, warmup=500, clip=1.0, weight_decay=0.0, ema=0.0),
    ),
}

SPEC = Spec(
    name="opec_net",
    summary="joints of people whom others hide, corrected by graphs, and of couples together",
    settings=OpecNetSettings,
    network="models.opec_net.network:OpecNet",
    data="models.opec_net.data:splits",
    presets=PRESETS,
    source=Rendered(
        task="RenderCouples",
        summary="Dressed people in couples who dance, wrestle, hug, carry, sit or walk, each from several places.",
        prefix="couples",
        settings=CoupleSettings,
        jobs=couple_jobs,
    ),
    skeleton=OPEC_12,
    unit="frame",
    categories=("person",),
    gives=("keypoints_2d", "keypoint_score", "keypoint_state", "pose_score", "keypoints_initial", "coupled"),
    best="oks",
    predictor="models.opec_net.predict:load",
    evaluate="models.opec_net.evaluate:main",
    weights=Path(__file__).with_name("weights.safetensors"),
)  # fmt: skip
