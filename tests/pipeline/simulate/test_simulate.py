from dataclasses import replace
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.core import masks
from pipeline.simulate import BucketPlan, Simulation, plan_bursts, read_truth, render_burst
from pipeline.simulate.traffic import flow as traffic

ZONE = ZoneInfo("Europe/London")
SIM = Simulation(
    layout="junction",
    seed=11,
    date=date(2024, 9, 3),
    buckets=(BucketPlan("noon", time(13, 0)), BucketPlan("morning", time(9, 15)), BucketPlan("dusk", time(19, 50))),
    bursts_per_bucket=2,
    burst_s=0.4,
    fps=5.0,
    vehicles_per_minute=40.0,
    people_per_minute=40.0,
)
SIZE_HW = (90, 160)
CAMERA = Camera(np.array([[118.0, 0, 79.5], [0, 118.0, 44.5], [0, 0, 1]]), SIZE_HW)
PLANE = GroundPlane.from_tilt(19.0, 2.0, 6.2)


def test_bursts_follow_the_day_with_frames_numbered_through():
    bursts = plan_bursts(SIM, ZONE)
    assert [b.index for b in bursts] == list(range(6))
    assert [b.bucket.name for b in bursts] == ["morning", "morning", "noon", "noon", "dusk", "dusk"]
    assert [i for b in bursts for i in b.frame_ids] == list(range(12))
    moments = [m for b in bursts for m in b.timestamps]
    assert moments == sorted(set(moments))
    assert all(len(b.timestamps) == len(b.frame_ids) == 2 for b in bursts)
    assert all(b.timestamps[0] == b.start for b in bursts)
    assert bursts[0].start.astimezone(ZONE).time() == time(9, 15)
    assert bursts[0].start.utcoffset() == timedelta(hours=1)
    for first, second in zip(bursts[::2], bursts[1::2], strict=True):
        assert second.start - first.start >= timedelta(minutes=2)
    assert np.diff([m.timestamp() for m in bursts[0].timestamps]) == pytest.approx(0.2)


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match=r"expected one of crossroads, junction, far_crossroads, got 'roundabout'"):
        replace(SIM, layout="roundabout")


def rendered(folder, *indices, sim=SIM):
    """Bytes of every file that rendering these bursts, in this order, leaves in a folder."""
    bursts = plan_bursts(sim, ZONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "WARM_UP_S", 8.0)
        for i in indices:
            render_burst(sim, CAMERA, PLANE, bursts[i], folder / "images", folder / "truth" / f"part-{i:05d}.parquet")
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def two_bursts(tmp_path_factory):
    """The first burst of noon after the first of the morning."""
    folder = tmp_path_factory.mktemp("two")
    return folder, rendered(folder, 0, 2)


def test_a_burst_is_its_frames_and_its_truth_and_nothing_else(two_bursts):
    _, files = two_bursts
    frames = [f"images/{i:06d}.jpg" for i in (0, 1, 4, 5)]
    assert sorted(files) == [*frames, "truth/part-00000.parquet", "truth/part-00002.parquet"]
    for name in frames:
        image = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (*SIZE_HW, 3)
        assert image.std() > 15  # a picture, not a blank


def test_the_same_burst_has_the_same_bytes_whatever_was_rendered_before(two_bursts, tmp_path):
    _, files = two_bursts
    alone = rendered(tmp_path, 2)
    assert len(alone) == 3
    assert all(files[name] == data for name, data in alone.items())


def test_another_seed_has_other_traffic_in_the_same_street(two_bursts, tmp_path):
    _, files = two_bursts
    other = rendered(tmp_path, 2, sim=replace(SIM, seed=12))
    assert all(files[name] != data for name, data in other.items())


def test_the_truth_is_of_these_frames_and_their_people_and_vehicles(two_bursts):
    folder, _ = two_bursts
    truth = read_truth(folder / "truth").to_pandas()
    assert set(truth["frame_id"]) == {0, 1, 4, 5}
    assert not truth.duplicated(["frame_id", "actor_id"]).any()
    assert {"person", "vehicle"} == set(truth["category"])
    assert truth["visible_fraction"].between(0, 1).all()
    assert truth["truncation"].between(0, 1).all()
    assert (truth["keypoint_state"].map(len) == truth["category"].map({"vehicle": 12, "person": 17})).all()
    assert (truth["keypoints_3d"].map(len) == 3 * truth["keypoint_state"].map(len)).all()
    for row in truth.itertuples():
        assert masks.area(row.mask_amodal_rle, SIZE_HW) == row.px_count_all > 0
        assert masks.area(row.mask_visible_rle, SIZE_HW) == row.px_count_visib
    # Whoever moves belongs to one burst; parked cars keep their numbers through the day.
    moving = truth[truth["moving"]]
    bursts_of = moving.assign(burst=moving["frame_id"] // 2).groupby("actor_id")["burst"].nunique()
    assert (bursts_of == 1).all()
    parked = truth[~truth["moving"]]
    assert set(parked.loc[parked["frame_id"] == 0, "actor_id"]) == set(parked.loc[parked["frame_id"] == 5, "actor_id"])


def test_what_moves_is_where_the_picture_changes(two_bursts):
    folder, files = two_bursts
    truth = read_truth(folder / "truth").to_pandas()
    first, last = (
        cv2.imdecode(np.frombuffer(files[f"images/{i:06d}.jpg"], np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)
        for i in (4, 5)
    )
    change = abs(last - first)
    moved = np.zeros(SIZE_HW, bool)
    for row in truth[truth["moving"] & truth["frame_id"].isin([4, 5])].itertuples():
        moved |= masks.full(row.mask_visible_rle, SIZE_HW)
    assert moved.any()
    still = cv2.dilate(moved.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0  # shadows fall beside
    assert np.percentile(change[still], 90) < 12
    assert change[moved].mean() > 1.5 * change[still].mean()


def test_progress_counts_the_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(traffic, "WARM_UP_S", 1.0)
    told = []
    burst = plan_bursts(SIM, ZONE)[2]
    truth = tmp_path / "truth.parquet"
    render_burst(SIM, CAMERA, PLANE, burst, tmp_path, truth, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
