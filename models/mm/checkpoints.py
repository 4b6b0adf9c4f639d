"""Read checkpoints of OpenMMLab's model zoos, and of mmengine's runs, without running any code in them.

Beside tensors and plain values these hold a run's history and numpy numbers, which nothing here needs: whatever class
they name, a placeholder that does nothing takes its place. A checkpoint that asks for any other class is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.mm.digests import check_record
from models.torch_files import read_torch

_STATISTICS = (".running_mean", ".running_var")


@dataclass(frozen=True)
class ZooCheckpoint:
    """The tensors of a network by name, and what the checkpoint says about itself."""

    state: dict[str, Tensor]
    meta: dict[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs; none where the checkpoint does not say."""
        meta = {str(key).lower(): value for key, value in self.meta.items()}
        dataset = meta.get("dataset_meta")
        names = {str(k).lower(): v for k, v in dataset.items()} if isinstance(dataset, dict) else meta
        found = names.get("classes") or ()
        found = (found,) if isinstance(found, str) else found
        plain = isinstance(found, list | tuple) and all(isinstance(name, str) for name in found)
        return tuple(found) if plain else ()


def read_zoo_checkpoint(path: Path) -> ZooCheckpoint:
    """The tensors and the meta of a .pth, of the zip format or the older one.

    Raises ValueError, one line, where the file is absent or damaged, is another than was downloaded, names a class
    that no checkpoint of the zoos needs, or holds no tensors.
    """
    if not path.is_file():
        raise ValueError(f"checkpoint {path}: no such file; `make weights` downloads those of the model zoo")
    check_record(path)
    return _zoo_content(read_torch(path), path)


def _zoo_content(content: Any, path: Path) -> ZooCheckpoint:
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    named = isinstance(state, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    if not named or not state:
        raise ValueError(f"{path}: expected a `state_dict` of tensors, got {type(content).__name__} without one")
    meta = content.get("meta") if state is not content else None
    return ZooCheckpoint(state, meta if isinstance(meta, dict) else {})


def load_model_state(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Give a network its weights: every parameter and every normalisation's statistics, in their shapes.

    Other buffers, which the network makes itself, may lack. What the checkpoint holds beyond that is passed over where
    it is no weight: indices and counters, the mean and deviation of its pictures, the average kept beside the weights.
    Raises ValueError, one line, where the weights belong to another architecture.
    """
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    ours = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    needed = {name for name, _ in model.named_parameters()} | {name for name in ours if name.endswith(_STATISTICS)}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    extra = {name for name in set(theirs) - set(ours) if _is_weight(name, state[name])}
    absent = needed - set(theirs)
    wrong = sorted(absent | extra | {name for name in set(ours) & set(theirs) if ours[name] != theirs[name]})
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{path}: weights of another architecture: {len(wrong)} tensors differ, first {name}: expected "
            f"{ours.get(name, 'none')}, got {theirs.get(name, 'none')}; give the checkpoint's own config"
        )
    model.load_state_dict(state, strict=False)


def _is_weight(name: str, value: Tensor) -> bool:
    return value.is_floating_point() and not name.startswith(("data_preprocessor.", "ema_"))
