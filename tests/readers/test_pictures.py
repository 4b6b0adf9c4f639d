"""Pictures are measured by their headers: forged ones cost nothing, real ones of every kind are read."""

import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from readers.pictures import decode_image, read_image

HOSTILE = Path(__file__).parents[1] / "hostile"
NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def png_that_claims(width, height):
    """A whole PNG of a few bytes whose header says another size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def bmp_that_claims(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, width, height, 1, 24, 0, 6, 0, 0, 0, 0) + b"\0" * 6


@pytest.mark.parametrize(
    "data",
    [(HOSTILE / "jpeg_65500.jpg").read_bytes(), png_that_claims(60_000, 60_000), bmp_that_claims(60_000, 60_000)],
    ids=["JPEG", "PNG", "BMP"],
)
def test_a_header_that_claims_too_much_is_refused_at_once(data):
    begun = time.process_time()
    with pytest.raises(
        ValueError, match=r"gate: megapixels .* expected at most 128, found .*picture_megapixels"
    ) as error:
        decode_image(data, "gate")
    assert time.process_time() - begun < 0.5 and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [".png", ".bmp", ".tiff", ".webp", ".ppm", ".jp2"])
def test_pictures_of_every_kind_are_read(tmp_path, kind):
    path = tmp_path / f"a{kind}"
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if kind == ".webp" else []
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if kind == ".jp2" else options
    cv2.imwrite(str(path), NOISE, options)
    assert np.abs(read_image(path).astype(int) - NOISE).max() <= 2


def test_the_limit_is_a_setting(monkeypatch):
    data = simplejpeg.encode_jpeg(NOISE, 90, "BGR")
    monkeypatch.setenv("WALT3D_PICTURE_MEGAPIXELS", "0.001")
    with pytest.raises(ValueError, match=r"expected at most 0\.001, found 0\.0024"):
        decode_image(data, "gate")
    monkeypatch.setenv("WALT3D_PICTURE_MEGAPIXELS", "much")
    with pytest.raises(ValueError, match="WALT3D_PICTURE_MEGAPIXELS: expected a number above 0, got 'much'"):
        decode_image(data, "gate")


def test_a_sampling_that_no_jpeg_has_is_refused():
    data = bytearray(simplejpeg.encode_jpeg(NOISE, 90, "BGR"))
    place = data.index(b"\xff\xc0") + 11  # of the first component
    data[place] = 0x43
    with pytest.raises(ValueError, match=r"^gate: corrupt JPEG"):
        decode_image(bytes(data), "gate")


def test_a_jpeg_of_endless_scans_is_refused():
    data = simplejpeg.encode_jpeg(NOISE, 90, "BGR")
    with pytest.raises(ValueError, match="more than 100 scans"):
        decode_image(data[:-2] + b"\xff\xda\0\x08" * 200 + data[-2:], "gate")


@pytest.mark.parametrize("data", [b"", b"text", b"BM", b"GIF89a", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_named(data):
    with pytest.raises(ValueError, match=r"^gate: "):
        decode_image(data, "gate")
