"""How a camera was held, as a JPEG's EXIF says it (tag 0x0112), and the picture turned upright, for every reader."""

from __future__ import annotations

import struct

import numpy as np

_TAG = 0x0112
_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}  # quarter turns counter-clockwise
_MIRRORED = (2, 4, 5, 7)


def orientation(jpeg: bytes) -> int:
    """EXIF's number of a JPEG's bytes, 1 (upright) to 8; 1 where it says none, or nonsense."""
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF:
        marker, length = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if marker == 0xE1 and jpeg[place + 4 : place + 10] == b"Exif\0\0":
            return _in_tiff(jpeg[place + 10 : place + 2 + length])
        if marker in (0xDA, 0xD9) or length < 2:
            break
        place += 2 + length
    return 1


def _in_tiff(data: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", data, entry)
            if tag == _TAG:
                return value if value in _TURNS else 1
    except struct.error:
        pass
    return 1


def upright(image: np.ndarray, number: int) -> np.ndarray:
    """The picture (H, W, 3) as it was seen, of what the camera stored."""
    if number == 1:
        return image
    image = image[:, ::-1] if number in _MIRRORED else image
    return np.ascontiguousarray(np.rot90(image, _TURNS[number]))
