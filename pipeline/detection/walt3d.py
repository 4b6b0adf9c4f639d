"""The WALT3D network as a detector: what is seen of the objects that it finds, from the weights that ship or one's own.

It has learnt on simulated streets and knows cars and people by their looks, so that it finds what stands there all day,
which nothing that looks for motion does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.mm import package_folder
from pipeline.core import masks
from pipeline.core.instances import Instance, tight
from pipeline.detection.registry import Backend, Inputs


@dataclass(frozen=True)
class Walt3dDetectorSettings:
    """Which weights, and what of their finds counts."""

    weights: str = field(
        default="", metadata={"help": "path of weights that training wrote, else those that ship", "file": True}
    )
    min_score: float = field(default=0.3, metadata={"help": "lowest score of an object, 0 to 1"})
    min_area_px: int = field(default=40, metadata={"help": "smallest visible mask, pixels"})
    device: str = field(default="", metadata={"help": "cpu, cuda, cuda:1; CUDA if there", "speed": True})

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"detector walt3d: min_score: expected 0 to 1, got {self.min_score}")


class Walt3dDetector:
    """Detector that runs the network on whole pictures."""

    def __init__(self, settings: Walt3dDetectorSettings, ignore: np.ndarray | None = None) -> None:
        from models.contract import find
        from models.walt3d.network import load

        self.settings, self.ignore = settings, ignore
        weights = Path(settings.weights) if settings.weights else None
        self.predict = load(find("walt3d"), weights, settings.device or None, least=settings.min_score, bodies=False)

    def __call__(self, image_bgr: np.ndarray, bucket: str, frame_id: int) -> list[Instance]:
        """The objects of a picture (H, W, 3) BGR uint8, by their visible masks, best first."""
        size_hw = (image_bgr.shape[0], image_bgr.shape[1])
        (found,) = self.predict(image_bgr)
        objects = []
        for category, score, rle in zip(found["category"], found["score"], found["mask_visible_rle"], strict=True):
            crop, (x, y, w, h) = masks.decode(rle, size_hw)
            if self.ignore is not None:
                crop = crop & ~self.ignore[y : y + h, x : x + w]
            if crop.sum() >= self.settings.min_area_px and (seen := tight(crop, (x, y))):
                objects.append(Instance(category, float(score), *seen))
        return objects


def _with_mmdet(settings: Walt3dDetectorSettings, folder: Path) -> Walt3dDetectorSettings:
    """The same settings. Raises ValueError where mmdet, whose parts the network is made of, is not installed."""
    package_folder("mmdet")
    return settings


def _walt3d_detector(settings: Walt3dDetectorSettings, inputs: Inputs) -> Walt3dDetector:
    return Walt3dDetector(settings, inputs.ignore)


BACKEND = Backend("walt3d", _walt3d_detector, Walt3dDetectorSettings, complete=_with_mmdet, sure=0.9)
