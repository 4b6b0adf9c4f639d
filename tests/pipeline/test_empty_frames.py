"""A street filmed with noise, a walker and a stranger whom nobody found: empty frames hold the noise only."""

import datetime as dt

import cv2
import numpy as np
import pytest

from pipeline.core import masks
from pipeline.core.illumination import Relit
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import FRAMES, TRACKS, to_table
from pipeline.empty_frames import (
    CELL_PX,
    EmptyFramesJob,
    empty_frame,
    empty_frames_shard,
    read_empty_frames,
)

HW = (150, 200)  # no multiple of a cell
NOISE = 3.0
COUNT = 12


def street():
    x = np.linspace(60, 190, HW[1])
    return np.broadcast_to(x[None, :, None], (*HW, 3)).round().astype(np.uint8)


def walker(number):
    """(H, W) bool: somebody walks from left to right through the lower half."""
    mask = np.zeros(HW, bool)
    mask[90:130, 10 + 12 * number : 26 + 12 * number] = True
    return mask


def filmed(number, *, gain=1.0):
    """The street in other illumination with noise, the walker, and a stranger in every other frame."""
    rng = np.random.default_rng(number)
    picture = street() + rng.normal(0, NOISE, (*HW, 3))
    picture[walker(number)] = (20, 30, 200)
    if number % 2:
        picture[20:45, 150:160] = (10, 10, 10)
    return np.clip(picture * gain, 0, 255).astype(np.uint8)


def relit(number, found):
    return Relit(filmed(number), street(), [masks.encode(found, (0, 0), HW)] if found.any() else [])


def noise_of(frame):
    return frame.astype(float) - street()


def test_an_empty_frame_has_the_cameras_noise_everywhere_and_nobody_in_it():
    frames = [relit(n, walker(n)) for n in range(4)]
    noise = noise_of(empty_frame(street(), iter(frames), np.random.default_rng(0)))
    assert noise.std() == pytest.approx(NOISE, rel=0.1)
    cells = np.abs(cv2.blur(noise, (8, 8))).max()
    assert cells < 3 * NOISE, "somebody is left"
    for top in range(0, HW[0] - CELL_PX, CELL_PX):
        assert noise[top : top + CELL_PX].std() == pytest.approx(NOISE, rel=0.2)


def test_where_somebody_always_stands_the_noise_is_that_of_places_as_bright():
    always = np.zeros(HW, bool)
    always[64:96, 64:96] = True
    noise = noise_of(empty_frame(street(), iter([relit(0, always | walker(0))]), np.random.default_rng(0)))
    assert noise[64:96, 64:96].std() == pytest.approx(NOISE, rel=0.2)


def test_without_a_quiet_place_it_is_the_background():
    everywhere = np.ones(HW, bool)
    assert (empty_frame(street(), iter([relit(0, everywhere)]), np.random.default_rng(0)) == street()).all()
    assert (empty_frame(street(), iter([]), np.random.default_rng(0)) == street()).all()


@pytest.fixture
def camera(tmp_path):
    """A camera's folder as tracking leaves it: frames a little darker and brighter than the background."""
    frames, tracks = [], []
    for number in range(COUNT):
        name = f"{number}.png"
        cv2.imwrite(str(tmp_path / name), filmed(number, gain=1 + 0.02 * (number % 3 - 1)))
        common = {
            "frame_id": number,
            "bucket": "noon",
            "timestamp": dt.datetime(2024, 5, 1, 12, 0, number, tzinfo=dt.UTC),
        }
        frames.append(common | {"source": name, "position": -1, "width": HW[1], "height": HW[0], "status": "ok"})
        tracks.append(common | {"detection_id": 10000 * number, "mask_rle": masks.encode(walker(number), (0, 0), HW)})
    write_table(tmp_path / "frames.parquet", to_table([dict.fromkeys(FRAMES.names) | f for f in frames], FRAMES))
    write_table(tmp_path / "tracks.parquet", to_table([dict.fromkeys(TRACKS.names) | t for t in tracks], TRACKS))
    write_bytes(tmp_path / "background" / "noon.png", cv2.imencode(".png", street())[1].tobytes())
    return tmp_path


def test_the_shard_holds_different_empty_frames_and_is_the_same_twice(camera):
    job = EmptyFramesJob(
        "noon", camera / "frames.parquet", camera, camera / "background", camera / "tracks.parquet", 2,
        camera / "empty_frames" / "noon.npy",
    )  # fmt: skip
    empty_frames_shard(job)
    first = job.out.read_bytes()
    made = read_empty_frames(camera, "noon", HW)
    assert made.shape == (2, *HW, 3) and (made[0] != made[1]).mean() > 0.5
    assert noise_of(made).std() == pytest.approx(NOISE, rel=0.1)
    empty_frames_shard(job)
    assert job.out.read_bytes() == first
    assert read_empty_frames(camera, "dusk", HW) is None
    with pytest.raises(ValueError, match=r"noon.npy: damaged \(expected frames of .*Verify --mend"):
        read_empty_frames(camera, "noon", (150, 201))
