"""How good Occlusion-Net is, on rendered vehicles and on those that people labelled in public data sets.

    python -m models.occlusion_net.evaluate --crops DIR                              of RenderCarViews
    python -m models.occlusion_net.evaluate --kitti3d FILE --images DIR              visible keypoints, columns named
    python -m models.occlusion_net.evaluate --pascal3d DIR --images DIR              folder of annotations *.mat
    python -m models.occlusion_net.evaluate --carfusion DIR [--split test]           as it is downloaded
    python -m models.occlusion_net.evaluate --carfusion FILE --images DIR [--split test]  as its converter writes it

Scenes of --crops: `test`, other vehicles than training's; `unseen`, body types that training never shows; both with
nothing before the vehicle. `composed` and `composed_unseen`: the same vehicles with others before them.
PCK@0.1 is of the longer side of the box. With --plots, figures 3 to 10 of the paper, those that the labels allow.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from models.checkpoints import load_into, read_weights
from models.occlusion_net.cached import Cached, collect, judge
from models.occlusion_net.data import CAR_RENDER, COMPOSED, RenderedViews
from models.occlusion_net.labelled import KINDS, read_labelled, score, subset
from models.occlusion_net.network import Graphs, OcclusionNet, build_network
from models.occlusion_net.scores import VISIBLE, Scored, correspondences, with_baseline
from models.synthetic.car_views import read_views

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SCENES = {
    "test": ("test", CAR_RENDER),
    "unseen": ("unseen", CAR_RENDER),
    "composed": ("test", COMPOSED),
    "composed_unseen": ("unseen", COMPOSED),
}
HIDDEN_COUNTS = (3, 4, 5, 6, 7, 8, 9)
SIGMAS = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2)  # half boxes
TITLES = {"baseline": "baseline", "heatmap": "heatmaps", "graph": "2D-KGNN", "lifted": "3D-KGNN"}


def load_network(path: Path) -> OcclusionNet:
    """The network of a weights file; raises FileNotFoundError, and ValueError for weights of another model."""
    state, config = read_weights(path)
    network = build_network(config, path)
    load_into(network, state, path)
    return network.eval()


def read_scenes(network: OcclusionNet, crops: Path, count: int, seed: int, *, workers: int = 1) -> dict[str, Cached]:
    """What the network's heatmaps read in at most `count` crops of each scene."""
    scenes: dict[str, Cached] = {}
    for name, (split, augmentation) in SCENES.items():
        samples = RenderedViews(read_views(crops / split), seed, augmentation, each=True)
        scenes[name] = collect(network, samples, min(count, len(samples)), workers=workers)
    return scenes


def tables(scored: Mapping[str, Scored]) -> Iterable[str]:
    """Lines of text: each scene's PCK by state and by the number of hidden points, AUC, yaw and correspondences."""
    for scene, s in scored.items():
        methods = list(s.error)
        yield f"{scene}: {len(s.state)} crops; PCK@0.1 | " + " | ".join(TITLES[m] for m in methods)
        if not s.located.all():
            yield f"(of labelled points alone, {s.located.sum(axis=1).mean():.1f} of 12 in a crop)"
        groups = {"visible": s.state == VISIBLE, "hidden": s.state > VISIBLE, "all": np.ones_like(s.state, bool)}
        for name, chosen in groups.items():
            known = (chosen & s.located).any()
            yield f"{name} | " + (_cells(s.pck(m, chosen) for m in methods) if known else "not labelled")
        for count in HIDDEN_COUNTS:
            if ((s.state > VISIBLE) & s.located)[s.hidden_count == count].any():
                yield f"hidden, of crops that hide {count} | " + _cells(s.pck_of_hidden(m, count) for m in methods)
        yield "occlusion AUC | " + (
            _cells(map(s.auc, s.hidden)) if s.tells_hidden else "not known, only one state is labelled"
        )
        if np.isfinite(s.yaw_deg).all():
            yield f"yaw error: median {np.median(s.yaw_deg):.2f} deg, above 30 deg {(s.yaw_deg > 30).mean():.3f}"
        yield from _correspondence_lines(s)


def _cells(values: Iterable[float]) -> str:
    return " | ".join(f"{value:.3f}" for value in values)


