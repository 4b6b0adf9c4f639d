"""Graphs trained alone on a baseline's heatmaps: `python -m models.occlusion_net.stack --baseline FILE --crops DIR`.

Minutes on one core, where training all together takes the whole run again. What comes out is a weights file as
`make train MODEL=occlusion_net` writes it, and a start for it: `--init-from`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from models.checkpoints import write_weights
from models.occlusion_net.cached import GraphTraining, collect, fit_graphs
from models.occlusion_net.data import TRAINING, RenderedViews
from models.occlusion_net.evaluate import load_network
from models.occlusion_net.network import SUPERVISION, NetworkSettings, OcclusionNet, config_of
from models.synthetic.car_views import read_views


def stacked(baseline: OcclusionNet, settings: NetworkSettings, crops: Path, training: GraphTraining) -> OcclusionNet:
    """The baseline's heatmaps, as they are, with graphs trained on what they read in every training view once.

    settings: of the graphs; width and blocks are the baseline's.
    """
    samples = RenderedViews(read_views(crops / "train"), training.seed, TRAINING, each=True)
    given = {name: getattr(baseline.settings, name) for name in ("width", "blocks")}
    network = OcclusionNet(dataclasses.replace(settings, **given))
    network.load_state_dict(baseline.state_dict(), strict=False)
    network.graphs = fit_graphs(network.settings, collect(baseline, samples, len(samples), workers=1), training)
    return network.eval()


def main(arguments: list[str] | None = None) -> int:
    """Write the weights file; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", type=Path, required=True, help="weights of preset baseline")
    parser.add_argument("--crops", type=Path, required=True, help="folder that RenderCarViews wrote")
    parser.add_argument("--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument("--supervision", choices=SUPERVISION, default="trifocal", help="of hidden points")
    parser.add_argument("--steps", type=int, default=GraphTraining.steps)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error(f"--steps: expected 1 or more, got {given.steps}")
    torch.set_num_threads(1)
    settings = NetworkSettings(supervision=given.supervision)
    training = GraphTraining(steps=given.steps, seed=given.seed)
    try:
        network = stacked(load_network(given.baseline), settings, given.crops, training)
    except (ValueError, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    config = config_of(network.settings) | {"baseline": given.baseline.name}
    write_weights(given.out, network, config)
    print(f"{given.out}: heatmaps of {given.baseline}, graphs after {given.steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
