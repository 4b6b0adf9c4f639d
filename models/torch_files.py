"""Checkpoints that torch saved, read as data: tensors, and plain values beside them. torch's own reader is not asked.

Nothing that the file names is imported or called (readers/pickles); a tensor is made of the bytes that the file holds
for it, within their bounds, and takes no more memory than they do. Both of torch's formats are read: the archive of
today, whose members are never compressed, and the older stream of pickles.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.placeholders import is_known, is_mapping
from readers.limits import TooLarge, check_file
from readers.pickles import Made, Named, Refused, Unpickler

_MAGIC = 0x1950A86A20F9469CFC6C  # of the older format
_PICKLE_MB = 200.0  # of what describes the tensors
_MOST_VALUES, _DEEPEST = 5_000_000, 100
_SPREAD = 1_000_000  # values that a small storage may be spread to, as torch's `expand` leaves them
_STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}  # fmt: skip
_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter")


@dataclass(frozen=True)
class _Storage:
    """Where the bytes of tensors are: their type, the name in the file, and how many values."""

    dtype: torch.dtype
    key: str
    count: int

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize


def read_torch(path: Path) -> Any:
    """What a file holds: dictionaries, lists, plain values and tensors on the CPU, None in place of all else.

    Raises FileNotFoundError, and ValueError, one line that names the file, and the tensor where it is one.
    """
    check_file(path, "weights_mb")
    try:
        with path.open("rb") as file:
            is_archive = file.read(2) == b"PK"
        return _read_archive(path) if is_archive else _read_stream(path)
    except (FileNotFoundError, TooLarge):
        raise
    except Refused as error:
        raise ValueError(f"{path}: refused: {error}; no checkpoint of tensors needs it") from None
    except Exception as error:  # a damaged or hostile file may raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: not a checkpoint of tensors and plain values ({reason})") from None


def _read_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise ValueError("its members are compressed, torch writes none such")
        if (total := sum(member.file_size for member in members.values())) > path.stat().st_size:
            raise ValueError(f"its members claim {total} bytes, the file has {path.stat().st_size}")
        name = next((name for name in members if name.endswith("data.pkl")), "data.pkl")
        if members[name].file_size > _PICKLE_MB * 1e6:
            raise ValueError(f"data.pkl: expected at most {_PICKLE_MB:g} MB")
        folder = name.removesuffix("data.pkl")
        if f"{folder}byteorder" in members and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        content = _next(io.BytesIO(archive.read(name)), {})
        return _Plain(lambda storage: archive.read(f"{folder}data/{storage.key}")).of(content)


def _read_stream(path: Path) -> Any:
    """The older format: magic number, version, system, content, names of storages, and each one's count and bytes."""
    size, known = path.stat().st_size, dict[str, _Storage]()
    with path.open("rb") as file:
        if _next(file, {}) != _MAGIC:
            raise ValueError("neither an archive nor a stream of torch")
        _next(file, {}), _next(file, {})
        content, keys = _next(file, known), _next(file, {})
        places: dict[str, int] = {}
        for key in keys if isinstance(keys, list) else []:
            count, storage = int.from_bytes(file.read(8), "little", signed=True), known.get(str(key))
            if storage is None or count != storage.count or file.tell() + storage.bytes > size:
                raise ValueError(f"storage {str(key)[:40]} does not hold what is told of it")
            places[storage.key] = file.tell()
            file.seek(storage.bytes, io.SEEK_CUR)

        def fetch(storage: _Storage) -> bytes:
            file.seek(places[storage.key])
            return file.read(storage.bytes)

        return _Plain(fetch).of(content)


def _next(file: Any, known: dict[str, _Storage]) -> Any:
    """The next pickle of a stream; known gets the storages that it refers to, by their names."""

    def storage(pid: Any) -> _Storage:
        found = _storage(pid)
        return known.setdefault(found.key, found)

    return Unpickler(file, is_known, is_mapping, storage).load()


def _storage(pid: Any) -> _Storage:
    """What stands for a persistent id: ("storage", type, key, where it was, count[, view])."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], Named):
        raise ValueError("it refers to what is no storage")
    kind = pid[1].name.rpartition(".")[2]
    if kind not in _STORAGES or type(pid[4]) is not int or not 0 <= pid[4] < 2**48:
        raise ValueError(f"a storage of {kind[:40]} with {str(pid[4])[:40]} values")
    if len(pid) > 5 and pid[5] is not None:
        raise ValueError("a storage that is a part of another")
    return _Storage(_STORAGES[kind], str(pid[2])[:100], pid[4])


class _Plain:
    """Plain values and tensors of what was unpickled; fetch: the bytes of a storage."""

    def __init__(self, fetch: Callable[[_Storage], bytes]) -> None:
        self._fetch = fetch
        self._flat: dict[str, Tensor] = {}
        self._done: dict[int, Any] = {}
        self._values = 0

    def of(self, value: Any, where: str = "", depth: int = 0) -> Any:
        """The value; what it holds twice is made once."""
        self._values += 1
        if self._values > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError(f"{where[:100]}: more values than a checkpoint has, or nested deeper")
        if isinstance(value, str | bytes | int | float | bool):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = None  # what holds itself holds nothing there
            self._done[id(value)] = self._made(value, where, depth)
        return self._done[id(value)]

    def _made(self, value: Any, where: str, depth: int) -> Any:
        if isinstance(value, dict):
            return {key: self.of(one, f"{where}.{key}" if where else str(key), depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.of(one, f"{where}[{n}]", depth + 1) for n, one in enumerate(value))
        if isinstance(value, Made) and value.name in _PARAMETERS and value.args:
            return self.of(value.args[0], where, depth + 1)
        if isinstance(value, Made) and value.name in _TENSORS and len(value.args) >= 4:
            return self._tensor(where, *value.args[:4])
        return None

    def _tensor(self, where: str, storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
        numbers = [offset, *size, *stride] if isinstance(size, tuple) and isinstance(stride, tuple) else [None]
        whole = all(type(n) is int and 0 <= n < 2**48 for n in numbers) and len(size) == len(stride) <= 16
        if not isinstance(storage, _Storage) or not whole:
            raise ValueError(f"{where[:100]}: expected a tensor's storage, place, size and stride")
        count = math.prod(size)
        end = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if count else 0
        if end > storage.count or count > max(storage.count, _SPREAD):
            raise ValueError(f"{where[:100]}: a tensor of {size} in a storage of {storage.count} values")
        return torch.as_strided(self._whole(storage, where), size, stride, offset)

    def _whole(self, storage: _Storage, where: str) -> Tensor:
        """All values of a storage, read once."""
        if storage.key not in self._flat:
            data = self._fetch(storage)
            if len(data) != storage.bytes:
                raise ValueError(f"{where[:100]}: expected {storage.bytes} bytes of its storage, got {len(data)}")
            flat = (
                torch.frombuffer(bytearray(data), dtype=storage.dtype) if data else torch.empty(0, dtype=storage.dtype)
            )
            self._flat[storage.key] = flat
        return self._flat[storage.key]
