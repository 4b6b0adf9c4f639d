from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import masks
from pipeline.core.frames import FrameReader, as_png
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import FRAMES, TRACKS
from pipeline.empty_street.beams import lamps_lit, without_beams
from pipeline.empty_street.compared_frames import LooksJob, looks_shard
from pipeline.empty_street.coverage import CELL_PX, ON_IT, REACHES, covered_levels
from pipeline.empty_street.other_buckets import filled_in
from pipeline.empty_street.uncovered import (
    BESIDE,
    OTHER_BUCKET,
    OWN_FRAMES,
    PLAIN_MEDIAN,
    EmptyStreetSettings,
    UncoveredJob,
    coverage_maps,
    median_of,
    read_sources,
    uncovered_shard,
)

HW = (120, 200)
NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
CAR = (60, 50, 40, 24)  # xywh, where cars queue


def street(seed=1):
    """A textured street (H, W, 3), darker to the right."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(0, 30, HW).astype(np.float32), (0, 0), 1.5)
    grey = np.clip(130 + texture - np.linspace(0, 40, HW[1]), 20, 230).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=2)


def rectangle(box):
    """Its run lengths."""
    x, y, w, h = box
    return masks.encode(np.ones((h, w), bool), (x, y), HW)


def camera(folder, pictures, boxes, apart_s=1):
    """A job for a bucket of these pictures, taken so many seconds apart, in each of which a vehicle has each of its
    boxes."""
    frames, tracks = [], []
    for number, (picture, there) in enumerate(zip(pictures, boxes, strict=True)):
        name = f"frames/{number:03d}.png"
        write_bytes(folder / name, as_png(np.clip(np.rint(picture), 0, 255).astype(np.uint8)))
        now = NOON + timedelta(seconds=number * apart_s)
        row = {"frame_id": number, "timestamp": now, "bucket": "noon", "sequence": 0, "source": name, "position": -1}
        frames.append(row | {"width": HW[1], "height": HW[0], "status": "ok"})
        for k, box in enumerate(there):
            found = {"detection_id": number * 10_000 + k, "frame_id": number, "category": "vehicle", "score": 0.9}
            tracks.append(found | {"mask_rle": rectangle(box), "bbox_xywh": list(map(float, box))})
    write_table(folder / "index.parquet", pa.Table.from_pylist(frames, schema=FRAMES))
    write_table(folder / "tracks.parquet", pa.Table.from_pylist(tracks, schema=TRACKS))
    plain = np.median([np.clip(np.rint(p), 0, 255) for p in pictures], axis=0).astype(np.uint8)
    write_bytes(folder / "median/noon.png", as_png(plain))
    return UncoveredJob(
        "noon", folder / "index.parquet", folder, folder / "median", folder / "tracks.parquet",
        folder / "looks/noon.png", folder / "unfilled/noon.png", folder / "source/noon.png", EmptyStreetSettings(),
    )  # fmt: skip


def with_car(picture, box=CAR, grey=30.0, shadow=0.5):
    """The picture with a car at a box, and its shadow beside it."""
    x, y, w, h = box
    done = picture.copy()
    done[y + h // 2 : y + h, x - h // 2 : x] *= shadow
    done[y : y + h, x : x + w] = grey
    return done


def made(job):
    looks_shard(LooksJob("looks", job.index, job.root, job.medians, job.tracks, job.shown.parent))
    uncovered_shard(job)
    return cv2.imread(str(job.out)).astype(int), read_sources(job.source.parent, ["noon"])["noon"]


def test_a_queue_that_stands_there_most_of_the_time_leaves_neither_itself_nor_its_shadow(tmp_path):
    empty, rng = street(), np.random.default_rng(0)
    noisy = [empty + rng.normal(0, 2, empty.shape) for _ in range(30)]
    queued = [n % 3 != 0 for n in range(30)]
    pictures = [with_car(p) if there else p for p, there in zip(noisy, queued, strict=True)]
    job = camera(tmp_path, pictures, [[CAR] if there else [] for there in queued])
    plain = cv2.imread(str(job.medians / "noon.png")).astype(int)
    picture, source = made(job)
    assert np.abs(plain - empty).max() > 60
    assert np.percentile(np.abs(picture - empty), 99.9) < 6
    assert set(np.unique(source)) == {OWN_FRAMES}


def test_who_waits_there_unseen_by_any_detector_leaves_nothing_where_the_street_shows_now_and_then(tmp_path):
    empty, rng = street(), np.random.default_rng(1)
    pictures = []
    for n in range(16):
        picture = empty.copy() if n in (4, 8, 11) else with_car(empty, grey=float(rng.uniform(10, 70)), shadow=0.7)
        if n not in (4, 8, 11):  # panes, wheels, lamps: no two vehicles are alike
            x, y, w, h = CAR
            picture[y : y + h, x : x + w] += 5 * cv2.GaussianBlur(rng.normal(0, 30, (h, w, 1)), (0, 0), 1.5)[..., None]
        pictures.append(picture + rng.normal(0, 2, empty.shape))
    job = camera(tmp_path, pictures, [[]] * 16, apart_s=60)
    plain = cv2.imread(str(job.medians / "noon.png")).astype(int)
    picture, source = made(job)
    x, y, w, h = CAR
    inside, off = np.s_[y + 2 : y + h - 2, x + 2 : x + w - 2], np.abs(picture - empty)
    assert np.median(np.abs(plain - empty)[inside]) > 50
    assert off[inside].max() < 8 and np.percentile(off, 99) < 8
    assert (source[inside] == OWN_FRAMES).all()


def test_a_bucket_whose_frames_are_all_left_out_keeps_its_plain_median(tmp_path):
    job = camera(tmp_path, [street()] * 5, [[]] * 5)
    frames = pq.read_table(job.index).to_pylist()
    unlike = pa.Table.from_pylist([row | {"status": "unlike the others"} for row in frames], schema=FRAMES)
    write_table(job.index, unlike)
    picture, source = made(job)
    assert np.abs(picture - street()).max() <= 1 and (source == PLAIN_MEDIAN).all()


def test_what_no_frame_shows_is_the_plain_median_and_told(tmp_path):
    empty = street()
    job = camera(tmp_path, [with_car(empty)] * 8, [[CAR]] * 8)
    picture, source = made(job)
    x, y, w, h = CAR
    assert (source[y : y + h, x : x + w] == PLAIN_MEDIAN).all() and np.abs(picture[y : y + h, x : x + w] - 30).max() < 2
    assert source[y + h - 2, x - 8] == BESIDE and source[5, 5] == OWN_FRAMES


def test_a_level_reaches_so_many_sizes_across_and_half_as_many_up():
    levels = covered_levels([rectangle((100, 60, 8, 8))], HW)
    row, column = 64 // CELL_PX, 104 // CELL_PX
    across, up = levels[row, : 100 // CELL_PX], levels[: 60 // CELL_PX, column]
    assert levels[row, column] == ON_IT and (levels > 0).sum() > (levels == ON_IT).sum() > 4
    assert 1.5 < (across > 0).sum() / (up > 0).sum() < 2.6
    assert abs((across > 0).sum() * CELL_PX - (REACHES[0] * 8 + 5)) <= CELL_PX


@given(st.integers(1, 9), st.integers(0, 99))
def test_median_of_the_known_is_numpys(count, seed):
    rng = np.random.default_rng(seed)
    values, known = rng.integers(0, 256, (count, 4, 3)).astype(np.uint8), rng.random((count, 4)) < 0.6
    known[rng.integers(count)] = True
    found = median_of(values, known[..., None])
    for place in range(4):
        mine = np.sort(values[known[:, place], place], axis=0)
        assert np.array_equal(found[place], mine[(len(mine) - 1) // 2])


def test_holes_are_filled_from_the_bucket_that_agrees_around_them():
    empty = street()
    hole = np.zeros(HW, bool)
    hole[50:74, 60:100] = True
    shaded = empty.copy()
    shaded[:, 80:] *= 0.4  # a house's shadow lies there at that hour
    pictures = {"noon": np.where(hole[..., None], 255, 0.7 * empty), "late": 0.4 * empty, "early": shaded}
    pictures = {name: np.rint(image).astype(np.uint8) for name, image in pictures.items()}
    clear = np.full(HW, OWN_FRAMES, np.uint8)
    sources = {"noon": np.where(hole, PLAIN_MEDIAN, OWN_FRAMES).astype(np.uint8), "late": clear, "early": clear}
    found, source = filled_in(pictures, sources)
    off = np.abs(found["noon"] - 0.7 * empty)[hole]
    assert (source["noon"][hole] == OTHER_BUCKET).all() and off.mean() < 3 and off.max() < 12
    assert np.array_equal(found["late"], pictures["late"])
    alone, told = filled_in({"noon": pictures["noon"]}, {"noon": sources["noon"]})
    assert np.array_equal(alone["noon"], pictures["noon"]) and (told["noon"][hole] == PLAIN_MEDIAN).all()


@pytest.mark.parametrize("lamp", [255.0, 120.0])
def test_beams_that_are_on_the_street_most_of_the_time_are_taken_off_it(tmp_path, lamp):
    empty = 0.5 * street()
    ys, xs = np.mgrid[: HW[0], : HW[1]]
    beam = 1 + 0.9 * np.exp(-(((xs - 140) / 50) ** 2) - ((ys - 70) / 40) ** 2)
    pictures, boxes = [], []
    for number in range(20):
        at = (2 + number % 3, 50, 44, 30)
        lit = empty * beam[..., None] if number % 5 else empty
        picture = with_car(lit, at, grey=60.0, shadow=1.0)
        picture[60:66, 38:42] = lamp
        pictures.append(picture)
        boxes.append([at])
    job = camera(tmp_path, pictures, boxes)
    reader, ids = FrameReader(pa.parquet.read_table(job.index), tmp_path), np.arange(20)
    assert lamps_lit(reader, job.tracks, ids) == (lamp == 255)
    median = cv2.imread(str(job.medians / "noon.png"))
    away = np.s_[:, 100:]
    dark = without_beams(median, reader, ids, coverage_maps(job.tracks, ids, HW))
    before, after = (np.percentile(np.abs(image[away].astype(float) - empty[away]), 99) for image in (median, dark))
    assert before > 40 and after < 12


@pytest.mark.parametrize(
    "wrong", [{"max_frames": -1}, {"enough": 1.5}, {"least": -0.1}, {"mostly_free": 2.0}, {"memory_mb": 0}]
)
def test_settings_that_mean_nothing_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"empty street {name}: expected"):
        EmptyStreetSettings(**wrong)
