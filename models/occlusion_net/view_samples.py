"""Crops whose other views are known, as the training loop takes them: a camera's own vehicles, or CarFusion's.

Nothing of them is rendered: their keypoints are a network's or a person's, their poses were fitted to these, and what
is hidden in a crop is known from the object's other views and their mirror images alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from calibration.camera import Camera, pixel_to_edge
from models.contract import OwnCamera, Samples
from models.crops import GROWN
from models.frames import read_picture
from models.geometry.boxes import box_matrix, from_box, to_box
from models.geometry.object_poses import camera_matrix, focal_px, views_of_crops
from models.geometry.view_sets import Views, box_cameras, lens_at, view_sets
from models.labels.carfusion import read_raw
from models.labels.views import UNKNOWN, VISIBLE, LabelledVehicle, objects_of
from models.occlusion_net.data import OTHERS, as_sample
from models.occlusion_net.lifting import vehicles_basis
from models.synthetic.photograph import photographed
from models.synthetic.vehicle_crops import SELF_OCCLUDED
from models.topdown.keypoints import VehicleKeypoints, load_keypoints, predict_keypoints
from pipeline.core.frames import FrameReader
from pipeline.core.storage import read_parts, read_table
from pipeline.core.tables import KEYPOINT_STATES

MIN_SCORE = 0.3
_MARGIN = 1.25  # of the crop's side, what a patch shows: room for a shaken box
_SHAKEN = 0.03  # standard deviation of a shaken box's edges, of its longer side
_OF_ONE = 60  # most crops of one object
Patch = tuple[np.ndarray, np.ndarray]  # RGB (h, w, 3) uint8 and the edge px (2,) of its corner in the picture


class ViewSamples:
    """Endless crops of N views, one after the other; `shaken`: other boxes, illumination and noise at every lap."""

    def __init__(
        self, views: Views, patch: Callable[[int], Patch], seed: int, *, mirrors: bool = True, shaken: bool = True
    ) -> None:
        self.views, self.patch, self.seed, self.shaken = views, patch, seed, shaken
        self.sets = view_sets(views, OTHERS, mirrors=mirrors)
        self.state = np.where(views.visible, VISIBLE, np.where(views.hidden, SELF_OCCLUDED, UNKNOWN))

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng, i = np.random.default_rng([self.seed, index]), index % len(self.views)
        image, corner = self.patch(i)
        old = self.views.box_xywh[i]
        box = _shaken(old, rng) if self.shaken else old
        image = photographed(image, 0.5, rng) if self.shaken else image
        edge_xy = from_box(self.views.xy[i], old)
        cameras = self.sets.cameras[i].copy()
        cameras[0] = box_matrix(box) @ np.linalg.inv(box_matrix(old)) @ cameras[0]
        others = {"cameras": cameras, "other_xy": self.sets.other_xy[i], "other_visible": self.sets.other_visible[i]}
        tensors = {n: torch.from_numpy(v if v.dtype == bool else v.astype(np.float32)) for n, v in others.items()}
        sample = as_sample(image, np.r_[box[:2] - corner, box[2:]], edge_xy - corner, self.state[i])
        return sample | tensors | {"instance": torch.tensor(int(self.views.of[i]))}


class Mixed:
    """Samples of several sources in turn, with the entries that all of them have."""

    def __init__(self, sources: Sequence[Samples]) -> None:
        self.sources = sources
        self.names = sorted(set.intersection(*(set(source[0]) for source in sources)))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        lap, which = divmod(index, len(self.sources))
        sample = self.sources[which][lap]
        return {name: sample[name] for name in self.names}


def samples_of_camera(own: OwnCamera, seed: int, *, most: int | None = None) -> ViewSamples:
    """The vehicles of a camera's folder that `views_of_camera` finds, at most `most`, each a crop of its own frame.

    Raises FileNotFoundError and ValueError as `views_of_camera`, `view_sets` and the camera's manifest do.
    """
    network = own.keypoints() if own.keypoints else None
    views = views_of_camera(own.folder, own.calibrated(), network)
    views = views.at(_sampled(views.of, seed, most))
    return ViewSamples(views, camera_patches(own.folder, views).__getitem__, seed)


def views_of_camera(
    camera_dir: Path, camera: Camera, network: VehicleKeypoints | None = None, *, min_score: float = MIN_SCORE
) -> Views:
    """Views of the tracked vehicles of a camera's folder whose pose was fitted; `of` is the track, `row` the cutout.

    The keypoints are `network`'s, the one that ships by default; a visible one has a score of min_score or more.
    Raises FileNotFoundError without the job's tables, ValueError where no track has two fitted vehicles or no keypoint
    is visible.
    """
    fitted, cutouts = _fitted(camera_dir)
    frames = read_table(camera_dir / "frames" / "index.parquet")
    found = predict_keypoints(cutouts, frames, camera_dir, network or load_keypoints())
    boxes = np.array(cutouts["bbox_xywh"].to_pylist(), float)
    known = np.isfinite(found.xy).all(axis=-1)
    visible = (found.state == KEYPOINT_STATES.index("visible")) & (found.score >= min_score) & known
    hidden = known & (found.state != KEYPOINT_STATES.index("visible"))
    if not visible.any():
        raise ValueError(f"{camera_dir}: no visible keypoint scored {min_score} or more in {len(boxes)} vehicles; "
                         "lower --score")  # fmt: skip
    R = np.array(fitted["R"].to_pylist(), float).reshape(-1, 3, 3)
    cameras = box_cameras(R, np.array(fitted["t"].to_pylist(), float), lens_at(camera, boxes), boxes)
    xy = np.nan_to_num(to_box(pixel_to_edge(found.xy), boxes[:, None]))
    return Views(fitted["track_id"].to_numpy(), cameras, xy, visible, hidden, boxes, fitted["cutout_id"].to_numpy())


def _fitted(camera_dir: Path) -> tuple[pa.Table, pa.Table]:
    """RECONSTRUCTED rows of tracked vehicles with a trusted fit by keypoints, and the CUTOUTS row of each."""
    table = read_parts(camera_dir / "reconstructed")
    good = pc.and_(pc.equal(table["category"], "vehicle"), pc.and_(table["fit_ok"], pc.greater(table["track_id"], -1)))
    table = table.filter(pc.and_(good, pc.is_valid(table["shape_basis"])))
    counts = np.unique(table["track_id"].to_numpy(), return_counts=True)[1]
    if not (counts >= 2).any():
        raise ValueError(f"{camera_dir / 'reconstructed'}: no track has two vehicles fitted to keypoints, so none has "
                         "another view; make the main job of a longer recording")  # fmt: skip
    columns = ["cutout_id", "frame_id", "category", "bbox_xywh"]
    cutouts = read_parts(camera_dir / "cutouts", columns=columns)
    number = pc.index_in(table["cutout_id"], cutouts["cutout_id"].combine_chunks())
    if number.null_count:
        raise ValueError(f"{camera_dir}: reconstructed names cutouts that are not in cutouts; make the main job again")
    return table, cutouts.take(number)


def camera_patches(camera_dir: Path, views: Views) -> list[Patch]:
    """What the frames of a camera's cutouts show around each view, in memory."""
    table = read_parts(camera_dir / "cutouts", columns=["cutout_id", "frame_id"])
    frame_of = dict(zip(table["cutout_id"].to_pylist(), table["frame_id"].to_pylist(), strict=True))
    frames = np.array([frame_of[row] for row in views.row.tolist()])
    found: dict[int, Patch] = {}
    reader = FrameReader(read_table(camera_dir / "frames" / "index.parquet"), camera_dir)
    for frame_id, image in reader.read(np.unique(frames).tolist()):
        for i in np.flatnonzero(frames == frame_id).tolist():
            found[i] = patch_of(image[..., ::-1], views.box_xywh[i])
    return [found[i] for i in range(len(views))]


