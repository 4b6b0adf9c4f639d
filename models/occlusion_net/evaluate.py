"""How good Occlusion-Net is on Car-render: `python -m models.occlusion_net.evaluate --crops DIR` of RenderCarViews.

Scenes: `test`, other vehicles than training's; `unseen`, body types that training never shows; both with nothing before
the vehicle. `composed` and `composed_unseen`: the same vehicles with others before them.
With --plots, figures 3 to 10 of the paper.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from models.checkpoints import load_into, read_weights
from models.occlusion_net.cached import Cached, collect, judge
from models.occlusion_net.car_views import read_views
from models.occlusion_net.data import CAR_RENDER, COMPOSED, RenderedViews
from models.occlusion_net.network import Graphs, OcclusionNet, build_network
from models.occlusion_net.scores import VISIBLE, Scored, correspondences

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
    for name, (split, troubles) in SCENES.items():
        samples = RenderedViews(read_views(crops / split), seed, troubles, each=True)
        scenes[name] = collect(network, samples, min(count, len(samples)), workers=workers)
    return scenes


def with_baseline(scored: Scored, baseline: Scored | None) -> Scored:
    """The scores of both, the baseline's heatmaps as method "baseline"; their own stand in where there is none."""
    other = baseline or scored
    return Scored(
        {"baseline": other.error["heatmap"], **scored.error}, scored.state,
        {"baseline": other.hidden["heatmap"], **scored.hidden}, scored.yaw_deg, scored.instance,
    )  # fmt: skip


def tables(scored: Mapping[str, Scored]) -> Iterable[str]:
    """Lines of text: each scene's PCK by state and by the number of hidden points, AUC and yaw."""
    for scene, s in scored.items():
        methods = list(s.error)
        yield f"{scene}: {len(s.state)} crops; PCK@0.1 | " + " | ".join(TITLES[m] for m in methods)
        groups = {"visible": s.state == VISIBLE, "hidden": s.state > VISIBLE, "all": s.state >= VISIBLE}
        for name, chosen in groups.items():
            yield f"{name} | " + " | ".join(f"{s.pck(m, chosen):.3f}" for m in methods)
        for count in HIDDEN_COUNTS:
            if (s.hidden_count == count).any():
                yield f"hidden, of crops that hide {count} | " + " | ".join(
                    f"{s.pck_of_hidden(m, count):.3f}" for m in methods
                )
        yield "occlusion AUC | " + " | ".join(f"{s.auc(m):.3f}" for m in s.hidden)
        if np.isfinite(s.yaw_deg).all():
            yield f"yaw error: median {np.median(s.yaw_deg):.2f} deg, above 30 deg {(s.yaw_deg > 30).mean():.3f}"
        for views in (2, 4, 8):
            found = {m: correspondences(s, m, views, np.ones_like(s.state, bool)) for m in methods}
            yield f"points that two of {views} views have right, of 12 | " + " | ".join(
                f"{n:.2f}" for n in found.values()
            )


def under_noise(graphs: Graphs | None, cached: Cached, seed: int) -> dict[float, Scored]:
    """Scores by the standard deviation of Gaussian noise on the graphs' input points (figure 10)."""
    return {sigma: judge(graphs, cached, noise=sigma, seed=seed) for sigma in SIGMAS}


def noise_lines(noisy: Mapping[float, Scored]) -> Iterable[str]:
    """Lines of text: PCK@0.1 of all points under noise."""
    methods = [m for m in next(iter(noisy.values())).error if m != "heatmap"]
    yield "noise, half boxes | " + " | ".join(TITLES[m] for m in methods)
    for sigma, s in noisy.items():
        yield f"{sigma:g} | " + " | ".join(f"{s.pck(m, s.state >= VISIBLE):.3f}" for m in methods)


def main() -> None:
    """Print the tables of one weights file, beside a baseline's where one is given, and draw the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder that RenderCarViews wrote")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--baseline", type=Path, help="weights of preset baseline, else the network's own heatmaps")
    parser.add_argument("--count", type=int, default=720, help="most crops of a scene")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--plots", type=Path, help="folder for the figures")
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network(given.weights)
    scenes = read_scenes(network, given.crops, given.count, given.seed)
    scored = {name: judge(network.graphs, cached) for name, cached in scenes.items()}
    other: dict[str, Scored] = {}
    if given.baseline:
        read = read_scenes(load_network(given.baseline), given.crops, given.count, given.seed)
        other = {name: judge(None, cached) for name, cached in read.items()}
    scored = {name: with_baseline(s, other.get(name)) for name, s in scored.items()}
    noisy = under_noise(network.graphs, scenes["test"], given.seed)
    print("\n".join([*tables(scored), *noise_lines(noisy)]))
    if given.plots:
        from models.occlusion_net.plots import draw_all

        draw_all(scored, noisy, given.plots)
        print(f"figures in {given.plots}")


if __name__ == "__main__":
    main()
