"""Detectors that mmdet builds, as parts of a network of the house: built, with first weights, and what they see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.mm import quiet, require

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, as mmdet has them


def built(model: Mapping[str, Any], which: str = "mmdet") -> Any:
    """The torch module that a config's model describes, with random weights, on the CPU; one device's batch
    normalisation in place of that of many. Raises ValueError, one line, where mmdet or mmpose is not installed."""
    require(which)
    from mmengine.config import ConfigDict
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import MODELS, DefaultScope

    with quiet(), DefaultScope.overwrite_default_scope(which):
        return revert_sync_batchnorm(MODELS.build(ConfigDict(model)))


def first_weights(*parts: nn.Module) -> None:
    """mmdet's own first weights of some parts of a detector."""
    with quiet():
        for part in parts:
            part.init_weights()  # type: ignore[operator]


def normalised(image: Tensor) -> Tensor:
    """Pictures (B, 3, h, w) RGB uint8 as backbones of ImageNet want them, float32."""
    mean, std = (torch.tensor(v, device=image.device)[:, None, None] for v in (_MEAN, _STD))
    return (image.float() - mean) / std
