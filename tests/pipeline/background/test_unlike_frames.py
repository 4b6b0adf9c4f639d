"""A drawn street in other illumination and with a bus before it is the same street; fog, a hand, a nudge are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_manifest.times import hour_bucket
from pipeline.background import BackgroundSettings, compared_background, median_background
from pipeline.background.unlike_frames import (
    COLOURED,
    GREY,
    UNLIKE,
    Likeness,
    left_out_in_words,
    with_statuses,
)
from pipeline.core.frames import FrameReader
from pipeline.ingest import FoundFrame, IngestSettings, find_in_video, index_table

HW = (240, 320)
MOST = BackgroundSettings().max_unlike
CASES = Path(__file__).parents[2] / "cases" / "video"


def street(seed=1):
    """Houses, a road, coloured spots, and the grain of asphalt."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.normal(120, 70, (*HW, 3)), (0, 0), 3)
    for _ in range(40):
        x, y = (int(rng.integers(0, limit)) for limit in HW[::-1])
        colour = tuple(float(v) for v in rng.integers(30, 230, 3))
        cv2.rectangle(ground, (x, y), (x + int(rng.integers(8, 60)), y + int(rng.integers(8, 40))), colour, cv2.FILLED)
    return ground.clip(0, 255).astype(np.uint8)


STREET = street()


def noisy(image, seed=0):
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    return (image.astype(float) + noise).clip(0, 255).astype(np.uint8)


def bus(image):
    image = image.copy()
    image[30:200, 20:250] = (30, 40, 190)
    return image


def shadow(image):
    image = image.astype(float)
    image[:, 100:] *= 0.45
    return image


def headlights(image):
    y, x = np.mgrid[: HW[0], : HW[1]]
    beam = np.exp(-(((x - 160) / 50.0) ** 2) - ((y - 150) / 30.0) ** 2)
    return image * 0.2 + 170 * beam[..., None] * image / 255


def fog(image):
    return 0.15 * image + 0.85 * 190


def hand(image):
    image = image.astype(float)
    cv2.ellipse(image, (150, 130), (170, 150), 10, 0, 360, (60, 80, 120), cv2.FILLED)
    return cv2.GaussianBlur(image, (0, 0), 12)


def moved(image, by=9):
    return np.roll(image, (by // 3, by), (0, 1))


def wiped(image):
    """Water on the lens: nothing sharper than a tenth of the picture."""
    return cv2.GaussianBlur(image, (0, 0), 24)


def grey(image):
    return cv2.cvtColor(cv2.cvtColor(np.uint8(image), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


SAME = {
    "as it is": STREET,
    "half as bright": 0.5 * STREET,
    "brighter": np.minimum(1.4 * STREET, 255),
    "a tenth as bright": 0.1 * STREET,
    "a bus": bus(STREET),
    "a house's shadow": shadow(STREET),
    "by night, with headlights": headlights(STREET),
    "warm light": np.minimum(STREET * [0.6, 1.0, 1.2], 255),
}
OTHER = {
    "fog": fog(STREET),
    "a hand": hand(STREET),
    "moved": moved(STREET),
    "wiped": wiped(STREET),
    "another scene": street(2),
    "upside down": STREET[::-1, ::-1],
    "nothing": np.full_like(STREET, 90),
}


@pytest.mark.parametrize("name", SAME)
def test_light_and_passers_by_leave_a_frame_like_its_background(name):
    assert Likeness(STREET).status(noisy(SAME[name]), MOST) is None


@pytest.mark.parametrize("name", OTHER)
def test_what_differs_almost_everywhere_is_unlike(name):
    likeness = Likeness(STREET)
    assert likeness.status(noisy(OTHER[name]), MOST) == UNLIKE
    assert likeness.status(noisy(OTHER[name]), 1.0) is None


def test_agreement_does_not_hang_on_who_is_the_background():
    for image in (*SAME.values(), *OTHER.values()):
        assert Likeness(np.uint8(image)).status(np.uint8(image), MOST) is None


def test_infrared_among_colours_and_colours_among_infrared():
    infrared = noisy(grey(STREET))[..., :1].repeat(3, axis=2)
    assert Likeness(STREET).status(infrared, MOST) == GREY
    assert Likeness(infrared).status(noisy(STREET), MOST) == COLOURED
    assert Likeness(infrared).status(infrared, MOST) is None
    red = grey(STREET)
    red[100:140, 100:200] = (20, 20, 220)
    assert Likeness(grey(STREET)).status(red, MOST) is None, "a red car before a grey street"


def test_where_nothing_has_texture_nothing_is_decided():
    blank = np.full((*HW, 3), 80, np.uint8)
    assert Likeness(blank).status(grey(STREET), MOST) is None
    assert Likeness(blank[:20, :20]).status(blank[:20, :20], MOST) is None


def recorded(folder, frames):
    """A camera's folder with these frames, and its FRAMES table: one a second in one time bucket."""
    start, found = datetime(2025, 6, 3, 12, tzinfo=UTC), []
    for number, image in enumerate(frames):
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), np.uint8(image))
        found.append(FoundFrame(start + timedelta(seconds=number), name, -1, HW))
    return index_table(found, hour_bucket, IngestSettings(), what="test")


def test_a_median_is_of_the_frames_that_are_like_it(tmp_path):
    usual = [noisy(STREET, n) for n in range(12)]
    odd = [noisy(image, 20 + n) for n, image in enumerate([fog(STREET)] * 5 + [moved(STREET)] * 3)]
    table, settings = recorded(tmp_path, usual[:4] + odd + usual[4:]), BackgroundSettings()
    image, unlike = compared_background(table, tmp_path, "h12", settings)
    assert unlike == dict.fromkeys(range(4, 12), UNLIKE)
    kept = with_statuses(table, unlike)
    assert (image == median_background(kept, tmp_path, "h12", settings)).all()
    assert (image == np.floor(np.median(usual, axis=0) + 0.5)).all()
    assert [i for i, _ in FrameReader(kept, tmp_path).read(range(20))] == [*range(4), *range(12, 20)]
    assert kept.schema == table.schema and kept.drop(["status"]) == table.drop(["status"])
    assert compared_background(table, tmp_path, "h12", BackgroundSettings(max_unlike=1))[1] == {}


def test_one_odd_frame_moves_no_median(tmp_path):
    table = recorded(tmp_path, [noisy(STREET, n) for n in range(59)] + [fog(STREET)])
    image, unlike = compared_background(table, tmp_path, "h12", BackgroundSettings())
    assert unlike == {59: UNLIKE}
    assert (image == median_background(table, tmp_path, "h12", BackgroundSettings())).all()


def test_left_out_frames_are_told_by_their_reasons():
    assert left_out_in_words(["ok", UNLIKE, "corrupt JPEG", GREY, UNLIKE]) == (
        f"3 frames left out (2 are {UNLIKE}; 1 is {GREY})"
    )
    assert left_out_in_words(["ok", "black"]) == ""
    with pytest.raises(ValueError, match="background max_unlike: expected more than 0, at most 1, got 0"):
        BackgroundSettings(max_unlike=0)


@pytest.mark.parametrize("name", ["vfr.mkv", "gap.avi"])
def test_no_frame_of_a_camera_that_stands_is_left_out(name):
    path = CASES / name
    found = find_in_video(path, datetime(2025, 6, 3, 12, tzinfo=UTC))
    table = index_table(found.frames, hour_bucket, IngestSettings(max_unreadable_fraction=1), what=name)
    assert compared_background(table, path.parent, table["bucket"][0].as_py(), BackgroundSettings())[1] == {}
