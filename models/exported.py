"""Networks of other projects that were exported to ONNX: a file's session, and the picture as their input wants it.

Input [1, 3, S, S], RGB / 255, the picture fitted in and padded with grey 114, as YOLO's exports have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from readers.limits import check_file

_GREY = 114


@dataclass(frozen=True)
class Letterbox:
    """How a picture was fitted in: input pixel = frame edge coordinate * scale + pad, both along x and y."""

    scale: float
    pad: tuple[int, int]


def open_session(model: str, threads: int, who: str, advice: str) -> Any:
    """onnxruntime's session of a file.

    Raises ValueError that names `who` asks for it where the file or the library is missing, with `advice` what file.
    """
    path = Path(model)
    if not model or not path.is_file():
        raise ValueError(f"{who}: model {model!r}: no such file; {advice}")
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(f'{who} needs onnxruntime: `pip install "walt3d[onnx]"` or `make setup EXTRAS=onnx`') from None
    check_file(path, "weights_mb")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"{path}: not a network that onnxruntime loads: {str(error).splitlines()[0]}") from None


def letterbox(image: np.ndarray, size_hw: tuple[int, ...]) -> tuple[np.ndarray, Letterbox]:
    """The network's input (1, 3, S, S) float32 RGB of a frame (H, W, 3) BGR, and how it was fitted in."""
    height, width = image.shape[:2]
    scale = min(size_hw[0] / height, size_hw[1] / width)
    h, w = round(height * scale), round(width * scale)
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.full((*size_hw, 3), _GREY, np.uint8)
    left, top = (size_hw[1] - w) // 2, (size_hw[0] - h) // 2
    canvas[top : top + h, left : left + w] = small
    tensor = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)[None].astype(np.float32) / 255
    return tensor, Letterbox(scale, (left, top))
