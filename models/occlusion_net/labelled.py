"""Vehicles that people labelled in real pictures, read from public data sets' own files, and how well they are found.

The files are KITTI-3D's, PASCAL3D+'s and CarFusion's, as their readers describe them. What has no label counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from calibration.camera import pixel_to_edge
from models.labels.carfusion import read_converted, read_raw
from models.labels.kitti3d import read_kitti3d
from models.labels.pascal3d import read_pascal3d
from models.labels.views import LabelledVehicle, objects_of
from models.occlusion_net.cached import Cached, collect, judge
from models.occlusion_net.data import as_sample
from models.occlusion_net.network import OcclusionNet
from models.metrics.hidden_keypoints import Scored, joined, with_baseline

KINDS = ("kitti3d", "pascal3d", "carfusion")
Progress = Callable[[int, int], None]
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
    """At most `count` of the vehicles, those of one picture together; objects are drawn with all of their views."""
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
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{path}: cannot be read as a picture")
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        for vehicle, number in group:
            sample = as_sample(rgb, vehicle.box_xywh, pixel_to_edge(vehicle.xy), vehicle.state)
            yield sample | no_pose | {"instance": torch.tensor(number)}


def score(
    network: OcclusionNet, baseline: OcclusionNet | None, vehicles: Sequence[LabelledVehicle], seed: int,
    progress: Progress | None = None,
) -> Scored:  # fmt: skip
    """The vehicles' scores by both networks, in a random order, so that the first views of an object are any of them.

    Crops are read and judged a few hundred at a time.
    """
    samples, parts, done = samples_of(vehicles), list[Scored](), 0
    while crops := list(islice(samples, _AT_ONCE)):
        theirs = judge(None, _read_by(baseline, crops)) if baseline else None
        parts.append(with_baseline(judge(network.graphs, _read_by(network, crops)), theirs))
        done += len(crops)
        if progress:
            progress(done, len(vehicles))
    return joined(parts).rows(np.random.default_rng(seed).permutation(len(vehicles)))


def _read_by(network: OcclusionNet, crops: list[dict[str, Tensor]]) -> Cached:
    return collect(network, crops, len(crops))
