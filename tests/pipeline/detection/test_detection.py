"""The block of frames a worker does: from image files to rows, the same however the frames are shared."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.core.instances import Instance, tight
from pipeline.core.tables import DETECTIONS, FRAMES
from pipeline.detection import DetectionSettings, DetectJob, detect_shard

SIZE = (240, 320)
CAMERA = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), SIZE)
PLANE = GroundPlane.from_tilt(25.0, 0.0, 7.0)


def job(tmp_path, **settings) -> DetectJob:
    """Three frames of a blue box that moves by 30 pixels."""
    rng = np.random.default_rng(0)
    street = np.repeat((100 + 5 * rng.standard_normal(SIZE))[..., None], 3, axis=2)
    (tmp_path / "background").mkdir()
    cv2.imwrite(str(tmp_path / "background" / "day.png"), street.round().astype(np.uint8))
    rows = []
    for k in range(3):
        frame = street + 1.5 * rng.standard_normal(street.shape)
        frame[110:146, 60 + 30 * k : 140 + 30 * k] = (200, 40, 40)
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.clip(frame, 0, 255).round().astype(np.uint8))
        rows.append(
            {
                "frame_id": k, "timestamp": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(seconds=k), "bucket": "day",
                "sequence": 0, "source": f"{k}.png", "position": -1, "width": 320, "height": 240, "status": "ok",
            }
        )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=FRAMES), tmp_path / "index.parquet")
    return DetectJob(
        "part-00000", (0, 1, 2), tmp_path / "index.parquet", tmp_path, tmp_path / "background",
        tmp_path / "part-00000.parquet", DetectionSettings(**settings), CAMERA, PLANE,
    )  # fmt: skip


def test_a_block_of_frames_becomes_rows(tmp_path):
    work, done = job(tmp_path), []
    assert detect_shard(work, lambda k, total: done.append((k, total))) == 3
    table = pq.read_table(work.out)
    assert table.schema == DETECTIONS and done == [(1, 3), (2, 3), (3, 3)]
    assert table["detection_id"].to_pylist() == [0, 10_000, 20_000]
    for k, row in enumerate(table.to_pylist()):
        crop, box = masks.decode(row["mask_rle"], SIZE)
        assert row["bbox_xywh"] == list(box) and row["category"] == "vehicle"
        assert abs(box[0] - (60 + 30 * k)) <= 1 and crop.mean() > 0.95


def test_the_same_job_writes_the_same_bytes(tmp_path):
    work = job(tmp_path)
    again = replace(work, out=tmp_path / "again.parquet")
    detect_shard(work)
    detect_shard(again)
    assert work.out.read_bytes() == again.out.read_bytes()


@pytest.mark.parametrize("settings", [{"categories": "person"}, {"min_score": 1.01}])
def test_what_is_not_wanted_is_left_out(tmp_path, settings):
    work = job(tmp_path, **settings)
    assert detect_shard(work) == 0 and pq.read_table(work.out).schema == DETECTIONS


def test_ignored_places_reach_the_detector(tmp_path):
    ignore = masks.encode(np.ones((80, 320), bool), (0, 90), SIZE)
    assert detect_shard(replace(job(tmp_path), ignore_rle=ignore)) == 0


def test_a_bucket_without_background_says_what_to_run(tmp_path):
    work = job(tmp_path)
    (tmp_path / "background" / "day.png").rename(tmp_path / "background" / "night.png")
    with pytest.raises(
        ValueError, match=r"background/day.png: damaged \(there is none of this bucket\); .*Verify --mend"
    ):
        detect_shard(work)


@pytest.mark.parametrize("settings", [{"detector": "magic"}, {"categories": "person,dog"}, {"categories": ""}])
def test_settings_name_what_is_expected(settings):
    with pytest.raises(ValueError, match="expected"):
        DetectionSettings(**settings)


def test_an_instance_knows_its_box_and_refuses_nonsense():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:10] = True
    crop, xy = tight(mask, (100, 200))
    assert Instance("person", 0.5, crop, xy).box_xywh == (107, 204, 3, 5) and crop.all()
    assert tight(np.zeros((3, 3), bool)) is None
    for category, bad in [("dog", crop), ("person", crop.astype(float)), ("person", crop[:0])]:
        with pytest.raises(ValueError, match="instance"):
            Instance(category, 0.5, bad, xy)
