"""How good Occlusion-Net is, on rendered vehicles and on those that people labelled in public data sets.

    make evaluate MODEL=occlusion_net ARGS="--crops DIR"                             of RenderCarViews
    make evaluate MODEL=occlusion_net ARGS="--kitti3d FILE --images DIR"             visible keypoints, columns named
    make evaluate MODEL=occlusion_net ARGS="--pascal3d DIR --images DIR"             folder of annotations *.mat
    make evaluate MODEL=occlusion_net ARGS="--carfusion DIR [--split test]"          as it is downloaded
    make evaluate MODEL=occlusion_net ARGS="--carfusion FILE --images DIR [--split test]" as its converter writes it

Scenes of --crops: `test`, other vehicles than training's; `unseen`, body types that training never shows; both with
nothing before the vehicle. `composed` and `composed_unseen`: the same vehicles with others before them.
PCK@0.1 is of the longer side of the box. With --plots, figures 3 to 10 of the paper, those that the labels allow.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from calibration.camera import pixel_to_edge
from models.checkpoints import network_of
from models.contract import Progress
from models.frames import read_picture
from models.labels.carfusion import read_converted, read_raw
from models.labels.kitti3d import read_kitti3d
from models.labels.pascal3d import read_pascal3d
from models.labels.views import LabelledVehicle, objects_of
from models.metrics.figures import HIDDEN_COUNTS, TITLES, plot_all
from models.metrics.hidden_keypoints import VISIBLE, Scored, correspondences, joined, with_baseline
from models.occlusion_net import SPEC
from models.occlusion_net.data import CAR_RENDER, COMPOSED, RenderedViews, as_sample
from models.occlusion_net.network import Graphs, OcclusionNet
from models.occlusion_net.stack import Cached, collect, scores_of
from models.synthetic.car_views import read_views

SCENES = {
    "test": ("test", CAR_RENDER),
    "unseen": ("unseen", CAR_RENDER),
    "composed": ("test", COMPOSED),
    "composed_unseen": ("unseen", COMPOSED),
}
SIGMAS = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2)  # half boxes


def load_network(path: Path) -> OcclusionNet:
    """The network of a weights file; raises FileNotFoundError, and ValueError for weights of another model."""
    return cast(OcclusionNet, network_of(SPEC, path).eval())


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
            yield f"(of labelled points alone, {s.located.sum(axis=1).mean():.1f} of {s.state.shape[1]} in a crop)"
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
    return {sigma: scores_of(graphs, cached, noise=sigma, seed=seed) for sigma in SIGMAS}


def noise_lines(noisy: Mapping[float, Scored]) -> Iterable[str]:
    """Lines of text: PCK@0.1 of all points under noise; none where it was not tried."""
    if not noisy:
        return
    methods = [m for m in next(iter(noisy.values())).error if m != "heatmap"]
    yield "noise, half boxes | " + " | ".join(TITLES[m] for m in methods)
    for sigma, s in noisy.items():
        yield f"{sigma:g} | " + _cells(s.pck(m, s.state >= VISIBLE) for m in methods)


KINDS = ("kitti3d", "pascal3d", "carfusion")
_AT_ONCE = 256  # crops in memory


def read_labelled(kind: str, path: Path, images: Path | None, split: str | None) -> list[LabelledVehicle]:
    """Vehicles with at least one labelled place, of a label file or folder whose pictures lie below `images`.

    Raises ValueError in one line: an option that is missing or not read, what the readers say, no vehicle.
    """
    if not path.exists():
        raise ValueError(f"--{kind} {path}: no such file or folder")
    raw = kind == "carfusion" and path.is_dir()
    if split and kind != "carfusion":
        raise ValueError(f"--split goes with --carfusion alone, got it with --{kind}")
    if raw and images:
        raise ValueError(f"{path}: CarFusion's folder holds its own pictures; --images goes with its converted file")
    if not raw and not images:
        raise ValueError(f"{path}: expected --images DIR, the folder of the labelled pictures, with --{kind}")
    vehicles = read_raw(path, split) if raw else _of_file(kind, path, images or path, split)
    vehicles = [vehicle for vehicle in vehicles if np.isfinite(vehicle.xy).any()]
    if not vehicles:
        raise ValueError(f"{path}: no vehicle with a labelled keypoint{f' in split {split}' if split else ''}")
    return vehicles


def _of_file(kind: str, path: Path, images: Path, split: str | None) -> list[LabelledVehicle]:
    if kind == "carfusion":
        return read_converted(path, images, split)
    return read_kitti3d(path, images) if kind == "kitti3d" else read_pascal3d(path, images)


def subset(vehicles: Sequence[LabelledVehicle], count: int | None, seed: int) -> list[LabelledVehicle]:
    """At most `count` of the vehicles, those of one picture together; objects are sampled with all of their views."""
    objects = objects_of(vehicles)
    rank = np.random.default_rng(seed).permutation(objects.max() + 1)[objects]
    chosen = np.argsort(rank, kind="stable")[:count].tolist()
    return [vehicles[i] for i in sorted(chosen, key=lambda i: (str(vehicles[i].image), i))]


def samples_of(vehicles: Sequence[LabelledVehicle]) -> Iterator[dict[str, Tensor]]:
    """A sample of each vehicle, without other views and without a pose; a picture is read once for those of it that
    follow each other. Raises ValueError where it is not a picture."""
    no_pose = {"K": torch.eye(3), "R": torch.full((3, 3), torch.nan)}
    pairs = zip(vehicles, objects_of(vehicles), strict=True)
    for path, group in groupby(pairs, key=lambda pair: pair[0].image):
        rgb = cv2.cvtColor(read_picture(path), cv2.COLOR_BGR2RGB)
        for vehicle, number in group:
            sample = as_sample(rgb, vehicle.box_xywh, pixel_to_edge(vehicle.xy), vehicle.state)
            yield sample | no_pose | {"instance": torch.tensor(number)}


def score_labelled(
    network: OcclusionNet, baseline: OcclusionNet | None, vehicles: Sequence[LabelledVehicle], seed: int,
    progress: Progress | None = None,
) -> Scored:  # fmt: skip
    """The vehicles' scores by both networks, in a random order, so that the first views of an object are any of them.

    Crops are read and evaluated a few hundred at a time.
    """
    samples, parts, done = samples_of(vehicles), list[Scored](), 0
    while crops := list(islice(samples, _AT_ONCE)):
        theirs = scores_of(None, _read_by(baseline, crops)) if baseline else None
        parts.append(with_baseline(scores_of(network.graphs, _read_by(network, crops)), theirs))
        done += len(crops)
        if progress:
            progress(done, len(vehicles))
    return joined(parts).rows(np.random.default_rng(seed).permutation(len(vehicles)))


def _read_by(network: OcclusionNet, crops: list[dict[str, Tensor]]) -> Cached:
    return collect(network, crops, len(crops))


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of one weights file, beside a baseline's where one is given, and plot the figures; 1 and one
    line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="folder that RenderCarViews wrote")
    parser.add_argument("--kitti3d", type=Path, help="label file, its columns named in the first line: see kitti3d.py")
    parser.add_argument("--pascal3d", type=Path, help="folder of PASCAL3D+ annotations, as Annotations/car_imagenet")
    parser.add_argument("--carfusion", type=Path, help="folder of CarFusion's sequences, or its converted COCO file")
    parser.add_argument("--images", type=Path, help="folder of the pictures that a label file names")
    parser.add_argument("--split", help="of CarFusion: train or test, else both")
    parser.add_argument("--weights", type=Path, default=SPEC.weights)
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
        plot_all(scored, noisy, given.plots)
        print(f"figures in {given.plots}")


Evaluated = tuple[dict[str, Scored], dict[float, Scored]]  # by scene; by noise on the graphs' input, where it was tried


def _rendered(network: OcclusionNet, baseline: OcclusionNet | None, given: argparse.Namespace) -> Evaluated:
    if given.images or given.split:
        raise ValueError("--images and --split go with labelled pictures, not with --crops")
    scenes, other = (
        read_scenes(net, given.crops, given.count or 720, given.seed) if net else {} for net in (network, baseline)
    )
    theirs = {name: scores_of(None, cached) for name, cached in other.items()}
    scored = {
        name: with_baseline(scores_of(network.graphs, cached), theirs.get(name)) for name, cached in scenes.items()
    }
    return scored, under_noise(network.graphs, scenes["test"], given.seed)


def _labelled(network: OcclusionNet, baseline: OcclusionNet | None, given: argparse.Namespace) -> Evaluated:
    kind = next(name for name in KINDS if getattr(given, name))
    labelled = read_labelled(kind, getattr(given, kind), given.images, given.split)
    vehicles = subset(labelled, given.count, given.seed)
    with tqdm(total=len(vehicles), unit="vehicle", disable=None) as bar:
        scored = score_labelled(network, baseline, vehicles, given.seed, lambda done, _: bar.update(done - bar.n))
    return {kind: scored}, {}


if __name__ == "__main__":
    sys.exit(main())
