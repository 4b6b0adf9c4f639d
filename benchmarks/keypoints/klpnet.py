"""KLPNet as it ships, or weights of your own: keypoints and links of objects of sixteen classes in given boxes.

    python -m benchmarks.klpnet [--check] [--quick] [--data DIR] [--weights FILE]

On bodies that training never saw (`test`), and on a second test whose backdrops, cameras and proportions of classes are
others, too, and on which nothing was chosen (`other`): by overlap, by how much is hidden and by class; links between
nodes that are given, some missing, some false, some of others; objects a second, and where the time goes. What parts
are worth, and baselines of the same trunk, are klpnet_study's.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benchmarks.common.report import Bar, Report, main
from benchmarks.common.timing import profile
from benchmarks.keypoints.klpnet_rows import TESTS
from benchmarks.keypoints.klpnet_scores import cost_of
from benchmarks.keypoints.klpnet_study import QUICK_STEPS, TABLES, Study, pictures_in
from models.klpnet import SPEC
from models.klpnet.data import LinkedCrops
from models.klpnet.evaluate import frame_of_picture, judge, link_trials, load_network, read_split, table_of_scores
from models.predictor import Predictor

_SEED = 5
_TIMED = 40  # pictures


def report(quick: bool, data: Path, weights: Path | None) -> Report:
    """Tables of both tests, trials of links, speed."""
    torch.set_num_threads(1)
    if weights is None and quick and not (SPEC.weights and SPEC.weights.is_file()):
        weights = Study(data, 0, QUICK_STEPS, quick=True).weights(TABLES["baselines"][0])
    network, folder = load_network(weights or SPEC.shipped), pictures_in(data, quick=quick)
    rows, bars = [], []
    for split in TESTS:
        pictures = read_split(network, folder, split)
        table = table_of_scores(judge(network, pictures), network.table.names)
        without = {
            r["objects of"]: r for r in table_of_scores(judge(network, pictures, lis=False), network.table.names)
        }
        for row in table:
            names = ("pck", "link_f1")
            row |= {f"{name} without LIS": without[row["objects of"]][name] for name in names}
        rows += [{"test": split, **row} for row in table]
        bars += _bars(split, {row["objects of"]: row for row in table})
    samples = LinkedCrops(read_split(network, folder, "test"), network.settings, 0, augment=False)
    trials = link_trials(network, samples, 12 if quick else 600, _SEED)
    for row in trials[1:]:
        best = max(row["table on mean layout F1"], row["nearest neighbours F1"])
        gain = row["CLPGM F1"] - best
        bars.append(Bar(f"links, nodes {row['nodes']}: F1 over what needs no learning", gain, at_least=0.03))
    return Report(rows + trials + [_speed(network, samples)], bars)


def _bars(split: str, by_group: dict[str, dict]) -> list[Bar]:
    one, alone = by_group["overlaps one"], by_group["alone"]
    return [
        Bar(f"{split}: link F1 of objects alone", alone["link_f1"], at_least=0.95),
        Bar(f"{split}: link F1 where two of a class overlap", one["link_f1"], at_least=0.85),
        Bar(f"{split}: LIS, link F1 there", one["link_f1"] - one["link_f1 without LIS"], at_least=0.05),
        Bar(f"{split}: LIS, PCK there", one["pck"] - one["pck without LIS"], at_least=0.02),
    ]


def _speed(network, samples: LinkedCrops) -> dict:
    """Objects a second, wall time on all cores, of whole pictures with given boxes; the profile is printed."""
    pictures = [picture for picture in samples.pictures[:_TIMED] if picture.objects]
    frames = [frame_of_picture(picture, network.table.names) for picture in pictures]
    predictor = Predictor(SPEC, network)
    predictor.of_frames(frames[:4])
    begun, spent = time.perf_counter(), time.process_time()
    predictor.of_frames(frames)
    wall, spent = time.perf_counter() - begun, time.process_time() - spent
    count = sum(len(frame.objects) for frame in frames)
    profile(lambda: predictor.predict_batch(frames[:8]))
    return {"speed": "given boxes", "objects": count, "a second": count / wall, "cpu_s each": spent / count,
            **cost_of(network)}  # fmt: skip


if __name__ == "__main__":
    main("klpnet", __doc__, report, weights="weights to measure, else those that ship")
