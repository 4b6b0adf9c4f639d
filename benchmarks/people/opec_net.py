"""OPEC-Net as it ships, or weights of your own: poses of people who hide each other, by the base, the graphs of both.

    python -m benchmarks.opec_net [--check] [--quick] [--data DIR] [--weights FILE]

On couples of other bodies (`test`), of other bodies in motions that no training shows (`unseen`), and on the people of
composed scenes of cam11 where its clip-art is there, which nothing was chosen on. Everyone is found in their labelled
box. Then real pictures with counts, where they are at hand, and what each part costs beside the base: CPU seconds of
one thread, medians of calls that take turns, and people a second from whole pictures on all cores. What parts are worth
over three seeds, and controls of equal parameters, are opec_net_study's. --quick, where no weights ship, takes some
that have learnt hardly anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.job import REAL
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.study import rendered
from benchmarks.common.timing import cpu_s_in_turns, profile
from benchmarks.people.opec_net_study import JUDGED_ON, QUICK_COUPLES, QUICK_STEPS, Study
from models.frames import Frame
from models.layers import heatmaps
from models.layers.unet import scaled
from models.opec_net import SPEC
from models.opec_net.evaluate import judged, load_network, spread
from models.opec_net.network import OpecNet
from models.opec_net.predict import PeoplePredictor, encoded
from models.people_groups import GroupPicture, read_pictures
from models.people_groups.composed import read_composed
from models.people_groups.couples.plan import CoupleSettings
from models.people_groups.labelled import read_coco_people
from pipeline.core.instances import Instances

_COMPOSED = "cam11"
_REAL = {"crowdpose": "test_crowdpose.json", "ochuman": "test_ochuman.json", "coco": "test_coco.json"}
_LARGEST_MB, _GRAPHS = 10, 0.15
_TIMED, _REPEATS = 32, 5  # people, in couples


def report(quick: bool, data: Path, weights: Path | None) -> Report:
    """Tables of all sets, size, speed."""
    torch.set_num_threads(1)
    couples = rendered(SPEC, data, QUICK_COUPLES if quick else CoupleSettings())
    if weights is None and quick and not (SPEC.weights and SPEC.weights.is_file()):
        weights = Study(data, couples, 0, QUICK_STEPS, quick=True).weights("tiny")
    file = weights or SPEC.shipped
    network = load_network(file)
    sets = {name: spread(read_pictures(couples, name), 2 if quick else 0) for name in JUDGED_ON}
    if (data / _COMPOSED / "clipart").is_dir():
        sets[f"composed {_COMPOSED}"] = spread(read_composed(data / _COMPOSED / "clipart", "val"), 2 if quick else 0)
    marks = {name: judged(network, pictures) for name, pictures in sets.items()}
    marks |= {name: judged(network, pictures) for name, pictures in real_pictures()}
    rows = [{"set": name, "method": method, **row} for name, table in marks.items() for method, row in table.items()]
    costs, spent_in = _costs(network, sets["test"], 1 if quick else _REPEATS)
    megabytes = file.stat().st_size / 1e6
    bars = [
        Bar("weights, MB", megabytes, at_most=_LARGEST_MB),
        Bar("OPEC-Net's graph, of the base's CPU time", costs[1]["over base"], at_most=_GRAPHS),
        *(bar for name in sets for bar in gains(name, marks[name])),
    ]
    notes = {
        "real pictures": "counts are few: they show that it runs, not how good it is",
        "from pictures, on all cores": _whole(network, sets["test"]),
        "profile": spent_in,
    }
    return Report(rows + costs, bars, notes)


def gains(name: str, table: dict[str, dict[str, float]]) -> Iterator[Bar]:
    """One method over the one before it, the same signs on every set."""
    for method, over in (("opec", "base"), ("couple", "opec")):
        yield Bar(f"{name}: AP of {method} over {over}", table[method]["AP"] - table[over]["AP"], at_least=0.0)


def real_pictures() -> Iterator[tuple[str, list[GroupPicture]]]:
    """Labelled people of each published sample that is at hand."""
    for name, file in _REAL.items():
        folder = REAL / "pose_samples" / name
        if (folder / file).is_file():
            yield f"real {name}", read_coco_people(folder / file, folder)


def _frames(pictures: list[GroupPicture]) -> list[Frame]:
    return [
        Frame(np.ascontiguousarray(p.image()[..., ::-1]), Instances(p.size_hw, {"bbox_xywh": p.boxes}), p.name)
        for p in spread(pictures, _TIMED // 2)
    ]


def _costs(network: OpecNet, pictures: list[GroupPicture], repeats: int) -> tuple[list[dict], list[dict]]:
    """Of the base's poses alone, of OPEC-Net's and of CoupleGraph's behind it: CPU seconds a person of one thread, of
    crops that are cut already, and what was added, of the base's; then the profile of it all."""
    batch = encoded(_frames(pictures), network.settings)
    alone = {**batch, "pairs": batch["pairs"][:0], "union": batch["union"][:0]}

    def base() -> None:
        heatmaps.means_about_peaks(network.base(scaled(batch["image"])).heat)

    with torch.inference_mode():
        works = {"base": base, "opec": lambda: network(alone), "couple": lambda: network(batch)}
        spent = cpu_s_in_turns(works, repeats)
        spent_in = profile(works["couple"])
    people, before = len(batch["image"]), {"base": "base", "opec": "base", "couple": "opec"}
    return [
        {"cost of": name, "people": people, "cpu_s each": each / people, "a second": people / each,
         "over base": (each - spent[before[name]]) / spent["base"]}
        for name, each in spent.items()
    ], spent_in  # fmt: skip


def _whole(network: OpecNet, pictures: list[GroupPicture]) -> dict[str, float]:
    """People a second, wall time on all cores, of pictures with boxes, cut and all."""
    predictor, frames = PeoplePredictor(SPEC, network), _frames(pictures)
    predictor.of_frames(frames[:1])
    begun, spent = time.perf_counter(), time.process_time()
    people = sum(map(len, predictor.of_frames(frames)))
    wall, spent = time.perf_counter() - begun, time.process_time() - spent
    return {"people": people, "a second": people / wall, "cpu_s each": spent / people}


if __name__ == "__main__":
    main("opec_net", __doc__, report, weights="weights to measure, else those that ship")
