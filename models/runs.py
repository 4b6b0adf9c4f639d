"""What a run folder says of its run: the configuration that it was started with, and TensorBoard's curves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.storage import write_json


def claim(folder: Path, config: dict[str, Any]) -> None:
    """Write the run's configuration, or check that the folder's is the same."""
    path = folder / "config.json"
    if not path.exists():
        write_json(path, config)
        return
    known, asked = json.loads(path.read_text()), json.loads(json.dumps(config))
    if known != asked:
        differ = [k for k in sorted({*known, *asked}) if known.get(k) != asked.get(k)]
        raise ValueError(
            f"{path}: this run was started with another {', '.join(differ)}: {[known.get(k) for k in differ]}, now "
            f"{[asked.get(k) for k in differ]}; choose another run name or remove the folder"
        )


def open_board(folder: Path) -> Any:
    """TensorBoard's writer in the run folder, None without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("no TensorBoard, metrics.json only; `make setup EXTRAS=train` installs it")
        return None
    return SummaryWriter(str(folder / "tensorboard"))


def log_values(board: Any, step: int, group: str, values: Mapping[str, float]) -> None:
    """Numbers of a step, below one heading."""
    for name, value in values.items():
        board.add_scalar(f"{group}/{name}", value, step)
