"""How the human mesh network is trained: its presets, and what the training loop needs of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.checkpoints import read_weights, start_from
from models.contract import find
from models.hmr.data import RenderedPeople, matrices
from models.hmr.head import HeadSettings
from models.hmr.network import HumanMeshNetwork, LossWeights, NetworkSettings, build_network, config_of
from models.layers.vit import BackboneSettings, Stem
from models.poses import sample_poses
from models.synthetic.people_shards import read_people
from models.synthetic.vehicle_shards import read_backdrops
from models.train import Recipe, TrainSettings

_TINY = NetworkSettings()
_TINY_RUN = TrainSettings(
    steps=12_000, batch=32, lr=1e-3, warmup=200, evaluate_every=1000, val_samples=512, workers=1, threads=1,
)  # fmt: skip
# Of the released weights: ViT-H at 256 x 192 and the head's own sizes.
HUGE = NetworkSettings(
    BackboneSettings(height_px=256, dim=1280, depth=32, heads=16, stem=0, drop_path=0.55),
    HeadSettings(dim=1024, depth=6, heads=8, dim_head=64, mlp=1024),
    LossWeights(heatmaps=0.0),
    told_facing=False,
)
# tiny: an hour and a half of a CPU core with bfloat16 units, and half as much of another for its samples; plain is the
# same without the discriminator. The others want a GPU.
PRESETS: dict[str, tuple[NetworkSettings, TrainSettings]] = {
    "tiny": (_TINY, _TINY_RUN),
    "plain": (replace(_TINY, weights=LossWeights(adversarial=0.0)), _TINY_RUN),
    "base": (
        NetworkSettings(
            BackboneSettings(height_px=256, dim=384, depth=12, heads=6, stem=64, drop_path=0.1),
            HeadSettings(dim=512, depth=6, heads=8, dim_head=64, mlp=1024),
        ),
        TrainSettings(
            steps=80_000, batch=128, lr=5e-4, warmup=1000, ema=0.9995, evaluate_every=4000, val_samples=4096, workers=12
        ),
    ),
    "huge": (HUGE, TrainSettings(steps=20_000, batch=48, lr=1e-5, warmup=500, weight_decay=1e-4, workers=12)),
}
_MEAN_POSES = 4000


def build(
    network: NetworkSettings, seed: int, crops: Path, *, init_from: Path | None = None, labels: Path | None = None,
    images: Path | None = None, backdrops: Path | None = None,
) -> Recipe:  # fmt: skip
    """The recipe over rendered people, starting from the mean of the training poses or from given weights.

    Pictures in the folder `backdrops`, empty streets best, stand behind people beside the procedural ones. Raises
    ValueError for weights of another architecture and where labels are given: nobody labels poses by hand.
    """
    import torch

    if labels is not None or images is not None:
        raise ValueError("hmr: expected no labels: this network is trained on rendered people alone")
    torch.manual_seed(seed)
    net, config = HumanMeshNetwork(network), config_of(network)
    net.smpl_head.start_from(torch.from_numpy(_mean_poses(seed)))
    _start_stem(net)
    start_from(net, config, init_from, build_network)
    library = read_people(crops, "train")
    if backdrops is not None:
        library = replace(library, backdrops=[*library.backdrops, *read_backdrops(backdrops)])
        config["backdrops"] = backdrops.name
    height = network.backbone.height_px
    val = RenderedPeople(read_people(crops, "val"), seed + 1, height)
    return Recipe(net, RenderedPeople(library, seed, height), val, config)


def _start_stem(net: HumanMeshNetwork) -> None:
    """Give a stem as wide as the shipped vehicle keypoint network's what that network knows."""
    state, theirs = read_weights(find("vehicle_keypoints").shipped)
    stem = net.backbone.patch_embed
    if isinstance(stem, Stem) and net.settings.backbone.stem == theirs["network"]["width"]:
        stem.start_from(state)


def _mean_poses(seed: int) -> np.ndarray:
    """(P, 23, 3, 3) body rotations of the poses that training shows."""
    theta, _ = sample_poses(np.random.default_rng([seed, 0x3EA]), _MEAN_POSES, "train")
    return matrices(theta[:, 1:])
