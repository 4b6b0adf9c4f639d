"""Small pictures for the pages, and which rows to show of many. Pictures are (H, W, 3) BGR uint8."""

from __future__ import annotations

import base64
import math

import cv2
import numpy as np
import simplejpeg

from pipeline.core import masks

# Steps of the golden section visit rows so that the first few are spread like all of them.
_GOLDEN = (math.sqrt(5) - 1) / 2


def spread_over(count: int, wanted: int) -> list[int]:
    """Up to `wanted` of `count` rows, evenly spaced, listed so that any first few of them are spread too."""
    rows = np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int)) if count else np.zeros(0, int)
    return rows[np.argsort(np.arange(len(rows)) * _GOLDEN % 1)].tolist()


def shrunk(picture: np.ndarray, scale: float) -> np.ndarray:
    """The picture, smaller by a factor <= 1; sizes are rounded."""
    height, width = picture.shape[:2]
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    """A JPEG file of a picture."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality, colorspace="BGR", colorsubsampling="420")


def jpeg_base64(picture: np.ndarray, quality: int) -> str:
    """Base64 of a JPEG of a picture."""
    return base64.b64encode(jpeg(picture, quality)).decode("ascii")


def outlines(rle: str, size_hw: tuple[int, int], tolerance_px: float) -> list[list[float]]:
    """Closed outlines [x0, y0, x1, y1, ...] of a mask, in edge coordinates, holes among them (even-odd rule)."""
    crop, (x, y, _, _) = masks.decode(rle, size_hw)
    if not crop.size:
        return []
    # Twice as large, an outline through pixel centres runs a quarter of a pixel inside the true edge.
    large = np.pad(crop.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1), 1)
    found, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    simple = [cv2.approxPolyDP(c, 2 * tolerance_px, True)[:, 0] for c in found]
    return [((c - 0.5) / 2 + (x, y)).round(1).ravel().tolist() for c in simple if len(c) > 2]
