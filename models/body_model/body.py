"""SMPL bodies through smplx: the user's model file, or a free body in the same format.

SMPL's frame: x left, y up, z forward, metres; X = R (x - J0) + J0 + transl with R the rotation of theta's first joint.
smplx is for non-commercial research (its licence), and so are SMPL's model files; the free body is CC0.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.body_model.files import read_arrays
from models.geometry import exp_so3
from pipeline.core.skeletons import SMPL_24, SMPL_LIMBS, SMPL_PARENTS

SHIPPED = Path(__file__).with_name("anny.npz")
FREE_BODY = "anny-smpl"
_HEAD = 15
_FACE = ("nose", "leye", "reye", "lear", "rear")


class Posed(NamedTuple):
    """Bodies in their poses: vertices (N, V, 3), SMPL's joints (N, 24, 3), COCO's keypoints (N, 17, 3), metres."""

    vertices: Tensor
    joints: Tensor
    keypoints: Tensor


class Body(nn.Module):
    """A body model: v_template (V, 3), shapedirs (V, 3, 10), posedirs (V, 3, 207), weights (V, 24), faces (F, 3).

    Face keypoints move rigidly with the head.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    rest_points: Tensor
    shape_points: Tensor

    def __init__(self, arrays: dict[str, np.ndarray], name: str) -> None:
        """From the arrays of `read_arrays`."""
        super().__init__()
        self.name, self.parents = name, SMPL_PARENTS
        self.faces = arrays["f"].astype(np.int64)
        self.smpl = _smplx_model(arrays)
        for key in ("v_template", "shapedirs", "posedirs", "weights"):
            self.register_buffer(key, torch.from_numpy(arrays[key].astype(np.float32)), persistent=False)
        # What is regressed from the vertices is linear in the shape: 24 joints, 5 points of the face.
        rows = np.concatenate([arrays["J_regressor"], arrays["face_regressor"]]).astype(float)
        rest, shape = rows @ arrays["v_template"], np.einsum("pv,vck->pck", rows, arrays["shapedirs"])
        self.register_buffer("rest_points", torch.from_numpy(rest), persistent=False)
        self.register_buffer("shape_points", torch.from_numpy(shape), persistent=False)

    def forward(self, theta: Tensor, beta: Tensor, transl: Tensor | None = None) -> Posed:
        """Bodies of theta (N, 24, 3) axis-angle or (N, 24, 3, 3) rotations, beta (N, 10), transl (N, 3)."""
        from smplx.lbs import lbs

        rotations, smpl = _rotations(theta), self.smpl
        vertices, _ = lbs(
            beta, rotations, smpl.v_template.to(beta), smpl.shapedirs.to(beta), smpl.posedirs.to(beta),
            smpl.J_regressor.to(beta), smpl.parents, smpl.lbs_weights.to(beta), pose2rot=False,
        )  # fmt: skip
        joints, keypoints = self.joints_only(rotations, beta, transl)
        return Posed(vertices if transl is None else vertices + transl[:, None], joints, keypoints)

    def joints_only(self, theta: Tensor, beta: Tensor, transl: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Joints (N, 24, 3) and COCO's keypoints (N, 17, 3) of the same bodies, without their skin."""
        from smplx.lbs import batch_rigid_transform

        rest = self.rest_points.to(beta) + torch.einsum("pck,nk->npc", self.shape_points.to(beta), beta)
        joints, placed = batch_rigid_transform(
            _rotations(theta), rest[:, : len(SMPL_24)], self.smpl.parents, dtype=beta.dtype
        )
        head = placed[:, _HEAD]
        face = torch.einsum("nab,npb->npa", head[:, :3, :3], rest[:, len(SMPL_24) :]) + head[:, None, :3, 3]
        keypoints = torch.cat([face, joints[:, list(SMPL_LIMBS)]], dim=1)
        return (joints, keypoints) if transl is None else (joints + transl[:, None], keypoints + transl[:, None])


def _rotations(theta: Tensor) -> Tensor:
    return theta if theta.ndim == 4 else exp_so3(theta)


def _smplx_model(arrays: dict[str, np.ndarray]) -> nn.Module:
    """smplx's own model of the arrays; the file was read before, for smplx would unpickle whatever it is given."""
    import smplx
    from smplx.utils import Struct

    face = dict(zip(_FACE, arrays["face_regressor"].argmax(axis=1).tolist(), strict=True))
    with redirect_stdout(io.StringIO()):  # it prints that ten shape components are few
        return smplx.SMPL(
            "", data_struct=Struct(**arrays), vertex_ids=face, use_hands=False, use_feet_keypoints=False,
            create_betas=False, create_global_orient=False, create_body_pose=False, create_transl=False,
        )  # fmt: skip


@lru_cache(maxsize=4)
def load_body(path: Path | None = None) -> Body:
    """The free body that ships, or a user's SMPL file, named after it.

    Raises FileNotFoundError, and ValueError in one line for a file of another kind or one that would run code.
    """
    name = path.stem if path else FREE_BODY
    return Body(read_arrays(path or SHIPPED), name).requires_grad_(False)
