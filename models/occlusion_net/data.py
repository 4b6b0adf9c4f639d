"""Samples as the network takes them: a composed crop of a vehicle and what other views of the same vehicle show.

Sample i is a pure function of i. A box's frame is `models.geometry.boxes`'; cameras (3, 4) go from the vehicle's
frame, metres, to homogeneous points of a box's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.contract import Given, Samples, Splits
from models.crops import crop_square, squares_of
from models.geometry.boxes import INPUT_PX, box_matrix, cells_of_box, to_box
from models.occlusion_net import OcclusionNetSettings
from models.synthetic.car_views import CarView, CarViews, read_views
from models.synthetic.vehicle_crops import Augmentation, composed, flip_sprite
from models.synthetic.vehicle_shards import read_backdrops
from pipeline.core.skeletons import VEHICLE_12

OTHERS = 4  # other views of the vehicle in a sample
TRAINING = Augmentation(occluded=0.5, truncated=0.15, poor_box=0.4)
CAR_RENDER = Augmentation(occluded=0.0, truncated=0.0, least_px=40)
COMPOSED = Augmentation(occluded=1.0, truncated=0.0, least_px=40)
_KEPT = 8192  # crops that are composed; composing costs as much as learning from them
_CENTRE_FLIPPED = torch.tensor([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
_MIRROR_X, _MIRROR_Y = np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 1.0])


def splits(settings: OcclusionNetSettings, given: Given, seed: int) -> Splits:
    """Car-render, whose vehicles are each of one split; Car-render and cameras' own vehicles in equal parts; or
    CarFusion's intersections for training, one of which validates. Its test intersection is never read here.

    Pictures in the folder `backdrops`, empty streets best, stand behind rendered vehicles beside the procedural ones.
    Cameras' own vehicles only train. Raises ValueError for what cannot be read, for options that do not go together,
    and for supervision by true places of hidden points where there are none.
    """
    from models.occlusion_net.view_samples import Mixed, samples_of_camera, samples_of_carfusion

    _check_given(settings, given)
    if given.labels is not None:
        train, val = (samples_of_carfusion(given.labels, held_out, seed) for held_out in (False, True))
        return Splits(train, val)
    if given.data is None:
        raise ValueError("occlusion_net: expected the folder that RenderCarViews wrote, got none")
    learnt: Samples = RenderedViews(_rendered(given.data / "train", given.backdrops), seed)
    if given.cameras:
        most = max(_KEPT // 2 // len(given.cameras), 1)  # more are never shown
        learnt = Mixed([learnt, Mixed([samples_of_camera(camera, seed, most=most) for camera in given.cameras])])
    return Splits(Kept(learnt, _KEPT), RenderedViews(read_views(given.data / "val"), seed + 1, CAR_RENDER, each=True))


def _check_given(settings: OcclusionNetSettings, given: Given) -> None:
    if given.labels is not None and (given.backdrops is not None or given.cameras):
        raise ValueError("occlusion_net: --labels, a folder of CarFusion's sequences, goes without --backdrops and "
                         "--cameras: its pictures lie beside its labels")  # fmt: skip
    if (given.labels is not None or given.cameras) and settings.supervision == "truth":
        raise ValueError("occlusion_net: supervision truth: nobody knows where hidden points of real vehicles are; "
                         "expected trifocal or transfer")  # fmt: skip


def _rendered(folder: Path, backdrops: Path | None) -> CarViews:
    views = read_views(folder)
    if backdrops is None:
        return views
    more = [*views.library.backdrops, *read_backdrops(backdrops)]
    return CarViews(views.views, replace(views.library, backdrops=more))


def flip_view(view: CarView) -> CarView:
    """The mirror image: the same vehicle, right and left alike, seen by a camera on its other side."""
    K = view.K.copy()
    K[0, 2] = view.sprite.alpha.shape[1] - K[0, 2]
    R, t = _MIRROR_X @ view.R @ _MIRROR_Y, _MIRROR_X @ view.t
    return replace(view, sprite=flip_sprite(view.sprite), K=K, R=R, t=t)


def as_sample(image_rgb: np.ndarray, box_xywh: np.ndarray, edge_xy: np.ndarray, state: np.ndarray) -> dict[str, Tensor]:
    """A crop's part of a sample, from an RGB image, a box, keypoints (12, 2) edge px and states (12,), -1 unknown."""
    xy = torch.from_numpy(to_box(edge_xy, box_xywh).astype(np.float32))
    aspect = torch.tensor(box_xywh[2] / box_xywh[3], dtype=torch.float32)
    return {
        "image": torch.from_numpy(crop_square(image_rgb, squares_of(box_xywh[None])[0], INPUT_PX)).permute(2, 0, 1),
        "xy": xy,
        "cells": cells_of_box(xy[None], aspect[None])[0],
        "state": torch.from_numpy(np.asarray(state, np.int64)),
        "aspect": aspect,
    }


