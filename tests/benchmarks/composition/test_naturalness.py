"""Pairs that are alike, curves that are known, and a classifier that sees what a median lacks and nothing else."""

import boxes
import numpy as np
import pandas as pd
import pytest

from benchmarks.composition import crops
from benchmarks.composition.crops import SIDE_PX, Crops, matched
from benchmarks.composition.naturalness import area_under_curve, asked, bars_of, halves, held_out, picture_of
from pipeline.core import masks

STEPS = 60


def about(count, seed, **same):
    rng = np.random.default_rng(seed)
    columns = {"x": rng.uniform(0, 1, count), "y": rng.uniform(0, 1, count), "size": rng.normal(4, 0.4, count)}
    columns |= {"hidden": rng.uniform(0, 0.3, count), "others": rng.uniform(0, 0.3, count), "touching": 0.0}
    kinds = {"category": rng.choice(["person", "vehicle"], count), "bucket": rng.choice(["noon", "dusk"], count)}
    return pd.DataFrame({"track_id": rng.integers(0, 60, count)} | columns | kinds).assign(**same)


def filmed(count, seed, noise):
    """Crops of a grey street with noise; all alike in place, so that every one has a pair."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(60, 180, (count, 1, 1, 3))
    pictures = np.clip(level + rng.normal(0, noise, (count, SIDE_PX, SIDE_PX, 3)), 0, 255).astype(np.uint8)
    alike = {
        "x": 0.5,
        "y": 0.5,
        "size": 4.0,
        "hidden": 0.0,
        "others": 0.0,
        "touching": 0.0,
        "category": "person",
        "bucket": "noon",
    }
    return Crops(pictures, about(count, seed, **alike))


def test_the_area_is_that_of_the_roc_curve_ties_counted_half():
    rng = np.random.default_rng(0)
    score, positive = rng.integers(0, 6, 200).astype(float), rng.random(200) < 0.4
    levels = np.arange(7)[::-1, None]
    hits, false_alarms = ((score[rows] >= levels).mean(axis=1) for rows in (positive, ~positive))
    assert area_under_curve(score, positive) == pytest.approx(np.trapezoid(hits, false_alarms))
    assert np.isnan(area_under_curve(score, np.zeros(200, bool)))


def test_pairs_are_of_one_kind_and_time_near_each_other_and_nobody_is_in_two():
    first, second = (Crops(np.zeros((n, 1, 1, 3), np.uint8), about(n, n)) for n in (300, 500))
    mine, theirs = matched(first, second)
    assert len(set(mine)) == len(mine) == len(theirs) == len(set(theirs)) > 30
    a, b = first.about.iloc[mine], second.about.iloc[theirs]
    for column in ("category", "bucket"):
        assert (a[column].to_numpy() == b[column].to_numpy()).all()
    assert np.abs(a["hidden"].to_numpy() - b["hidden"].to_numpy()).max() < 0.06
    assert np.abs(a["x"].to_numpy() - b["x"].to_numpy()).max() < 0.3


def test_a_track_is_held_out_everywhere_or_nowhere():
    tracks = np.arange(2000) % 700
    out = held_out(tracks, 3, 0.4)
    assert (out[:700] == out[700:1400]).all()
    assert out.mean() == pytest.approx(0.4, abs=0.06)
    assert (held_out(tracks, 4, 0.4) != out).any()


def test_what_has_no_noise_gives_itself_away_and_what_is_alike_does_not():
    real, median, ours = filmed(240, 1, 2.0), filmed(240, 2, 0.0), filmed(240, 3, 2.0)
    area, trained_on, shown = asked(median, real, 0, STEPS)
    assert area > 0.95 and trained_on > 80 and len(shown) > 50
    assert shown[0][1].shape == shown[0][2].shape == (SIDE_PX, SIDE_PX, 3)
    assert 0.3 < asked(ours, real, 0, STEPS)[0] < 0.7
    first, second = halves(real, 0)
    assert not set(first.about["track_id"]) & set(second.about["track_id"])
    assert picture_of(sorted(shown, key=lambda pair: -pair[0])).shape == (8 * SIDE_PX, 12 * SIDE_PX, 3)


def test_crops_know_what_hides_them_and_leave_out_who_touches_the_border():
    near, far = boxes.rows(0, (2.0, 22.0)), boxes.rows(1, (0.0, 26.0), np.pi / 2)
    whole = [masks.full(cutout["mask_rle"], boxes.SIZE_HW) for cutout, _ in (near, far)]
    seen = [whole[0], whole[1] & ~whole[0]]
    edge = np.zeros(boxes.SIZE_HW, bool)
    edge[100:140, :20] = True
    there = pd.DataFrame(
        {
            "mask": [masks.encode(m, (0, 0), boxes.SIZE_HW) for m in (*seen, edge)],
            "track_id": [4, 5, 6], "category": "vehicle", "bucket": "noon", "wanted": True,
        }
    )  # fmt: skip
    picture = np.full((*boxes.SIZE_HW, 3), 90, np.uint8)
    found = [row for _, row in crops._of_picture(picture, there, "mask")]
    assert [row["track_id"] for row in found] == [4, 5]
    assert found[0]["hidden"] == 0 and 0 < found[1]["hidden"] < 0.6
    assert all(row["others"] > 0 and row["touching"] > 0 for row in found)


def test_the_bars_are_of_the_three_questions():
    rows = [{"camera": "a", "question": q, "auc": auc} for q, auc in (("ours", 0.7), ("hard", 0.9), ("real", 0.5))]
    assert [bar.met for bar in bars_of(rows)] == [False, True, True, True]
