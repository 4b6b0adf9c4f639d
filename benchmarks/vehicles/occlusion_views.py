"""What a stationary camera's own other views say of hidden keypoints, against exact truth, and what is learnt of them.

    python -m benchmarks.occlusion_views [--check] [--quick] [--data DIR] [--camera NAME] [--manifests DIR]
        [--weights FILE]

views: keypoints that the simulator hides, of fitted vehicles up to 60 m away: how many two other views see, how far the
point that those views transfer lies from the truth, and how far the keypoint network's own guess does.
detected: what ships of Occlusion-Net, in the boxes of the job's own detections of vehicles, of 40 pixels or more, that
overlap a true one by half: merged, truncated and shadowed ones among them.
learning: Occlusion-Net's graphs behind the baseline's heatmaps, taught by Car-render alone and by cam07's own vehicles
as well, without and with mirror views; measured on cam07's hidden points, whose truth trained nothing, and on another
day at its crossroads (of another --camera: on its own alone). No true place, pose or state of a vehicle is used
before it is measured.
whole: what ships on the same vehicles, and beside it the network of --weights, trained with --cameras cam07 say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

import models
from benchmarks.common.job import CHECKED_CAMERAS, MANIFESTS, Site, frame_size_hw
from benchmarks.common.report import Bar, Report, main
from benchmarks.common.truth import match, matched, truth_of
from benchmarks.vehicles.occlusion_net import crops_in
from calibration.camera import Camera, edge_to_pixel, pixel_to_edge
from models.geometry.boxes import box_matrix, from_box
from models.geometry.view_sets import Views, view_sets
from models.labels.views import UNKNOWN
from models.metrics.hidden_keypoints import VISIBLE, auc
from models.occlusion_net import BASELINE, SPEC, OcclusionNetSettings
from models.occlusion_net.data import TRAINING, RenderedViews, as_sample
from models.occlusion_net.evaluate import load_network
from models.occlusion_net.network import OcclusionNet
from models.occlusion_net.stack import Cached, GraphTraining, collect, fit_graphs, scores_of
from models.occlusion_net.trifocal import COVERED_DEG, covered, transfer
from models.occlusion_net.view_samples import ViewSamples, camera_patches, views_of_camera
from models.synthetic.car_views import read_views
from pipeline.core.frames import FrameReader
from pipeline.core.instances import Instances
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.storage import read_parts
from pipeline.core.tables import KEYPOINT_STATES

FARTHEST_M = 60.0
PCK_ALPHA = 0.1
HIDDEN = ("self_occluded", "occluded")
TAUGHT, OTHER_DAY = "cam07", Site("day07", MANIFESTS)
LEAST_GAIN = 0.05
_LAPS = 6  # shaken crops of each of the camera's vehicles
_SEED = 0
_EVERY_FRAMES, _LEAST_PX = 5, 40


@dataclass(frozen=True)
class Known:
    """A camera's views, hidden by truth, and the truth: pixels (N, 12, 2), states (N, 12), -1 for those that the border
    truncates, R (N, 3, 3)."""

    folder: Path
    camera: Camera
    views: Views
    pixels: np.ndarray
    state: np.ndarray
    R: np.ndarray


def known(camera_dir: Path, camera: Camera) -> Known:
    """Fitted vehicles of a camera's folder that are near enough."""
    truth, _ = matched(camera_dir, "vehicle", FARTHEST_M)
    views = views_of_camera(camera_dir, camera)
    views = views.at(np.isin(views.row, truth.index))
    rows = truth.loc[views.row]
    names = np.stack(rows["keypoint_state"].tolist())
    # What the picture's border truncates is neither seen nor hidden.
    state = np.where(names == "truncated", UNKNOWN, np.vectorize(KEYPOINT_STATES.index)(names))
    pixels, R = (
        np.stack(rows[name].tolist()).reshape(-1, *s)
        for name, s in (("keypoints_2d", (len(VEHICLE_12), 2)), ("R", (3, 3)))
    )
    return Known(camera_dir, camera, replace(views, hidden=np.isin(names, HIDDEN)), pixels, state, R)


