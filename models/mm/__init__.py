"""Networks of the OpenMMLab packages mmdet and mmpose: their configs, checkpoints and published weights.

The packages are an extra that `make setup-mm` installs; nothing here imports them before it is asked to.
A config is Python code that runs when it is read: use configs that you trust. A checkpoint is read as data.
"""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# What registers a package's parts, without its visualisation.
_PARTS = {"mmdet": ("mmdet.models", "mmdet.datasets"), "mmpose": ("mmpose.models", "mmpose.datasets")}


def package_folder(which: str) -> Path:
    """Where mmdet or mmpose is installed, found without importing it. Raises ValueError where it is not."""
    found = find_spec(which)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"{which} is not installed; run `make setup-mm`")
    return Path(next(iter(found.submodule_search_locations)))


def require(which: str) -> None:
    """Import mmdet or mmpose so that its parts are registered. Raises ValueError, one line, where that fails."""
    package_folder(which)
    try:
        with quiet():
            for part in _PARTS[which]:
                importlib.import_module(part)
    except ImportError as error:
        raise ValueError(f"{which} cannot be imported ({error}); run `make setup-mm`") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Without the packages' warnings and prints, which are about parts that nobody here asks for."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def pick_device(name: str) -> torch.device:
    """The device of a setting: "auto" is CUDA where there is one, else the CPU.

    Raises ValueError for a device that torch does not know or this machine does not have.
    """
    import torch

    cuda = torch.cuda.is_available()
    try:
        device = torch.device(("cuda" if cuda else "cpu") if name == "auto" else name)
    except RuntimeError:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}") from None
    if device.type == "cuda" and (not cuda or (device.index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"device: {name!r} is not there; torch sees {torch.cuda.device_count()} CUDA devices")
    return device


def check_operators(device: torch.device) -> None:
    """Raise ValueError where mmcv's operators, which detectors need, were built without CUDA for a CUDA device."""
    from mmcv.ops import get_compiling_cuda_version

    if device.type == "cuda" and get_compiling_cuda_version() == "not available":
        raise ValueError(
            "device: mmcv's operators were built without CUDA; set device to cpu, or build them again: `.venv/bin/pip "
            "uninstall -y onedl-mmcv; rm -f .venv/.mm-installed; FORCE_CUDA=1 WHEELS=none make setup-mm`"
        )
