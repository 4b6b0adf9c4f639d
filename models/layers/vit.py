"""The backbone: a vision transformer that keeps its tokens, with the layer names of ViTPose's released weights.

The huge one splits the picture into patches (Dosovitskiy et al., 2021); small ones have a convolutional stem (Xiao et
al., 2021), which learns from far fewer pictures. Either gives a token for every 16 x 16 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.settings import CELL_PX, BackboneSettings
from models.layers.unet import ResidualUNet

_LEVELS = 3
# ViTPose pads its patches by two pixels at the top and left.
_PADDING_PX = 2


class Stem(nn.Module):
    """Pictures to tokens through convolutions: the first three levels of the vehicle keypoint network.

    It may therefore start from that network's weights, which know edges, limbs of light and shade, and what a street's
    clutter looks like.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        whole = ResidualUNet(width, blocks=1, reach_cells=0)
        self.stem, self.down = whole.stem, whole.down[:_LEVELS]
        self.out = nn.Conv2d(_LEVELS * width, dim, 1)

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Take the vehicle keypoint network's weights."""
        own = {name: state[name] for name in self.state_dict() if not name.startswith("out.")}
        self.load_state_dict(own, strict=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, dim) and the features (N, 2 width, H / 8, W / 8) before the last halving of (N, 3, H, W)."""
        x, levels = self.stem(image), []
        for level in self.down:
            x = level(x)
            levels.append(x)
        return self.out(x).flatten(2).transpose(1, 2), levels[-2]


class Patches(nn.Module):
    """Pictures to tokens patch by patch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, CELL_PX, CELL_PX, _PADDING_PX)

    def forward(self, image: Tensor) -> tuple[Tensor, None]:
        """Tokens (N, T, dim) of (N, 3, H, W), and no finer features."""
        return self.proj(image).flatten(2).transpose(1, 2), None


class Attention(nn.Module):
    """Attention among tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dim) to the same."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two layers on each token."""

    def __init__(self, dim: int, inside: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, inside), nn.Linear(inside, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dim) to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A layer of the transformer; when trained, a sample skips each half of it with probability drop_path."""

    def __init__(self, dim: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn, self.mlp = Attention(dim, heads), Mlp(dim, 4 * dim)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dim) to the same."""
        x = x + self._kept(self.attn(self.norm1(x)))
        return x + self._kept(self.mlp(self.norm2(x)))

    def _kept(self, x: Tensor) -> Tensor:
        """Stochastic depth (Huang et al., 2016)."""
        if not self.training or self.drop_path == 0:
            return x
        kept = 1 - self.drop_path
        return x * x.new_empty(len(x), 1, 1).bernoulli_(kept) / kept


def _waves(rows: int, columns: int, dim: int) -> Tensor:
    """(1, rows * columns, dim) sines and cosines of the row and of the column, which tell places apart at once."""
    y, x = torch.meshgrid(torch.arange(rows).float(), torch.arange(columns).float(), indexing="ij")
    rate = 10.0 ** -torch.linspace(0, 1, dim // 4)
    phases = [place.flatten()[:, None] * rate for place in (y, x)]
    parts = [wave(phase) for phase in phases for wave in (torch.sin, torch.cos)]
    return F.pad(torch.cat(parts, 1), (0, dim - 4 * len(rate)))[None]


class Backbone(nn.Module):
    """Pictures to tokens."""

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__()
        rows, columns = settings.tokens_hw
        self.patch_embed = Stem(settings.stem, settings.dim) if settings.stem else Patches(settings.dim)
        # The first place is the class token's, which the released weights keep although there is no such token.
        self.pos_embed = nn.Parameter(F.pad(_waves(rows, columns, settings.dim), (0, 0, 1, 0)))
        rates = torch.linspace(0, settings.drop_path, settings.depth).tolist()
        self.blocks = nn.ModuleList(Block(settings.dim, settings.heads, rate) for rate in rates)
        self.last_norm = nn.LayerNorm(settings.dim, eps=1e-6)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tokens (N, T, dim), row by row, of pictures (N, 3, H, W), and the stem's finer features where it has some."""
        x, fine = self.patch_embed(image)
        x = x + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x), fine
