"""HMR 2.0's network (Goel et al., 2023): a picture of a person to SMPL's pose and shape and the crop's weak camera.

Images are RGB, (N, 3, H, 3/4 H), 0 to 1. Points are SMPL's 24 joints, then nose, eyes and ears. The crop's camera is
that of the released code: a focal length of 5000 px for a square of 256 px, the body at the depth where its size fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.body_model import Body, load_body
from models.body_model.points import COCO, LIMBS, POINTS
from models.checkpoints import check_model
from models.hmr.discriminator import Discriminator, critic_loss, predictor_loss
from models.hmr.head import Head, HeadSettings
from models.hmr.heatmaps import Heatmaps
from models.hmr.scores import mpjpe_mm, pa_mpjpe_mm
from models.layers.unet import scaled
from models.layers.vit import Backbone, BackboneSettings

NAME = "hmr"
FOCAL_SIDES = 5000 / 256  # focal length in sides of the crop's square
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_NEAREST_SIDES = 0.05  # smallest scale of the crop's camera that still projects


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
class NetworkSettings:
    """What the network's shape and its loss depend on; stored with its weights."""

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    weights: LossWeights = field(default_factory=LossWeights)
    told_facing: bool = field(default=True, metadata={"help": "take the way people walk where it is known"})

    def __post_init__(self) -> None:
        if self.heatmaps and not self.backbone.stem:
            raise ValueError("hmr: heatmaps need a convolutional stem: expected stem above 0, or heatmaps of 0")

    @property
    def adversarial(self) -> bool:
        """Whether there is a discriminator."""
        return self.weights.adversarial > 0

    @property
    def heatmaps(self) -> bool:
        """Whether the head is told where points seem to be."""
        return self.weights.heatmaps > 0


@dataclass(frozen=True)
class Found:
    """rotations (N, 24, 3, 3), beta (N, 10), camera (N, 3) s tx ty, points_3d (N, 29, 3) metres, points_2d (N, 29, 2)
    sides of the crop's square from its middle, heat (N, 29, T') logits or None."""

    rotations: Tensor
    beta: Tensor
    camera: Tensor
    points_3d: Tensor
    points_2d: Tensor
    heat: Tensor | None


def weak_translation(camera: Tensor) -> Tensor:
    """(N, 3) where the crop's camera sees the body: tx, ty, 2 f / s, of cameras s tx ty (N, 3)."""
    scale = camera[:, :1].clamp_min(_NEAREST_SIDES)
    return torch.cat([camera[:, 1:], 2 * FOCAL_SIDES / scale], dim=1)


