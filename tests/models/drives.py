"""A projected car: the basis's mean shape drives past and turns before a camera at 6 m height; and a folder of it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from models.contract import OwnCamera
from models.geometry.boxes import to_box
from models.geometry.view_sets import Views, box_cameras
from models.shape_basis import ShapeBasis, load_bases
from models.topdown.keypoints import Keypoints
from pipeline.core.tables import CUTOUTS, FRAMES, RECONSTRUCTED
from pipeline.reconstruction.shape_priors import states_alone


@dataclass(frozen=True)
class Drive:
    """N moments of one car: poses, pixels (N, 12, 2), boxes (N, 4) and which keypoints its own body leaves visible."""

    camera: Camera
    basis: ShapeBasis
    shape: np.ndarray
    R: np.ndarray
    t: np.ndarray
    pixels: np.ndarray
    box_xywh: np.ndarray
    visible: np.ndarray

    def views(self) -> Views:
        n = len(self.t)
        cameras = box_cameras(self.R, self.t, self.camera.K, self.box_xywh)
        xy = to_box(pixel_to_edge(self.pixels), self.box_xywh[:, None])
        return Views(np.zeros(n, int), cameras, xy, self.visible, ~self.visible, self.box_xywh, np.arange(n))


def drive(
    xy_m: np.ndarray,
    yaw: np.ndarray,
    shape: np.ndarray | None = None,
    lens: np.ndarray | None = None,
    focal: float = 1400.0,
) -> Drive:
    """A car at places (N, 2) of the ground, camera at the origin looking along y, with headings (N,)."""
    K = np.array([[focal, 0, 640], [0, focal, 360], [0, 0, 1]])
    camera = Camera(K, (720, 1280)) if lens is None else Camera(K, (720, 1280), lens)
    plane, basis = GroundPlane.from_tilt(12.0, 0.0, 6.0), load_bases()["car"]
    shape = np.zeros(basis.size) if shape is None else shape
    placed = [plane.pose(place, turn) for place, turn in zip(xy_m, yaw.tolist(), strict=True)]
    R, t = (np.stack(part) for part in zip(*placed, strict=True))
    points = basis.keypoints(shape)
    pixels = camera.project(points @ R.transpose(0, 2, 1) + t[:, None])
    edges = pixel_to_edge(pixels)
    size = np.ptp(edges, axis=1)
    boxes = np.concatenate([edges.min(axis=1) - 0.05 * size, 1.1 * size], axis=1)
    centres = -np.einsum("nji,nj->ni", R, t)
    visible = (
        states_alone("vehicle", np.tile(points, (len(t), 1, 1)), centres, np.zeros_like(pixels), camera.size_hw) == 0
    )
    return Drive(camera, basis, shape, R, t, pixels, boxes, visible)


def drive_past() -> Drive:
    """Past the camera from left to right, then turning away."""
    along = np.linspace(-9, 9, 7)
    return drive(np.column_stack([along, np.full(7, 22.0)]), np.linspace(0.0, 1.2, 7))


class Detector:
    """Finds the projected keypoints of each box, with a pixel of noise."""

    def __init__(self, seen: Drive, score: float = 0.9) -> None:
        self.seen, self.score = seen, score

    def predict(self, images, boxes_xywh, progress=None) -> Keypoints:
        away = np.abs(boxes_xywh[:, None] - self.seen.box_xywh).sum(axis=2)
        rows = away.argmin(axis=1)
        assert away.min(axis=1).max() < 0.01 and all(image.shape == (720, 1280, 3) for image in images)
        noise = np.random.default_rng(0).normal(0, 1.0, (len(rows), 12, 2))
        state = np.where(self.seen.visible[rows], 0, 1)
        return Keypoints(self.seen.pixels[rows] + noise, np.full(state.shape, self.score), 1.0 + 0 * state, state)


def _table(schema: pa.Schema, rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=schema)


def write_drive(folder: Path, seen: Drive) -> Path:
    """A camera's folder of the drive as track 4, and of what must be left out: a person, a failed fit, an untracked
    vehicle. Every picture is black but for a white spot at each of the car's keypoints."""
    frames, cutouts, fitted = [], [], []
    (folder / "frames").mkdir()
    for i, pixels in enumerate(seen.pixels):
        picture = np.zeros((720, 1280, 3), np.uint8)
        for x, y in np.round(pixels).astype(int).tolist():
            cv2.circle(picture, (x, y), 4, (255, 255, 255), -1)
        cv2.imwrite(str(folder / "frames" / f"{i}.png"), picture)
        frame = {"frame_id": i, "source": f"frames/{i}.png", "position": -1, "status": "ok"}
        frames.append(frame | {"width": 1280, "height": 720})
        box = seen.box_xywh[i].tolist()
        cutouts.append({"cutout_id": 10 + i, "frame_id": i, "category": "vehicle", "bbox_xywh": box})
        pose = {"R": seen.R[i].ravel().tolist(), "t": seen.t[i].tolist(), "fit_ok": True, "shape_basis": "car"}
        row = {"cutout_id": 10 + i, "track_id": 4, "frame_id": i, "category": "vehicle"} | pose
        fitted.append(row)
    fitted += [row | {"category": "person"}, row | {"fit_ok": False}, row | {"track_id": -1}]
    for name, schema, rows in (("cutouts", CUTOUTS, cutouts[::-1]), ("reconstructed", RECONSTRUCTED, fitted)):
        (folder / name).mkdir()
        pq.write_table(_table(schema, rows), folder / name / "part-00000.parquet")
    pq.write_table(_table(FRAMES, frames), folder / "frames" / "index.parquet")
    return folder


def own_camera(folder: Path, seen: Drive, manifests: Path, score: float = 0.9) -> OwnCamera:
    """The camera of a drive's folder, whose YAML is written among `manifests`."""
    (fx, _, cx), (_, _, cy), _ = seen.camera.K.tolist()
    lines = ["source:", "  kind: images", f"  folder: {folder / 'frames'}", "  time_pattern: '%Y'", "  time_zone: UTC"]
    lines += [
        "calibration:",
        f"  focal_px: {fx}",
        f"  principal_point: [{cx}, {cy}]",
        "  tilt_deg: 12",
        "  height_m: 6",
    ]
    lines += ["buckets:", "  - {name: day, start: '00:00', end: '23:59'}"]
    manifests.mkdir(parents=True, exist_ok=True)
    (manifests / "drive.yaml").write_text("\n".join(lines))
    return OwnCamera(folder, "drive", manifests, lambda: Detector(seen, score))