def patch_of(image_rgb: np.ndarray, box_xywh: np.ndarray) -> Patch:
    """A copy of the image's part around a box."""
    middle, reach = box_xywh[:2] + box_xywh[2:] / 2, _MARGIN * GROWN * box_xywh[2:].max() / 2
    size = np.array(image_rgb.shape[1::-1])
    low = np.clip(np.floor(middle - reach), 0, size - 2).astype(int)
    high = np.clip(np.ceil(middle + reach), low + 2, size).astype(int)
    return np.ascontiguousarray(image_rgb[low[1] : high[1], low[0] : high[0]]), low.astype(float)


def samples_of_carfusion(root: Path, held_out: bool, seed: int) -> ViewSamples:
    """CarFusion's raw labels for training: other cameras and other moments of one object are its other views.

    held_out: those that validate, of the last of the intersections there, or where there is one alone every fifth
    object, as they are; else the others, shaken. Poses come from the visible labels, and each video's focal length
    too, which the labels do not tell. Raises ValueError as `read_raw`, `views_of_crops` and `view_sets` do.
    """
    vehicles = read_raw(root, "train")
    kept = _validates(vehicles)
    vehicles = [vehicle for vehicle, validates in zip(vehicles, kept.tolist(), strict=True) if validates == held_out]
    vehicles = [vehicles[i] for i in _sampled(objects_of(vehicles), seed)]
    views = carfusion_views(vehicles)

    def patch(i: int) -> Patch:
        return patch_of(read_picture(vehicles[int(views.row[i])].image)[..., ::-1], views.box_xywh[i])

    return ViewSamples(views, patch, seed, shaken=not held_out)


