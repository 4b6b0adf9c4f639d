"""Scenes of cards and boxes that move over a plane, with poles in front: what is hidden is known exactly."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pyarrow as pa
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline import masks
from pipeline.mining import REASONS, Judgement, MiningSettings, judge
from pipeline.observations import meeting_pairs
from pipeline.plausible import fullness, notch
from pipeline.tables import TRACKS, to_table

HW = (360, 640)
CAMERA = Camera(np.array([[540.0, 0, 319.5], [0, 540.0, 179.5], [0, 0, 1]]), HW)
PLANE = GroundPlane.from_tilt(20, 0, 8.5)
FPS = 5
CAR, MAN, BUS = (4.3, 1.8, 1.5), (0.3, 0.3, 1.7), (11.0, 2.5, 3.1)


@dataclass(frozen=True)
class Mover:
    """A block of size lwh_m that starts at xy and moves by velocity (m, m/s) in world metres."""

    lwh_m: tuple[float, float, float]
    xy: tuple[float, float]
    velocity: tuple[float, float]
    track_id: int

    def at(self, seconds: float) -> np.ndarray:
        return np.array(self.xy) + seconds * np.array(self.velocity)

    def silhouette(self, seconds: float) -> np.ndarray:
        length, width, height = self.lwh_m
        yaw = np.arctan2(self.velocity[1], self.velocity[0])
        corners = np.array(
            [[a * length, b * width, c * 2 * height] for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0, 0.5)]
        )
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        pixels = CAMERA.project(PLANE.to_camera(corners @ turn.T + [*self.at(seconds), 0]))
        image = np.zeros(HW, np.uint8)
        cv2.fillConvexPoly(image, cv2.convexHull(np.round(pixels).astype(np.int32)), 1)
        return image.astype(bool)


@dataclass(frozen=True)
class Pole:
    """Pixels box xywh that hide all that stands farther than range_m."""

    box: tuple[int, int, int, int]
    range_m: float


def watch(movers: list[Mover], poles: list[Pole], frames: int, *, blobs: bool = False) -> tuple[pa.Table, np.ndarray]:
    """TRACKS of what is seen, and the visible fraction of each row. blobs: touching masks become one detection."""
    rows, visible = [], []
    for frame in range(frames):
        seconds = frame / FPS
        taken = np.zeros(HW, bool)
        seen: list[tuple[Mover, np.ndarray, float]] = []
        for mover in sorted(movers, key=lambda m: float(np.hypot(*m.at(seconds)))):
            whole = mover.silhouette(seconds)
            free = ~taken
            for x, y, w, h in (p.box for p in poles if p.range_m < np.hypot(*mover.at(seconds))):
                free[y : y + h, x : x + w] = False
            if whole.any() and (whole & free).sum() > 30:
                seen.append((mover, whole & free, (whole & free).sum() / whole.sum()))
            taken |= whole
        for mover, mask, share in _merge(seen) if blobs else seen:
            rows.append(_row(frame, len(rows) % 1000, mover, mask))
            visible.append(share)
    return to_table(rows, TRACKS), np.array(visible)


def _merge(seen: list[tuple[Mover, np.ndarray, float]]) -> list[tuple[Mover, np.ndarray, float]]:
    merged: list[tuple[Mover, np.ndarray, float]] = []
    for mover, mask, share in seen:
        near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        touching = [k for k, other in enumerate(merged) if (other[1] & near).any()]
        if touching:
            first = merged[touching[0]]
            merged[touching[0]] = (first[0], first[1] | mask, 0.0)
        else:
            merged.append((mover, mask, share))
    return merged


def _row(frame: int, number: int, mover: Mover, mask: np.ndarray) -> dict:
    ys, xs = np.nonzero(mask)
    x, y, right, bottom = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    foot = PLANE.to_world(PLANE.intersect(CAMERA, np.array([(x + right) / 2 - 0.5, bottom - 0.5])))[:2]
    return {
        "detection_id": frame * 10000 + number,
        "frame_id": frame,
        "category": "person" if mover.lwh_m == MAN else "vehicle",
        "score": 0.9,
        "bbox_xywh": [x, y, right - x, bottom - y],
        "mask_rle": masks.encode(mask[y:bottom, x:right], (x, y), HW),
        "timestamp": dt.datetime(2025, 5, 14, 8, 30, tzinfo=dt.UTC) + dt.timedelta(seconds=frame / FPS),
        "bucket": "morning",
        "sequence": 0,
        "track_id": mover.track_id,
        "foot_xy_m": foot.tolist(),
        "velocity_xy_mps": list(map(float, mover.velocity)),
    }


SETTINGS = MiningSettings(min_area_px=60, min_side_px=4)


def verdict(table: pa.Table, settings: MiningSettings = SETTINGS, **more: object) -> Judgement:
    return judge(table, CAMERA, PLANE, settings, **more)  # type: ignore[arg-type]


def cars(n: int, y: float = 22.0, speed: float = 6.0, size: tuple[float, float, float] = CAR) -> list[Mover]:
    """n of a kind behind each other on a lane across the view."""
    return [Mover(size, (-16.0 - 14 * k * np.sign(speed), y), (speed, 0.0), k) for k in range(n)]


def kept(verdict_: Judgement) -> np.ndarray:
    return verdict_.reason == ""


def test_boxes_meet_as_brute_force_says() -> None:
    rng = np.random.default_rng(3)
    group = rng.integers(0, 12, 300)
    box = np.concatenate([rng.uniform(-50, 500, (300, 2)), rng.uniform(1, 60, (300, 2))], axis=1).round()
    for gap in (0.0, 5.0):
        low, high = box[:, :2], box[:, :2] + box[:, 2:]
        apart = np.maximum(low[:, None], low) - np.minimum(high[:, None], high)
        near = (apart < gap if gap else apart < 0).all(axis=2) & (group[:, None] == group)
        expected = {(i, j) for i, j in np.argwhere(near).tolist() if i < j}
        found = meeting_pairs(group, box, gap)
        assert len(found) == len(expected)
        assert {(min(p), max(p)) for p in found.tolist()} == expected


def test_a_lone_car_is_cut_out_where_it_is_whole_and_only_there() -> None:
    table, _ = watch(cars(1), [], 40)
    result = verdict(table)
    boxes = np.array(table["bbox_xywh"].to_pylist())
    inside = (boxes[:, 0] > 3) & (boxes[:, 0] + boxes[:, 2] < HW[1] - 3)
    assert set(result.reason[~inside]) == {"border"}
    assert set(result.reason[inside]) == {"", "too_similar"}
    assert 4 <= kept(result).sum() <= SETTINGS.selection.per_track
    assert not result.stationary.any()


def test_the_farther_of_two_crossing_cars_is_refused_while_the_nearer_hides_it() -> None:
    far, near = Mover(CAR, (-14, 24), (6, 0), 1), Mover(CAR, (14, 19), (-6, 0), 2)
    table, visible = watch([far, near], [], 30)
    result = verdict(table)
    track = table["track_id"].to_numpy()
    hidden = (track == 1) & (visible < 0.97) & (result.reason != "border")
    assert hidden.sum() >= 3
    assert set(result.reason[hidden]) == {"occluded_by"}
    assert "occluded_by" not in set(result.reason[track == 2])


def test_box_mode_is_walts_test_and_ignores_scores() -> None:
    rows = []
    for frame in range(6):
        # B overlaps A by 20 of 60 columns and stands lower; C, beside them, overlaps nobody.
        for number, (x, y) in enumerate([(200 + frame, 150), (240 + frame, 170), (400 + frame, 150)]):
            mask = np.zeros(HW, bool)
            mask[y : y + 40, x : x + 60] = True
            rows.append(_row(frame, number, Mover(CAR, (0, 0), (1.0, 0.0), number), mask))
    for row in rows[1::3]:
        row["score"] = 0.01
    result = verdict(to_table(rows, TRACKS), replace(SETTINGS, mode="box"))
    assert set(result.reason[0::3]) == {"occluded_by"}
    assert set(result.reason[1::3]) == {"low_score"}
    assert not {"occluded_by", "low_score"} & set(result.reason[2::3])
    loose = verdict(to_table(rows, TRACKS), replace(SETTINGS, mode="box", delta=0.5))
    assert "occluded_by" not in set(loose.reason)


def test_a_pole_is_found_from_the_cars_it_cuts_and_hides_only_what_is_beyond() -> None:
    pole = Pole((330, 0, 8, 360), 20.0)
    table, visible = watch(
        [*cars(3), *(replace(c, xy=(c.xy[0], 17.0), track_id=c.track_id + 10) for c in cars(2))], [pole], 70
    )
    result = verdict(table)
    beyond = table["track_id"].to_numpy() < 10
    assert (visible[kept(result)] > 0.98).all()
    assert (result.reason[beyond & (visible < 0.97)] == "static_occluder").sum() >= 3
    assert "static_occluder" not in set(result.reason[~beyond])
    far, near = result.occluders.at(25.0), result.occluders.at(14.0)
    rows = slice(150, 170)
    assert far[rows, 331:336].mean() > 0.5
    assert far[rows, :320].mean() < 0.02
    assert not near[rows].any()


def test_a_bridged_pole_is_told_by_the_bare_pixels() -> None:
    table, _ = watch(cars(3), [], 70)
    pole = np.zeros(HW, bool)
    pole[:, 330:338] = True
    rows = [
        (i, masks.full(rle, HW) & pole)
        for i, rle in zip(*(table[c].to_pylist() for c in ("detection_id", "mask_rle")), strict=True)
    ]
    backdrop = pa.table(
        {
            "detection_id": [i for i, m in rows if m.any()],
            "bare_rle": [masks.encode(m, (0, 0), HW) for _, m in rows if m.any()],
            "edge_share": [0.0 for _, m in rows if m.any()],
        }
    )
    behind = np.array([m.any() for _, m in rows])
    assert "static_occluder" not in set(verdict(table).reason)
    assert set(verdict(table, backdrop=backdrop).reason[behind]) == {"static_occluder"}


def test_a_wall_that_hides_the_legs_of_those_who_pass() -> None:
    table, visible = watch(cars(4, speed=1.4, size=MAN), [Pole((250, 150, 120, 40), 10.0)], 150)
    result = verdict(table)
    assert (visible[kept(result)] > 0.98).all()
    assert len(set(table["track_id"].to_numpy()[kept(result)])) == 3


def test_two_cars_in_one_blob_are_merged_and_both_are_kept_before_and_after() -> None:
    one, other = Mover(CAR, (-14, 22), (6, 0), 1), Mover(CAR, (14, 20.5), (-6, 0), 2)
    table, visible = watch([one, other], [], 26, blobs=True)
    result = verdict(table)
    assert not kept(result)[visible == 0].any()
    assert "merged" in set(result.reason[visible == 0])
    assert set(table["track_id"].to_numpy()[kept(result)]) == {1, 2}


def test_who_stands_gets_one_cutout_a_stay_and_one_a_bucket() -> None:
    waiting = [Mover(CAR, (2.0, 22.0), (1e-9, 0.0), k) for k in range(2)]
    first, _ = watch(waiting[:1], [], 30)
    again, _ = watch(waiting[1:], [], 30)
    later = pa.compute.add(again["frame_id"], 1000), pa.compute.add(again["detection_id"], 10_000_000)
    again = again.set_column(1, TRACKS.field("frame_id"), later[0]).set_column(
        0, TRACKS.field("detection_id"), later[1]
    )
    result = verdict(pa.concat_tables([first, again]))
    assert kept(result).sum() == 1
    assert result.stationary[kept(result)].all()
    assert Counter(result.reason) == {"": 1, "stationary_duplicate": 59}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": 0.2}, "low_score"),
        ({"track_id": -1}, "untracked"),
        ({"foot_xy_m": [float("nan")] * 2}, "no_ground"),
        ({"category": "person"}, "implausible_size"),
    ],
)
def test_each_reason_has_its_case(change: dict, reason: str) -> None:
    table, _ = watch(cars(1), [], 40)
    rows = table.to_pylist()
    rows[15] |= change
    result = verdict(to_table(rows, TRACKS))
    assert result.reason[15] == reason
    assert result.report["refused"][reason] == 1


def test_small_ones_and_those_in_ignored_regions_are_refused() -> None:
    table, _ = watch(cars(1), [], 40)
    assert verdict(table, replace(SETTINGS, min_area_px=100_000)).report["refused"]["too_small"] > 5
    caption = np.zeros(HW, bool)
    caption[:, 300:310] = True
    result = verdict(table, ignore=caption)
    boxes = np.array(table["bbox_xywh"].to_pylist())
    over = (boxes[:, 0] < 310) & (boxes[:, 0] + boxes[:, 2] > 300)
    assert over.any()
    assert set(result.reason[over]) == {"border"}
    assert kept(result).any()


def test_the_report_counts_every_detection_once() -> None:
    table, _ = watch([*cars(3), Mover(CAR, (14, 19), (-6, 0), 9)], [Pole((330, 0, 6, 360), 10.0)], 60)
    result = verdict(table)
    report = result.report
    assert set(report["refused"]) == set(REASONS)
    assert report["detections"] == len(table) == report["cutouts"] + sum(report["refused"].values())
    assert report["cutouts"] == sum(report["cutouts_by_category"].values()) == sum(report["cutouts_by_bucket"].values())
    assert result.accepted["detection_id"].to_pylist() == table["detection_id"].to_numpy()[kept(result)].tolist()


def test_an_empty_table_gives_an_empty_verdict() -> None:
    result = verdict(to_table([], TRACKS))
    assert result.report["cutouts"] == 0
    assert result.accepted.num_rows == 0


def test_an_unknown_mode_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="expected mask or box, got 'maks'"):
        MiningSettings(mode="maks")


def test_hollows_and_holes_are_measured() -> None:
    block = np.ones((20, 40), bool)
    assert fullness(block) == (pytest.approx(1.0, abs=0.02), 0.0)
    corner = block.copy()
    corner[:10, :20] = False  # an L: its hull loses half the missing quarter
    assert fullness(corner)[0] == pytest.approx(600 / 700, abs=0.02)
    ring = block.copy()
    ring[5:15, 10:30] = False
    assert fullness(ring)[1] == pytest.approx(0.25, abs=0.01)
    assert fullness(np.zeros((3, 3), bool)) == (0.0, 0.0)


@pytest.mark.parametrize(("depth", "expected"), [(0, 0.0), (10, 0.25), (20, 0.5)])
def test_a_notch_is_measured_against_the_size(depth: int, expected: float) -> None:
    crop = np.ones((40, 40), bool)
    crop[:depth, 18:22] = False
    assert notch(crop) == pytest.approx(expected, abs=0.04)


def test_a_vehicle_too_small_in_the_picture_is_refused_and_a_person_of_that_size_is_not() -> None:
    for size, expected in ((CAR, False), (MAN, True)):
        table, _ = watch(cars(1, speed=1.3 if size == MAN else 6.0, size=size), [], 40)
        assert kept(verdict(table)).any()
        result = verdict(table, replace(SETTINGS, min_vehicle_share=0.5))
        assert kept(result).any() == expected
        assert ("too_small" in set(result.reason)) != expected


def test_a_vehicle_that_shows_much_of_the_empty_street_is_refused() -> None:
    """The bare patch travels with the car, so no pole is found: the share alone must decide."""
    table, _ = watch(cars(1), [], 40)
    inside = kept(verdict(table)) | (verdict(table).reason == "too_similar")
    patches = []
    for rle in table["mask_rle"].to_pylist():
        crop, (x, y, _, h) = masks.decode(rle, HW)
        part = np.zeros_like(crop)
        part[: max(round(0.2 * h), 1)] = crop[: max(round(0.2 * h), 1)]
        patches.append(masks.encode(part, (x, y), HW))
    backdrop = pa.table(
        {"detection_id": table["detection_id"], "bare_rle": patches, "edge_share": [0.0] * table.num_rows}
    )
    for limit, refused in ((0.05, True), (0.9, False)):
        result = verdict(table, replace(SETTINGS, max_bare=limit), backdrop=backdrop)
        assert (result.reason[inside] == "static_occluder").all() == refused


def test_a_car_with_a_sign_cut_out_of_it_is_refused_for_its_shape() -> None:
    table, _ = watch(cars(1), [], 40)
    inside = np.flatnonzero(kept(verdict(table)))
    rles = table["mask_rle"].to_pylist()
    for i in inside:
        crop, (x, y, w, h) = masks.decode(rles[i], HW)
        crop[: int(0.6 * h), int(0.45 * w) : int(0.55 * w)] = False
        rles[i] = masks.encode(crop, (x, y), HW)
    cut = table.set_column(table.schema.get_field_index("mask_rle"), table.schema.field("mask_rle"), pa.array(rles))
    assert set(verdict(cut).reason[inside]) == {"implausible_shape"}


def test_the_classifier_refuses_what_it_doubts_and_only_where_it_is_asked() -> None:
    table, _ = watch(cars(1), [], 40)
    plain = verdict(table)
    accepted = table["detection_id"].to_numpy()[kept(plain)]
    doubted = accepted[::2]
    ids = np.delete(table["detection_id"].to_numpy(), 0)  # one lacks: it is let through
    chance = np.where(np.isin(ids, doubted), 0.3, 0.9).astype(np.float32)
    word = pa.table({"detection_id": ids, "chance": chance})
    assert (verdict(table, unoccluded=word).reason == plain.reason).all()
    asked = verdict(table, replace(SETTINGS, min_unoccluded=0.5), unoccluded=word)
    refused = set(table["detection_id"].to_numpy()[asked.reason == "looks_occluded"].tolist())
    assert refused == set(doubted.tolist())
    assert asked.report["refused"]["looks_occluded"] == len(doubted)
    others = ~np.isin(plain.reason, ["", "too_similar"])
    assert (asked.reason[others] == plain.reason[others]).all()
    with pytest.raises(ValueError, match="min_unoccluded: expected 0 to 1, got 2"):
        MiningSettings(min_unoccluded=2)
