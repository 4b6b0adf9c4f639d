"""What OPEC-Net adds to its base where people hide each other, and what each part of it is worth: Tables 2, 5 and 6.

    python -m benchmarks.opec_net_study [--check] [--quick] [--only PART] [--seeds N] [--steps N] [--data DIR]

Of every seed a base learns from visible joints for `steps`, and seven tenths as many follow: the base alone (base), all
end to end (opec, and couple, which learns behind it in the same run and changes nothing of it), each ablation of Table
6, and two controls of as many parameters with a fourth deconvolution, on visible joints (i) and on all (ii). Judged on
couples of other bodies (test), and of other bodies in motions that no training shows (unseen), which nothing was
chosen on. Everyone is found in their labelled box; AP, Inv and V are those of `models.opec_net.evaluate`; mean and
deviation of the seeds. methods: base, opec, couple. ablations, controls: these. A run that was stopped goes on, one
that ended is not run again. --quick learns hardly anything and binds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.common.report import Bar, Report, main
from benchmarks.common.study import mean_of, once, rendered, runs_of
from models.checkpoints import read_weights
from models.contract import Given, Splits, load_object
from models.opec_net import ABLATIONS, CONTROLS, PRESETS, SPEC, BaseSettings, OpecNetSettings
from models.opec_net.evaluate import judged, load_network, spread
from models.opec_net.network import OpecNet
from models.people_groups import read_pictures
from models.people_groups.couples.plan import CoupleSettings
from models.train import Recipe, train_recipe

PARTS = ("methods", "ablations", "controls")
JUDGED_ON = ("test", "unseen")
STEPS, QUICK_STEPS = 1000, 2
_AGAIN = 0.7  # steps of the second half, of the first's
QUICK_COUPLES = CoupleSettings(couples=2, val_couples=1, test_couples=1, unseen_couples=1, views=2, per_shard=2)
_QUICK_BASE = BaseSettings(widths=(8, 12, 16, 24), blocks=(1, 1, 1, 1), deconvolutions=(16, 12, 8))
# By row the preset of the second half and the method of its network that is judged.
ROWS = {
    "methods": {"base": ("further", "base"), "opec": ("tiny", "opec"), "couple": ("tiny", "couple")},
    "ablations": {f"({name})": (f"ablation_{name}", "opec") for name in ABLATIONS},
    "controls": {f"control {name}": (f"control_{name}", "base") for name in CONTROLS},
}
_SPREAD = ("AP", "Inv@75", "V@75")  # of which the deviation of the seeds is told


@cache
def _data(couples: Path, settings: OpecNetSettings, seed: int) -> Splits:
    """Of networks that differ elsewhere alone it is the same."""
    splits: Splits = load_object(SPEC.data)(settings, Given(data=couples), seed)
    return splits


class Study:
    """The runs of one seed: where they lie, and how good they are."""

    def __init__(self, data: Path, couples: Path, seed: int, steps: int, *, quick: bool) -> None:
        self.couples, self.seed, self.quick, self.steps = couples, seed, quick, steps
        self.root = runs_of("opec_net_study", data, seed, steps, quick=quick)

    def row(self, preset: str, method: str) -> dict[str, dict[str, float]]:
        """By set what a method of a preset's second half is worth; made where it is not there yet."""
        found = once(self.root / preset / "judged.json", lambda: self._judged(preset))
        return {name: methods[method] for name, methods in found.items()}

    def weights(self, preset: str) -> Path:
        """Those of a preset's second half, behind a base of the first; trained where they are not there yet."""
        return self._trained(preset, self._trained("baseline", None))

    def _judged(self, preset: str) -> dict[str, dict]:
        network = load_network(self.weights(preset))
        sets = {name: spread(read_pictures(self.couples, name), 2 if self.quick else 0) for name in JUDGED_ON}
        return {name: judged(network, pictures) for name, pictures in sets.items()}

    def _trained(self, name: str, start: Path | None) -> Path:
        """The weights of a preset's run, of steps of our own, from those of a base."""
        folder, preset = self.root / name, PRESETS[name]
        weights = folder / SPEC.trained
        if not weights.exists():
            settings, steps = preset.network, self.steps if start is None else max(round(_AGAIN * self.steps), 1)
            if self.quick:
                base = replace(
                    settings.base, widths=_QUICK_BASE.widths, blocks=_QUICK_BASE.blocks,
                    deconvolutions=_QUICK_BASE.deconvolutions,
                    fourth=settings.base.fourth and _QUICK_BASE.deconvolutions[-1],
                )  # fmt: skip
                settings = replace(settings, height_px=96, width_px=96, base=base)
            training = replace(
                preset.train, steps=steps, seed=self.seed, evaluate_every=steps, val_samples=4 if self.quick else 192,
                batch=2 if self.quick else preset.train.batch, workers=0 if self.quick else preset.train.workers,
            )  # fmt: skip
            network = OpecNet(settings)
            if start is not None:
                network.start_from(read_weights(start)[0], start)
            plain = replace(settings, base=BaseSettings(), corrected=True, graph=PRESETS["tiny"].network.graph)
            config = SPEC.config(settings) | {"study": name}
            train_recipe(Recipe(network, _data(self.couples, plain, self.seed), config), training, folder)
        return weights


