"""Run a network on pictures: `models.load("occlusion_net")("street.jpg", boxes=[[10, 20, 80, 40]])`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoints import network_of
from models.contract import Progress, Spec
from models.frames import Detect, Frame, frame_of, lacking
from models.network import Network
from pipeline.core.instances import Instances

_BATCH = 32


@dataclass(frozen=True)
class _Unit:
    """What one prediction is made of: a frame with the objects of some of its rows."""

    frame: int
    rows: list[int]


class FramePredictor:
    """A trained network over pictures; the same call for a box's crop and for a whole frame.

    Subclasses say `predict_batch`.
    """

    def __init__(self, spec: Spec, batch: int = _BATCH) -> None:
        self.spec, self.batch = spec, batch

    def predict_batch(self, frames: list[Frame]) -> list[Instances]:
        """The objects of up to `batch` frames, each of which holds those of one unit."""
        raise NotImplementedError

    def check_class(self, name: str) -> None:
        """Raises ValueError where the network is for certain classes and none of them goes by the name."""

    def __call__(
        self, pictures: Any, boxes: Any = None, *, detect: Detect | None = None, progress: Progress | None = None,
        **more: Any,
    ) -> list[Instances]:  # fmt: skip
        """For each picture its objects with the columns that the network gives.

        pictures: one or a list of paths, BGR uint8 arrays (H, W, 3) and Frames; boxes: (N, 4) px, COCO edges, of the
        one picture, or a list of such for several; detect: finds them instead; more: other fields of Frame, as
        background. Raises ValueError for pictures that cannot be read, bad boxes, and objects that lack what the
        network needs.
        """
        one = isinstance(pictures, str | Path | Frame | np.ndarray)
        listed = [pictures] if one else list(pictures)
        given = [boxes] if one else [None] * len(listed) if boxes is None else list(boxes)
        if len(given) != len(listed):
            raise ValueError(f"{self.spec.name}: expected boxes of each of {len(listed)} pictures, got {len(given)}")
        frames = [frame_of(picture, box, detect, **more) for picture, box in zip(listed, given, strict=True)]
        return self.of_frames(frames, progress)

    def of_frames(self, frames: Sequence[Frame], progress: Progress | None = None) -> list[Instances]:
        """The same of Frames whose objects are known."""
        if missing := lacking(frames, self.spec.needs):
            name, column = next(iter(missing.items()))
            raise ValueError(
                f"{self.spec.name}: picture {name}: expected {column} of its objects; give boxes or detect"
            )
        units = [_Unit(number, rows) for number, frame in enumerate(frames) for rows in self._units(frame)]
        parts: list[list[Instances]] = [[] for _ in frames]
        batches = [units[first : first + self.batch] for first in range(0, len(units), self.batch)]
        done = 0
        for batch, found in zip(batches, self._run(frames, batches), strict=True):
            for unit, instances in zip(batch, found, strict=True):
                parts[unit.frame].append(instances)
            done += len(batch)
            if progress:
                progress(done, len(units))
        return [self._joined(frame, mine) for frame, mine in zip(frames, parts, strict=True)]

    def _units(self, frame: Frame) -> list[list[int]]:
        count = len(frame.objects)
        return [[row] for row in range(count)] if self.spec.unit == "box" else [list(range(count))]

    def _run(self, frames: Sequence[Frame], batches: Sequence[Sequence[_Unit]]) -> Iterator[list[Instances]]:
        for batch in batches:
            yield self.predict_batch([frames[u.frame].of(u.rows) for u in batch])

    def _joined(self, frame: Frame, parts: Sequence[Instances]) -> Instances:
        if parts:
            return Instances.joined(parts)
        return frame.objects.with_columns({name: [] for name in self.spec.gives})


class Predictor(FramePredictor):
    """Of a network of the house."""

    def __init__(self, spec: Spec, network: Network, device: str | torch.device = "cpu", batch: int = _BATCH) -> None:
        super().__init__(spec, batch)
        self.device = torch.device(device)
        self.threads = (os.cpu_count() or 1) if self.device.type == "cpu" else 1
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def check_class(self, name: str) -> None:
        """As the network says."""
        self.network.check_class(name)

    def predict_batch(self, frames: list[Frame]) -> list[Instances]:
        """Encoded, predicted and decoded."""
        with torch.inference_mode():
            batch = {name: value.to(self.device) for name, value in self.network.encode(frames).items()}
            return self.network.decode(self.network(batch), frames)

    def _run(self, frames: Sequence[Frame], batches: Sequence[Sequence[_Unit]]) -> Iterator[list[Instances]]:
        """One batch a core: torch's own threads wait for each other after every layer, which on a busy machine takes
        several times as long as the work."""
        with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(lambda batch: self.predict_batch([frames[u.frame].of(u.rows) for u in batch]), batches)


def load(spec: Spec, weights: Path | None = None, device: str | None = None) -> Predictor:
    """A predictor of a weights file, else of the weights that ship, on `device`, else on CUDA where there is one.

    Raises FileNotFoundError where there are no weights, ValueError, one line, for another model's or architecture's.
    """
    network = network_of(spec, weights or spec.shipped)
    return Predictor(spec, network, device or ("cuda" if torch.cuda.is_available() else "cpu"))
