"""A camera is pushed aside for a while, and its infrared filter hangs: those frames are nobody's business."""

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from street import CALIBRATION, write_street

PUSHED, INFRARED = range(60, 75), range(100, 104)


def disturb(path):
    """Some frames of a video show the scene moved, some in grey."""
    recording, frames = cv2.VideoCapture(str(path)), []
    while (read := recording.read())[0]:
        frames.append(read[1])
    fps, size = recording.get(cv2.CAP_PROP_FPS), frames[0].shape[1::-1]
    recording.release()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 97)
    for number, frame in enumerate(frames):
        if number in PUSHED:
            frame = np.roll(frame, (20, 60), (0, 1))
        if number in INFRARED:
            frame = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        writer.write(frame)
    writer.release()


@pytest.fixture
def pushed(house):
    """The street of boxes, disturbed."""
    write_street(house.folder / "street.avi")
    disturb(house.folder / "street.avi")
    house.camera("street", recorded("../street.avi"), calibration=CALIBRATION)
    return house


def recorded(path):
    return {"kind": "video", "path": str(path), "start": "2025-06-03T12:00:00"}


def test_frames_unlike_their_background_are_counted_and_nothing_is_found_in_them(pushed):
    code, _, lines = pushed.luigi("MineUnoccluded", "--camera", "street")
    assert code == 0, lines
    (told,) = [line for line in lines if "street MedianBackground: 1 medians" in line]
    assert "19 frames left out (15 are unlike" in told and "4 are grey" in told
    (detected,) = [line for line in lines if "detections in" in line]
    assert "detections in 111 frames" in detected
    folder = pushed.data / "street"
    frames = pq.read_table(folder / "median/index.parquet").to_pylist()
    used = {row["frame_id"] for row in frames if row["status"] == "ok"}
    assert used == set(range(130)) - {*PUSHED, *INFRARED}
    assert set(pq.read_table(folder / "frames/index.parquet")["status"].to_pylist()) == {"ok"}
    for table in ("tracks.parquet", "cutouts"):
        assert set(pq.read_table(folder / table)["frame_id"].to_pylist()) <= used


def test_a_moved_recording_keeps_what_was_decided(pushed):
    assert pushed.luigi("MedianBackground", "--camera", "street")[0] == 0
    index = pushed.data / "street/median/index.parquet"
    before = pq.read_table(index)
    moved = (pushed.folder / "street.avi").rename(pushed.folder / "other.avi")
    pushed.camera("street", recorded(moved), calibration=CALIBRATION)
    code, _, lines = pushed.luigi("DetectObjects", "--camera", "street")
    assert code == 0 and not any("MedianBackground" in line for line in lines if "plan" not in line), lines
    after = pq.read_table(index)
    assert set(after["source"].to_pylist()) == {str(moved)} and after.drop(["source"]) == before.drop(["source"])


def test_a_bucket_in_which_no_frame_is_like_another_is_told(house):
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(house.folder / "wild.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (320, 240))
    for _ in range(12):
        scene = cv2.GaussianBlur(rng.normal(120, 400, (240, 320, 3)), (0, 0), 4)
        writer.write(scene.clip(0, 255).astype(np.uint8))
    writer.release()
    house.camera("wild", recorded("../wild.avi"))
    code, _, lines = house.luigi("MedianBackground", "--camera", "wild")
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and "wild: 12 frames left out" in error and "Does the camera move?" in error
