"""Scenes of cards and boxes that move over a plane, with poles in front: what is hidden is known exactly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from movers import CAMERA, CAR, HW, MAN, PLANE, Mover, Pole, cars, row_of, watch

from calibration.camera import GroundPlane
from pipeline.core import masks
from pipeline.core.tables import TRACKS, to_table
from pipeline.mining.filter import REASONS, Decisions, MiningSettings, decide
from pipeline.mining.observations import foot_px

SETTINGS = MiningSettings(min_area_px=60, min_side_px=4)


def decision(table: pa.Table, settings: MiningSettings = SETTINGS, **more: object) -> Decisions:
    return decide(table, CAMERA, PLANE, settings, **more)  # type: ignore[arg-type]


def kept(decided: Decisions) -> np.ndarray:
    return decided.reason == ""


def test_a_lone_car_is_cut_out_where_it_is_whole_and_only_there() -> None:
    table, _ = watch(cars(1), [], 40)
    result = decision(table)
    boxes = np.array(table["bbox_xywh"].to_pylist())
    inside = (boxes[:, 0] > 3) & (boxes[:, 0] + boxes[:, 2] < HW[1] - 3)
    assert set(result.reason[~inside]) == {"border"}
    assert set(result.reason[inside]) == {"", "too_similar"}
    assert 4 <= kept(result).sum() <= SETTINGS.selection.per_track
    assert not result.stationary.any()


def test_the_farther_of_two_crossing_cars_is_refused_while_the_nearer_hides_it() -> None:
    far, near = Mover(CAR, (-14, 24), (6, 0), 1), Mover(CAR, (14, 19), (-6, 0), 2)
    table, visible = watch([far, near], [], 30)
    result = decision(table)
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
            rows.append(row_of(frame, number, Mover(CAR, (0, 0), (1.0, 0.0), number), mask))
    for row in rows[1::3]:
        row["score"] = 0.01
    result = decision(to_table(rows, TRACKS), replace(SETTINGS, mode="box"))
    assert set(result.reason[0::3]) == {"occluded_by"}
    assert set(result.reason[1::3]) == {"low_score"}
    assert not {"occluded_by", "low_score"} & set(result.reason[2::3])
    loose = decision(to_table(rows, TRACKS), replace(SETTINGS, mode="box", delta=0.5))
    assert "occluded_by" not in set(loose.reason)


def test_a_pole_is_found_from_the_cars_it_cuts_and_hides_only_what_is_beyond() -> None:
    pole = Pole((330, 0, 8, 360), 20.0)
    table, visible = watch(
        [*cars(3), *(replace(c, xy=(c.xy[0], 17.0), track_id=c.track_id + 10) for c in cars(2))], [pole], 70
    )
    result = decision(table)
    beyond = table["track_id"].to_numpy() < 10
    assert (visible[kept(result)] > 0.98).all()
    assert (result.reason[beyond & (visible < 0.97)] == "static_occluder").sum() >= 3
    assert "static_occluder" not in set(result.reason[~beyond])
    far, near = result.occluders.at(25.0), result.occluders.at(14.0)
    rows = slice(150, 170)
    assert far[rows, 331:336].mean() > 0.5
    assert far[rows, :320].mean() < 0.02
    assert not near[rows].any()


def test_a_bridged_pole_is_found_by_the_background_like_pixels() -> None:
    table, _ = watch(cars(3), [], 70)
    pole = np.zeros(HW, bool)
    pole[:, 330:338] = True
    rows = [
        (i, masks.full(rle, HW) & pole)
        for i, rle in zip(*(table[c].to_pylist() for c in ("detection_id", "mask_rle")), strict=True)
    ]
    evidence = pa.table(
        {
            "detection_id": [i for i, m in rows if m.any()],
            "bare_rle": [masks.encode(m, (0, 0), HW) for _, m in rows if m.any()],
            "edge_share": [0.0 for _, m in rows if m.any()],
        }
    )
    behind = np.array([m.any() for _, m in rows])
    assert "static_occluder" not in set(decision(table).reason)
    assert set(decision(table, evidence=evidence).reason[behind]) == {"static_occluder"}


def test_a_wall_that_hides_the_legs_of_those_who_pass() -> None:
    table, visible = watch(cars(4, speed=1.4, size=MAN), [Pole((250, 150, 120, 40), 10.0)], 150)
    result = decision(table)
    assert (visible[kept(result)] > 0.98).all()
    assert len(set(table["track_id"].to_numpy()[kept(result)])) == 3


def test_two_cars_in_one_blob_are_merged_and_both_are_kept_before_and_after() -> None:
    one, other = Mover(CAR, (-14, 22), (6, 0), 1), Mover(CAR, (14, 20.5), (-6, 0), 2)
    table, visible = watch([one, other], [], 26, blobs=True)
    result = decision(table)
    assert not kept(result)[visible == 0].any()
    assert "merged" in set(result.reason[visible == 0])
    assert set(table["track_id"].to_numpy()[kept(result)]) == {1, 2}


def test_who_stands_gets_one_cutout_a_stationary_interval_and_one_a_bucket() -> None:
    waiting = [Mover(CAR, (2.0, 22.0), (1e-9, 0.0), k) for k in range(2)]
    first, _ = watch(waiting[:1], [], 30)
    again, _ = watch(waiting[1:], [], 30)
    later = pa.compute.add(again["frame_id"], 1000), pa.compute.add(again["detection_id"], 10_000_000)
    again = again.set_column(1, TRACKS.field("frame_id"), later[0]).set_column(
        0, TRACKS.field("detection_id"), later[1]
    )
    result = decision(pa.concat_tables([first, again]))
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
    result = decision(to_table(rows, TRACKS))
    assert result.reason[15] == reason
    assert result.report["refused"][reason] == 1


def test_small_ones_and_those_in_ignored_regions_are_refused() -> None:
    table, _ = watch(cars(1), [], 40)
    assert decision(table, replace(SETTINGS, min_area_px=100_000)).report["refused"]["too_small"] > 5
    caption = np.zeros(HW, bool)
    caption[:, 300:310] = True
    result = decision(table, ignore=caption)
    boxes = np.array(table["bbox_xywh"].to_pylist())
    over = (boxes[:, 0] < 310) & (boxes[:, 0] + boxes[:, 2] > 300)
    assert over.any()
    assert set(result.reason[over]) == {"border"}
    assert kept(result).any()


def test_the_report_counts_every_detection_once() -> None:
    table, _ = watch([*cars(3), Mover(CAR, (14, 19), (-6, 0), 9)], [Pole((330, 0, 6, 360), 10.0)], 60)
    result = decision(table)
    report = result.report
    assert set(report["refused"]) == set(REASONS)
    assert report["detections"] == len(table) == report["cutouts"] + sum(report["refused"].values())
    assert report["cutouts"] == sum(report["cutouts_by_category"].values()) == sum(report["cutouts_by_bucket"].values())
    assert result.accepted["detection_id"].to_pylist() == table["detection_id"].to_numpy()[kept(result)].tolist()


def test_an_empty_table_gives_an_empty_verdict() -> None:
    result = decision(to_table([], TRACKS))
    assert result.report["cutouts"] == 0
    assert result.accepted.num_rows == 0


def test_an_unknown_mode_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="expected mask or box, got 'maks'"):
        MiningSettings(mode="maks")


def test_a_vehicle_too_small_in_the_picture_is_refused_and_a_person_of_that_size_is_not() -> None:
    for size, expected in ((CAR, False), (MAN, True)):
        table, _ = watch(cars(1, speed=1.3 if size == MAN else 6.0, size=size), [], 40)
        assert kept(decision(table)).any()
        result = decision(table, replace(SETTINGS, min_vehicle_fraction=0.5))
        assert kept(result).any() == expected
        assert ("too_small" in set(result.reason)) != expected


def test_a_vehicle_that_shows_much_of_the_empty_street_is_refused() -> None:
    """The bare patch travels with the car, so no pole is found: the fraction alone must decide."""
    table, _ = watch(cars(1), [], 40)
    inside = kept(decision(table)) | (decision(table).reason == "too_similar")
    patches = []
    for rle in table["mask_rle"].to_pylist():
        crop, (x, y, _, h) = masks.decode(rle, HW)
        part = np.zeros_like(crop)
        part[: max(round(0.2 * h), 1)] = crop[: max(round(0.2 * h), 1)]
        patches.append(masks.encode(part, (x, y), HW))
    evidence = pa.table(
        {"detection_id": table["detection_id"], "bare_rle": patches, "edge_share": [0.0] * table.num_rows}
    )
    for limit, refused in ((0.05, True), (0.9, False)):
        result = decision(table, replace(SETTINGS, max_background_like=limit), evidence=evidence)
        assert (result.reason[inside] == "static_occluder").all() == refused


def test_a_car_with_a_sign_cut_out_of_it_is_refused_for_its_shape() -> None:
    table, _ = watch(cars(1), [], 40)
    inside = np.flatnonzero(kept(decision(table)))
    rles = table["mask_rle"].to_pylist()
    for i in inside:
        crop, (x, y, w, h) = masks.decode(rles[i], HW)
        crop[: int(0.6 * h), int(0.45 * w) : int(0.55 * w)] = False
        rles[i] = masks.encode(crop, (x, y), HW)
    truncated = table.set_column(
        table.schema.get_field_index("mask_rle"), table.schema.field("mask_rle"), pa.array(rles)
    )
    assert set(decision(truncated).reason[inside]) == {"implausible_shape"}


def test_the_classifier_refuses_what_it_doubts_and_only_where_it_is_asked() -> None:
    table, _ = watch(cars(1), [], 40)
    plain = decision(table)
    accepted = table["detection_id"].to_numpy()[kept(plain)]
    doubted = accepted[::2]
    ids = np.delete(table["detection_id"].to_numpy(), 0)  # one lacks: it is let through
    chance = np.where(np.isin(ids, doubted), 0.3, 0.8).astype(np.float32)
    predicted = pa.table({"detection_id": ids, "chance": chance})
    asked = decision(table, replace(SETTINGS, min_unoccluded=0.5), unoccluded=predicted)
    refused = set(table["detection_id"].to_numpy()[asked.reason == "looks_occluded"].tolist())
    assert refused == set(doubted.tolist())
    assert asked.report["refused"]["looks_occluded"] == len(doubted)
    others = ~np.isin(plain.reason, ["", "too_similar"])
    assert (asked.reason[others] == plain.reason[others]).all()
    nobody = pa.table({"detection_id": ids, "chance": np.full(len(ids), 0.1, np.float32)})
    assert "looks_occluded" not in set(decision(table, unoccluded=nobody).reason)  # of such objects it knows nothing
    with pytest.raises(ValueError, match="min_unoccluded: expected 0 to 1, got 2"):
        MiningSettings(min_unoccluded=2)


def test_a_kerb_along_a_car_that_is_seen_whole_does_not_count() -> None:
    table, _ = watch(cars(1), [], 40)
    ids = table["detection_id"].to_numpy()
    along = pa.table({"detection_id": ids, "bare_rle": pa.nulls(len(ids), pa.string()), "edge_share": [0.6] * len(ids)})
    assert "" not in set(decision(table, evidence=along).reason)
    for chance, accepted in ((0.95, True), (0.7, False)):
        told = pa.table({"detection_id": ids, "chance": np.full(len(ids), chance, np.float32)})
        assert ("" in set(decision(table, evidence=along, unoccluded=told).reason)) == accepted


def test_views_of_a_track_are_a_step_apart_whether_it_stands_or_moves() -> None:
    """A car that creeps to a light, waits, creeps on by less than a step and waits again."""
    start, rows = Mover(CAR, (-6, 22), (0.0, 0.0), 0), []
    for frame, x in enumerate([*np.linspace(-6, 0, 12), *[0.0] * 20, *np.linspace(0, 0.7, 5), *[0.7] * 20]):
        moved = replace(start, xy=(float(x), 22.0), velocity=(1e-6, 0.0))
        rows.append(row_of(frame, 0, start, moved.silhouette(0)))
    result = decision(to_table(rows, TRACKS))
    feet = np.array([row["foot_xy_m"] for row in rows])[kept(result)]
    apart = np.linalg.norm(feet[:, None] - feet, axis=-1)[np.triu_indices(len(feet), 1)]
    assert len(feet) >= 3 and apart.min() >= SETTINGS.selection.step_m


@pytest.mark.parametrize("tilt_deg", [-3.0, 0.0, 2.0])
def test_tracks_that_cross_the_horizon_are_decided_on(tilt_deg: float) -> None:
    """Boxes that fall from the sky to the camera's feet, seen without and with their ground."""
    rows = []
    for frame in range(50):
        mask = np.zeros(HW, bool)
        mask[20 + 6 * frame : 45 + 6 * frame, 300:340] = True
        rows.append(row_of(frame, 0, Mover(CAR, (0, 0), (1.0, 0.0), 0), mask))
    plane = GroundPlane.from_tilt(tilt_deg, 0, 3.0)
    boxes = np.array([row["bbox_xywh"] for row in rows], float)
    for row, foot in zip(rows, plane.to_world(plane.intersect(CAMERA, foot_px(boxes)))[:, :2].tolist(), strict=True):
        row["foot_xy_m"] = foot
    result = decide(to_table(rows, TRACKS), CAMERA, plane, SETTINGS)
    sky = ~np.isfinite([row["foot_xy_m"] for row in rows]).all(axis=1)
    assert 10 < sky.sum() < 45
    assert set(result.reason[sky]) == {"no_ground"}
    assert "no_ground" not in set(result.reason[~sky])
