"""Files of a training run, whole or absent: configuration, checkpoints, curves, weights that rebuild the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from models.contract import Spec, load_object
from models.headers import check_numbers, config_of
from models.torch_files import read_torch
from pipeline.core.storage import atomic_path, write_bytes, write_json

if TYPE_CHECKING:
    from models.network import Network

_SPARE = 4  # times what a file holds may be asked for by a network of its settings
_PIXELS = 4096  # sizes of pictures are among the settings, too


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values that `read_checkpoint` loads without running any code."""
    with atomic_path(path) as part:
        torch.save(_plain(state), part)


def _plain(value: Any) -> Any:
    """The same of dicts, lists, tuples: a scheduler's Counter of milestones is a dict, and all of it that is used."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return type(value)(_plain(one) for one in value) if isinstance(value, list | tuple) else value


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `write_checkpoint` wrote.

    Raises ValueError where the file is damaged or holds more than tensors and plain values.
    """
    try:
        return _moved(read_torch(path), device)
    except ValueError as error:
        raise ValueError(f"{error}; remove it") from None


def _moved(value: Any, device: torch.device | str) -> Any:
    """The same with its tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(one, device) for key, one in value.items()}
    return type(value)(_moved(one, device) for one in value) if isinstance(value, list | tuple) else value


def write_weights(path: Path, network: nn.Module, config: dict[str, Any]) -> None:
    """Write a network's weights as float16, which shipped files are, with the plain values that rebuild it."""
    state = {
        name: value.detach().cpu().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    # Not save_file, which lets nobody else read the file.
    write_bytes(path, save(state, {"config": json.dumps(config, sort_keys=True)}))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and config of `write_weights`, floating point as float32.

    Raises FileNotFoundError, or ValueError for a file that is none of ours.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no weights there")
    config = config_of(path)
    if config is None:
        raise ValueError(f"{path}: safetensors without this project's config; expected weights that training wrote")
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}, config


def network_of(spec: Spec, path: Path) -> Network:
    """The network of a weights file, with the settings that it names and its weights; built no further than the file's
    tensors go.

    Raises FileNotFoundError, and ValueError, one line, for a file of another model, version or architecture.
    """
    state, config = read_weights(path)
    check_numbers(config, max([_PIXELS, *(side for value in state.values() for side in value.shape)]), path)
    settings = spec.rebuilt(config, path)
    kind = load_object(spec.network)
    try:
        with _no_more_than(state):
            network: Network = kind(settings)
    except Exception as error:  # settings that are none make a network's constructor raise anything
        raise ValueError(
            f"{path}: weights of another architecture: {' '.join(str(error).split())[:200] or type(error).__name__}"
        ) from None
    load_into(network, state, path)
    return network


@contextmanager
def _no_more_than(state: Mapping[str, Tensor]) -> Iterator[None]:
    """While it lasts, what is being built ends where it has asked for far more parameters than the state has values, or
    tensors. Some are made to be replaced."""
    most, left = _SPARE * sum(value.numel() for value in state.values()), [_SPARE * len(state)]
    values = [most]

    def seen(module: nn.Module, name: str, parameter: Any) -> None:
        left[0] -= 1
        values[0] -= 0 if parameter is None else parameter.numel()
        if min(left[0], values[0]) < 0:
            raise ValueError(
                f"its settings ask for more than its {len(state)} tensors hold, at {type(module).__name__}"
            )

    hook = register_module_parameter_registration_hook(seen)
    try:
        yield
    finally:
        hook.remove()


def load_into(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Give a network its weights.

    Raises ValueError, one line, where they belong to another architecture.
    """
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{path}: weights of another architecture: {len(wrong)} tensors differ, first {name}: expected "
            f"{ours.get(name, 'none')}, got {theirs.get(name, 'none')}"
        )
    network.load_state_dict(state)


def check_model(config: dict[str, Any], model: str, path: Path) -> None:
    """Raises ValueError where the config of a weights file is another model's."""
    if config.get("model") != model:
        raise ValueError(f"{path}: expected weights of {model}, got those of {config.get('model')!r}")


def start_from(network: nn.Module, config: dict[str, Any], path: Path | None, build: Callable[..., Any]) -> None:
    """Give a network the weights of a file, if any, which its config then names; build: the model's `build_network`.

    Raises ValueError for weights of another model or architecture.
    """
    if path is not None:
        state, theirs = read_weights(path)
        build(theirs, path)
        load_into(network, state, path)
        config["init_from"] = path.name


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
