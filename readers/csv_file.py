"""CSV of strangers: limited in bytes, UTF-8 with or without the mark that Excel writes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from readers.limits import read_bytes
from readers.texts import check_text


def read_rows(path: Path) -> list[list[str]]:
    """The cells of every row. Raises FileNotFoundError, and ValueError, naming file and row, for what is no CSV."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(_text(path), newline="")))
    except csv.Error as error:
        raise ValueError(f"{path}:{len(rows) + 1}: not CSV: {error}") from None
    return rows


def read_lines(path: Path, errors: str = "strict") -> list[str]:
    """The lines of a text of numbers; errors: as `bytes.decode` has it. Raises as `read_rows`."""
    return _text(path, errors).splitlines()


def _text(path: Path, errors: str = "strict") -> str:
    try:
        text = read_bytes(path, "csv_mb").decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not text: expected UTF-8 ({error})") from None
    check_text(text, str(path))
    return text
