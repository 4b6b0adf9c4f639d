"""What a weights file says of itself, read without torch, which loads for seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from readers.limits import check_file

_MOST_VALUES = 10_000


def config_of(path: Path) -> dict[str, Any] | None:
    """The config in a weights file's header; None where it has none.

    Raises FileNotFoundError, and ValueError, one line, for a file of another kind or a config that is none.
    """
    from safetensors import SafetensorError, safe_open

    check_file(path, "weights_mb")
    try:
        with safe_open(path, "np") as file:
            text = (file.metadata() or {}).get("config", "null")
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({' '.join(str(error).split())[:160]})") from None
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: config: not JSON ({str(error)[:120]}); expected that of training") from None
    if config is not None and not isinstance(config, dict):
        raise ValueError(f"{path}: config: expected an object, got {type(config).__name__}")
    return config


def check_header(path: Path, model: str, *, remedy: str = "", other: str = "") -> None:
    """Raise ValueError, one line, unless the file says that it holds the model's weights.

    remedy: what to do where there is no file, else to train the model; other: what else would have been taken, as the
    message's end.
    """
    try:
        config = config_of(path)
    except OSError:
        advice = remedy or f"`make train MODEL={model}` writes one"
        raise ValueError(f"{path}: no such weights file; {advice}") from None
    if config is None or config.get("model") != model:
        raise ValueError(f"{path}: expected weights of {model} that `make train` wrote{other}")


def check_numbers(config: dict[str, Any], most: int, path: Path) -> None:
    """Raise ValueError, naming the key, where a whole number of a network's settings is beyond what its tensors can
    bear out: it would build, before it is compared with them, whatever it asks for."""
    values = list(_numbers(config, "config"))
    if len(values) > _MOST_VALUES:
        raise ValueError(f"{path}: config: expected at most {_MOST_VALUES} values")
    for key, value in values:
        if not -most <= value <= most:
            raise ValueError(f"{path}: {key}: expected at most {most}, as its tensors have it, got {value}")


def _numbers(value: Any, key: str) -> list[tuple[str, int]]:
    if isinstance(value, dict):
        return [pair for name, one in value.items() for pair in _numbers(one, f"{key}.{name}")]
    if isinstance(value, list):
        return [pair for number, one in enumerate(value) for pair in _numbers(one, f"{key}.{number}")]
    return [(key, value)] if isinstance(value, int) and not isinstance(value, bool) else []
