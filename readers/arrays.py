"""Archives of numpy arrays (.npz): every array's size is read from its header and limited before one is unpacked."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from readers.limits import check, check_file

_MOST_MEMBERS = 10_000
_NPY = b"\x93NUMPY"
_HEADERS: dict[tuple[int, int], Callable] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_BROKEN = (OSError, ValueError, EOFError, SyntaxError, TypeError, AttributeError, LookupError, OverflowError,
           NotImplementedError, RuntimeError, MemoryError, RecursionError, zipfile.BadZipFile, zlib.error)  # fmt: skip


def read_npz(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
    """The wanted arrays of a file by name, in its order; arrays of objects, which would have to be unpickled, never.

    Raises FileNotFoundError, and ValueError, one line that names the file and the array.
    """
    check_file(path, "arrays_mb")
    with path.open("rb") as file:
        if file.read(len(_NPY)) == _NPY:
            raise ValueError(f"{path}: not an .npz of plain arrays: a single array, as .npy files are")
    name = "the archive"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if len(members) > _MOST_MEMBERS or len(set(members)) < len(members):
                raise ValueError(f"{len(members)} members, or two of one name")
            names = [one for one in members if one.endswith(".npy") and wanted(one.removesuffix(".npy"))]
            total = 0
            for name in names:
                total += _claimed(archive, name)
                check(total / 1e6, "arrays_mb", str(path), f"{name}: MB unpacked")
            found = {}
            for name in names:
                with archive.open(name) as member:
                    found[name.removesuffix(".npy")] = npy.read_array(member, allow_pickle=False)
            return found
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        reason = reason if str(path) in reason else f"{path}: not an .npz of plain arrays: {name}: {reason}"
        raise ValueError(reason) from None


def _claimed(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of an array as its header has them, which must be those that the archive has for it."""
    with archive.open(name) as member:
        version = npy.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"version {version} of the format")
        shape, _, dtype = _HEADERS[version](member)
        start = member.tell()
    if dtype.hasobject:
        raise ValueError("expected numbers, got objects")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != archive.getinfo(name).file_size - start:
        raise ValueError(f"its header claims {shape} of {dtype}, the archive {archive.getinfo(name).file_size} bytes")
    return size
