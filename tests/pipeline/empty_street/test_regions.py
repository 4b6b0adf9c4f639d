from pathlib import Path

import boxes
import cv2
import numpy as np
import pyarrow as pa

from pipeline.core import masks
from pipeline.core.frames import as_png
from pipeline.core.instances import Instance
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import FRAMES, TRACKS
from pipeline.detection import DetectionSettings
from pipeline.empty_street import regions
from pipeline.empty_street.regions import RegionsJob, read_ignored, regions_shard, standing
from pipeline.empty_street.uncovered import OWN_FRAMES, PLAIN_MEDIAN

HW = boxes.CAMERA.size_hw


def job_of(folder: Path, source, mask_rles, detector="motion", ignore=None):
    """Ten frames with these masks in each, and a grey background."""
    write_bytes(folder / "background/noon.png", as_png(np.full((*HW, 3), 90, np.uint8)))
    write_bytes(folder / "source/noon.png", as_png(source))
    frames = [{"frame_id": n, "bucket": "noon", "sequence": 0, "status": "ok"} for n in range(10)]
    write_table(folder / "index.parquet", pa.Table.from_pylist(frames, schema=FRAMES))
    tracks = [{"detection_id": n, "frame_id": n, "mask_rle": rle} for n in range(10) for rle in mask_rles]
    write_table(folder / "tracks.parquet", pa.Table.from_pylist(tracks, schema=TRACKS))
    return RegionsJob(
        "regions", folder / "background", folder / "source", folder / "index.parquet", folder / "tracks.parquet",
        folder / "empty_street/ignored.parquet", DetectionSettings(detector), boxes.CAMERA, boxes.PLANE, ignore,
    )  # fmt: skip


def test_what_was_never_seen_is_a_ghost_and_what_was_always_there_stands(tmp_path):
    source = np.full(HW, OWN_FRAMES, np.uint8)
    source[40:60, 40:80] = source[100:120, 40:80] = PLAIN_MEDIAN
    source[5:8, 5:8] = PLAIN_MEDIAN  # a speck
    standing = masks.encode(np.ones((20, 40), bool), (40, 100), HW)
    watched = masks.encode(np.ones((10, 10), bool), (200, 0), HW)
    assert regions_shard(job_of(tmp_path, source, [standing], ignore=watched)) == 3
    rows = read_ignored(tmp_path)["noon"]
    assert sorted(row["reason"] for row in rows) == ["ghost", "standing", "unwatched"]
    whole = masks.union([row["mask_rle"] for row in rows], HW)
    assert whole[50, 60] and whole[110, 60] and whole[5, 205] and not whole[80, 60] and not whole[6, 6]


def test_a_detector_that_needs_no_background_looks_at_the_background_itself(tmp_path, monkeypatch):
    crop = np.ones((12, 30), bool)
    seen = []

    def detector(image, bucket, frame_id):
        seen.append((image.shape, bucket))
        return [regions.Instance("vehicle", 0.8, crop, (50, 70), "van")]

    monkeypatch.setattr(regions, "make_detector", lambda *asked: detector)
    job = job_of(tmp_path, np.full(HW, OWN_FRAMES, np.uint8), [], detector="onnx")
    assert regions_shard(job) == 1 and seen == [((*HW, 3), "noon")]
    (row,) = read_ignored(tmp_path)["noon"]
    assert (row["reason"], row["category"], row["subcategory"]) == ("standing", "vehicle", "van")
    region = masks.union([row["mask_rle"]], HW)
    assert region[70:82, 50:80].all() and crop.size < region.sum() < 3 * crop.size
    assert cv2.connectedComponents(region.astype(np.uint8))[0] == 2


def finds(category, score, xy):
    return Instance(category, score, np.ones((10, 20), bool), xy)


def test_what_stands_all_day_is_in_most_backgrounds_and_a_shadow_is_in_one():
    car = [finds("vehicle", 0.4, (50, 70)), finds("vehicle", 0.6, (52, 71))]
    found = {
        "morning": [car[0], finds("vehicle", 0.8, (150, 70))],  # and a tree's shadow
        "noon": [car[1], finds("person", 0.99, (10, 10))],  # and a window
        "dusk": [finds("vehicle", 0.95, (200, 20)), finds("person", 0.99, (10, 10))],
    }
    stands = standing(found, 0.9, HW)
    assert stands["morning"] == [car[0]] and stands["noon"] == [car[1]]
    assert sorted(one.xy for one in stands["dusk"]) == [(52, 71), (200, 20)]  # as its best background shows it
    assert standing({"noon": [car[1]], "dusk": [], "rain": [], "night": [car[0]]}, 0.9, HW) == {
        "noon": [car[1]], "dusk": [], "rain": [], "night": [car[0]],
    }  # fmt: skip


def test_what_a_sure_detector_finds_in_one_background_stands_there_alone():
    found = {"morning": [finds("person", 0.3, (10, 10))], "noon": [], "dusk": []}
    assert standing(found, 0.0, HW) == found
    assert standing({}, 0.9, HW) == {}


def test_a_folder_without_the_table_has_no_regions(tmp_path):
    assert read_ignored(tmp_path) == {}
