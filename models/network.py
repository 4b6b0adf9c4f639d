"""The base of every network that the house trains itself, and the check of what a batch must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path

    from models.frames import Frame
    from pipeline.core.instances import Instances

Batch = Mapping[str, Tensor]


class Network(nn.Module):
    """Made of its settings alone; what it learns from and how, its Spec says.

    required: keys that a training batch must hold, with their shapes behind the batch's axis, None for any size.
    """

    required: ClassVar[dict[str, tuple[int | None, ...]]] = {}

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, batch: Batch) -> Any:
        """Predictions; reads of the batch only what `encode` makes."""
        raise NotImplementedError

    def loss(self, pred: Any, batch: Batch) -> dict[str, Tensor]:
        """ "total" to minimise, and its parts, each already weighted."""
        raise NotImplementedError

    def metrics(self, pred: Any, batch: Batch) -> dict[str, Tensor]:
        """Of each name sum and count over the batch, (2,), so that batches add up."""
        raise NotImplementedError

    def encode(self, frames: Sequence[Frame]) -> Batch:
        """A batch, one row a frame, whose objects are those of one unit (the Spec's: a box's one object, or all)."""
        raise NotImplementedError

    def decode(self, pred: Any, frames: Sequence[Frame]) -> list[Instances]:
        """For each of `encode`'s frames its objects with the columns that the Spec gives; the inverse of its frame."""
        raise NotImplementedError

    def initialise(self, seed: int) -> None:
        """Better first weights than torch's, where there are any; the seed has been set already."""

    def check_class(self, name: str) -> None:
        """Raise ValueError, naming those it knows, where a network of certain classes does not know one by a name."""

    def start_from(self, state: dict[str, Tensor], path: Path) -> None:
        """Begin with the weights of a file; all of them must fit."""
        from models.checkpoints import load_into

        load_into(self, state, path)


def check_batch(network: nn.Module, batch: Batch) -> None:
    """Raise ValueError, expected beside found, where a batch lacks what the network requires of it."""
    for name, shape in getattr(network, "required", {}).items():
        if name not in batch:
            raise ValueError(f"batch: expected {name} {('N', *shape)}, got only {', '.join(sorted(batch))}")
        found = tuple(batch[name].shape[1:])
        if len(found) != len(shape) or any(want not in (None, got) for want, got in zip(shape, found, strict=True)):
            raise ValueError(f"batch: {name}: expected {('N', *shape)}, got {('N', *found)}")


def counted(right: Tensor, among: Tensor) -> Tensor:
    """Sum and count (2,) of what is right among what is asked for, both bool of one shape."""
    return torch.stack([(right & among).sum(), among.sum()]).double()
