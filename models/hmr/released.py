"""Read HMR 2.0's released checkpoint, 4D-Humans' Lightning .ckpt, into this project's network.

The weights are not part of this project, and they predict SMPL's own betas: use them with SMPL's body file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models import predictor
from models.checkpoints import load_into, read_checkpoint
from models.contract import Spec
from models.hmr import RELEASED_SUFFIXES, HeadSettings, LossWeights, MeshSettings
from models.hmr.network import MeshNetwork
from models.layers.settings import CELL_PX, BackboneSettings
from models.placeholders import placeholders
from models.predictor import Predictor

_PARTS = ("backbone.", "smpl_head.")
_VIT_HEAD_DIM = 80  # ViT-H: 1280 channels in 16 heads
_DECODER_HEAD_DIM = 64


def load(spec: Spec, weights: Path | None = None, device: str | None = None) -> Predictor:
    """A predictor as `models.predictor.load` makes it, also of HMR 2.0's released .ckpt."""
    if weights is None or weights.suffix not in RELEASED_SUFFIXES:
        return predictor.load(spec, weights, device)
    return Predictor(spec, read_released(weights), device or ("cuda" if torch.cuda.is_available() else "cpu"))


def read_released(path: Path) -> MeshNetwork:
    """The network of a released checkpoint, whatever its width and depth; read without running any code in it: the
    settings that Lightning keeps beside the weights are placeholders.

    Raises ValueError, one line, for a file that holds more than tensors and plain values or another network.
    """
    with torch.serialization.safe_globals(placeholders()):
        content = read_checkpoint(path)
    every: dict[str, Any] = content.get("state_dict", content)
    state = {name: value.float() for name, value in every.items() if name.startswith(_PARTS)}
    if "backbone.pos_embed" not in state or "smpl_head.decpose.weight" not in state:
        raise ValueError(f"{path}: expected HMR 2.0's weights (backbone.*, smpl_head.*), got {sorted(every)[:3]}")
    try:
        settings = _settings(state, path)
    except KeyError as error:
        raise ValueError(f"{path}: expected HMR 2.0's weights, it lacks {error.args[0]}") from None
    network = MeshNetwork(settings)
    load_into(network, state, path)
    return network


def _settings(state: dict[str, Tensor], path: Path) -> MeshSettings:
    """The sizes that the tensors' shapes say; heads are as wide as the release's."""
    _, places, dim = state["backbone.pos_embed"].shape
    rows = round(((places - 1) * 4 / 3) ** 0.5)
    if rows * (rows * 3 // 4) != places - 1:
        raise ValueError(f"{path}: expected tokens of a picture 4 high and 3 wide, got {places - 1} tokens")
    layers = "smpl_head.transformer.transformer.layers"
    inside = state[f"{layers}.0.1.fn.to_q.weight"].shape[0]
    return MeshSettings(
        BackboneSettings(
            height_px=CELL_PX * rows, dim=dim, depth=_count(state, r"backbone\.blocks\.(\d+)\."),
            heads=max(1, dim // _VIT_HEAD_DIM), stem=0,
        ),
        HeadSettings(
            dim=state["smpl_head.decpose.weight"].shape[1], depth=_count(state, rf"{re.escape(layers)}\.(\d+)\."),
            heads=max(1, inside // _DECODER_HEAD_DIM), dim_head=min(inside, _DECODER_HEAD_DIM),
            mlp=state[f"{layers}.0.2.fn.net.0.weight"].shape[0],
        ),
        LossWeights(adversarial=0.0, heatmaps=0.0),
        conditioned_on_facing=False,
    )  # fmt: skip


def _count(state: dict[str, Tensor], pattern: str) -> int:
    """One more than the largest layer number."""
    found = [re.match(pattern, name) for name in state]
    return 1 + max((int(match[1]) for match in found if match), default=-1)