def summed(name: str, where: str, rows: Sequence[dict[str, float]]) -> dict:
    """Mean of the seeds' rows, and the deviation of what has bars."""
    return {"method": name, "couples": where, "seeds": len(rows), **mean_of(rows, _SPREAD)}


def report(quick: bool, data: Path, only: str | None, seeds: int, steps: int) -> Report:
    """All rows asked for, and the bars on those that are there."""
    couples = rendered(SPEC, data, QUICK_COUPLES if quick else CoupleSettings())
    count = QUICK_STEPS if quick else steps
    studies = [Study(data, couples, seed, count, quick=quick) for seed in range(1 if quick else seeds)]
    asked = [(name, *run) for part in PARTS if only in (None, part) for name, run in ROWS[part].items()]
    if only not in (None, "methods"):  # what they are compared with
        asked = [("opec", *ROWS["methods"]["opec"]), *asked]
    rows = []
    for name, preset, method in asked:
        found = [study.row(preset, method) for study in studies]
        rows += [summed(name, where, [one[where] for one in found]) for where in JUDGED_ON]
    rows.sort(key=lambda row: JUDGED_ON.index(row["couples"]))
    return Report(rows, list(bars({(row["method"], row["couples"]): row for row in rows})))


def bars(rows: dict[tuple[str, str], dict]) -> Iterator[Bar]:
    """What the paper gains on OCPose, on the couples of the test; on the unseen ones the same signs."""

    def gained(name: str, over: str, what: str = "AP", where: str = "test") -> float:
        return rows[name, where].get(what, np.nan) - rows[over, where].get(what, np.nan)

    there = {name for name, _ in rows}
    if "base" in there:
        yield Bar("AP of OPEC-Net over its base", gained("opec", "base"), at_least=2.0)
        yield Bar("Inv@75 of OPEC-Net over its base", gained("opec", "base", "Inv@75"), at_least=4.9)
        yield Bar("V@75 of OPEC-Net over its base", gained("opec", "base", "V@75"), at_least=0.0)
        yield Bar("AP of CoupleGraph over OPEC-Net", gained("couple", "opec"), at_least=0.8)
        for name, over in (("opec", "base"), ("couple", "opec")):
            yield Bar(f"unseen: AP of {name} over {over}", gained(name, over, where="unseen"), at_least=0.0)
    ablations = [name for name in there if name in ROWS["ablations"]]
    for name in sorted(ablations):
        yield Bar(f"AP of OPEC-Net over {name}", gained("opec", name), at_least=0.0)
    if ablations:
        least = min(ablations, key=lambda name: rows[name, "test"]["AP"])
        yield Bar("(a) loses most: 1 where it does", float(least == "(a)"), at_least=1.0)
    for name in sorted(there & set(ROWS["controls"])):
        yield Bar(f"AP of OPEC-Net over {name}", gained("opec", name), at_least=0.0)


if __name__ == "__main__":
    main(
        "opec_net_study",
        __doc__,
        report,
        parts=PARTS,
        numbers={"seeds": (3, "runs of each row"), "steps": (STEPS, "of the first half of a run")},
    )