def coverage(seen: Known) -> list[dict]:
    """Two rows: without and with mirror views."""
    views, hidden = seen.views, seen.views.hidden
    boxes = views.box_xywh[:, None]
    guess_px = np.linalg.norm(edge_to_pixel(from_box(views.xy, boxes)) - seen.pixels, axis=-1)
    side = views.box_xywh[:, 2:].max(axis=1)[:, None]
    found = []
    for mirrors in (False, True):
        sets = view_sets(views, mirrors=mirrors)
        cameras, other_xy, other_visible = map(torch.from_numpy, (sets.cameras, sets.other_xy, sets.other_visible))
        target, weight = (a.numpy() for a in transfer(cameras, other_xy, other_visible, COVERED_DEG))
        away = np.linalg.norm(edge_to_pixel(from_box(target, boxes)) - seen.pixels, axis=-1)
        known = covered(views, sets) & (weight > 0)
        row: dict = {"kind": "views", "name": seen.folder.name, "mirrors": mirrors, "vehicles": len(views)}
        row |= {"hidden": hidden.sum(), "covered": known.sum() / hidden.sum(), "transfer_px": _median(away[known])}
        for name, error in (("transfer", away / side), ("guess", guess_px / side)):
            row |= {f"{name}_fraction": _median(error[known]), f"{name}_pck": _mean(error[known] <= PCK_ALPHA)}
        found.append({name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()})
    return found


def detected(camera_dir: Path) -> dict:
    """A row of what ships behind the camera's detector, in some of the frames."""
    truth = truth_of(camera_dir)
    columns = ["frame_id", "category", "bbox_xywh", "mask_rle"]
    found = read_parts(camera_dir / "detections", columns=columns).to_pandas()
    some = np.unique(found["frame_id"])[::_EVERY_FRAMES]
    found = found[(found["category"] == "vehicle") & found["frame_id"].isin(some)].reset_index(drop=True)
    pairs = match(found, truth, frame_size_hw(camera_dir))
    large = np.array([max(box[2:]) >= _LEAST_PX for box in found["bbox_xywh"]], bool)
    alike = (truth["category"].reindex(pairs["truth_row"]) == "vehicle").to_numpy()
    good = large & (pairs["iou"].to_numpy() > 0.5) & alike
    found, rows = found[good], truth.loc[pairs["truth_row"][good]]
    boxes = np.stack(found["bbox_xywh"].tolist()).astype(float)
    frames = dict(FrameReader(pq.read_table(camera_dir / "frames" / "index.parquet"), camera_dir).read(some.tolist()))
    pictures = [frames[n] for n in found["frame_id"]]
    vehicles = Instances.joined(models.load("occlusion_net")(pictures, list(boxes)))
    true = np.stack(rows["keypoints_2d"].tolist()).reshape(-1, len(VEHICLE_12), 2)
    state = np.stack(rows["keypoint_state"].tolist())
    row: dict = {"kind": "detected", "name": camera_dir.name, "vehicles": len(boxes)}
    side = boxes[:, 2:].max(axis=1)
    return row | agreement(
        {"graph": vehicles["keypoints_2d"], "lifted": vehicles["wire_xy"]},
        vehicles["keypoint_visible"],
        true,
        state,
        side,
    )


def agreement(
    found: dict[str, np.ndarray], visible: np.ndarray, true: np.ndarray, state: np.ndarray, side: np.ndarray
) -> dict:
    """PCK of each method's keypoints (N, K, 2) by true state (N, K), and how often `visible` (N, K) is lower of a
    hidden keypoint than of a seen one; what is truncated counts nowhere. true (N, K, 2), side (N,) px."""
    row: dict = {}
    groups = {"visible": state == "visible", "hidden": np.isin(state, HIDDEN)}
    for method, xy in found.items():
        right = np.linalg.norm(xy - true, axis=-1) / side[:, None] <= PCK_ALPHA
        row |= {f"{method}_{name}": _mean(right[chosen]) for name, chosen in groups.items()}
    known = groups["visible"] | groups["hidden"]
    return row | {"graph_auc": auc(1 - visible[known], groups["hidden"][known])}


def encoded_views(seen: Known, heatmaps: OcclusionNet) -> Cached:
    """What heatmaps decode in the views' crops, with their truth."""
    samples = []
    rest = zip(
        camera_patches(seen.folder, seen.views), seen.views.box_xywh, seen.pixels, seen.state, seen.R, strict=True
    )
    for (image, corner), box, pixels, state, R in rest:
        sample = as_sample(image, np.r_[box[:2] - corner, box[2:]], pixel_to_edge(pixels) - corner, state)
        K = box_matrix(np.r_[edge_to_pixel(box[:2]), box[2:]]) @ seen.camera.K
        samples.append(sample | {"K": torch.from_numpy(K).float(), "R": torch.from_numpy(R).float()})
    cached = collect(heatmaps, samples, len(samples))
    return cached | {"instance": torch.from_numpy(seen.views.of)}