class RenderedViews:
    """Endless crops composed of Car-render's sprites, or, where `each`, every view once in its order."""

    def __init__(
        self, views: CarViews, seed: int, augmentation: Augmentation = TRAINING, *, each: bool = False
    ) -> None:
        self.views, self.library, self.seed, self.augmentation, self.each = (
            views.views,
            views.library,
            seed,
            augmentation,
            each,
        )
        instances = np.array([view.instance for view in views.views])
        starts = np.flatnonzero(np.r_[True, instances[1:] != instances[:-1]])
        self.groups = list(zip(starts, np.r_[starts[1:], len(instances)], strict=True))
        self.group_of = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(instances)]))

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        number = index % len(self.views) if self.each else int(rng.integers(len(self.views)))
        start, stop = self.groups[self.group_of[number]]
        others = rng.permutation(np.setdiff1d(np.arange(start, stop), [number]))[:OTHERS]
        chosen = [self.views[i] for i in (number, *others)]
        if rng.uniform() < 0.5:
            chosen = [flip_view(view) for view in chosen]
        current = chosen[0]
        crop = composed(current.sprite, self.library, self.augmentation, rng)
        to_crop = np.array([[crop.zoom_xy[0], 0, crop.shift_xy[0]], [0, crop.zoom_xy[1], crop.shift_xy[1]], [0, 0, 1]])
        K = box_matrix(crop.box_xywh) @ to_crop @ current.K
        sample = as_sample(crop.image, crop.box_xywh, crop.keypoints, crop.state)
        pose = {"K": K, "R": current.R, "t": current.t, "points": current.points}
        floats = {name: torch.from_numpy(value.astype(np.float32)) for name, value in pose.items()}
        return sample | floats | _others(K, current, chosen[1:]) | {"instance": torch.tensor(current.instance)}


class Kept:
    """The first `count` of samples, endlessly, kept in memory as they come; every other lap in the mirror."""

    def __init__(self, samples: Samples, count: int) -> None:
        self.samples, self.count = samples, count
        self.kept: dict[int, dict[str, Tensor]] = {}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        lap, place = divmod(index, self.count)
        if place not in self.kept:
            self.kept[place] = dict(self.samples[place])
        return mirrored(self.kept[place]) if lap % 2 else self.kept[place]


def mirrored(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sample as a mirror shows it: right and left keypoints have changed places, and the vehicle its y."""
    swap = torch.tensor(VEHICLE_12.flip)
    away, across = torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0, 1.0])
    vehicle, image = torch.tensor([1.0, -1.0, 1.0, 1.0]), across[:, None]
    xy = sample["xy"][swap] * away
    once = sample | {
        "image": sample["image"].flip(-1),
        "xy": xy,
        "cells": cells_of_box(xy[None], sample["aspect"][None])[0],
        "state": sample["state"][swap],
        "cameras": image * sample["cameras"] * vehicle,
        "other_xy": sample["other_xy"][:, swap] * away,
        "other_visible": sample["other_visible"][:, swap],
    }
    if "points" in sample:  # rendered: the vehicle and its pose are known
        once |= {"R": image * sample["R"] * vehicle[:3], "t": sample["t"] * across}
        once |= {"K": sample["K"] * _CENTRE_FLIPPED, "points": sample["points"][swap] * vehicle[:3]}
    return once


def _others(K: np.ndarray, current: CarView, others: Sequence[CarView]) -> dict[str, Tensor]:
    """What the other views show, each in its sprite's own box: cameras (OTHERS + 1, 3, 4), the current one first."""
    points = (OTHERS, len(VEHICLE_12))
    cameras, xy, visible = np.zeros((OTHERS + 1, 3, 4)), np.zeros((*points, 2)), np.zeros(points, bool)
    cameras[0] = K @ np.column_stack([current.R, current.t])
    for row, view in enumerate(others):
        box = np.r_[0, 0, view.sprite.alpha.shape[::-1]].astype(float)
        cameras[row + 1] = box_matrix(box) @ view.K @ np.column_stack([view.R, view.t])
        xy[row], visible[row] = to_box(view.sprite.keypoints, box), ~view.sprite.self_hidden
    return {
        "cameras": torch.from_numpy(cameras.astype(np.float32)),
        "other_xy": torch.from_numpy(xy.astype(np.float32)),
        "other_visible": torch.from_numpy(visible),
    }
