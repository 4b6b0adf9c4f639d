"""A run's detector on pictures: `models.load("detector", "data/runs/mine/weights.pth")("street.jpg")`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.contract import Spec
from models.detector.train import CONFIG
from models.frames import Frame
from models.mm.segmenter import MmdetDetector, MmdetSettings
from models.predictor import FramePredictor
from pipeline.core.instances import Instances


class DetectorPredictor(FramePredictor):
    """Whole frames, whose objects it finds itself."""

    def __init__(self, spec: Spec, detector: MmdetDetector) -> None:
        super().__init__(spec, detector.batch)
        self.detector = detector

    def predict_batch(self, frames: list[Frame]) -> list[Instances]:
        """What is found in each frame, best first."""
        found = self.detector.many([frame.image for frame in frames])
        return [Instances.detected(frame.size_hw, mine) for frame, mine in zip(frames, found, strict=True)]


def segmenter_of(weights: Path, device: str | None = None, **settings: Any) -> MmdetDetector:
    """mmdet's network of a run's weights, whose config lies beside them; settings: others of MmdetSettings.

    Raises ValueError where there is none, and without the packages.
    """
    config = weights.with_name(CONFIG)
    if not config.is_file():
        raise ValueError(f"{config}: no such file; expected the config that training wrote beside {weights.name}")
    return MmdetDetector(
        MmdetSettings(config=str(config), checkpoint=str(weights), device=device or "auto", **settings)
    )


def load(spec: Spec, weights: Path | None, device: str | None) -> DetectorPredictor:
    """A predictor of a run's weights; none ship."""
    return DetectorPredictor(spec, segmenter_of(weights or spec.shipped, device))
