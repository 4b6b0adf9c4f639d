"""Predict vehicle keypoints: the protocol that the pipeline asks for, and the network that ships with the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.crops import crop_square, from_cells, px_per_cell, squares_of
from models.headers import check_header

if TYPE_CHECKING:
    from models.vehicle_keypoints.network import KeypointNetwork

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_BATCH = 32
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Keypoints:
    """N vehicles' keypoints, in the order of the design's twelve.

    xy (N, 12, 2) px of the image, an integer is a pixel's centre, hidden points too; score (N, 12) 0 to 1, how likely
    the point lies within a tenth of the box's longer side of xy; sigma_px (N, 12) expected error along an axis; state
    (N, 12) index of KEYPOINT_STATES.
    """

    xy: np.ndarray
    score: np.ndarray
    sigma_px: np.ndarray
    state: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.xy)
        expected = {"xy": (count, 12, 2), "score": (count, 12), "sigma_px": (count, 12), "state": (count, 12)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"keypoints {name}: expected {shape}, got {getattr(self, name).shape}")


class VehicleKeypoints(Protocol):
    """Any network that finds the twelve keypoints in boxes."""

    def predict(
        self, images: Sequence[np.ndarray], boxes_xywh: np.ndarray, progress: Progress | None = None
    ) -> Keypoints:
        """Keypoints of boxes (N, 4), COCO edges in px, each in its BGR uint8 image (H, W, 3); images may repeat."""
        ...


class HeatmapKeypoints:
    """The project's own network behind the protocol."""

    def __init__(self, network: KeypointNetwork, device: str = "cpu") -> None:
        import torch

        self.device = torch.device(device)
        self.threads = (os.cpu_count() or 1) if self.device.type == "cpu" else 1
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def predict(
        self, images: Sequence[np.ndarray], boxes_xywh: np.ndarray, progress: Progress | None = None
    ) -> Keypoints:
        """See `VehicleKeypoints`; raises ValueError for another number of images than of boxes, and for bad ones."""
        boxes = np.asarray(boxes_xywh, float).reshape(-1, 4) if len(images) == 0 else np.asarray(boxes_xywh, float)
        if len(images) != len(boxes):
            raise ValueError(f"vehicle keypoints: expected one image for each of {len(boxes)} boxes, got {len(images)}")
        windows = squares_of(boxes)
        batches = [range(i, min(i + _BATCH, len(boxes))) for i in range(0, len(boxes), _BATCH)]
        parts = [_nothing()]
        # One batch a core: torch's own threads wait for each other after every layer, which on a busy machine takes
        # several times as long as the work.
        with ThreadPoolExecutor(self.threads, initializer=_one_torch_thread) as pool:
            for rows, part in zip(batches, pool.map(lambda b: self._batch(images, windows, b), batches), strict=True):
                parts.append(part)
                if progress:
                    progress(rows.stop, len(boxes))
        return Keypoints(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _batch(self, images: Sequence[np.ndarray], windows: np.ndarray, rows: range) -> tuple[np.ndarray, ...]:
        cuts = np.stack([crop_square(_checked(row, images[row]), windows[row]) for row in rows])
        return self._of_crops(cuts[..., ::-1], windows[rows.start : rows.stop])

    def _of_crops(self, crops_rgb: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, ...]:
        """xy, score, sigma_px and state of window cuts (B, 128, 128, 3)."""
        import torch

        from models.layers.unet import scaled

        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(crops_rgb)).to(self.device).permute(0, 3, 1, 2)
            heat, state = self.network(scaled(image))
        return decode(heat.float().cpu(), state.float().cpu(), windows)


def decode(heat, state, windows: np.ndarray) -> tuple[np.ndarray, ...]:
    """xy, score, sigma_px and state of heatmap logits (B, 12, S, S) and state logits (B, 12, 4) in windows (B, 3)."""
    import torch

    from models.layers import heatmaps
    from models.metrics.keypoints import pck_radius_cells

    probability = heatmaps.distributions(heat)
    point = heatmaps.peaks(probability)
    radius = torch.full((len(point), 1), pck_radius_cells())
    xy = from_cells(point.numpy().astype(float), windows)
    sigma = heatmaps.spread(probability, point).numpy().astype(float) * px_per_cell(windows)[:, None]
    score = heatmaps.mass_within(probability, point, radius).numpy().astype(float)
    return xy, score, sigma, state.argmax(-1).numpy()


def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)  # of the calling thread


def _nothing() -> tuple[np.ndarray, ...]:
    return np.zeros((0, 12, 2)), np.zeros((0, 12)), np.zeros((0, 12)), np.zeros((0, 12), np.int64)


def _checked(number: int, image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image {number}: expected (H, W, 3) uint8 BGR, got {image.shape} {image.dtype}")
    return image


def check_weights(path: Path) -> None:
    """Raise ValueError, one line, unless the file says that it holds this network's weights; costs no torch."""
    check_header(path, "vehicle_keypoints", remedy="`make train MODEL=vehicle_keypoints` writes one")


def load(path: Path, device: str | None = None) -> HeatmapKeypoints:
    """The network of a weights file, on `device`, else on CUDA where there is one.

    Raises FileNotFoundError, and ValueError in one line for weights of another model or architecture.
    """
    import torch

    from models.checkpoints import load_into, read_weights
    from models.vehicle_keypoints.network import build_network

    state, config = read_weights(path)
    network = build_network(config, path)
    load_into(network, state, path)
    return HeatmapKeypoints(network, device or ("cuda" if torch.cuda.is_available() else "cpu"))


def load_default(device: str | None = None) -> HeatmapKeypoints:
    """The network that ships."""
    return load(WEIGHTS, device)
