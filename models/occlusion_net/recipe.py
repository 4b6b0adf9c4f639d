"""How Occlusion-Net is trained: its presets, and what the training loop needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from calibration.camera import Camera
from models.checkpoints import load_into, read_weights
from models.labels.carfusion import SPLITS
from models.occlusion_net.data import CAR_RENDER, Kept, RenderedViews
from models.occlusion_net.network import NetworkSettings, OcclusionNet, build_network, config_of
from models.occlusion_net.view_samples import Mixed, samples_of_camera, samples_of_carfusion
from models.synthetic.car_views import CarViews, read_views
from models.synthetic.vehicle_shards import read_backdrops
from models.topdown.keypoints import VehicleKeypoints
from models.train import Recipe, TrainSettings

_TINY = TrainSettings(
    steps=2400, batch=32, lr=2e-3, warmup=100, evaluate_every=600, val_samples=360, workers=1, threads=1
)
_KEPT = 8192  # crops that are composed; composing costs as much as learning from them
_ON = replace(_TINY, lr=1e-3, seed=1)
_HEATMAPS = NetworkSettings(graph=False, lift=False)
# tiny trains all at once. What ships learns in turn: baseline, the heatmaps alone; graphs stacked on them (`stack`);
# both together, finetune with --init-from. finetune_baseline is what it is compared with: as many steps, no graphs.
# base wants a GPU.
PRESETS: dict[str, tuple[NetworkSettings, TrainSettings]] = {
    "tiny": (NetworkSettings(), _TINY),
    "baseline": (_HEATMAPS, _TINY),
    "finetune": (NetworkSettings(), _ON),
    "finetune_baseline": (_HEATMAPS, _ON),
    "base": (
        NetworkSettings(width=96, blocks=2, hidden=256),
        TrainSettings(steps=60_000, batch=128, lr=1e-3, warmup=1000, ema=0.9995, val_samples=4096, workers=12),
    ),
}


OwnCamera = tuple[Path, Camera, VehicleKeypoints]


def build(
    network: NetworkSettings, seed: int, crops: Path, *, init_from: Path | None = None, labels: Path | None = None,
    images: Path | None = None, backdrops: Path | None = None, cameras: Sequence[OwnCamera] = (),
) -> Recipe:  # fmt: skip
    """The recipe over Car-render, over Car-render and cameras' own vehicles in equal parts, or over CarFusion.

    Pictures in the folder `backdrops`, empty streets best, stand behind rendered vehicles beside the procedural ones.
    cameras: folders of finished jobs, their cameras and the networks that found their keypoints. labels: CarFusion's
    folder of sequences; its intersections for training and for the test are what it is trained and validated on,
    without Car-render. Weights to start from may be those of the baseline: then the graphs start anew. Raises
    ValueError for weights of another architecture, for what cannot be read, and for supervision by true places of
    hidden points where there are none.
    """
    _check_given(network, labels, images, backdrops, cameras)
    torch.manual_seed(seed)
    net, config = OcclusionNet(network), config_of(network)
    if init_from is not None:
        start_from(net, init_from)
        config["init_from"] = init_from.name
    for name, path in (("labels", labels), ("backdrops", backdrops)):
        if path is not None:
            config[name] = path.name
    if cameras:
        config["cameras"] = [folder.name for folder, *_ in cameras]
    if labels is not None:
        learnt, tested = (samples_of_carfusion(labels, split, seed, shaken=split == "train") for split in SPLITS)
        return Recipe(net, learnt, tested, config)
    train: Any = RenderedViews(_rendered(crops / "train", backdrops), seed)
    if cameras:
        most = max(_KEPT // 2 // len(cameras), 1)  # more are never shown
        own = [samples_of_camera(*given, seed, most=most) for given in cameras]
        train = Mixed([train, Mixed(own)])
    val = RenderedViews(read_views(crops / "val"), seed + 1, CAR_RENDER, each=True)
    return Recipe(net, Kept(train, _KEPT), val, config)


def _check_given(network: NetworkSettings, labels: Any, images: Any, backdrops: Any, cameras: Sequence) -> None:
    if images is not None or (labels is not None and (backdrops is not None or cameras)):
        raise ValueError("occlusion_net: --labels, a folder of CarFusion's sequences, goes without --images, "
                         "--backdrops and --cameras: its pictures lie beside its labels")  # fmt: skip
    if (labels is not None or cameras) and network.supervision == "truth":
        raise ValueError("occlusion_net: supervision truth: nobody knows where hidden points of real vehicles are; "
                         "expected trifocal or transfer")  # fmt: skip


def _rendered(folder: Path, backdrops: Path | None) -> CarViews:
    views = read_views(folder)
    if backdrops is None:
        return views
    more = [*views.library.backdrops, *read_backdrops(backdrops)]
    return CarViews(views.views, replace(views.library, backdrops=more))


def start_from(net: OcclusionNet, path: Path) -> None:
    """Give a network the weights of a file, or, where the file holds the baseline, those of its heatmaps."""
    state, theirs = read_weights(path)
    build_network(theirs, path)
    graphs = {name: value for name, value in net.state_dict().items() if name.startswith("graphs.")}
    if not any(name.startswith("graphs.") for name in state):
        state = {**state, **graphs}
    load_into(net, state, path)
