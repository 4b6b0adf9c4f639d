"""What a weights file says of itself, read without torch, which loads for seconds."""

from __future__ import annotations

import json
from pathlib import Path


def check_header(path: Path, model: str, *, remedy: str = "", other: str = "") -> None:
    """Raise ValueError, one line, unless the file says that it holds the model's weights.

    remedy: what to do where there is no file, else to train the model; other: what else would have been taken, as the
    message's end.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            config = json.loads((file.metadata() or {}).get("config", "null"))
    except OSError:
        advice = remedy or f"`make train MODEL={model}` writes one"
        raise ValueError(f"{path}: no such weights file; {advice}") from None
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from None
    if not isinstance(config, dict) or config.get("model") != model:
        raise ValueError(f"{path}: expected weights of {model} that `make train` wrote{other}")
