"""JSON files of long lists that grow on disk, item by item, so that memory does not grow with them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pipeline.core.storage import atomic_path


class JsonLists:
    """Files of a folder, each an object with the same lists; `about` gives what else a file of a name holds.

    A file is there as soon as `open` or `add` has named it, and written when the block ends without an error.
    """

    def __init__(self, folder: Path, lists: Sequence[str], about: Callable[[str], Mapping[str, Any]]) -> None:
        self.folder, self.lists, self.about = folder, lists, about
        self._held = ExitStack()
        self._files: dict[str, dict[str, IO[bytes]]] = {}

    def __enter__(self) -> JsonLists:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            for name in self._files if kind is None else ():
                self._write(name)

    def open(self, file: str) -> dict[str, IO[bytes]]:
        """A file's lists, empty ones at first."""
        if file not in self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            new = [self._held.enter_context(tempfile.TemporaryFile(dir=self.folder)) for _ in self.lists]  # noqa: SIM115
            self._files[file] = dict(zip(self.lists, new, strict=True))
        return self._files[file]

    def add(self, file: str, name: str, item: Any) -> None:
        """One more item of a file's list."""
        stream = self.open(file)[name]
        stream.write(b"," if stream.tell() else b"")
        stream.write(compact(item))

    def _write(self, file: str) -> None:
        with atomic_path(self.folder / file) as part, part.open("wb") as whole:
            whole.write(compact(self.about(file))[:-1])
            for number, (name, stream) in enumerate(self._files[file].items()):
                whole.write(b"" if number == 0 and whole.tell() == 1 else b",")
                whole.write(compact(name) + b":[")
                stream.seek(0)
                shutil.copyfileobj(stream, whole)
                whole.write(b"]")
            whole.write(b"}")


def compact(value: Any) -> bytes:
    """JSON without blanks; NaN and infinity, which JSON does not know, are a mistake."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
