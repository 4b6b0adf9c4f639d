"""What a study asks of its rows, and that every table of the paper has its networks."""

import json

import pytest

from benchmarks.keypoints.klpnet_rows import row_of
from benchmarks.keypoints.klpnet_study import TABLES, bars_of
from models.klpnet import PRESETS

GROUPS = [f"{name}{suffix}" for name in ("all", "alone", "overlap", "held out") for suffix in ("", " without LIS")]
NAMES = ("pck", "pck_all", "pck_oracle", "link_f1", "link_ap")


def seed(pck, channels=3, **groups):
    """A run whose every number is `pck`, but for groups that are named."""
    rows = {group: dict.fromkeys(NAMES, groups.get(group.replace(" ", "_"), pck)) for group in GROUPS}
    return {"channels": channels, "GFLOPs": 0.1, "test": rows, "other": rows}


def test_bars_compare_with_each_baseline():
    rows = {(one.name, "test"): row_of(one.name, "test", [seed(0.7, 60)]) for one in TABLES["baselines"]}
    rows["KLPNet", "test"] = row_of("KLPNet", "test", [seed(0.9, 3, overlap_without_LIS=0.8)])
    bars = {bar.name: bar for bar in bars_of(rows, "test")}
    assert bars["test: PCK over category-agnostic"].value == pytest.approx(20)
    assert bars["test: channels, of the category-specific"].value == pytest.approx(3 / 60)
    assert bars["test: LIS, PCK there"].value == pytest.approx(10)
    assert not bars["test: link F1 of objects alone"].met and bars["test: LIS, link F1 there"].met


def test_every_table_of_the_paper_has_its_networks_and_no_two_share_a_folder():
    names = [one.name for part in TABLES.values() for one in part]
    assert len(set(names)) == len(names)
    tiny = PRESETS["tiny"].network
    stages = {one.change(tiny).cklm.stages for part in ("baselines", "stages") for one in TABLES[part]}
    assert stages == {1, 2, 3, 4, 5}
    kernels = {one.change(tiny).cklm.kernels for part in ("baselines", "kernels") for one in TABLES[part]}
    assert {(7, 7, 7), (5, 5, 5), (7, 5, 5), (7, 7, 5), (7, 5, 3), (5, 5, 3), (5, 3, 3)} <= kernels
    assert json.dumps([one.change(tiny).classes for one in TABLES["held_out"]])
