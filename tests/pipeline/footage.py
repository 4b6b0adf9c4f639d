"""Tiny footage made on the fly: frames whose grey value tells their number."""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg

# Footage and annotations that nobody in this project made; tests that read it skip where it is absent.
REAL = Path(__file__).parents[3] / "shared" / "real"


def grey(number, size_hw=(48, 64)):
    """A frame that no codec turns into another one's: its number as brightness, with a moving bar."""
    image = np.full((*size_hw, 3), 20 + 5 * number % 200, np.uint8)
    image[:, number % size_hw[1]] = 255
    return image


def write_video(path, count, fps=10, size_hw=(48, 64)):
    """A motion-JPEG AVI of `count` grey frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, size_hw[::-1])
    assert writer.isOpened()
    for number in range(count):
        writer.write(grey(number, size_hw))
    writer.release()
    return path


def write_jpeg(path, number=0, size_hw=(48, 64)):
    """One grey frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(grey(number, size_hw)), 95, "BGR", "444"))
    return path
