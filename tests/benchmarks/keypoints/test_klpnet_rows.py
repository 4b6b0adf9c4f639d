"""Rows of a study's networks: means over seeds, classes side by side, what was held out in each way."""

import pytest

from benchmarks.keypoints.klpnet_rows import class_rows, held_out_rows, row_of, trial_rows

GROUPS = [f"{name}{suffix}" for name in ("all", "alone", "overlap", "held out") for suffix in ("", " without LIS")]
NAMES = ("pck", "pck_all", "pck_oracle", "link_f1", "link_ap", "link_recall_all")


def seed(pck, channels=3, **groups):
    """A run whose every number is `pck`, but for groups that are named."""
    rows = {group: {**dict.fromkeys(NAMES, groups.get(group.replace(" ", "_"), pck)), "count": 2} for group in GROUPS}
    rows["class kite"] = dict.fromkeys(NAMES, pck / 2)
    return {"channels": channels, "GFLOPs": 0.1, "test": rows, "other": rows}


def test_rows_are_means_of_seeds_in_percent():
    row = row_of("KLPNet", "test", [seed(0.8), seed(0.9)])
    assert row["PCK"] == pytest.approx(85) and row["PCK ±"] == pytest.approx(5) and row["seeds"] == 2


def test_trials_are_means_of_seeds():
    row = {"nodes": "extra", "objects": 3, "CLPGM F1": 0.5, "table on mean layout F1": 0.2}
    (only,) = trial_rows([{"trials": [row]}, {"trials": [row | {"CLPGM F1": 0.7}]}])
    assert only["CLPGM F1"] == pytest.approx(60) and only["objects"] == 3


def test_classes_stand_side_by_side_for_every_network():
    first, second = class_rows({"KLPNet": [seed(0.8), seed(0.6)], "specific": [seed(0.4)]})
    assert (first["class"], first["test"], second["test"]) == ("kite", "test", "other")
    assert first["KLPNet: PCK"] == pytest.approx(35) and first["specific: OracleId"] == pytest.approx(20)


def test_what_was_held_out_is_told_in_each_way_and_no_role_is_asked_of_who_is_not_told():
    way = {"count": 2, "points": 1.5, "pck": 0.1, "pck_oracle": 0.6, "link_f1": 0.3, "link_recall_all": 0.2}
    one = seed(0.05) | {f"unnamed {test}": {"not told": way, "user's table": way} for test in ("test", "other")}
    told, unnamed, table = held_out_rows({"without kite": [one]})[:3]
    assert told["class"] == "told the class" and told["PCK"] == pytest.approx(5)
    assert unnamed["PCK"] != unnamed["PCK"] and unnamed["OracleId"] == pytest.approx(60)
    assert table["PCK"] == pytest.approx(10) and table["points found for one"] == 1.5
