"""Networks that a stage reads from outside, looked at where the task is made and before anything runs."""

from __future__ import annotations

from typing import Any

from models.mm.configs import resolve_config
from readers.texts import expanded
from tasks.common.contents import digest, stamp


def mmpose_stamps(section: str, setting: str, config: str, checkpoint_setting: str, checkpoint: str) -> list[Any]:
    """Stamps of a config and its checkpoint. Raises ValueError, naming the setting, for one that is not there."""
    try:
        path = resolve_config(config, "mmpose")
    except ValueError as error:
        raise ValueError(f"[{section}] {setting}: {error}") from None
    weights = expanded(checkpoint, "checkpoint")
    if not checkpoint or not weights.is_file():
        raise ValueError(
            f"[{section}] {checkpoint_setting}: expected the weights (.pth) of {path.stem}, "
            f"{f'no such file: {checkpoint}' if checkpoint else 'got none'}"
        )
    return [digest(path), stamp(weights)]


def pose_stamps(section: str, model: str, checkpoint: str) -> list[Any]:
    """Those of `pose_model`, an .onnx or a config of mmpose with its `pose_checkpoint`; none where none is named."""
    if not model:
        return []
    if not model.endswith(".onnx"):
        return mmpose_stamps(section, "pose_model", model, "pose_checkpoint", checkpoint)
    path = expanded(model, "model")
    if not path.is_file():
        raise ValueError(f"[{section}] pose_model: {path}: no such file")
    return [digest(path)]
