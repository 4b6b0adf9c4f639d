"""Pictures: their size is read from the header and limited before a pixel is decoded; what cannot be whole is refused.

Pictures are BGR uint8 (H, W, 3), upright where EXIF says how the camera was turned.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from readers.limits import check, read_bytes
from readers.orientation import orientation, upright

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
# What OpenCV reads and Pillow knows the header of. None of them can name another file.
_OTHERS = ("BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
_START_OF_SCAN, _MOST_SCANS = b"\xff\xda", 100  # a progressive JPEG has about ten; each costs as much as the picture


def decode_image(data: bytes, where: str, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """The picture of a whole image file's bytes; flag: OpenCV's, for grey or alpha.

    Raises ValueError, naming `where`, for one above the limit, and for what cv2 lets pass with grey in place of pixels:
    truncated and corrupt files.
    """
    if not data:
        raise ValueError(f"{where}: empty file")
    check(_megapixels(data, where), "picture_megapixels", where, "megapixels that its header claims")
    if data[:2] == _JPEG and flag == cv2.IMREAD_COLOR:
        return upright(_decode_jpeg(data, where), orientation(data))
    if data[:8] == _PNG and b"IEND" not in data[-64:]:
        raise ValueError(f"{where}: truncated PNG")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ValueError(f"{where}: not an image that OpenCV reads ({str(error).splitlines()[0][:120]})") from None
    if image is None:
        raise ValueError(f"{where}: not an image that OpenCV reads")
    return np.asarray(image)


def read_image(path: Path, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """The picture of a file. Raises FileNotFoundError, and ValueError as `decode_image` does."""
    return decode_image(read_bytes(path, "picture_mb"), str(path), flag)


def _megapixels(data: bytes, where: str) -> float:
    """What the header claims, in millions."""
    if data[:2] == _JPEG:
        if data.count(_START_OF_SCAN) > _MOST_SCANS:
            raise ValueError(f"{where}: corrupt JPEG (more than {_MOST_SCANS} scans)")
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
        except (ValueError, KeyError) as error:  # KeyError: a sampling of colours that no JPEG has
            raise ValueError(f"{where}: corrupt JPEG ({str(error).strip()})") from None
    elif data[:8] == _PNG and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
    else:
        width, height = _size_of_others(data, where)
    return width * height / 1e6


def _size_of_others(data: bytes, where: str) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_OTHERS) as image:
            return image.size
    except Image.DecompressionBombError:
        return 1_000_000, 1_000_000  # far above whatever the limit is
    except Exception as error:  # Pillow's readers raise whatever a broken header provokes
        raise ValueError(f"{where}: not an image that can be read ({type(error).__name__})") from None


def _decode_jpeg(data: bytes, where: str) -> np.ndarray:
    try:
        return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True)
    except (ValueError, KeyError) as error:
        # Some cameras pad their streams: every pixel is there, libjpeg only grumbles.
        if "extraneous bytes before marker 0xd9" in str(error):
            return simplejpeg.decode_jpeg(data, colorspace="BGR", strict=False)
        raise ValueError(f"{where}: corrupt JPEG ({str(error).strip()})") from None
