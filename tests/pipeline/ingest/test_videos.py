import zlib
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import cv2
import numpy as np
import pytest
from footage import grey, write_video
from hypothesis import given
from hypothesis import strategies as st

from data_manifest.times import hour_bucket
from pipeline.core.frames import ANCHORS, FrameReader
from pipeline.core.video import Video, one_field
from pipeline.ingest import IngestSettings, find_in_video, find_in_videos, in_words, index_table
from pipeline.ingest.clock import increasing
from pipeline.ingest.look import BLACK, REPEAT

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 6, 3, 7, 59, 58, tzinfo=BERLIN)
CASES = Path(__file__).parents[2] / "cases" / "video"
PROGRESSIVE_MEAN = 103  # of the streets in these files, give or take what drives by


def found_in(path, **how):
    """Frames, their seconds from START, and what was told."""
    told = []
    found = find_in_video(path, START, tell=told.append, **how)
    return found, np.array([(f.timestamp - START).total_seconds() for f in found.frames]), told


def encode(path, images, times=None, codec="mjpeg", fps=10):
    """A video of BGR images at the given times, in periods."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.options = {"qmin": "3", "qmax": "3"}  # the same picture gives the same bytes
        for n, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = n if times is None else times[n], Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["vfr.mkv", "gap.avi"])
def test_a_pause_stays_in_the_times_and_the_file_is_whole(name):
    found, seconds, told = found_in(CASES / name)
    assert seconds == pytest.approx(np.r_[0:30, 280:310] / 25, abs=1e-3)
    assert {f.status for f in found.frames} == {"ok"}
    assert told == [f"{name}: 1 pause, 10.0 s after frame 29"]
    table = index_table(found.frames, hour_bucket, IngestSettings(), what=name)
    assert in_words(table) == "60 frames in 2 sequences"


def test_frames_that_were_lost_in_transit_are_counted_and_the_others_keep_their_times():
    found, seconds, told = found_in(CASES / "lost5of100.mkv")
    lost = [20, 49, 50, 78, 79]
    assert len(found.frames) == 95 and {f.status for f in found.frames} == {"ok"}
    assert seconds == pytest.approx(np.delete(np.arange(100), lost)[:95] / 25, abs=0.05)
    assert seconds[-1] == pytest.approx(3.96)
    assert told == ["lost5of100.mkv: 5 of 100 frames were lost before or in the recording; the others keep their times"]


def test_one_repeated_time_is_mended_and_no_other():
    _, seconds, told = found_in(CASES / "duppts.mp4")
    assert seconds == pytest.approx(np.r_[0:30, 280:310] / 25)
    assert "1 of 60 frames have no time of their own (frame 45)" in told[0]


def test_interlaced_video_shows_its_street():
    video = Video(CASES / "inter.mp4")
    mean = np.mean([video.image(one).mean() for one in video])
    progressive = np.mean([Video(CASES / "lost5of100.mkv").read(n).mean() for n in range(60)])
    assert mean == pytest.approx(progressive, rel=0.02)
    assert "60 of 60 frames are interlaced" in found_in(CASES / "inter.mp4")[2][0]


def test_one_field_of_what_moves_and_all_lines_of_what_stands():
    still = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    still[1::2] = still[0::2]
    later = still.copy()
    later[:, :20] = 200
    woven = still.copy()
    woven[1::2] = later[1::2]
    mended = one_field(woven)
    assert np.array_equal(mended[0::2], still[0::2]) and np.array_equal(mended[:, 25:], still[:, 25:])
    smooth = np.full((21, 30, 3), 90, np.uint8)
    combed = smooth.copy()
    combed[1::2, 5:25] = 220
    assert np.array_equal(one_field(combed), smooth)


def test_black_and_frozen_pictures_are_left_out_and_counted(tmp_path):
    images = [grey(n, (96, 128)) for n in range(40)]
    images[7][:] = 0
    cv2.putText(images[7], "12:00", (5, 12), cv2.FONT_HERSHEY_PLAIN, 0.5, (255, 255, 255))
    images[20:23] = [images[19]] * 3
    found, _, _ = found_in(encode(tmp_path / "v.avi", images))
    statuses = [f.status for f in found.frames]
    assert statuses[7] == BLACK and statuses[20:23] == [REPEAT] * 3 and statuses.count("ok") == 36
    table = index_table(found.frames, hour_bucket, IngestSettings(), what="v")
    assert in_words(table) == f"40 frames, 4 left out (3 are {REPEAT}; 1 are black)"
    dead = encode(tmp_path / "dead.avi", [np.zeros_like(images[0])] * 9)
    with pytest.raises(ValueError, match="no frame shows anything, all 9 are black"):
        index_table(find_in_video(dead, START).frames, hour_bucket, IngestSettings(), what="v")


@pytest.mark.parametrize(("level", "said", "left"), [(120, "one colour", 9), (None, "the same picture", 1)])
def test_a_recording_of_one_colour_or_one_picture_is_told(tmp_path, level, said, left):
    picture = grey(3, (96, 128)) if level is None else np.full((96, 128, 3), level, np.uint8)
    frames, told = find_in_video(encode(tmp_path / "dead.avi", [picture] * 9), START).frames, []
    table = index_table(frames, hour_bucket, IngestSettings(), what="v", tell=told.append)
    assert table["status"].to_pylist().count("ok") == left
    assert told == [f"v: there is nothing to find in it: every frame shows {said}"]


def test_a_clock_that_is_put_back_goes_on(tmp_path):
    part = encode(tmp_path / "part.ts", [grey(n, (96, 128)) for n in range(50)], codec="mpeg2video", fps=25)
    (tmp_path / "v.ts").write_bytes(part.read_bytes() * 2)
    _, seconds, told = found_in(tmp_path / "v.ts")
    assert seconds == pytest.approx(np.arange(100) / 25, abs=1e-3)
    assert told == ["v.ts: its clock goes back once, by 2.0 s at frame 50; time goes on there without a pause"]


def test_useless_times_give_way_to_the_files_rate():
    told = []
    assert increasing([0.0] * 9, 5, 2, told.append, "v") == pytest.approx(np.arange(9) / 5)
    assert told == ["v: its own times do not increase; frames are placed 5 a second, the rate that it says"]
    with pytest.raises(ValueError, match=r"v: the video says neither times nor a frame rate; give source\.fps"):
        increasing([None] * 9, 0, 2, told.append, "v")


@given(st.lists(st.none() | st.floats(0, 1e5), min_size=1, max_size=40), st.floats(1, 60))
def test_times_always_increase(times, fps):
    seconds = increasing(times, fps, 2, lambda text: None, "v")
    assert len(seconds) == len(times) and seconds[0] == 0 and (np.diff(seconds) > 0).all()


def test_a_summer_time_change_does_not_touch_elapsed_time(tmp_path):
    path = write_video(tmp_path / "v.avi", 20, fps=10)
    for day, offset in (("2025-10-26", 1), ("2025-03-30", 2)):
        start = datetime.fromisoformat(f"{day}T01:59:59").replace(tzinfo=BERLIN)
        frames = find_in_video(path, start).frames
        assert [(f.timestamp - frames[0].timestamp).total_seconds() for f in frames] == pytest.approx(
            np.arange(20) / 10
        )
        assert all(a.timestamp < b.timestamp for a, b in pairwise(frames))
        assert frames[0].timestamp == start.astimezone(UTC)
        ends = datetime.fromisoformat(f"{day}T05:00:00").replace(tzinfo=BERLIN).astimezone(UTC)
        assert ends.hour == 5 - offset


def test_a_video_is_sampled_by_its_own_clock_or_the_given_rate(tmp_path):
    path = write_video(tmp_path / "v.avi", 60, fps=10)
    found = find_in_video(path, START, every=20)
    frames = found.frames
    assert [position for position, _ in found.anchors] == [0, 50]
    assert [f.position for f in frames] == [0, 20, 40]
    assert [(f.timestamp - START).total_seconds() for f in frames] == pytest.approx([0, 2, 4])
    real = find_in_video(path, START, fps=7, every=20).frames
    assert [(f.timestamp - START).total_seconds() for f in real] == pytest.approx([0, 20 / 7, 40 / 7], abs=1e-5)
    t = index_table(frames, hour_bucket, IngestSettings(max_gap_s=3), what="v", anchors={str(path): found.anchors})
    assert str(path).encode() in t.schema.metadata[ANCHORS]
    assert [i for i, _ in FrameReader(t, tmp_path).read([0, 1, 2])] == [0, 1, 2]


def test_a_video_cut_off_has_unreadable_frames_at_its_end(tmp_path):
    whole = write_video(tmp_path / "v.avi", 200)
    cut = tmp_path / "cut.avi"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    frames = find_in_video(cut, START).frames
    bad = [f for f in frames if f.status != "ok"]
    assert 0.2 < len(bad) / len(frames) < 0.6
    assert "the video breaks off in frame" in bad[0].status
    assert all(a.timestamp < b.timestamp for a, b in pairwise(frames))
    with pytest.raises(ValueError, match=r"cut\.avi: .* frames cannot be read"):
        index_table(frames, hour_bucket, IngestSettings(), what=str(cut))


def test_segments_follow_each_other_or_their_own_names(tmp_path):
    paths = [write_video(tmp_path / f"{n}.avi", 20, fps=10) for n in range(3)]
    frames, anchors = find_in_videos(paths, [START], zone=BERLIN)
    assert [(f.timestamp - START).total_seconds() for f in frames] == pytest.approx(np.arange(60) / 10)
    assert [f.position for f in frames] == [*range(20)] * 3 and len(anchors) == 3
    told = []
    starts = [START + timedelta(seconds=s) for s in (0, 1.5, 60)]
    frames, _ = find_in_videos(paths, starts, zone=BERLIN, tell=told.append)
    assert len(frames) == 55 and all(a.timestamp < b.timestamp for a, b in pairwise(frames))
    assert told == ["5 frames are left out: their segments run on after the next one begins, the first 0.avi"]
    paths[1].write_bytes(b"no video")
    frames, _ = find_in_videos(paths, starts, zone=BERLIN, tell=told.append)
    assert len(frames) == 40 and told[-1].startswith("1 of 3 videos are left out, the first: ")


@pytest.mark.parametrize(
    ("first", "last", "kept"),
    [
        (15, 24, range(15, 25)),
        (None, 4, range(5)),
        (time(7, 59, 59), time(8), range(10, 21)),
        (datetime(2025, 6, 3, 8), None, range(20, 40)),
        (35, time(8, 0, 1, 700000), range(35, 38)),
    ],
)
def test_a_part_of_a_recording_by_frame_or_time(tmp_path, first, last, kept):
    path = write_video(tmp_path / "v.avi", 40, fps=10)
    frames, _ = find_in_videos([path], [START], first=first, last=last, zone=BERLIN)
    assert [f.position for f in frames] == [*kept]
    halves = [write_video(tmp_path / f"{n}.avi", 20, fps=10) for n in range(2)]
    frames, _ = find_in_videos(halves, [START], first=first, last=last, zone=BERLIN)
    assert [f.position + 20 * (f.source == str(halves[1])) for f in frames] == [*kept]


def test_a_part_that_the_recording_does_not_have_is_told(tmp_path):
    path = write_video(tmp_path / "v.avi", 40, fps=10)
    with pytest.raises(
        ValueError, match=r"no frame from source.first, 61800, .* frames are 0 to 39, .*Times need quotes"
    ):
        find_in_videos([path], [START], first=61800, zone=BERLIN)


def test_seeks_are_not_used_where_they_do_not_land(tmp_path):
    images = [grey(n, (96, 128)) for n in range(160)]
    found = find_in_video(encode(tmp_path / "v.mp4", images, codec="mpeg4"), START)
    table = index_table(
        found.frames, hour_bucket, IngestSettings(), what="v", anchors={found.frames[0].source: found.anchors}
    )
    assert len(found.anchors) > 1
    forward = {one.position: zlib.crc32(one.luma().tobytes()) for one in Video(tmp_path / "v.mp4")}
    video = Video(tmp_path / "v.mp4", found.anchors)
    for n in (150, 3, 77, 76):
        assert zlib.crc32(video.at(n).luma().tobytes()) == forward[n]
    assert [i for i, _ in FrameReader(table, tmp_path).read([150, 3])] == [3, 150]
