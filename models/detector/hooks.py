"""What a run of mmengine needs beside its own parts; importing this registers it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from pipeline.core.storage import write_json


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16 on any device; its range is float32's, so that losses need no scaling."""

    def __init__(self, *args: Any, bfloat16: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bfloat16 = bfloat16

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """See OptimWrapper."""
        kind = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(kind, torch.bfloat16, enabled=self.bfloat16):
            yield


class Follow(Hook):
    """Tells how many steps are done, and keeps the losses in metrics.json."""

    def __init__(self, folder: Path, steps: int, history: list[dict], progress: Callable[[int, int], None] | None):
        self.path, self.steps, self.history, self.progress = folder / "metrics.json", steps, history, progress
        self.every = max(1, min(50, steps // 10))
        self.begun = time.monotonic() - (history[-1]["seconds"] if history else 0.0)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """See Hook."""
        done = runner.iter + 1
        if done % self.every == 0 or done == self.steps:
            seconds = round(time.monotonic() - self.begun, 1)
            losses = {name: float(value) for name, value in (outputs or {}).items()}
            self.history[:] = [row for row in self.history if row["step"] < done] + [
                {"step": done, "seconds": seconds, **losses}
            ]
            if runner.rank == 0:
                write_json(self.path, self.history)
        if self.progress and runner.rank == 0:
            self.progress(done, self.steps)
