"""What the study counts and asks, on rows written by hand."""

import pytest

from benchmarks.people.opec_net_study import JUDGED_ON, ROWS, bars, summed
from models.opec_net import PRESETS

RIGHT = {"base": 50.0, "opec": 53.0, "couple": 54.0, "(a)": 50.5, "(b)": 52.0, "(c)": 52.5, "(d)": 52.0, "(e)": 52.7,
         "control i": 51.0, "control ii": 52.9}  # fmt: skip


def rows(changed):
    values = RIGHT | changed
    return {
        (name, where): {"AP": value, "Inv@75": 2 * value, "V@75": 80.0} for name, value in values.items()
        for where in JUDGED_ON
    }  # fmt: skip


def short(changed):
    return [bar.name for bar in bars(rows(changed)) if not bar.met]


def test_a_table_as_the_papers_meets_all_bars():
    assert short({}) == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"couple": 53.7}, "AP of CoupleGraph over OPEC-Net"),
        ({"(c)": 53.1}, "AP of OPEC-Net over (c)"),
        ({"(b)": 50.4}, "(a) loses most: 1 where it does"),
        ({"control ii": 53.2}, "AP of OPEC-Net over control ii"),
    ],
)
def test_each_bar_falls_alone(changed, name):
    assert short(changed) == [name]


def test_seeds_are_averaged_and_their_deviation_told():
    row = summed("opec", "test", [{"AP": 50.0, "Inv@75": 40.0}, {"AP": 54.0, "Inv@75": 40.0}])
    assert row["AP"] == 52 and row["AP ±"] == 2 and row["Inv@75 ±"] == 0 and row["seeds"] == 2


def test_every_rows_preset_is_there():
    assert {preset for part in ROWS.values() for preset, _ in part.values()} <= set(PRESETS)