class HumanMeshNetwork(nn.Module):
    """Declares what the training loop asks for: `loss` and `metrics` of a batch.

    A batch holds image (N, 3, H, W) uint8 RGB, facing (N, 3), theta (N, 24, 3, 3), beta (N, 10), points_3d (N, 29, 3),
    points_2d (N, 29, 2), real_theta (N, 23, 3, 3) and real_beta (N, 10); for metrics radius (N,), sides, of PCK@0.1.
    """

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or NetworkSettings()
        self.backbone = Backbone(settings.backbone)
        self.smpl_head = Head(
            settings.head, settings.backbone.dim, 3 * POINTS * settings.heatmaps, settings.told_facing
        )
        self.heatmaps = Heatmaps(settings.backbone, POINTS) if settings.heatmaps else None
        self.discriminator = Discriminator() if settings.adversarial else None
        self._body: list[Body] = []  # a list, so that its arrays are no part of the weights

    @property
    def body(self) -> Body:
        """The free body that the losses are measured on."""
        if not self._body:
            self._body.append(load_body())
        return self._body[0].to(self.smpl_head.init_betas.device)

    def forward(self, image: Tensor, facing: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations (N, 24, 3, 3), betas (N, 10) and cameras (N, 3) of images (N, 3, H, 3/4 H), 0 to 1.

        facing (N, 3) is about where bodies face in the crop's camera, a unit vector, zero where nobody knows: what
        motion tells of people who walk. A few dozen pixels hardly show front from back.
        """
        return self._decoded(image, facing)[0]

    def _decoded(self, image: Tensor, facing: Tensor | None) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor | None]:
        """What `forward` returns, and the heatmaps (N, 29, T') logits."""
        mean, std = (image.new_tensor(v)[:, None, None] for v in (_MEAN, _STD))
        tokens, fine = self.backbone((image - mean) / std)
        if self.heatmaps is None:
            return self.smpl_head(tokens, None, facing), None
        heat = self.heatmaps(tokens, fine)
        return self.smpl_head(tokens, self.heatmaps.hints(heat), facing), heat

    def find(self, image: Tensor, facing: Tensor | None) -> Found:
        """What is predicted, with the points it puts where."""
        (rotations, beta, camera), heat = self._decoded(image, facing)
        with torch.autocast(image.device.type, enabled=False):
            joints, keypoints = self.body.joints_only(rotations.float(), beta.float())
            points = torch.cat([joints, keypoints[:, :5]], dim=1)
            seen = points + weak_translation(camera.float())[:, None]
            return Found(rotations, beta, camera, points, FOCAL_SIDES * seen[..., :2] / seen[..., 2:], heat)

    def keypoints(self, found: Found) -> tuple[Tensor, Tensor]:
        """COCO's 17 keypoints (N, 17, 2), sides of the crop's square from its middle, and how sure they are (N, 17).

        Where heatmaps see them; a network without any sees none: score 0.
        """
        if self.heatmaps is None or found.heat is None:
            points, sure = found.points_2d, torch.zeros_like(found.points_2d[..., 0])
        else:
            points, sure = self.heatmaps.places(found.heat)
        return points[:, COCO], sure[:, COCO]

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """ "loss" to minimise, and its parts, each before its weight; equation (2) of WALT3D."""
        found, w = self.find(scaled(batch["image"]), batch["facing"]), self.settings.weights
        off = (found.rotations - batch["theta"]).square()
        parts = {
            "points_3d": (_from_pelvis(found.points_3d) - _from_pelvis(batch["points_3d"])).abs().mean(),
            "points_2d": (found.points_2d - batch["points_2d"]).abs().mean(),
            "orientation": off[:, 0].mean(),
            "body": off[:, 1:].mean(),
            "betas": (found.beta - batch["beta"]).square().mean(),
        }
        if self.heatmaps is not None and found.heat is not None:
            parts["heatmaps"] = self.heatmaps.loss(found.heat, batch["points_2d"])
        if self.discriminator is not None:
            guess = found.rotations[:, 1:], found.beta
            real = batch["real_theta"], batch["real_beta"]
            parts["adversarial"] = predictor_loss(self.discriminator, *guess)
            parts["discriminator"] = critic_loss(self.discriminator, real, guess)
        total = torch.stack([getattr(w, name) * value for name, value in parts.items()]).sum()
        return {"loss": total, **parts}

    def metrics(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each name's sum and count over the batch, (2,): errors in mm, the orientation's in degrees, and PCK@0.1."""
        found = self.find(scaled(batch["image"]), batch["facing"])
        missed = (found.points_2d - batch["points_2d"])[:, LIMBS].norm(dim=-1)
        return {
            "mpjpe_mm": _total(mpjpe_mm(found.points_3d, batch["points_3d"])),
            "pa_mpjpe_mm": _total(pa_mpjpe_mm(found.points_3d, batch["points_3d"])),
            "orientation_deg": _total(_angle_deg(found.rotations[:, 0], batch["theta"][:, 0])),
            "pck": _total((missed <= batch["radius"][:, None]).float()),
        }


def _from_pelvis(points: Tensor) -> Tensor:
    return points - points[:, :1]


def _angle_deg(a: Tensor, b: Tensor) -> Tensor:
    """(N,) angle between rotations (N, 3, 3)."""
    cosine = ((a * b).sum((1, 2)) - 1) / 2
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def _total(values: Tensor) -> Tensor:
    return torch.stack([values.double().sum(), torch.tensor(float(values.numel()), device=values.device)])


def config_of(settings: NetworkSettings) -> dict[str, Any]:
    """What `build_network` rebuilds the network from; stored with its weights."""
    return {"model": NAME, "network": asdict(settings)}


def build_network(config: dict[str, Any], path: Path) -> HumanMeshNetwork:
    """The untrained network of a weights file's config.

    Raises ValueError where the file holds another model's weights.
    """
    check_model(config, NAME, path)
    parts = config["network"]
    return HumanMeshNetwork(
        NetworkSettings(
            BackboneSettings(**parts["backbone"]),
            HeadSettings(**parts["head"]),
            LossWeights(**parts["weights"]),
            parts["told_facing"],
        )
    )
