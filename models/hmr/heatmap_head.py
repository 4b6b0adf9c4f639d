"""Where a person's points seem to be: heatmaps of cells of 8 px, which small networks are trained on beside.

HMR 2.0 starts from ViTPose's weights, which know where joints are. A network that starts from less learns it so, and
its head is conditioned on what was found.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.heatmaps import means_within
from models.layers.settings import BackboneSettings
from models.layers.unet import Residual

_SPREAD_SIDES = 0.045  # of a target: three quarters of a cell in a picture 128 px high
_REACH_SIDES = 3 * _SPREAD_SIDES  # heat farther from the peak speaks for another place
_HINT_SCALE = 4.0  # about as large as what a norm would make of places


class HeatmapHead(nn.Module):
    """Tokens and the stem's finer features to heatmaps."""

    cells: Tensor

    def __init__(self, settings: BackboneSettings, points: int) -> None:
        super().__init__()
        width = 2 * settings.stem
        self.tokens_hw = settings.tokens_hw
        self.across, self.mix = nn.Conv2d(settings.dim, width, 1), Residual(width, width)
        self.out = nn.Conv2d(width, points, 1)
        rows, columns = (2 * n for n in settings.tokens_hw)
        y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
        middles = torch.stack([x - columns / 2, y - rows / 2], -1).flatten(0, 1) / rows
        self.register_buffer("cells", middles, persistent=False)  # (T', 2) in sides of the crop from its middle

    def forward(self, tokens: Tensor, fine: Tensor) -> Tensor:
        """Logits (N, P, T') of tokens (N, T, dim) and finer features (N, C, H, W)."""
        coarse = self.across(tokens.transpose(1, 2).unflatten(2, self.tokens_hw))
        return self.out(self.mix(F.interpolate(coarse, scale_factor=2.0) + fine)).flatten(2).float()

    def hints(self, heat: Tensor) -> Tensor:
        """(N, 3 P) the mean place of each heatmap and the height of its peak."""
        probability = heat.softmax(-1)
        return torch.cat([_HINT_SCALE * (probability @ self.cells), probability.amax(-1, keepdim=True)], -1).flatten(1)

    def points(self, heat: Tensor) -> tuple[Tensor, Tensor]:
        """Where each point most likely is (N, P, 2), the mean of the heat about its peak, and that heat's fraction."""
        return means_within(heat.softmax(-1), self.cells, _REACH_SIDES)

    def mirrored(self, heat: Tensor) -> Tensor:
        """Heat (N, P, T') of the mirror image's places; left and right points keep their names."""
        rows, columns = (2 * n for n in self.tokens_hw)
        return heat.unflatten(-1, (rows, columns)).flip(-1).flatten(-2)

    def loss(self, heat: Tensor, points: Tensor) -> Tensor:
        """Cross-entropy of heatmaps (N, P, T') with a Gaussian about points (N, P, 2)."""
        away = (points[:, :, None] - self.cells).square().sum(-1)
        target = torch.softmax(-away / (2 * _SPREAD_SIDES**2), -1)
        return -(target * heat.log_softmax(-1)).sum(-1).mean()
