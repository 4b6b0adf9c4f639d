"""JSON of strangers: limited in bytes, and an error in one line for whatever cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from readers.limits import read_bytes


def read_json(path: Path) -> Any:
    """What a file holds.

    Raises FileNotFoundError, and ValueError, naming the file, for what is not JSON, nested too deep, holds a number of
    thousands of digits or a text that is none.
    """
    data = read_bytes(path, "json_mb")
    try:
        content = json.loads(data)
        if b"\\ud" in data or b"\\uD" in data:  # halves of pairs are no text, and none may be printed or stored
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(f"{path}: not JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {' '.join(str(error).split())[:200]}") from None
    return content