def learning(data: Path, tests: dict[str, Known], *, quick: bool) -> tuple[list[dict], list[Bar]]:
    """A row for each way to teach the graphs; only the first of `tests` teaches."""
    torch.set_num_threads(1)
    heatmaps, training = load_network(BASELINE), GraphTraining(steps=30 if quick else 1000)
    rendered = RenderedViews(read_views(crops_in(data, quick=quick) / "train"), _SEED, TRAINING, each=True)
    car_render = collect(heatmaps, rendered, len(rendered), workers=1)
    taught = next(iter(tests.values()))
    views = views_of_camera(taught.folder, taught.camera)
    patches = camera_patches(taught.folder, views)

    def name_of(mirrors: bool) -> str:
        return f"{taught.folder.name}'s own views{', mirrors' if mirrors else ''}"

    given: dict[str, Cached] = {"Car-render": car_render}
    for mirrors in (False, True):
        samples = ViewSamples(views, patches.__getitem__, _SEED, mirrors=mirrors)
        own = collect(heatmaps, samples, _LAPS * len(samples))
        given[f"Car-render and {name_of(mirrors)}"] = _in_equal_parts(car_render, own)
        given[f"{name_of(mirrors)} alone"] = own
    settings = OcclusionNetSettings(supervision="trifocal", edge_weight=1.0)
    tested = {name: encoded_views(seen, heatmaps) for name, seen in tests.items()}
    rows: list[dict] = []
    for name, cached in given.items():
        graphs = fit_graphs(settings, cached, training)
        row: dict = {"kind": "learning", "name": name}
        for camera, crops in tested.items():
            s = scores_of(graphs, crops)
            groups = {"hidden": s.state > VISIBLE, "visible": s.state == VISIBLE}
            row.update({f"{camera}_{group}": s.pck("graph", chosen) for group, chosen in groups.items()})
        rows.append(row)
    column, by_name = f"{taught.folder.name}_hidden", {row["name"]: row for row in rows}
    gain = by_name[f"Car-render and {name_of(True)}"][column] - by_name["Car-render"][column]
    return rows, [] if quick else [Bar(f"{column}: gained by own views with mirrors", gain, at_least=LEAST_GAIN)]


def whole(name: str, network: OcclusionNet, tests: dict[str, Known]) -> dict:
    """A row of a whole network on the tests' vehicles."""
    row: dict = {"kind": "whole", "name": name}
    for camera, seen in tests.items():
        s = scores_of(network.graphs, encoded_views(seen, network))
        row |= {f"{camera}_hidden": s.pck("graph", s.state > VISIBLE), f"{camera}_auc": s.auc("graph")}
        row |= {
            f"{camera}_visible": s.pck("graph", s.state == VISIBLE),
            f"{camera}_yaw_deg": float(np.median(s.yaw_deg)),
        }
    return row


def _in_equal_parts(first: Cached, second: Cached) -> Cached:
    """Both, the second as often as it takes to be as many, with what both have."""
    laps = -(-len(first["aspect"]) // len(second["aspect"]))
    return {name: torch.cat([first[name], *[second[name]] * laps]) for name in first if name in second}


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def report(quick: bool, data: Path, sites: Sequence[Site], weights: Path | None = None) -> Report:
    """The cameras, and another day at cam07's crossroads; the views' bars are those with mirrors."""
    found = {site.camera: known(site.job(data), site.calibrated(data)[0]) for site in sites}
    rows = [row for seen in found.values() for row in coverage(seen)]
    rows += [detected(seen.folder) for seen in found.values()]
    bars = [
        Bar(f"{row['name']} {name}", float(row[name]), **limit)
        for row in rows
        if row.get("mirrors") and not quick
        for name, limit in {"covered": {"at_least": 0.15}, "transfer_pck": {"at_least": 0.85}}.items()
    ]
    if TAUGHT in found:
        folder = OTHER_DAY.demand("ReconstructVehicles", data)
        found = {TAUGHT: found[TAUGHT], OTHER_DAY.camera: known(folder, OTHER_DAY.calibrated(data)[0])}
    more_rows, more_bars = learning(data, found, quick=quick)
    for name, path in {"what ships": SPEC.shipped, **({weights.parent.name: weights} if weights else {})}.items():
        more_rows.append(whole(name, load_network(path), found))
    return Report(rows + more_rows, bars + more_bars)


if __name__ == "__main__":
    main("occlusion_views", __doc__, report, cameras=CHECKED_CAMERAS, weights="a network to measure beside what ships")
