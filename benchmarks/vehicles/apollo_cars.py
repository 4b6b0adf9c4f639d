"""ApolloCar3D as the fit sees it: our twelve of its 66 clicked points, poses, CAD extents, and the points in 3D.

Frames: theirs, once x and y are negated, is x left, y up, z forward; ours x forward, y left, z up, on the ground under
the centre. R, t are of ours. Metres, pixels.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.common.job import REAL
from calibration.camera import Camera
from models.topdown.mapping import parse_map
from pipeline.core.mesh import cast, scene_of
from pipeline.core.skeletons import VEHICLE_12

FOLDER = REAL / "apollo_cars"
CAMERA = Camera(np.array([[2304.548, 0, 1686.238], [0, 2305.876, 1354.985], [0, 0, 1]]), (2710, 3384))
OF_66 = parse_map("apollocar3d", 66)
_THEIRS_FROM_OURS = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])


@dataclass(frozen=True)
class Cars:
    """N cars: cad (N,) names, xy (N, 12, 2), scores (N, 12), R (N, 3, 3), t (N, 3), dims (N, 3), and clicked
    (N, 12, 3): where rays through its own clicks meet its CAD mesh in its true pose, NaN where there is none."""

    cad: np.ndarray
    xy: np.ndarray
    scores: np.ndarray
    R: np.ndarray
    t: np.ndarray
    dims: np.ndarray
    clicked: np.ndarray

    def known(self, index: int) -> np.ndarray:
        """Keypoints (12, 3) of a car's CAD, both sides pooled, from clicks on other cars of it; NaN where nobody
        clicked."""
        others = (self.cad == self.cad[index]) & (np.arange(len(self.cad)) != index)
        return _pooled(self.clicked[others])


def read_cars(limit: int | None = None) -> Cars:
    """All cars, or the first so many."""
    names = {c["id"]: c["name"] for c in json.loads((FOLDER / "car_models.json").read_text())}
    with gzip.open(FOLDER / "apollo_val_keypoints_pose_give.json.gz") as file:
        annotations = json.load(file)["annotations"][:limit]
    rows = []
    for a in annotations:
        vertices, triangles = meshes()[names[a["category_id"]]]
        xy, scores = twelve(np.reshape(a["keypoints"], (66, 3)).astype(float))
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        ground = np.array([(low[0] + high[0]) / 2, 0.0, low[2]])
        R = rotation(a["pose"][:3]) @ _THEIRS_FROM_OURS
        t = R @ ground + a["pose"][3:6]
        clicked = _on_mesh(vertices - ground, triangles, xy, scores, R, t)
        rows.append((names[a["category_id"]], xy, scores, R, t, high - low, clicked))
    return Cars(*(np.stack(column) for column in zip(*rows, strict=True)))


@cache
def meshes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Vertices (V, 3) along our axes and triangles (T, 3) by name."""
    found = {}
    with tarfile.open(FOLDER / "car_models_json_79.tar.gz") as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.isfile() else None
            if file:
                model = json.load(file)
                vertices = np.array(model["vertices"]) * (-1, -1, 1) @ _THEIRS_FROM_OURS
                found[Path(member.name).stem] = vertices, np.array(model["faces"]) - 1
    return found


def twelve(of_66: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """xy (12, 2) and scores (12,) of clicks (66, 3); a lamp needs all its corners."""
    xy, clicked = OF_66.twelve(of_66[:, :2], of_66[:, 2])
    return xy, (clicked > 0).astype(float)


def rotation(angles: list[float]) -> np.ndarray:
    """R = Rz Ry Rx of rx, ry, rz radians."""
    return Rotation.from_euler("xyz", angles).as_matrix()


def _on_mesh(
    vertices: np.ndarray, triangles: np.ndarray, xy: np.ndarray, scores: np.ndarray, R: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """Keypoints (12, 3) where rays through pixels meet the mesh, NaN where they are missing or pass it."""
    direction = CAMERA.rays(xy) @ R
    origin = np.broadcast_to(-R.T @ t, direction.shape)
    reach = cast(scene_of([(vertices, triangles)]), origin, direction)["t_hit"][:, None].astype(float)
    hit = np.isfinite(reach) & (scores[:, None] > 0)
    return np.where(hit, origin + np.where(hit, reach, 0) * direction, np.nan)


def _pooled(points: np.ndarray) -> np.ndarray:
    """Medians (12, 3) of keypoints (M, 12, 3), each side mirrored onto the other."""
    left = np.concatenate([points[:, 1::2], points[:, 0::2] * (1, -1, 1)])
    both = np.full((len(VEHICLE_12), 3), np.nan)
    if len(points):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # points that nobody clicked stay NaN
            both[1::2] = np.nanmedian(left, axis=0)
    both[0::2] = both[1::2] * (1, -1, 1)
    return both