def _correspondence_lines(s: Scored) -> Iterable[str]:
    anywhere = np.ones_like(s.state, bool)
    for views in (2, 4, 8):
        found = [correspondences(s, method, views, anywhere) for method in s.error]
        most = correspondences(s, "baseline", views, anywhere, alpha=np.inf)
        if not np.isnan(most):
            cells = " | ".join(f"{number:.2f}" for number in found)
            yield f"points that two of {views} views have right, of {most:.4g} | {cells}"


def under_noise(graphs: Graphs | None, cached: Cached, seed: int) -> dict[float, Scored]:
    """Scores by the standard deviation of Gaussian noise on the graphs' input points (figure 10)."""
    return {sigma: judge(graphs, cached, noise=sigma, seed=seed) for sigma in SIGMAS}


def noise_lines(noisy: Mapping[float, Scored]) -> Iterable[str]:
    """Lines of text: PCK@0.1 of all points under noise; none where it was not tried."""
    if not noisy:
        return
    methods = [m for m in next(iter(noisy.values())).error if m != "heatmap"]
    yield "noise, half boxes | " + " | ".join(TITLES[m] for m in methods)
    for sigma, s in noisy.items():
        yield f"{sigma:g} | " + _cells(s.pck(m, s.state >= VISIBLE) for m in methods)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of one weights file, beside a baseline's where one is given, and draw the figures; 1 and one
    line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="folder that RenderCarViews wrote")
    parser.add_argument("--kitti3d", type=Path, help="label file, its columns named in the first line: see kitti3d.py")
    parser.add_argument("--pascal3d", type=Path, help="folder of PASCAL3D+ annotations, as Annotations/car_imagenet")
    parser.add_argument("--carfusion", type=Path, help="folder of CarFusion's sequences, or its converted COCO file")
    parser.add_argument("--images", type=Path, help="folder of the pictures that a label file names")
    parser.add_argument("--split", help="of CarFusion: train or test, else both")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--baseline", type=Path, help="weights of preset baseline, else the network's own heatmaps")
    parser.add_argument("--count", type=int, help="most crops (default: 720 of a scene of --crops, else all)")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--plots", type=Path, help="folder for the figures")
    given = parser.parse_args(arguments)
    try:
        _report(given)
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def _report(given: argparse.Namespace) -> None:
    sources = [name for name in ("crops", *KINDS) if getattr(given, name)]
    if len(sources) != 1:
        got = " and ".join(f"--{name}" for name in sources) or "none"
        raise ValueError(f"expected one of --crops, {', '.join(f'--{kind}' for kind in KINDS)}, got {got}")
    if given.count is not None and given.count < 1:
        raise ValueError(f"--count: expected 1 or more, got {given.count}")
    torch.set_num_threads(1)
    network, baseline = load_network(given.weights), load_network(given.baseline) if given.baseline else None
    scored, noisy = (_rendered if given.crops else _labelled)(network, baseline, given)
    print("\n".join([*tables(scored), *noise_lines(noisy)]))
    if given.plots:
        from models.occlusion_net.plots import draw_all

        draw_all(scored, noisy, given.plots)
        print(f"figures in {given.plots}")


Judged = tuple[dict[str, Scored], dict[float, Scored]]  # by scene; by noise on the graphs' input, where it was tried


def _rendered(network: OcclusionNet, baseline: OcclusionNet | None, given: argparse.Namespace) -> Judged:
    if given.images or given.split:
        raise ValueError("--images and --split go with labelled pictures, not with --crops")
    scenes, other = (
        read_scenes(net, given.crops, given.count or 720, given.seed) if net else {} for net in (network, baseline)
    )
    theirs = {name: judge(None, cached) for name, cached in other.items()}
    scored = {name: with_baseline(judge(network.graphs, cached), theirs.get(name)) for name, cached in scenes.items()}
    return scored, under_noise(network.graphs, scenes["test"], given.seed)


def _labelled(network: OcclusionNet, baseline: OcclusionNet | None, given: argparse.Namespace) -> Judged:
    kind = next(name for name in KINDS if getattr(given, name))
    labelled = read_labelled(kind, getattr(given, kind), given.images, given.split)
    vehicles = subset(labelled, given.count, given.seed)
    with tqdm(total=len(vehicles), unit="vehicle", disable=None) as bar:
        scored = score(network, baseline, vehicles, given.seed, lambda done, _: bar.update(done - bar.n))
    return {kind: scored}, {}


if __name__ == "__main__":
    sys.exit(main())
