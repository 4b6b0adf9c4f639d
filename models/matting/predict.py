"""Make a rough mask exact, given the frame and the empty street behind it.

A network of a few dozen thousand weights (card.md) sees the frame's own pixels; OpenCV runs it, so that the workers
need no torch. Images are BGR, float32 grey levels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

WEIGHTS = Path(__file__).with_name("matting.onnx")
CHANNELS = 10
STRIDE = 8  # the network halves its input three times
# Room around the rough mask: limbs that it lost, and enough street to compare with.
MARGIN_PX = 12
_OFFSET = 6.0  # grey levels added before a logarithm: below them a ratio is noise


def inputs(frame: np.ndarray, background: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(10, h, w) float32 of what the network sees: frame and background (h, w, 3) in the same illumination, the
    logarithm of their ratio, the rough mask (h, w)."""
    ratio = np.log((frame + _OFFSET) / (background + _OFFSET))
    layers = [frame / 127.5 - 1, background / 127.5 - 1, ratio, mask[..., None] * 2.0 - 1]
    return np.concatenate(layers, axis=2, dtype=np.float32).transpose(2, 0, 1)


Logits = Callable[[np.ndarray], np.ndarray]


def refined(frame: np.ndarray, background: np.ndarray, mask: np.ndarray, logits_of: Logits | None = None) -> np.ndarray:
    """(h, w) float32 chance, 0 to 1, that a pixel is the object's: of the picture and of its mirror image, averaged.

    logits_of: another network than the one that ships, from (1, 10, H, W), H and W multiples of STRIDE, to
    (1, 1, H, W).
    """
    h, w = mask.shape
    stack = inputs(np.asarray(frame, np.float32), np.asarray(background, np.float32), mask)
    padded = np.pad(stack, ((0, 0), (0, -h % STRIDE), (0, -w % STRIDE)), mode="edge")
    network = logits_of or _shipped
    mirrored = network(np.ascontiguousarray(padded[None, ..., ::-1]))[0, 0, :, ::-1]
    logits = ((network(padded[None])[0, 0] + mirrored) / 2)[:h, :w]
    return 1 / (1 + np.exp(-logits))


def _shipped(stack: np.ndarray) -> np.ndarray:
    network = _network()
    network.setInput(stack)
    return network.forward()


@lru_cache(maxsize=1)
def _network() -> cv2.dnn.Net:
    return read_network(WEIGHTS)


def read_network(path: Path) -> cv2.dnn.Net:
    """A network of an ONNX file. Raises ValueError, naming it, where OpenCV reads none there."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected the matting network as ONNX")
    try:
        return cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise ValueError(f"{path}: cannot be read as ONNX ({error.err})") from None
