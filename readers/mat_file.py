"""MATLAB's files: what a compressed part unpacks to is read from its first bytes and limited before it is unpacked."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from readers.limits import check, read_bytes

_HEADER, _COMPRESSED = 128, 15


def check_mat(path: Path) -> None:
    """Raise ValueError where the parts of a file of version 5 unpack to more than the limit; others are not packed."""
    data, place, total = read_bytes(path, "arrays_mb"), _HEADER, 0
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    while order and place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        if kind == _COMPRESSED:
            try:
                start = zlib.decompressobj().decompress(data[place + 8 : place + 8 + min(size, 4096)], 8)
            except zlib.error as error:
                raise ValueError(f"{path}: a part that cannot be unpacked ({error})") from None
            total += struct.unpack(f"{order}II", start)[1] if len(start) == 8 else 0
            check(total / 1e6, "arrays_mb", str(path), "MB unpacked")
        place += 8 + size
