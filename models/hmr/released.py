"""Read HMR 2.0's released checkpoint, 4D-Humans' Lightning .ckpt, into this project's network.

The weights are not part of this project, and they predict SMPL's own betas: use them with SMPL's body file.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from models import predictor
from models.checkpoints import load_into
from models.contract import Spec
from models.hmr import RELEASED_SUFFIXES, HeadSettings, LossWeights, MeshSettings
from models.hmr.network import MeshNetwork
from models.layers.settings import CELL_PX, BackboneSettings
from models.predictor import Predictor
from models.torch_files import read_torch

_PARTS = ("backbone.", "smpl_head.")
_VIT_HEAD_DIM = 80  # ViT-H: 1280 channels in 16 heads
_DECODER_HEAD_DIM = 64
_LAYERS = "smpl_head.transformer.transformer.layers"
_NDIM = {
    "backbone.pos_embed": 3, f"{_LAYERS}.0.1.fn.to_q.weight": 2, f"{_LAYERS}.0.2.fn.net.0.weight": 2,
    "smpl_head.decpose.weight": 2,
}  # fmt: skip


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
    content = read_torch(path)
    every = content.get("state_dict", content) if isinstance(content, dict) else {}
    tensors = every.items() if isinstance(every, dict) else ()
    state = {n: t.float() for n, t in tensors if isinstance(n, str) and n.startswith(_PARTS) and isinstance(t, Tensor)}
    if "backbone.pos_embed" not in state or "smpl_head.decpose.weight" not in state:
        raise ValueError(
            f"{path}: expected HMR 2.0's weights (backbone.*, smpl_head.*), got {sorted(map(str, every))[:3]}"
        )
    try:
        settings = _settings(state, path)
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path}: expected HMR 2.0's weights, it lacks {error.args[0]}") from None
    network = MeshNetwork(settings)
    load_into(network, state, path)
    return network


def _settings(state: dict[str, Tensor], path: Path) -> MeshSettings:
    """The sizes that the tensors' shapes say; heads are as wide as the release's."""
    for name, ndim in _NDIM.items():
        if state[name].ndim != ndim or 0 in state[name].shape:
            raise ValueError(f"{path}: {name}: expected {ndim} dimensions, got {tuple(state[name].shape)}")
    _, places, dim = state["backbone.pos_embed"].shape
    rows = round(((places - 1) * 4 / 3) ** 0.5)
    if rows * (rows * 3 // 4) != places - 1:
        raise ValueError(f"{path}: expected tokens of a picture 4 high and 3 wide, got {places - 1} tokens")
    layers = _LAYERS
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
    """How many layers there are, which are numbered from 0; those whose numbers leave a gap are no network's."""
    found = {int(match[1]) for name in state if (match := re.match(pattern, name))}
    if found and max(found) >= len(found):
        raise ValueError(f"{pattern}: expected layers numbered from 0 on, got {len(found)} up to {max(found)}")
    return len(found)
