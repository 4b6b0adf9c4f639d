"""Human mesh recovery: SMPL pose and shape of a person in a box, as HMR 2.0 finds them (Goel et al., 2023)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.contract import Preset, Rendered, Spec, TrainSettings
from models.headers import check_header
from models.layers.settings import BackboneSettings
from models.synthetic.plans import PeopleSettings, people_jobs
from pipeline.core.skeletons import COCO_17

RELEASED_SUFFIXES = (".ckpt", ".pt", ".pth")  # of HMR 2.0's own checkpoint, which `released` reads


@dataclass(frozen=True)
class HeadSettings:
    """The decoder's size."""

    dim: int = field(default=192, metadata={"help": "channels of the token"})
    depth: int = field(default=2, metadata={"help": "layers"})
    heads: int = field(default=3, metadata={"help": "of attention"})
    dim_head: int = field(default=64, metadata={"help": "channels of a head"})
    mlp: int = field(default=384, metadata={"help": "channels inside a layer's MLP"})
    dropout: float = field(default=0.0, metadata={"help": "when trained"})


@dataclass(frozen=True)
class LossWeights:
    """Equation (2)'s terms, each a mean over what it sums in the released code.

    The released weights are .05 and .01 for points, .001 for rotations, .0005 for betas and for the discriminator.
    Times the number of values each sums over they are as 1 : .13 : .001 (orientation) : .03 (body) : .0008 : .00004. A
    small network that starts from nothing learns faster where rotations weigh more, which are all that says how limbs
    turn about themselves.
    """

    points_3d: float = field(default=1.0, metadata={"help": "metres, from the pelvis"})
    points_2d: float = field(default=0.25, metadata={"help": "sides of the crop"})
    orientation: float = field(default=0.5, metadata={"help": "squared differences of the matrix"})
    body: float = field(default=0.3, metadata={"help": "squared differences of the 23 matrices"})
    betas: float = field(default=0.001, metadata={"help": "squared differences"})
    adversarial: float = field(default=0.002, metadata={"help": "of the 25 outputs; 0 trains without a discriminator"})
    heatmaps: float = field(default=0.3, metadata={"help": "cross-entropy of the points' heatmaps; 0 has none"})
    # Adam does not see the scale of the discriminator's own loss; the norm that clips gradients does.
    discriminator: float = field(default=0.1, metadata={"help": "of the discriminator's own loss"})


@dataclass(frozen=True)
class MeshSettings:
    """What the network's shape and its loss depend on; stored with its weights."""

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    weights: LossWeights = field(default_factory=LossWeights)
    conditioned_on_facing: bool = field(
        default=True, metadata={"help": "take the way people walk where it is known", "formerly": "told_facing"}
    )

    def __post_init__(self) -> None:
        if self.heatmaps and not self.backbone.stem:
            raise ValueError("hmr: heatmaps need a convolutional stem: expected stem above 0, or heatmaps of 0")

    @property
    def adversarial(self) -> bool:
        """Whether there is a discriminator."""
        return self.weights.adversarial > 0

    @property
    def heatmaps(self) -> bool:
        """Whether the head is conditioned on where points seem to be."""
        return self.weights.heatmaps > 0


_TINY_TRAINING = TrainSettings(steps=12_000, batch=32, lr=1e-3, warmup=200, evaluate_every=1000, workers=1, threads=1)
# tiny: an hour and a half of a CPU core with bfloat16 units, and half as much of another for its samples; plain is the
# same without the discriminator. The others want a GPU; huge has the sizes of the released weights: ViT-H at 256 x 192
# and the head's own.
PRESETS = {
    "tiny": Preset(MeshSettings(), _TINY_TRAINING),
    "plain": Preset(MeshSettings(weights=LossWeights(adversarial=0.0)), _TINY_TRAINING),
    "base": Preset(
        MeshSettings(
            BackboneSettings(height_px=256, dim=384, depth=12, heads=6, stem=64, drop_path=0.1),
            HeadSettings(dim=512, depth=6, heads=8, dim_head=64, mlp=1024),
        ),
        TrainSettings(
            steps=80_000, batch=128, lr=5e-4, warmup=1000, ema=0.9995, evaluate_every=4000, val_samples=4096, workers=12
        ),
    ),
    "huge": Preset(
        MeshSettings(
            BackboneSettings(height_px=256, dim=1280, depth=32, heads=16, stem=0, drop_path=0.55),
            HeadSettings(dim=1024, depth=6, heads=8, dim_head=64, mlp=1024),
            LossWeights(heatmaps=0.0),
            conditioned_on_facing=False,
        ),
        TrainSettings(steps=20_000, batch=48, lr=1e-5, warmup=500, weight_decay=1e-4, workers=12),
    ),
}

SPEC = Spec(
    name="hmr",
    summary="SMPL pose and shape of people, and COCO's keypoints, each with a score",
    settings=MeshSettings,
    network="models.hmr.network:MeshNetwork",
    data="models.hmr.data:splits",
    presets=PRESETS,
    source=Rendered(
        task="RenderPeopleCrops",
        summary="Dressed people rendered one by one in any pose and illumination, vehicles and backdrops.",
        prefix="people_crops",
        settings=PeopleSettings,
        jobs=people_jobs,
    ),
    takes=("backdrops",),
    skeleton=COCO_17,
    categories=("person",),
    gives=("smpl_theta", "smpl_beta", "smpl_transl", "keypoints_2d", "keypoint_score", "keypoints_3d"),
    best="-mpjpe_mm",
    weights=Path(__file__).with_name("weights.safetensors"),
    predictor="models.hmr.released:load",
    evaluate="models.hmr.evaluate:main",
)


def check_weights(path: Path) -> None:
    """Raise ValueError, one line, unless the file says that it holds this network's weights; costs no torch."""
    if path.suffix in RELEASED_SUFFIXES and path.is_file():
        return
    remedy = "`make train MODEL=hmr` writes one for [ReconstructPeople] body_weights"
    check_header(path, SPEC.name, remedy=remedy, other=", or HMR 2.0's .ckpt")
