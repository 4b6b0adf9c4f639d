"""Occlusion-Net on Car-render: what its graphs add to heatmaps of visible keypoints, and what each part is worth.

    python -m benchmarks.occlusion_net [--check] [--quick] [--data DIR] [--weights FILE] [--baseline FILE]

The baseline is the same heatmap network trained for as many steps without graphs. The ablation trains graphs alone, on
what the baseline's heatmaps read in the training vehicles' crops. Training never sees the vehicles measured here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.report import Bar, Report, main
from benchmarks.vehicles.self_views import with_detected_views
from models.layers.heatmaps import means_about_peaks
from models.metrics.hidden_keypoints import VISIBLE, Scored, with_baseline
from models.occlusion_net import BASELINE, SPEC
from models.occlusion_net.data import TRAINING, RenderedViews
from models.occlusion_net.evaluate import load_network, read_scenes, under_noise
from models.occlusion_net.network import Graphs, OcclusionNet, OcclusionNetSettings
from models.occlusion_net.stack import Cached, GraphTraining, collect, fit_graphs, scores_of
from models.occlusion_net.trifocal import transfer
from models.synthetic.car_views import read_views, render_views
from models.synthetic.plans import CarViewSettings, plan_views
from pipeline.core.engine import map_shards

# Of the fleet that what ships was trained on.
_QUICK = CarViewSettings(vehicles=10, val_vehicles=1, test_vehicles=5, unseen_vehicles=2, fleet="plain")
_UNDER_NOISE = (0.05, 0.1, 0.15, 0.2)
_SEED = 77
_TIMED = 256  # crops of a timing
_BY_TRUTH, _BY_VIEWS, _UNSUPERVISED = "truth", "trifocal, PnP, seen by labels, mirrors", "none"
_COMPARED = (_BY_TRUTH, _BY_VIEWS, _UNSUPERVISED)
_ENCODER_STEPS = 300  # below, it may find nothing visible
_MORE_SEEDS = (1, 2)  # single runs differ by as much as the bar leaves room


def crops_in(data: Path, *, quick: bool) -> Path:
    """The folder of Car-render, rendered where it is not there yet."""
    settings, name = (_QUICK, "quick") if quick else (CarViewSettings(fleet="plain"), "full")
    folder = data / "training" / f"occlusion_net-{name}"
    todo = [job for job in plan_views(settings, folder) if not job.out.exists()]
    map_shards(render_views, todo)
    return folder


def scene_row(name: str, s: Scored) -> dict:
    """A scene's numbers, baseline and ours."""
    visible, hidden = s.state == VISIBLE, s.state > VISIBLE
    row: dict = {"kind": "scene", "name": name, "crops": len(s.state)}
    for method in ("baseline", "graph", "lifted"):
        row[f"{method}_visible"], row[f"{method}_hidden"] = s.pck(method, visible), s.pck(method, hidden)
    row |= {"baseline_auc": s.auc("baseline"), "graph_auc": s.auc("graph"), "yaw_deg": float(np.median(s.yaw_deg))}
    return row


def scene_bars(name: str, s: Scored) -> list[Bar]:
    """What the paper and the issue of this network ask of a scene."""
    visible = s.state == VISIBLE

    def gain(count: int) -> float:
        return s.pck_of_hidden("graph", count) - s.pck_of_hidden("baseline", count)

    if name.startswith("composed"):  # a vehicle hides at most 8 of its own keypoints from a street camera
        return [
            Bar(f"{name}: gain with 5 hidden", gain(5), at_least=0.10),
            Bar(f"{name}: gain with 9 hidden", gain(9), at_least=0.10),
        ]
    return [
        Bar(f"{name}: baseline's visible PCK", s.pck("baseline", visible), at_least=0.95),
        Bar(f"{name}: occlusion AUC", s.auc("graph"), at_least=0.95),
        Bar(f"{name}: 1 - AUC over the baseline's", (1 - s.auc("graph")) / (1 - s.auc("baseline")), at_most=0.5),
        Bar(f"{name}: gain with 3 hidden", gain(3), at_least=0.20),
        Bar(f"{name}: visible PCK lost", s.pck("baseline", visible) - s.pck("graph", visible), at_most=0.01),
        Bar(f"{name}: yaw error, degrees", float(np.median(s.yaw_deg)), at_most=3.0),
    ]


def noise_rows(network: OcclusionNet, cached: Cached) -> tuple[list[dict], list[Bar]]:
    """PCK of both graphs under noise on their input, figure 10; 3D must lose less than 2D."""
    noisy = under_noise(network.graphs, cached, _SEED)
    rows, bars = [], []
    clean = {m: noisy[0.0].pck(m, noisy[0.0].state >= 0) for m in ("graph", "lifted")}
    for sigma, s in noisy.items():
        pck = {m: s.pck(m, s.state >= 0) for m in clean}
        rows.append({"kind": "noise", "name": f"sigma {sigma:g}", "graph": pck["graph"], "lifted": pck["lifted"]})
        if sigma in _UNDER_NOISE:
            steadier = (clean["graph"] - pck["graph"]) - (clean["lifted"] - pck["lifted"])
            bars.append(Bar(f"3D steadier than 2D at sigma {sigma:g}", steadier, at_least=0.0))
    return rows, bars


