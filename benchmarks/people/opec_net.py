"""OPEC-Net as it ships, or weights of your own: poses of people who hide each other, by the base, the graphs of both.

    python -m benchmarks.opec_net [--check] [--quick] [--data DIR] [--weights FILE]

On couples of other bodies (`test`), of other bodies in motions that no training shows (`unseen`), and on the people of
composed scenes of cam11 where its clip-art is there, which nothing was chosen on. Everyone is found in their labelled
box. Then real pictures with counts, where they are at hand, and what the graphs cost beside the base, in one run. What
parts are worth over three seeds, and controls of equal parameters, are opec_net_study's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.job import REAL
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.study import rendered
from benchmarks.common.timing import cpu_s, profile
from benchmarks.people.opec_net_study import JUDGED_ON, QUICK_COUPLES
from models.frames import Frame
from models.layers.unet import scaled
from models.opec_net import SPEC
from models.opec_net.evaluate import judged, load_network, spread
from models.opec_net.network import OpecNet
from models.opec_net.predict import encoded
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
    file = weights or SPEC.shipped
    network = load_network(file)
    couples = rendered(SPEC, data, QUICK_COUPLES if quick else CoupleSettings())
    sets = {name: spread(read_pictures(couples, name), 2 if quick else 0) for name in JUDGED_ON}
    if (data / _COMPOSED / "clipart").is_dir():
        sets[f"composed {_COMPOSED}"] = spread(read_composed(data / _COMPOSED / "clipart", "val"), 2 if quick else 0)
    marks = {name: judged(network, pictures) for name, pictures in sets.items()}
    marks |= {name: judged(network, pictures) for name, pictures in real_pictures()}
    rows = [{"set": name, "method": method, **row} for name, table in marks.items() for method, row in table.items()]
    speed = _speed(network, sets["test"], 1 if quick else _REPEATS)
    megabytes = file.stat().st_size / 1e6
    bars = [
        Bar("weights, MB", megabytes, at_most=_LARGEST_MB),
        Bar("the graphs' part of the base's CPU time", speed["graphs"], at_most=_GRAPHS),
        *(bar for name in sets for bar in gains(name, marks[name])),
    ]
    return Report([*rows, speed], bars, {"real pictures": "counts are few: they show that it runs, not how good it is"})


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


def _speed(network: OpecNet, pictures: list[GroupPicture], repeats: int) -> dict:
    """People a second on one core, in crops that are cut already, and what the graphs add to the base's CPU time."""
    chosen = spread(pictures, _TIMED // 2)
    frames = [
        Frame(np.ascontiguousarray(p.image()[..., ::-1]), Instances(p.size_hw, {"bbox_xywh": p.boxes}), p.name)
        for p in chosen
    ]
    batch = encoded(frames, network.settings)
    with torch.inference_mode():
        base = cpu_s(lambda: network.base(scaled(batch["image"])), repeats)
        whole = cpu_s(lambda: network(batch), repeats)
        profile(lambda: network(batch))
    people = len(batch["image"])
    return {"speed": "crops", "people": people, "a second": people / whole, "cpu_s each": whole / people,
            "graphs": (whole - base) / base}  # fmt: skip


if __name__ == "__main__":
    main("opec_net", __doc__, report, weights="weights to measure, else those that ship")
