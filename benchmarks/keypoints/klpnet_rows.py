"""The rows that klpnet_study prints: means over seeds in percent, by test, by class, of what was held out.

A network's numbers are what `Study.judged` gives: by test and there by group, `klpnet_scores.scores_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TESTS = ("test", "other")


def row_of(name: str, split: str, seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds of one network on one test, and the deviation of its PCK; percent."""

    def mean(group: str, what: str) -> float:
        return 100 * float(np.mean([one[split][group][what] for one in seeds]))

    return {
        "network": name, "test": split, "seeds": len(seeds), "channels": seeds[0]["channels"],
        "GFLOPs": seeds[0]["GFLOPs"], "PCK": mean("all", "pck"),
        "PCK ±": 100 * float(np.std([one[split]["all"]["pck"] for one in seeds])),
        "PCK all points": mean("all", "pck_all"), "OracleId": mean("all", "pck_oracle"),
        "PCK overlap": mean("overlap", "pck"), "PCK overlap without LIS": mean("overlap without LIS", "pck"),
        "F1 alone": mean("alone", "link_f1"), "F1 overlap": mean("overlap", "link_f1"),
        "F1 overlap without LIS": mean("overlap without LIS", "link_f1"), "AP": mean("all", "link_ap"),
        "PCK held out": mean("held out", "pck"), "OracleId held out": mean("held out", "pck_oracle"),
        "F1 held out": mean("held out", "link_f1"),
    }  # fmt: skip


def class_rows(named: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Table 3: PCK and OracleId by class of each network, by name its seeds; percent, means over seeds."""
    rows = []
    for split in TESTS:
        groups = [group for group in next(iter(named.values()))[0][split] if group.startswith("class ")]
        for group in groups:
            row: dict[str, Any] = {"class": group.removeprefix("class "), "test": split}
            for name, seeds in named.items():
                for what, key in (("PCK", "pck"), ("OracleId", "pck_oracle")):
                    row[f"{name}: {what}"] = 100 * float(np.mean([one[split][group][key] for one in seeds]))
            rows.append(row)
    return rows


def held_out_rows(named: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of classes that training never showed: what is found when their names, of which nothing was learnt, are told,
    when they are not, and when a user's table with a few labelled objects then says what is what; percent."""
    rows = []
    for network, seeds in named.items():
        for split in TESTS:
            ways = {"told the class": seeds[0][split]["held out"], **seeds[0][f"unnamed {split}"]}
            rows += [
                {"held out": network, "test": split, "class": way, "objects": one["count"],
                 "PCK": 100 * one["pck"] if way != "not told" else float("nan"), "OracleId": 100 * one["pck_oracle"],
                 "F1": 100 * one["link_f1"], "recall of all links": 100 * one["link_recall_all"],
                 "points found for one": one.get("points", float("nan"))}
                for way, one in ways.items()
            ]  # fmt: skip
    return rows


def trial_rows(seeds: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over seeds of the trials of links between given nodes."""
    return [
        {"nodes": alike[0]["nodes"], "objects": alike[0]["objects"],
         **{name: 100 * float(np.mean([one[name] for one in alike])) for name in alike[0] if name.endswith("F1")}}
        for alike in zip(*(one["trials"] for one in seeds), strict=True)
    ]  # fmt: skip
