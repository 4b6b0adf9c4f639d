"""The network as OpenCV runs it: its export as ONNX, the file that ships measured, and predictions on pictures."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoints import network_of
from models.contract import Given, Preset, Progress, Spec
from models.evaluate import measured
from models.frames import Frame
from models.matting import SPEC, MattingSettings
from models.matting.network import MattingNetwork
from models.matting.predict import CHANNELS, MARGIN_PX, read_network, refined
from models.network import Batch
from models.predictor import FramePredictor
from pipeline.core import masks
from pipeline.core.illumination import PlacedMask, Relit, padded
from pipeline.core.instances import Instances, tight


def export(weights: Path, out: Path) -> None:
    """Write a trained network as ONNX, which OpenCV runs at any size.

    Raises ValueError for the weights of another model or architecture.
    """
    network = _FromTensor(_network_of(SPEC, weights))
    example = torch.zeros(1, CHANNELS, 64, 40)
    with warnings.catch_warnings():
        # The newer exporter fixes sizes into reshapes that OpenCV's reader then cannot change.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network, (example,), str(out), dynamo=False, opset_version=13, input_names=["inputs"],
            dynamic_axes={"inputs": {2: "height", 3: "width"}},
        )  # fmt: skip


def measure(
    spec: Spec, preset: Preset, given: Given, weights: Path, *, device: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """See `models.evaluate.measure`; of an exported file as well."""
    network = _Exported(weights) if weights.suffix == ".onnx" else _network_of(spec, weights)
    return measured(spec, network, preset.network, preset, given, "cpu" if weights.suffix == ".onnx" else device)


class MattingPredictor(FramePredictor):
    """Over frames with a background and with objects of which a rough mask is known."""

    def __init__(self, spec: Spec, logits: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(spec, batch=1)
        self.logits = logits

    def predict_batch(self, frames: list[Frame]) -> list[Instances]:
        """The objects with mask_visible_rle and its box, bbox_visible_xywh; the rough mask where nothing is left of it.

        Raises ValueError for a frame without a background.
        """
        return [frame.objects.with_columns(self._exact(frame)) for frame in frames]

    def _exact(self, frame: Frame) -> dict[str, Any]:
        if frame.background is None:
            raise ValueError(f"matting: picture {frame.name or '?'}: expected the background behind it, got none")
        relit = Relit(frame.image, frame.background, frame.objects["mask_rle"])
        found = [self._mask(relit, one) for one in relit.placed]
        rles = [masks.encode(crop, xy, frame.size_hw) for crop, xy in found]
        boxes = [[*xy, *crop.shape[::-1]] for crop, xy in found]
        return {"mask_visible_rle": rles, "bbox_visible_xywh": np.array(boxes, float).reshape(-1, 4)}

    def _mask(self, relit: Relit, one: PlacedMask) -> tuple[np.ndarray, tuple[int, int]]:
        rough, box = padded(one, (MARGIN_PX, MARGIN_PX), relit.frame.shape[:2])
        x, y, w, h = box
        owner = relit.owner[y : y + h, x : x + w]
        chance = refined(*relit.crop(box), rough, self.logits)
        found = (chance > 0.5) & ((owner == 0) | (owner == one.number))
        return tight(found, (x, y)) or (one.crop, one.xy)


def load(spec: Spec, weights: Path | None, device: str | None) -> MattingPredictor:
    """A predictor of the file that ships, or another .onnx, by OpenCV, or of a run's weights by torch."""
    path = weights or spec.shipped
    if path.suffix == ".onnx":
        return MattingPredictor(spec, partial(_by_opencv, read_network(path)))
    there = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return MattingPredictor(spec, partial(_by_torch, _network_of(spec, path).to(there), there))


def _by_opencv(network: cv2.dnn.Net, stack: np.ndarray) -> np.ndarray:
    network.setInput(stack)
    return network.forward()


def _by_torch(network: MattingNetwork, device: torch.device, stack: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network({"inputs": torch.from_numpy(stack).to(device)}).cpu().numpy()


def _network_of(spec: Spec, weights: Path) -> MattingNetwork:
    return cast(MattingNetwork, network_of(spec, weights).eval())


class _FromTensor(nn.Module):
    """The network from a tensor to a tensor."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (N, 1, H, W) of (N, 10, H, W)."""
        return self.network({"inputs": inputs})


class _Exported(MattingNetwork):
    """An exported file in a network's place."""

    def __init__(self, path: Path) -> None:
        super().__init__(MattingSettings())
        self.reader = read_network(path)

    def forward(self, batch: Batch) -> Tensor:
        """One sample after the other, as the file has it."""
        stacks = batch["inputs"].cpu().numpy()
        return torch.from_numpy(np.concatenate([_by_opencv(self.reader, stack[None]) for stack in stacks]))
