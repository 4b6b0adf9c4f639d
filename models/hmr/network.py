"""HMR 2.0's network (Goel et al., 2023): a picture of a person to SMPL's pose and shape and the crop's weak camera.

Images are RGB, (N, 3, H, 3/4 H). Points are SMPL's 24 joints, then nose, eyes and ears. Bodies are in the crop's own
camera (`models.crops.crop_from_camera`); that camera is the released code's: a focal length of 5000 px for a square of
256 px, the body at the depth where its size fits. `facing` (N, 3) is about where bodies face in it, a unit vector, zero
where nobody knows: what motion says of people who walk, for a few dozen pixels hardly show front from back.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from calibration.camera import Camera, edge_to_pixel
from models.body_model import Body, load_body
from models.body_model.points import COCO, FLIP_ORDER, LIMBS, POINTS
from models.checkpoints import read_weights
from models.contract import find
from models.crops import PERSON_ASPECT, checked_boxes, crop_from_camera, crop_square, squares_of
from models.frames import Frame
from models.geometry import exp_so3, log_so3
from models.hmr import MeshSettings
from models.hmr.discriminator import BODY_JOINTS, Discriminator, critic_loss, predictor_loss
from models.hmr.head import BETAS, JOINTS, Head
from models.hmr.heatmap_head import HeatmapHead
from models.layers.unet import scaled
from models.layers.vit import Backbone, Stem
from models.metrics.joints import mpjpe_mm, pa_mpjpe_mm
from models.network import Batch, Network
from models.poses import sample_poses
from pipeline.core.instances import Instances

FOCAL_SIDES = 5000 / 256  # focal length in sides of the crop's square
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_NEAREST_SIDES = 0.05  # smallest scale of the crop's camera that still projects
_MIRROR = torch.tensor([-1.0, 1.0, 1.0])
_MEAN_POSES = 4000


class Bodies(NamedTuple):
    """rotations (N, 24, 3, 3), beta (N, 10), camera (N, 3) s tx ty, heat (N, 29, T') logits or None, points_3d
    (N, 29, 3) metres, points_2d (N, 29, 2) sides of the crop's square from its middle."""

    rotations: Tensor
    beta: Tensor
    camera: Tensor
    heat: Tensor | None
    points_3d: Tensor
    points_2d: Tensor


def weak_translation(camera: Tensor, focal: Tensor | float = FOCAL_SIDES) -> Tensor:
    """(N, 3) where the crop's camera sees the body: tx, ty, 2 f / s, of cameras s tx ty (N, 3) of a focal length, a
    number or (N, 1), in sides of the crop's square."""
    scale = camera[:, :1].clamp_min(_NEAREST_SIDES)
    return torch.cat([camera[:, 1:], 2 * focal / scale], dim=1)


class MeshNetwork(Network):
    """A batch holds image (N, 3, H, W) uint8 RGB, facing (N, 3), theta (N, 24, 3, 3), beta (N, 10), points_3d
    (N, 29, 3), points_2d (N, 29, 2), radius (N,), the sides of PCK@0.1, and for the discriminator real_theta
    (N, 23, 3, 3) and real_beta (N, 10); to predict on image, facing, and mirrored, the images' mirror images."""

    required: ClassVar = {
        "image": (3, None, None), "facing": (3,), "theta": (JOINTS, 3, 3), "beta": (BETAS,), "points_3d": (POINTS, 3),
        "points_2d": (POINTS, 2), "radius": (), "real_theta": (BODY_JOINTS, 3, 3), "real_beta": (BETAS,),
    }  # fmt: skip

    def __init__(self, settings: MeshSettings) -> None:
        super().__init__(settings)
        self.backbone = Backbone(settings.backbone)
        hints = 3 * POINTS * settings.heatmaps
        self.smpl_head = Head(settings.head, settings.backbone.dim, hints, settings.conditioned_on_facing)
        self.heatmaps = HeatmapHead(settings.backbone, POINTS) if settings.heatmaps else None
        self.discriminator = Discriminator() if settings.adversarial else None
        self._bodies: dict[torch.device, Body] = {}  # a dict, so that their arrays are no part of the weights

    def initialise(self, seed: int) -> None:
        """The mean of the training poses as the first pose; a stem as wide as the shipped vehicle keypoint network's
        begins with what that network knows."""
        theta, _ = sample_poses(np.random.default_rng([seed, 0x3EA]), _MEAN_POSES, "train")
        self.smpl_head.start_from(exp_so3(torch.from_numpy(theta[:, 1:]).double()).float())
        state, theirs = read_weights(find("vehicle_keypoints").shipped)
        stem = self.backbone.patch_embed
        if isinstance(stem, Stem) and self.settings.backbone.stem == theirs["network"]["width"]:
            stem.start_from(state)

    @property
    def body(self) -> Body:
        """The free body, on the network's device; a copy, for the fits share the one that is loaded."""
        device = self.smpl_head.init_betas.device
        if device not in self._bodies:
            with torch.inference_mode(False):
                self._bodies[device] = deepcopy(load_body()).to(device)
        return self._bodies[device]

    def forward(self, batch: Batch) -> Bodies:
        """Bodies of a batch's images; the mean over each and its mirror image where there is one."""
        found = self._decoded(batch["image"], batch["facing"])
        if "mirrored" in batch:
            other = self._decoded(batch["mirrored"], batch["facing"] * _MIRROR.to(batch["facing"]))
            found = self._mean(found, other)
        rotations, beta, camera, heat = found
        with torch.autocast(rotations.device.type, enabled=False):
            joints, keypoints = self.body.joints_only(rotations.float(), beta.float())
            points = torch.cat([joints, keypoints[:, : POINTS - JOINTS]], dim=1)
            seen = points + weak_translation(camera.float())[:, None]
            return Bodies(rotations, beta, camera, heat, points, FOCAL_SIDES * seen[..., :2] / seen[..., 2:])

    def _decoded(self, image: Tensor, facing: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Rotations, betas, cameras and heat, as `Bodies` has them."""
        mean, std = (facing.new_tensor(v)[:, None, None] for v in (_MEAN, _STD))
        tokens, fine = self.backbone((scaled(image) - mean) / std)
        if self.heatmaps is None:
            return *self.smpl_head(tokens, None, facing), None
        heat = self.heatmaps(tokens, fine)
        return *self.smpl_head(tokens, self.heatmaps.hints(heat), facing), heat

    def _mean(self, one: tuple, other: tuple) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Of what was decoded of images and of their mirror images."""
        rotations = _nearest_rotation(one[0] + _mirrored_rotations(other[0]))
        camera = (one[2] + other[2] * _MIRROR[[1, 0, 1]].to(other[2])) / 2
        heat = None
        if self.heatmaps is not None:
            swapped = self.heatmaps.mirrored(other[3])[:, FLIP_ORDER.tolist()]
            heat = torch.logaddexp(one[3].log_softmax(-1), swapped.log_softmax(-1))
        return rotations, (one[1] + other[1]) / 2, camera, heat

    def keypoints(self, pred: Bodies) -> tuple[Tensor, Tensor]:
        """COCO's 17 keypoints (N, 17, 2), sides of the crop's square from its middle, with their scores (N, 17).

        Where heatmaps see them; a network without any sees none: score 0.
        """
        if self.heatmaps is None or pred.heat is None:
            points, score = pred.points_2d, torch.zeros_like(pred.points_2d[..., 0])
        else:
            points, score = self.heatmaps.points(pred.heat)
        return points[:, COCO], score[:, COCO]

    def loss(self, pred: Bodies, batch: Batch) -> dict[str, Tensor]:
        """Equation (2) of WALT3D, the heatmaps' cross-entropy, and the discriminator's own loss."""
        off = (pred.rotations - batch["theta"]).square()
        parts = {
            "points_3d": (_from_pelvis(pred.points_3d) - _from_pelvis(batch["points_3d"])).abs().mean(),
            "points_2d": (pred.points_2d - batch["points_2d"]).abs().mean(),
            "orientation": off[:, 0].mean(),
            "body": off[:, 1:].mean(),
            "betas": (pred.beta - batch["beta"]).square().mean(),
        }
        if self.heatmaps is not None and pred.heat is not None:
            parts["heatmaps"] = self.heatmaps.loss(pred.heat, batch["points_2d"])
        if self.discriminator is not None:
            guess = pred.rotations[:, 1:], pred.beta
            real = batch["real_theta"], batch["real_beta"]
            parts["adversarial"] = predictor_loss(self.discriminator, *guess)
            parts["discriminator"] = critic_loss(self.discriminator, real, guess)
        weighted = {name: getattr(self.settings.weights, name) * value for name, value in parts.items()}
        return {"total": torch.stack(list(weighted.values())).sum(), **weighted}

    def metrics(self, pred: Bodies, batch: Batch) -> dict[str, Tensor]:
        """Errors in mm, the orientation's in degrees, and PCK@0.1 of the projected joints."""
        missed = (pred.points_2d - batch["points_2d"])[:, LIMBS].norm(dim=-1)
        return {
            "mpjpe_mm": _total(mpjpe_mm(pred.points_3d, batch["points_3d"])),
            "pa_mpjpe_mm": _total(pa_mpjpe_mm(pred.points_3d, batch["points_3d"])),
            "orientation_deg": _total(_angle_deg(pred.rotations[:, 0], batch["theta"][:, 0])),
            "pck": _total((missed <= batch["radius"][:, None]).float()),
        }

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """The crop of each frame's one box, its mirror image, and where its person faces, of the optional column
        facing_cam (3,): a vector in the camera's frame, NaN where nobody knows."""
        _, squares, R = _crops_of(frames)
        height = self.settings.backbone.height_px
        crops = np.stack([crop_square(f.image, s, height, PERSON_ASPECT) for f, s in zip(frames, squares, strict=True)])
        image = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).permute(0, 3, 1, 2)
        known = [f.objects["facing_cam"][0] if "facing_cam" in f.objects.columns else [np.nan] * 3 for f in frames]
        facing = _units(np.einsum("nab,nb->na", R, np.array(known, float)))
        return {"image": image, "mirrored": image.flip(3), "facing": torch.from_numpy(facing).float()}

    def decode(self, pred: Bodies, frames: Sequence[Frame]) -> list[Instances]:
        """smpl_theta (72,), smpl_beta (10,) and smpl_transl (3,) of the free body, its COCO keypoints_3d (17, 3), and
        where heatmaps see them keypoints_2d (17, 2) with keypoint_score (17,).

        In the frame's camera, else in one of the focal length that HMR 2.0 takes for pictures of unknown ones.
        """
        middle, squares, R = _crops_of(frames)
        side = squares[:, None, 2:]
        rotations, beta, points = (_numpy(value) for value in (pred.rotations, pred.beta, pred.points_3d))
        rotations[:, 0] = R.transpose(0, 2, 1) @ rotations[:, 0]
        theta = log_so3(torch.from_numpy(rotations)).numpy().reshape(len(frames), -1)
        sides, score = (_numpy(value) for value in self.keypoints(pred))
        focal = torch.from_numpy(_focal_px(frames, R)[:, None] / squares[:, 2:])
        placed = (points + weak_translation(pred.camera.double().cpu(), focal).numpy()[:, None]) @ R
        columns = {
            "smpl_theta": theta,
            "smpl_beta": beta,
            "smpl_transl": placed[:, 0] - points[:, 0],  # the pelvis stays where it is, however a body is turned
            "keypoints_2d": edge_to_pixel(middle[:, None] + side * sides),
            "keypoint_score": score,
            "keypoints_3d": placed[:, COCO],
        }
        rows = [{name: column[i : i + 1] for name, column in columns.items()} for i in range(len(frames))]
        return [frame.objects.with_columns(row) for frame, row in zip(frames, rows, strict=True)]


def _crops_of(frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each frame's one box the middle (N, 2), edge px, the crop's square (N, 3) and the rotation (N, 3, 3) that
    turns the frame's camera to the crop's own."""
    boxes = checked_boxes(np.concatenate([frame.objects["bbox_xywh"] for frame in frames]))
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    rays = [_camera_of(frame).rays(edge_to_pixel(xy)) for frame, xy in zip(frames, middle, strict=True)]
    return middle, squares_of(boxes, PERSON_ASPECT), crop_from_camera(np.array(rays))


def _camera_of(frame: Frame) -> Camera:
    """The frame's, else the one that HMR 2.0's demonstration takes for a picture of an unknown one."""
    if frame.camera is not None:
        return frame.camera
    height, width = frame.size_hw
    focal = FOCAL_SIDES * max(frame.size_hw)
    return Camera(np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]), frame.size_hw)


def _focal_px(frames: Sequence[Frame], R: np.ndarray) -> np.ndarray:
    """(N,) focal length that the crops' own cameras have at the same size of a pixel.

    At an angle a from its axis a pinhole magnifies by 1 / cos(a) along the rim and by its square towards it; here by
    their geometric mean.
    """
    K = np.stack([_camera_of(frame).K for frame in frames])
    return np.sqrt(K[:, 0, 0] * K[:, 1, 1]) * R[:, 2, 2] ** -1.5


def _units(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors, zero for NaN."""
    return np.nan_to_num(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _numpy(value: Tensor) -> np.ndarray:
    return value.double().cpu().numpy()


def _mirrored_rotations(rotations: Tensor) -> Tensor:
    """(N, 24, 3, 3) rotations of mirrored bodies."""
    M = torch.diag(_MIRROR).to(rotations)
    return M @ rotations[:, FLIP_ORDER[:JOINTS].tolist()] @ M


def _nearest_rotation(matrix: Tensor) -> Tensor:
    """(..., 3, 3) the rotations nearest to matrices."""
    U, _, Vh = torch.linalg.svd(matrix.double())
    last = torch.linalg.det(U @ Vh)[..., None]
    U = torch.cat([U[..., :2], U[..., 2:] * last[..., None]], -1)
    return (U @ Vh).to(matrix)


def _from_pelvis(points: Tensor) -> Tensor:
    return points - points[:, :1]


def _angle_deg(a: Tensor, b: Tensor) -> Tensor:
    """(N,) angle between rotations (N, 3, 3)."""
    cosine = ((a * b).sum((1, 2)) - 1) / 2
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def _total(values: Tensor) -> Tensor:
    return torch.stack([values.double().sum(), torch.tensor(float(values.numel()), device=values.device)])
