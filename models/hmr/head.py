"""The head of HMR 2.0: one token asks the picture's tokens, and three linear decoders change the mean parameters.

The token is zero in the release; in small networks it is conditioned on where each point seems to be.
Goel et al., 2023. Layer names are those of the released weights. A pose is read as six numbers a joint, which the
released code reshapes to 2 x 3 and transposes: the first three are a rotation's first column, as in `sixd_to_matrix`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.geometry import matrix_to_sixd, sixd_to_matrix
from models.hmr import HeadSettings
from pipeline.core.skeletons import SMPL_24

JOINTS, BETAS = len(SMPL_24), 10
# Upright and facing the camera, whose y axis points down.
FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
_START_SCALE, _START_GAIN = 0.9, 0.05


class SelfAttention(nn.Module):
    """Attention among the decoder's tokens: with one token, a linear layer."""

    def __init__(self, s: HeadSettings) -> None:
        super().__init__()
        self.heads = s.heads
        self.to_qkv = nn.Linear(s.dim, 3 * s.heads * s.dim_head, bias=False)
        self.to_out = nn.Sequential(nn.Linear(s.heads * s.dim_head, s.dim), nn.Dropout(s.dropout))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, 1, dim) to the same; context is not asked."""
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        return self.to_out(_attended(q, k, v, self.heads))


class CrossAttention(nn.Module):
    """The decoder's tokens ask the picture's."""

    def __init__(self, s: HeadSettings, context_dim: int) -> None:
        super().__init__()
        self.heads = s.heads
        self.to_kv = nn.Linear(context_dim, 2 * s.heads * s.dim_head, bias=False)
        self.to_q = nn.Linear(s.dim, s.heads * s.dim_head, bias=False)
        self.to_out = nn.Sequential(nn.Linear(s.heads * s.dim_head, s.dim), nn.Dropout(s.dropout))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, 1, dim), asking (N, T, context_dim), to (N, 1, dim)."""
        k, v = self.to_kv(context).chunk(2, dim=-1)
        return self.to_out(_attended(self.to_q(x), k, v, self.heads))


def _attended(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """Two layers on each token."""

    def __init__(self, s: HeadSettings) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(s.dim, s.mlp), nn.GELU(), nn.Dropout(s.dropout), nn.Linear(s.mlp, s.dim), nn.Dropout(s.dropout)
        )

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, 1, dim) to the same; context is not asked."""
        return self.net(x)


class PreNorm(nn.Module):
    """A layer after a norm."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, 1, dim) to the same."""
        return self.fn(self.norm(x), context)


class DecoderLayers(nn.Module):
    """Self-attention, cross-attention and an MLP in turn."""

    def __init__(self, s: HeadSettings, context_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(PreNorm(s.dim, part) for part in _parts(s, context_dim)) for _ in range(s.depth)
        )

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, 1, dim), asking (N, T, context_dim), to (N, 1, dim)."""
        for layer in self.layers:
            for part in layer:  # type: ignore[attr-defined]
                x = x + part(x, context)
        return x


def _parts(s: HeadSettings, context_dim: int) -> tuple[nn.Module, ...]:
    return SelfAttention(s), CrossAttention(s, context_dim), FeedForward(s)


class Decoder(nn.Module):
    """From one number, zero, or from hints, to the token that has attended to the picture."""

    def __init__(self, s: HeadSettings, context_dim: int, hints: int) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(hints or 1, s.dim)
        nn.init.zeros_(self.to_token_embedding.bias)
        # Small, so that from the start what the token holds is mostly what it has seen.
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, 1, s.dim))
        self.transformer = DecoderLayers(s, context_dim)

    def forward(self, context: Tensor, hints: Tensor | None) -> Tensor:
        """(N, T, context_dim), and hints (N, H) where the token starts from some, to (N, dim)."""
        start = context.new_zeros(len(context), 1) if hints is None else hints
        return self.transformer(self.to_token_embedding(start)[:, None] + self.pos_embedding, context)[:, 0]


class Head(nn.Module):
    """Tokens to rotations, betas and the crop's camera."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, settings: HeadSettings, context_dim: int, hints: int = 0, takes_facing: bool = False) -> None:
        super().__init__()
        self.takes_facing = takes_facing
        self.transformer = Decoder(settings, context_dim, hints + 3 * takes_facing)
        self.decpose = nn.Linear(settings.dim, 6 * JOINTS)
        self.decshape = nn.Linear(settings.dim, BETAS)
        self.deccam = nn.Linear(settings.dim, 3)
        for layer in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=_START_GAIN)
            nn.init.zeros_(layer.bias)
        rest = torch.cat([FACING[None], torch.eye(3).expand(JOINTS - 1, 3, 3)])
        self.register_buffer("init_body_pose", matrix_to_sixd(rest).reshape(1, -1))
        self.register_buffer("init_betas", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.tensor([[_START_SCALE, 0.0, 0.0]]))

    def start_from(self, body: Tensor) -> None:
        """Make the mean of body rotations (P, 23, 3, 3) the pose that the decoders change."""
        self.init_body_pose[:, 6:] = matrix_to_sixd(body).mean(0).reshape(1, -1)

    def forward(self, tokens: Tensor, hints: Tensor | None, facing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations (N, 24, 3, 3), betas (N, 10) and camera s, tx, ty (N, 3) of tokens (N, T, context_dim).

        facing (N, 3): see `models.hmr.network`; a head that does not take it ignores it.
        """
        start = self.init_body_pose
        if self.takes_facing:
            hints = facing if hints is None else torch.cat([hints, facing], 1)
            start = torch.cat([_turned_to(facing, start[:, :6]), start[:, 6:].expand(len(facing), -1)], 1)
        token = self.transformer(tokens, hints).float()
        with torch.autocast(token.device.type, enabled=False):
            sixd = (self.decpose(token) + start).unflatten(-1, (JOINTS, 6))
            return sixd_to_matrix(sixd), self.decshape(token) + self.init_betas, self.deccam(token) + self.init_cam


def _turned_to(facing: Tensor, unknown: Tensor) -> Tensor:
    """(N, 6) orientation of bodies that stand upright in the crop and face that way; `unknown` (1, 6) where zero."""
    up = facing.new_tensor([0.0, -1.0, 0.0]).expand_as(facing)
    left = F.normalize(torch.linalg.cross(up, facing), dim=1)
    turned = torch.cat([left, torch.linalg.cross(facing, left)], 1)
    return torch.where(facing.any(1, keepdim=True), turned, unknown)
