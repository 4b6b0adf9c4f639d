"""Predict people's pose and shape in boxes: what the pipeline asks for, and the network that answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from calibration.camera import Camera, edge_to_pixel
from models.crops import crop_from_camera
from models.headers import check_header
from models.hmr.window import cut, windows_of

if TYPE_CHECKING:
    from models.hmr.network import HumanMeshNetwork

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_BATCH = 32
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class People:
    """N people: theta (N, 24, 3) rotation vectors, the first the orientation in the camera; beta (N, 10); COCO's
    keypoints (N, 17, 2) px, an integer is a pixel's centre, with scores (N, 17) 0 to 1, 0 where none was looked for."""

    theta: np.ndarray
    beta: np.ndarray
    keypoints: np.ndarray
    score: np.ndarray

    @staticmethod
    def of_poses(theta: np.ndarray, beta: np.ndarray) -> People:
        """People nobody has seen keypoints of."""
        return People(theta, beta, np.full((len(theta), 17, 2), np.nan), np.zeros((len(theta), 17)))

    def __post_init__(self) -> None:
        count = len(self.theta)
        shapes = {"theta": (count, 24, 3), "beta": (count, 10), "keypoints": (count, 17, 2), "score": (count, 17)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"people {name}: expected {shape}, got {getattr(self, name).shape}")


class PeopleRegressor(Protocol):
    """Any network that finds SMPL's parameters in boxes."""

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes_xywh: np.ndarray,
        camera: Camera,
        facing: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> People:
        """People of boxes (N, 4), COCO edges in px, each in its BGR uint8 image (H, W, 3) of the camera.

        facing (N, 3) is about where they face in the camera's frame, NaN where nobody knows.
        """
        ...


class Regressor:
    """The project's own network behind the protocol."""

    def __init__(self, network: HumanMeshNetwork, device: str = "cpu") -> None:
        import torch

        self.device = torch.device(device)
        self.threads = (os.cpu_count() or 1) if self.device.type == "cpu" else 1
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes_xywh: np.ndarray,
        camera: Camera,
        facing: np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> People:
        """See `PeopleRegressor`; raises ValueError for another number of images than of boxes, and for bad ones."""
        boxes = np.asarray(boxes_xywh, float).reshape(-1, 4) if len(images) == 0 else np.asarray(boxes_xywh, float)
        if len(images) != len(boxes):
            raise ValueError(f"people: expected one image for each of {len(boxes)} boxes, got {len(images)}")
        windows = windows_of(boxes)
        crop_R = crop_from_camera(camera.rays(edge_to_pixel(windows[:, :2]))) if len(boxes) else np.zeros((0, 3, 3))
        told = np.zeros((len(boxes), 3)) if facing is None else _units(np.einsum("nab,nb->na", crop_R, facing))
        batches = [range(i, min(i + _BATCH, len(boxes))) for i in range(0, len(boxes), _BATCH)]
        none = (np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), np.zeros((0, 17, 2)), np.zeros((0, 17)))
        parts: list[tuple[np.ndarray, ...]] = [none]
        # One batch a core: torch's own threads wait for each other after every layer.
        with ThreadPoolExecutor(self.threads, initializer=_one_torch_thread) as pool:
            for rows, part in zip(
                batches, pool.map(lambda b: self._batch(images, windows, told, b), batches), strict=True
            ):
                parts.append(part)
                if progress:
                    progress(rows.stop, len(boxes))
        rotations, beta, sides, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        points = windows[:, None, :2] + windows[:, None, 2:] * sides
        return People(_in_camera(rotations, crop_R), beta, edge_to_pixel(points), score)

    def _batch(
        self, images: Sequence[np.ndarray], windows: np.ndarray, told: np.ndarray, rows: range
    ) -> tuple[np.ndarray, ...]:
        """Rotations (B, 24, 3, 3), betas (B, 10), keypoints (B, 17, 2) in sides and scores (B, 17) of the windows."""
        import torch

        from models.hmr.mirror import look_twice
        from models.hmr.network import scaled

        height = self.network.settings.backbone.height_px
        cuts = np.stack([cut(_checked(row, images[row]), windows[row], height) for row in rows])
        with torch.no_grad():  # inference mode would leave its mark on the body, which fits share
            image = torch.from_numpy(np.ascontiguousarray(cuts[..., ::-1])).to(self.device).permute(0, 3, 1, 2)
            values = look_twice(self.network, scaled(image), torch.from_numpy(told[rows]).float().to(self.device))
        return tuple(value.double().cpu().numpy() for value in values)


def _units(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors, zero for NaN."""
    return np.nan_to_num(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _in_camera(rotations: np.ndarray, crop_R: np.ndarray) -> np.ndarray:
    """(N, 24, 3) rotation vectors of rotations (N, 24, 3, 3), the first turned back from the crops' cameras."""
    import torch

    from models.geometry import log_so3

    rotations[:, 0] = crop_R.transpose(0, 2, 1) @ rotations[:, 0]
    return log_so3(torch.from_numpy(rotations)).numpy()


def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)  # of the calling thread


def _checked(number: int, image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image {number}: expected (H, W, 3) uint8 BGR, got {image.shape} {image.dtype}")
    return image


def check_weights(path: Path) -> None:
    """Raise ValueError, one line, unless the file says that it holds this network's weights; costs no torch."""
    if path.suffix in RELEASED_SUFFIXES and path.is_file():
        return
    remedy = "`make train MODEL=hmr` writes one for [ReconstructPeople] body_weights"
    check_header(path, "hmr", remedy=remedy, other=", or HMR 2.0's .ckpt")


RELEASED_SUFFIXES = (".ckpt", ".pt", ".pth")


def load(path: Path, device: str | None = None) -> Regressor:
    """The network of a weights file, ours or HMR 2.0's released .ckpt, on `device`, else on CUDA where there is one.

    Raises FileNotFoundError, and ValueError in one line for weights of another model or architecture.
    """
    import torch

    from models.checkpoints import load_into, read_weights
    from models.hmr.network import build_network
    from models.hmr.released import read_released

    if path.suffix in RELEASED_SUFFIXES:
        network = read_released(path)
    else:
        state, config = read_weights(path)
        network = build_network(config, path)
        load_into(network, state, path)
    return Regressor(network, device or ("cuda" if torch.cuda.is_available() else "cpu"))


def load_default(device: str | None = None) -> Regressor:
    """The network whose weights lie beside this file."""
    return load(WEIGHTS, device)
