"""What KLPNet's parts are worth: its tables on rendered objects of sixteen classes, each network trained anew.

    python -m benchmarks.klpnet_study [--check] [--quick] [--only PART] [--seeds N] [--steps N] [--data DIR]

Every run learns from the same pictures for as many steps, and is judged on bodies that it never saw (`test`) and on a
second test whose backdrops, cameras and proportions of classes are others, too, and on which nothing was chosen
(`other`). baselines: three seeds of KLPNet, one stage (Table 4), kernels 7/7/7 and 5/5/5 (Table 8), a category-agnostic
map with the class's mean layout (StarMap's form in 2D), a map for every point of every class; PCK and OracleId of these
by class (Table 3). The others one seed each: stages (Table 4), kernels (Table 8), weights (Table 11, alpha and beta),
ablation (Tables 5 and 10: aggregation; what shares a map; feedback; mosaics; LIS is a column of every row), held_out
(classes that training never shows: told their names, not told, and by a user's table with five labelled objects),
detectors (Tables 1, 2, 6 and 7: necks, levels and backbones, and what the presets cost). A run that was stopped goes
on, one that ended is not run again. --quick learns hardly anything, from few pictures, and binds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.report import Bar, Report, main
from benchmarks.common.study import once, rendered, runs_of
from benchmarks.keypoints.klpnet_rows import TESTS, class_rows, held_out_rows, row_of, trial_rows
from benchmarks.keypoints.klpnet_scores import (
    cost_of,
    costs_of_presets,
    detection_scores,
    scores_of,
    unnamed_scores,
)
from models import dpad, klpnet
from models.checkpoints import network_of
from models.contract import Given, Preset, Spec
from models.dpad.data import Scenes
from models.klpnet import KlpNetSettings
from models.klpnet.data import LinkedCrops
from models.klpnet.evaluate import link_trials, read_split
from models.linked_objects.plan import LinkedSettings
from models.linked_objects.shards import read_linked
from models.train import evaluate, train

PARTS = ("baselines", "stages", "kernels", "weights", "ablation", "held_out", "detectors")
STEPS, QUICK_STEPS = 600, 2
HELD_OUT = ("bench", "monitor")
_QUICK = LinkedSettings(
    pictures=6, val_pictures=3, test_pictures=6, other_pictures=6, bodies=2, held_out_bodies=1, per_shard=6
)
_TRIALS, _QUICK_TRIALS = 600, 12
_ALPHAS = (1, 2, 4, 5, 7, 9)  # tenths; 3 is KLPNet's
_OURS, _AGNOSTIC, _SPECIFIC = "KLPNet", "category-agnostic, mean layout", "category-specific"
_ONE, _SEVENS, _FIVES = "1 stage", "kernels 7/7/7", "kernels 5/5/5"


@dataclass(frozen=True)
class Trained:
    """A network of a table: its name in it, and what of the settings is its own."""

    name: str
    change: Callable[[KlpNetSettings], KlpNetSettings]


def _kernels(*kernels: int) -> Callable[[KlpNetSettings], KlpNetSettings]:
    return lambda s: replace(s, cklm=replace(s.cklm, kernels=kernels))


def _of(**fields: Any) -> Callable[[KlpNetSettings], KlpNetSettings]:
    return lambda s: replace(s, **fields)


def _trunk(**fields: Any) -> Callable[[KlpNetSettings], KlpNetSettings]:
    return lambda s: replace(s, cklm=replace(s.cklm, **fields))


TABLES: Mapping[str, Sequence[Trained]] = {
    "baselines": (
        Trained(_OURS, lambda s: s),
        Trained(_AGNOSTIC, _of(kind="agnostic", unnamed=0.0)),
        Trained(_SPECIFIC, _of(kind="specific", unnamed=0.0)),
        Trained(_ONE, _kernels(7)),
        Trained(_SEVENS, _kernels(7, 7, 7)),
        Trained(_FIVES, _kernels(5, 5, 5)),
    ),
    "stages": (
        Trained("2 stages", _kernels(7, 5)),
        Trained("4 stages", _kernels(7, 7, 5, 3)),
        Trained("5 stages", _kernels(7, 7, 5, 5, 3)),
    ),
    "kernels": tuple(
        Trained("kernels " + "/".join(map(str, k)), _kernels(*k)) for k in ((7, 5, 5), (7, 7, 5), (5, 5, 3), (5, 3, 3))
    ),
    "weights": tuple(
        Trained(f"alpha {a / 10:g}, beta {1 - a / 10:g}", _of(alpha=a / 10, beta=1 - a / 10)) for a in _ALPHAS
    ),
    "ablation": (
        Trained("without aggregation", _trunk(aggregate=False)),
        Trained("an object's own points on its map", _trunk(shared=False)),
        Trained("outliers fed back", _of(feedback=0.1)),
        Trained("mosaics", _of(mosaic=0.5)),
    ),
    "held_out": (Trained(f"without {' and '.join(HELD_OUT)}", _of(held_out=HELD_OUT)),),
}  # fmt: skip


@cache
def pictures_in(data: Path, *, quick: bool) -> Path:
    """The folder of rendered pictures, rendered where it is not there yet."""
    return rendered(klpnet.SPEC, data, _QUICK if quick else LinkedSettings())


class Study:
    """The runs of one seed."""

    def __init__(self, data: Path, seed: int, steps: int, *, quick: bool) -> None:
        self.data, self.seed, self.quick = data, seed, quick
        self.folder = runs_of("klpnet_study", data, seed, steps, quick=quick)
        few = {"steps": steps, "seed": seed, "evaluate_every": steps, "val_samples": 8 if quick else 240}
        self.tiny = klpnet.PRESETS["tiny"]
        self.training = replace(self.tiny.train, **few, **({"batch": 4, "workers": 0} if quick else {}))

    @property
    def given(self) -> Given:
        """The pictures."""
        return Given(data=pictures_in(self.data, quick=self.quick))

    def judged(self, one: Trained) -> dict[str, Any]:
        """A network's numbers, by test; made where they are not there yet."""
        found: dict[str, Any] = once(
            self._folder_of(one) / "judged.json",
            lambda: self._measured(network_of(klpnet.SPEC, self.weights(one)).eval()),
        )
        return found

    def weights(self, one: Trained) -> Path:
        """A network's weights; trained where they are not there yet."""
        return self._trained(klpnet.SPEC, Preset(one.change(self.tiny.network), self.training), self._folder_of(one))

    def _folder_of(self, one: Trained) -> Path:
        return self.folder / one.name.replace("/", "-").replace(" ", "_")

    def _trained(self, spec: Spec, preset: Preset, folder: Path) -> Path:
        if not (folder / spec.trained).exists():
            train(spec, preset, self.given, folder)
        return folder / spec.trained

    def _measured(self, network: Any) -> dict[str, Any]:
        result: dict[str, Any] = {"channels": int(network.cklm.heads[-1].out_channels // 4), **cost_of(network)}
        folder = pictures_in(self.data, quick=self.quick)
        labelled = read_split(network, folder, "train")
        for split in TESTS:
            pictures = read_split(network, folder, split)
            result[split] = scores_of(network, pictures, HELD_OUT)
            if hidden := network.settings.held_out:
                result[f"unnamed {split}"] = unnamed_scores(network, pictures, labelled, hidden)
        samples = LinkedCrops(read_split(network, folder, "test"), network.settings, 0, augment=False)
        result["trials"] = link_trials(network, samples, _QUICK_TRIALS if self.quick else _TRIALS, self.seed)
        return result

    def detector(self, name: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """A detector's recall and precision on bodies that it never saw."""
        folder = self.folder / f"detector-{name.replace(' ', '_')}"
        found: dict[str, Any] = once(folder / "judged.json", lambda: self._detected(folder, change))
        return found

    def _detected(self, folder: Path, change: Mapping[str, Any]) -> dict[str, Any]:
        tiny = dpad.PRESETS["tiny"]
        few = {"steps": self.training.steps, "seed": self.seed, "evaluate_every": self.training.steps}
        training = replace(tiny.train, **few, **({"batch": 2, "workers": 0, "val_samples": 3} if self.quick else {}))
        settings = replace(tiny.network, **change)
        network = network_of(dpad.SPEC, self._trained(dpad.SPEC, Preset(settings, training), folder)).eval()
        pictures = read_linked(pictures_in(self.data, quick=self.quick), "test")
        scenes = Scenes(pictures, settings, 0, augment=False)
        asked = replace(training, val_samples=len(scenes))
        precision = detection_scores(network, pictures)
        return cost_of(network) | precision | evaluate(network, scenes, asked, torch.device("cpu"))


def bars_of(rows: Mapping[tuple[str, str], dict[str, Any]], split: str) -> Iterator[Bar]:
    """What is claimed of KLPNet on a test."""
    ours, agnostic, specific = (rows[name, split] for name in (_OURS, _AGNOSTIC, _SPECIFIC))

    def gain(name: str) -> float:
        return ours["PCK"] - rows[name, split]["PCK"]

    yield Bar(f"{split}: PCK over category-agnostic", ours["PCK"] - agnostic["PCK"], at_least=7)
    yield Bar(f"{split}: PCK over category-specific", ours["PCK"] - specific["PCK"], at_least=0)
    yield Bar(f"{split}: channels, of the category-specific", ours["channels"] / specific["channels"], at_most=1 / 3)
    yield Bar(f"{split}: PCK of three stages over one", gain(_ONE), at_least=3)
    yield Bar(f"{split}: PCK over kernels 7/7/7", gain(_SEVENS), at_least=0)
    yield Bar(f"{split}: PCK over kernels 5/5/5", gain(_FIVES), at_least=0)
    yield Bar(f"{split}: link F1 of objects alone", ours["F1 alone"], at_least=95)
    yield Bar(f"{split}: link F1 where objects of a class overlap", ours["F1 overlap"], at_least=85)
    yield Bar(f"{split}: LIS, link F1 there", ours["F1 overlap"] - ours["F1 overlap without LIS"], at_least=5)
    yield Bar(f"{split}: LIS, PCK there", ours["PCK overlap"] - ours["PCK overlap without LIS"], at_least=2)


def report(quick: bool, data: Path, only: str | None, seeds: int, steps: int) -> Report:
    """All tables asked for, and the bars on those that are there."""
    torch.set_num_threads(1)
    studies = [Study(data, seed, QUICK_STEPS if quick else steps, quick=quick) for seed in range(1 if quick else seeds)]
    rows, bars, trials, classes, held = [], [], [], [], []
    for part in (part for part in TABLES if only in (None, part)):
        asked = studies if part == "baselines" else studies[:1]
        named = {one.name: [study.judged(one) for study in asked] for one in TABLES[part]}
        mine = {(name, split): row_of(name, split, found) for split in TESTS for name, found in named.items()}
        rows += list(mine.values())
        if part == "held_out":
            held += held_out_rows(named)
        if part == "baselines":
            classes = class_rows({name: named[name] for name in (_OURS, _AGNOSTIC, _SPECIFIC)})
            trials = trial_rows(named[_OURS])
            bars += [bar for split in TESTS for bar in bars_of(mine, split)] + list(_trial_bars(trials))
    detectors = _detectors(studies[0]) if only in (None, "detectors") else []
    return Report(rows + classes + trials + held + detectors, bars)


def _trial_bars(rows: Sequence[dict[str, Any]]) -> Iterator[Bar]:
    for row in rows:
        if row["nodes"] != "whole":
            best = max(row["table on mean layout F1"], row["nearest neighbours F1"])
            yield Bar(
                f"links, nodes {row['nodes']}: F1 over what needs no learning", row["CLPGM F1"] - best, at_least=3
            )


def _detectors(study: Study) -> list[dict[str, Any]]:
    """Tables 1, 6 and 7 on this data: necks, levels and backbones."""
    kinds: dict[str, dict[str, Any]] = {
        "DPAD": {}, "PAFPN": {"neck": "PAFPN"}, "FPN": {"neck": "FPN"}, "DPAD, 7 levels": {"levels": 7},
        "DPAD, 9 levels": {"levels": 9}, "DPAD, ResNeXt-50": {"depth": 50},
    }  # fmt: skip
    if study.quick:
        kinds = {"DPAD": {}}
    rows = [{"detector": name, **study.detector(name, change)} for name, change in kinds.items()]
    return rows if study.quick else rows + costs_of_presets()


if __name__ == "__main__":
    main(
        "klpnet_study",
        __doc__,
        report,
        parts=PARTS,
        numbers={"seeds": (3, "runs of each row of the baselines"), "steps": (STEPS, "of a run")},
    )
