import json
import struct
from datetime import UTC, datetime

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from footage import grey, write_jpeg, write_video

from pipeline.core.frames import (
    ANCHORS,
    FrameReader,
    frames_of_bucket,
    masks_by_frame,
    spread_evenly,
)
from pipeline.core.tables import FRAMES
from pipeline.core.video import Video
from readers.pictures import decode_image

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
JPEG = simplejpeg.encode_jpeg(NOISE, 90, "BGR", "420")
OVERWRITTEN = JPEG[:900] + b"\xff\xd9" * 75 + JPEG[1050:]
PNG = cv2.imencode(".png", NOISE)[1].tobytes()


def index(sources, *, positions=None, statuses=None, anchors=None):
    n = len(sources)
    rows = {
        "frame_id": range(n),
        "timestamp": [datetime(2025, 1, 1, tzinfo=UTC)] * n,
        "bucket": ["h00"] * n,
        "sequence": [0] * n,
        "source": [str(s) for s in sources],
        "position": positions or [-1] * n,
        "width": [64] * n,
        "height": [48] * n,
        "status": statuses or ["ok"] * n,
    }
    return pa.table(rows, schema=FRAMES.with_metadata({ANCHORS: json.dumps(anchors)} if anchors else None))


def test_whole_images_decode():
    assert np.array_equal(decode_image(PNG, "x"), NOISE)
    assert np.array_equal(decode_image(JPEG, "x"), cv2.imdecode(np.frombuffer(JPEG, np.uint8), cv2.IMREAD_COLOR))
    assert decode_image(JPEG[:-2] + b"\0\0" + JPEG[-2:], "x").shape == NOISE.shape  # padded, as some cameras do


@pytest.mark.parametrize(
    "data",
    [b"", b"text", JPEG[: len(JPEG) // 2], JPEG[:-2], OVERWRITTEN, PNG[:-20], PNG[:500]],
    ids=["empty", "text", "half a JPEG", "no end marker", "overwritten middle", "PNG without end", "half a PNG"],
)
def test_broken_images_are_refused_by_name(data):
    with pytest.raises(ValueError, match=r"gate\.jpg: "):
        decode_image(data, "gate.jpg")


def test_reader_gives_readable_frames_in_time_order(tmp_path):
    for n in range(4):
        write_jpeg(tmp_path / f"frames/{n}.jpg", n)
    table = index([f"frames/{n}.jpg" for n in range(4)], statuses=["ok", "corrupt", "ok", "ok"])
    frames = list(FrameReader(table, tmp_path).read([3, 1, 0, 3]))
    assert [i for i, _ in frames] == [0, 3]
    assert all(np.abs(image.astype(int) - grey(i)).mean() < 4 for i, image in frames)
    with pytest.raises(ValueError, match="1 ids are not in the index, the first is 9"):
        list(FrameReader(table, tmp_path).read([9]))


@pytest.mark.parametrize("seekable", [True, False])
def test_videos_give_the_same_frame_however_it_is_reached(tmp_path, seekable):
    path = write_video(tmp_path / "v.avi", 330)
    forward = Video(path)
    expected = [forward.read(n) for n in range(330)]
    assert len({image.tobytes() for image in expected}) > 100
    anchors = [one.anchor for one in Video(path)][::60] if seekable else []
    video = Video(path, anchors)
    for n in (0, 5, 4, 320, 7, 200, 201, 329):
        assert np.array_equal(video.read(n), expected[n])
    table = index([path] * 3, positions=[320, 4, 100], anchors={str(path): anchors})
    for row, image in FrameReader(table, tmp_path).read([0, 1, 2]):
        assert np.array_equal(image, expected[[320, 4, 100][row]])


def test_a_video_that_lost_frames_since_is_named(tmp_path):
    path = write_video(tmp_path / "v.avi", 12)
    with pytest.raises(ValueError, match=r"v\.avi: frame 12 cannot be decoded"):
        Video(path).read(12)
    with pytest.raises(ValueError, match=r"none\.avi: no such file"):
        Video(tmp_path / "none.avi")
    (tmp_path / "text.avi").write_text("not a video")
    with pytest.raises(ValueError, match=r"text\.avi: not a video"):
        Video(tmp_path / "text.avi")


def test_ids_are_spread_from_the_first_to_the_last():
    ids = np.arange(10, 110)
    assert spread_evenly(ids, 4).tolist() == [10, 43, 76, 109]
    assert spread_evenly(ids, 0) is ids and spread_evenly(ids, 100) is ids
    assert spread_evenly(ids[:0], 3).tolist() == []


def test_masks_are_found_by_their_frame_and_only_of_those_asked_for(tmp_path):
    table = pa.table({"frame_id": [3, 1, 3, 2], "mask_rle": ["a", "b", "c", "d"]})
    pq.write_table(table, tmp_path / "tracks.parquet")
    assert masks_by_frame(tmp_path / "tracks.parquet", np.array([1, 3, 7])) == {3: ["a", "c"], 1: ["b"]}


def test_a_buckets_frames_are_those_that_can_be_read_in_order(tmp_path):
    about = {"frame_id": [4, 2, 9, 1], "bucket": ["noon", "noon", "dusk", "noon"], "status": ["ok", "ok", "ok", "torn"]}
    pq.write_table(pa.table(about), tmp_path / "index.parquet")
    rows, ids = frames_of_bucket(tmp_path / "index.parquet", "noon")
    assert ids.tolist() == [2, 4] and rows["frame_id"].to_pylist() == [4, 2]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_turned_picture_is_upright_as_opencv_has_it(number, order):
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, number, 0, 0)
    body = b"Exif\0\0" + tiff
    turned = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + JPEG[2:]
    expected = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decode_image(turned, "x"), expected)
    assert decode_image(turned, "x").shape[:2] == ((40, 60) if number < 5 else (60, 40))


@pytest.mark.parametrize("tiff", [b"", b"MM\0*", b"MM\0*\xff\xff\xff\xff", b"XX\0*" + b"\0" * 40])
def test_nonsense_about_the_camera_turns_nothing(tiff):
    body = b"Exif\0\0" + tiff
    jpeg = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + JPEG[2:]
    assert decode_image(jpeg, "x").shape == NOISE.shape
