"""A single stationary camera as its own second and third view: the same vehicle at other times of its track.

    python -m models.occlusion_net.views --camera cam07 [--data-root data] [--manifests DIR]

Reads a camera's `reconstructed` vehicles, whose poses were fitted to detected keypoints, and detects keypoints in their
cutouts. Prints how many of the hidden keypoints two other views see, by how the vehicle moves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from calibration.camera import Camera
from data_manifest import CAMERAS, load_camera
from models.occlusion_net.trifocal import trifocal_loss
from models.occlusion_net.view_sets import Views, ViewSets, box_cameras, lens_at, to_box, view_sets
from models.topdown.keypoints import VehicleKeypoints, load_keypoints
from pipeline.core.storage import read_parts
from pipeline.core.tables import KEYPOINT_STATES
from pipeline.reconstruction.vehicles.stage import predict_keypoints

MIN_SCORE = 0.3
COVERED_DEG = 10.0  # narrower rays leave the depth too uncertain to call a point covered
_AT_ONCE = 512  # views whose pairs of other views are in memory
_STILL_M, _PASSING_DEG, _TURNING_DEG = 1.0, 15.0, 20.0
MOTIONS = ("standing", "approaching", "passing", "turning")


def views_of_camera(
    camera_dir: Path, camera: Camera, network: VehicleKeypoints | None = None, *, min_score: float = MIN_SCORE
) -> Views:
    """Views of the tracked vehicles of a camera's folder whose pose was fitted; `of` is the track, `row` the cutout.

    The keypoints are `network`'s, the one that ships by default; a visible one has a score of min_score or more.
    Raises FileNotFoundError without the job's tables, ValueError where no track has two fitted vehicles or no keypoint
    is visible.
    """
    fitted, cutouts = _fitted(camera_dir)
    frames = pq.read_table(camera_dir / "frames" / "index.parquet")
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
    xy = np.nan_to_num(to_box(found.xy, boxes))
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


def motions(views: Views) -> np.ndarray:
    """(N,) index of MOTIONS of each view's object, from where the camera's centres (N, 3) lie in its frame.

    Standing: they stay within a metre, or there is one view; approaching: their direction keeps within 15 degrees;
    turning: the object turns by more than 20 degrees in the camera; else passing.
    """
    direction, kinds = views.directions, np.zeros(len(views), np.int64)
    centres = -np.linalg.solve(views.cameras[..., :3], views.cameras[..., 3:])[..., 0]
    forward = views.cameras[..., :3] / np.linalg.norm(views.cameras[..., 2:, :3], axis=-1, keepdims=True)
    for track in np.unique(views.of):
        mine = views.of == track
        moved = np.ptp(centres[mine], axis=0).max()
        spread = np.degrees(np.arccos((direction[mine] @ direction[mine].T).clip(-1, 1).min()))
        # The optical axis's turn in the object's frame is the object's in the camera's.
        axis = forward[mine, 2]
        turned = np.degrees(np.arccos((axis @ axis.T).clip(-1, 1).min()))
        word = "turning" if turned > _TURNING_DEG else "passing" if spread > _PASSING_DEG else "approaching"
        kinds[mine] = MOTIONS.index("standing" if moved < _STILL_M else word)
    return kinds


def covered(views: Views, sets: ViewSets, min_angle_deg: float = COVERED_DEG) -> np.ndarray:
    """(N, 12) bool: hidden, and seen by two other views whose rays meet at min_angle_deg or more."""
    given = (views.xy, sets.cameras, sets.other_xy, sets.other_visible, views.hidden)
    parts = zip(*(torch.from_numpy(values).split(_AT_ONCE) for values in given), strict=True)
    with torch.no_grad():
        weights = [
            trifocal_loss(xy, cameras, other_xy, other_visible, hidden, min_angle_deg)[1]
            for xy, cameras, other_xy, other_visible, hidden in parts
        ]
    return torch.cat(weights).numpy() > 0


def coverage(views: Views, min_angle_deg: float = COVERED_DEG) -> Iterator[str]:
    """Lines of a table: share of the hidden keypoints that are covered, by motion, without and with mirrors."""
    plain, mirrored = (covered(views, view_sets(views, mirrors=m), min_angle_deg) for m in (False, True))
    kinds = motions(views)
    yield f"{'motion':12} {'vehicles':>8} {'hidden':>7} {'covered':>8} {'with mirrors':>13}"
    for name in ("all", *MOTIONS):
        rows = np.ones(len(views), bool) if name == "all" else kinds == MOTIONS.index(name)
        hidden = int(views.hidden[rows].sum())
        if hidden:
            shares = [c[rows].sum() / hidden for c in (plain, mirrored)]
            yield f"{name:12} {rows.sum():8} {hidden:7} {shares[0]:8.2f} {shares[1]:13.2f}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 and one line on what cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camera", required=True, help="its id in the manifest")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of the cameras' folders")
    parser.add_argument("--manifests", type=Path, default=CAMERAS, help="folder of the cameras' YAML files")
    parser.add_argument("--score", type=float, default=MIN_SCORE, help="least score of a visible keypoint")
    parser.add_argument("--angle", type=float, default=COVERED_DEG, help="least angle between two rays, degrees")
    options = parser.parse_args(arguments)
    folder = options.data_root / options.camera
    try:
        if not (folder / "reconstructed").is_dir():
            raise ValueError(f"{folder}: holds no reconstructed vehicles; run `luigi --module tasks "
                             f"ReconstructVehicles --camera {options.camera}`, or say --data-root")  # fmt: skip
        first = pq.read_table(folder / "frames" / "index.parquet", columns=["height", "width"]).slice(0, 1).to_pylist()
        camera, _ = load_camera(options.camera, options.manifests).calibrated((first[0]["height"], first[0]["width"]))
        for line in coverage(views_of_camera(folder, camera, min_score=options.score), options.angle):
            print(line)
    except (ValueError, OSError) as error:
        print(f"coverage: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