def _validates(vehicles: Sequence[LabelledVehicle]) -> np.ndarray:
    places = np.array([vehicle.intersection for vehicle in vehicles])
    if len(set(places)) > 1:
        return places == sorted(set(places))[-1]
    objects = objects_of(vehicles)
    if objects.max() == 0:
        raise ValueError("CarFusion: expected two objects or more, one of which validates, got one")
    return objects % 5 == min(4, objects.max())


def carfusion_views(vehicles: Sequence[LabelledVehicle]) -> Views:
    """Views of labelled vehicles in their objects' frames; `row` is the vehicle's number."""
    xy, state = (np.stack([getattr(v, name) for v in vehicles]) for name in ("xy", "state"))
    box = np.stack([v.box_xywh for v in vehicles])
    visible = (state == VISIBLE) & np.isfinite(xy).all(-1)
    objects, scores, basis = objects_of(vehicles), visible.astype(float), vehicles_basis()
    _, video = np.unique([f"{v.sequence}/{v.camera}" for v in vehicles], return_inverse=True)
    K = np.zeros((len(vehicles), 3, 3))
    for number in range(video.max() + 1):
        mine = np.flatnonzero(video == number)
        size_wh = np.array(read_picture(vehicles[mine[0]].image).shape[1::-1])
        focal = focal_px(objects[mine], xy[mine], scores[mine], box[mine], size_wh, basis)
        K[mine] = camera_matrix(focal, size_wh)
    views = views_of_crops(objects, xy, scores, visible, box, K, basis)
    hidden = (state > VISIBLE)[views.row]
    return replace(views, hidden=hidden)


def _sampled(of: np.ndarray, seed: int, most: int | None = None) -> np.ndarray:
    """Numbers of N crops of the objects `of` (N,) in a random order, so that no batch is of one place and moment: at
    most _OF_ONE of an object, evenly over its moments and cameras; beyond `most`, objects sampled at random."""
    rng = np.random.default_rng(seed)
    order = np.argsort(of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    kept = [group[np.unique(np.linspace(0, len(group) - 1, min(_OF_ONE, len(group))).astype(int))] for group in groups]
    return rng.permutation(np.concatenate([kept[i] for i in rng.permutation(len(kept))])[:most])


def _shaken(box_xywh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The box as another detector would give it."""
    spread = box_xywh[2:].max() * np.clip(rng.normal(0, _SHAKEN, (2, 2)), -0.08, 0.08)
    low, high = box_xywh[:2] + spread[0], box_xywh[:2] + box_xywh[2:] + spread[1]
    return np.r_[low, np.maximum(high - low, 4)]
