"""From heatmaps to the graph's nodes: a point and its confidence, with gradients back to the heatmap."""

from __future__ import annotations

import torch
from torch import Tensor

_AROUND = 3  # cells on each side of the peak: a little less than PCK@0.1 allows


def read_out(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Cell coordinates (N, K, 2) and confidence (N, K), 0 to 1, of heatmap logits (N, K, S, S).

    The point is the mean of the distribution over the cells around its peak, and the confidence their share of it;
    both have gradients everywhere, while the mean over all cells would fall between two modes.
    """
    size = logits.shape[-1]
    logits = logits.float()
    best = logits.detach().flatten(2).argmax(-1)
    offsets = torch.arange(-_AROUND, _AROUND + 1, device=logits.device)
    rows, columns = (centre[..., None] + offsets for centre in (best // size, best % size))  # (N, K, 7)
    inside = ((rows >= 0) & (rows < size))[..., None] & ((columns >= 0) & (columns < size))[..., None, :]
    index = (rows.clamp(0, size - 1)[..., None] * size + columns.clamp(0, size - 1)[..., None, :]).flatten(2)
    local = logits.flatten(2).gather(-1, index).masked_fill(~inside.flatten(2), -torch.inf)  # (N, K, 49)
    # The share of all cells is taken in logarithms: far from the peak single cells are below float32.
    confidence = (local.logsumexp(-1) - logits.flatten(2).logsumexp(-1)).exp()
    weight = torch.softmax(local, -1).unflatten(-1, inside.shape[-2:])
    x = (weight.sum(-2) * columns).sum(-1)
    y = (weight.sum(-1) * rows).sum(-1)
    return torch.stack([x, y], -1), confidence
