"""Predict how likely a detection shows a whole object, and what is in front of it otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.occlusion_classifier.crops import CLASSES, STORED_PX, middle

if TYPE_CHECKING:
    from models.occlusion_classifier.network import OcclusionNetwork

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_BATCH = 64


class OcclusionClassifier:
    """A trained network over crops."""

    def __init__(self, network: OcclusionNetwork) -> None:
        self.network = network.eval()

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Chances (N, 6) of CLASSES for crops (N, STORED_PX, STORED_PX, 4): the mean over each and its mirror image.

        Raises ValueError for crops of another shape.
        """
        import torch  # loads for seconds, other stages do without it

        if crops.shape[1:] != (STORED_PX, STORED_PX, 4) or crops.dtype != np.uint8:
            raise ValueError(f"crops: expected (N, {STORED_PX}, {STORED_PX}, 4) uint8, got {crops.shape} {crops.dtype}")
        parts = [np.zeros((0, len(CLASSES)), np.float32)]
        seen = torch.from_numpy(np.ascontiguousarray(middle(crops).transpose(0, 3, 1, 2)))
        with torch.inference_mode():
            for batch in seen.split(_BATCH):
                both = torch.stack([self.network(image).softmax(1) for image in (batch, batch.flip(3))])
                parts.append(both.mean(0).numpy())
        return np.concatenate(parts)

    def unoccluded(self, crops: np.ndarray) -> np.ndarray:
        """(N,) chance that each shows a whole object."""
        return self.predict(crops)[:, CLASSES.index("unoccluded")]


def check_weights(path: Path) -> None:
    """Raise FileNotFoundError, one line, where a network is yet to be trained; costs no torch."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no weights of the occlusion classifier there; `make train MODEL=occlusion_classifier` makes some"
        )


def load(path: Path = WEIGHTS) -> OcclusionClassifier:
    """The network of a weights file, the one that ships by default.

    Raises FileNotFoundError, and ValueError in one line for weights of another model or architecture.
    """
    from models.checkpoints import load_into, read_weights
    from models.occlusion_classifier.network import build_network

    check_weights(path)
    state, config = read_weights(path)
    network = build_network(config, path)
    load_into(network, state, path)
    return OcclusionClassifier(network)
