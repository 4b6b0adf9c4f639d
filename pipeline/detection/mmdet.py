"""Any instance segmentation network of mmdet as a detector: `models.mm.segmenter` with what a registry asks of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.mm.configs import is_zoo_name
from models.mm.segmenter import MmdetDetector, MmdetSettings
from models.mm.weights import zoo_file
from pipeline.detection.registry import Backend, Inputs


def with_published_weights(settings: MmdetSettings, folder: Path) -> MmdetSettings:
    """Settings whose checkpoint, unless they name one, is what the model zoo publishes of their config.

    Raises ValueError for a config that is not of the zoo, and for weights that are not in the folder.
    """
    config = settings.config
    if settings.checkpoint:
        return settings
    if not is_zoo_name(config):
        raise ValueError(f"detector mmdet: checkpoint: expected the weights of {config}, got none")
    file = zoo_file(config, folder)
    if not file.is_file():
        raise ValueError(f"detector mmdet: no weights at {file}; run `make weights MODEL={config}`")
    return replace(settings, checkpoint=str(file))


def _mmdet_detector(settings: MmdetSettings, inputs: Inputs) -> MmdetDetector:
    return MmdetDetector(settings, inputs.ignore)


BACKEND = Backend("mmdet", _mmdet_detector, MmdetSettings, complete=with_published_weights)