def speed(network: OcclusionNet, graphs: Graphs) -> tuple[dict, Bar]:
    """Crops a second, and what the graphs cost beside the heatmap network; least of several runs of one thread."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(_TIMED, 3, 96, 96, generator=generator).contiguous(memory_format=torch.channels_last)
    aspect = torch.ones(_TIMED)
    with torch.inference_mode():
        cells, confidence = means_about_peaks(network.heatmaps(image))
        heat_s = _fastest(lambda: means_about_peaks(network.heatmaps(image)))
        graph_s = _fastest(lambda: graphs(cells / 28 - 1, confidence, aspect))
    row = {"kind": "speed", "name": "one thread", "crops_per_s": _TIMED / (heat_s + graph_s)}
    return row, Bar("graphs' fraction of the heatmap network's time", graph_s / heat_s, at_most=0.10)


def _fastest(work) -> float:
    times = []
    for _ in range(7):
        begun = time.thread_time()
        work()
        times.append(time.thread_time() - begun)
    return min(times)


Variant = tuple[OcclusionNetSettings, Cached]


def variants(network: OcclusionNet, folder: Path, training: GraphTraining) -> dict[str, Variant]:
    """What graphs alone are trained as and on: parts left out, and hidden points taught in other ways."""
    samples = RenderedViews(read_views(folder / "train"), _SEED, TRAINING, each=True)
    true = collect(network, samples, len(samples), workers=1)
    # Graphs alone see few crops: a stronger edge loss keeps the edges the states that they are meant to be.
    own = OcclusionNetSettings(supervision="truth", edge_weight=1.0)
    found: dict[str, Variant] = {
        _BY_TRUTH: (own, true),
        "one iteration": (replace(own, iterations=1), true),
        "without 3D": (replace(own, lift=False), true),
        _UNSUPERVISED: (replace(own, supervision="none"), true),
        "trifocal, true cameras": (replace(own, supervision="trifocal"), true),
        "transfer, true cameras": (replace(own, supervision="transfer"), true),
    }
    long_enough = replace(training, steps=max(training.steps, _ENCODER_STEPS))
    encoder = fit_graphs(replace(own, supervision="none"), true, long_enough)
    with torch.inference_mode():
        encoded = encoder.flat(true["heat_xy"], true["confidence"]).visible > 0.5
    for seen_by, seen in (("labels", true["state"] == VISIBLE), ("the encoder", encoded)):
        for mirrors in (False, True):
            given = with_detected_views(true, seen, mirrors=mirrors)
            for kind in ("trifocal", "transfer"):
                name = f"{kind}, PnP, seen by {seen_by}{', mirrors' if mirrors else ''}"
                found[name] = replace(own, supervision=kind), given
    return found


def ablation(
    network: OcclusionNet, folder: Path, test: Cached, training: GraphTraining, more_seeds: Sequence[int]
) -> tuple[list[dict], list[Bar]]:
    """Graphs trained alone by variant, measured on the points of the test that true views cover, and on all hidden; the
    bars' variants with other seeds, too."""
    _, weight = transfer(test["cameras"], test["other_xy"], test["other_visible"])
    covered = (weight > 0).numpy() & (test["state"] > VISIBLE).numpy()
    rows: list[dict] = []
    given = variants(network, folder, training)
    for name, (settings, cached) in given.items():
        s = scores_of(fit_graphs(settings, cached, training), test)
        rows.append({
            "kind": "ablation", "name": name, "graph_covered": s.pck("graph", covered),
            "heatmap_covered": s.pck("heatmap", covered), "graph_hidden": s.pck("graph", s.state > VISIBLE),
            "graph_visible": s.pck("graph", s.state == VISIBLE), "graph_auc": s.auc("graph"),
        })  # fmt: skip
    found = {name: [row["graph_covered"] for row in rows if row["name"] == name] for name in _COMPARED}
    for name, seed in product(_COMPARED, more_seeds):
        more = scores_of(fit_graphs(*given[name], replace(training, seed=seed)), test)
        found[name].append(more.pck("graph", covered))
    truth, views, unsupervised = (float(np.mean(found[name])) for name in _COMPARED)
    start = rows[0]["heatmap_covered"]  # the same for every variant
    # Graphs without supervision of hidden points learn much of it from the 3D head's shapes already.
    fractions = {
        "heatmaps": (views - start) / (truth - start),
        "unsupervised graphs": (views - unsupervised) / (truth - unsupervised),
    }
    return rows, [
        Bar(f"trifocal's fraction of what truth gains over {name}, covered points", fraction, at_least=0.9)
        for name, fraction in fractions.items()
    ]


def report(quick: bool, data: Path, weights: Path | None = None, baseline: Path | None = None) -> Report:
    """Scenes, noise, speed and ablation."""
    torch.set_num_threads(1)
    folder = crops_in(data, quick=quick)
    network, plain = load_network(weights or SPEC.shipped), load_network(baseline or BASELINE)
    if network.graphs is None or network.graphs.lifting is None:
        raise ValueError(f"{weights or SPEC.shipped}: expected weights with both graphs; --baseline takes the others")
    count = 60 if quick else 720
    ours, theirs = (read_scenes(net, folder, count, _SEED) for net in (network, plain))
    scored = {
        name: with_baseline(scores_of(network.graphs, ours[name]), scores_of(None, theirs[name])) for name in ours
    }
    rows = [scene_row(name, s) for name, s in scored.items()]
    bars = [bar for name, s in scored.items() for bar in scene_bars(name, s)]
    timing, timing_bar = speed(network, network.graphs)
    training, seeds = GraphTraining(steps=30 if quick else 1000), () if quick else _MORE_SEEDS
    for more_rows, more_bars in (noise_rows(network, ours["test"]), ([timing], [timing_bar]),
                                 ablation(plain, folder, theirs["test"], training, seeds)):  # fmt: skip
        rows, bars = rows + more_rows, bars + more_bars
    return Report(rows, bars)


if __name__ == "__main__":
    main(
        "occlusion_net",
        __doc__,
        report,
        weights="weights to scores_of, else those that ship",
        baseline="the baseline's, else those that ship",
    )
