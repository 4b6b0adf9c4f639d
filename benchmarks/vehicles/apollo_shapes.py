"""ApolloCar3D's CAD meshes as shapes never seen: where people's clicks lie on them, and how near the car basis comes.

Vehicle frame: x forward, y left, z up, metres, the origin on the ground under the centre.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from functools import cache

import numpy as np

from benchmarks.vehicles.apollo_cars import CAMERA, FOLDER, meshes, rotation
from models.shape_basis import load_bases
from models.shape_basis.envelope import resample

# Which of the 66 points make each of the twelve: the hub, the mean of a lamp's corners, a corner of the wind- or rear
# screen. Right and left in turn.
OF_66 = ((50,), (7,), (37,), (20,), (54, 55, 56, 57), (0, 1, 2, 3), (31, 32, 34, 35), (22, 23, 25, 26), (49,), (8,),
         (33,), (24,))  # fmt: skip
CAR = load_bases()["car"]


def grounded(vertices: np.ndarray) -> np.ndarray:
    """What to add to vertices (V, 3) to bring the origin onto the ground under the centre."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return -np.array([(low[0] + high[0]) / 2, 0, low[2]])


@cache
def clicked() -> dict[str, np.ndarray]:
    """(12, 3) keypoints by name of the mesh, NaN where nobody clicked."""
    import open3d as o3d

    names = {c["id"]: c["name"] for c in json.loads((FOLDER / "car_models.json").read_text())}
    points: dict[str, list[list[np.ndarray]]] = defaultdict(lambda: [[] for _ in range(66)])
    with gzip.open(FOLDER / "apollo_val_keypoints_pose_give.json.gz") as file:
        annotations = json.load(file)["annotations"]
    scenes = {}
    for a in annotations:
        name = names[a["category_id"]]
        if name not in scenes:
            scenes[name] = _scene(*meshes()[name])
        seen = np.reshape(a["keypoints"], (66, 3))
        ids = np.flatnonzero(seen[:, 2])
        R = rotation(a["pose"][:3])
        p = np.c_[seen[ids, :2], np.ones(len(ids))]
        origin = np.broadcast_to(-R.T @ a["pose"][3:], p.shape)
        rays = np.c_[origin, p @ np.linalg.inv(CAMERA.K).T @ R][:, [2, 0, 1, 5, 3, 4]]
        hit = scenes[name].cast_rays(o3d.core.Tensor.from_numpy(rays.astype(np.float32)), nthreads=1)["t_hit"].numpy()
        for i, ray, t in zip(ids, rays, hit, strict=True):
            if np.isfinite(t):
                points[name][i].append(ray[:3] + t * ray[3:])
    return {name: _twelve(of_66) + grounded(meshes()[name][0]) for name, of_66 in points.items()}


def _twelve(of_66: list[list[np.ndarray]]) -> np.ndarray:
    """Our twelve (12, 3) from the clicks, 66 lists of points, the two sides pooled."""
    result = np.full((12, 3), np.nan)
    for k in range(0, 12, 2):
        corners = []
        for right, left in zip(OF_66[k], OF_66[k + 1], strict=True):
            both = [p * (1, -1, 1) for p in of_66[right]] + of_66[left]
            corners.append(np.median(both, axis=0) if both else np.full(3, np.nan))
        result[k + 1] = np.mean(corners, axis=0)
        result[k] = result[k + 1] * (1, -1, 1)
    return result


def fitted(vertices: np.ndarray, triangles: np.ndarray, iterations: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """shape (K,) and skin (V, 3) of a mesh: its own envelope, divided where the keypoints found so far say."""
    V = CAR.mesh_components.reshape(CAR.size, -1).T
    shape = np.zeros(CAR.size)
    for _ in range(iterations):
        skin = resample("car", vertices, triangles, CAR.keypoints(shape))
        offset = (skin - CAR.mesh_mean).ravel()
        shape = np.linalg.solve(V.T @ V / 0.05**2 / 20 + np.eye(CAR.size), V.T @ offset / 0.05**2 / 20)
    return shape, skin


def distances(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Metres (P,) from points (P, 3) to a surface."""
    import open3d as o3d

    scene = _scene(vertices, triangles)
    return scene.compute_distance(o3d.core.Tensor.from_numpy(points.astype(np.float32)), nthreads=1).numpy()


def _scene(vertices: np.ndarray, triangles: np.ndarray):
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices, np.float32)),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(triangles, np.uint32)),
    )
    return scene


@cache
def residuals() -> dict[str, tuple[float, float, float, float]]:
    """By name: length, median and RMS distance of the mesh's skin to the basis, error of the length; all metres."""
    table = {}
    for name, (vertices, triangles) in meshes().items():
        placed = vertices + grounded(vertices)
        shape, skin = fitted(placed, triangles)
        d = distances(skin, CAR.mesh(shape), CAR.triangles)
        length = float(np.ptp(placed[:, 0]))
        table[name] = length, float(np.median(d)), float(np.sqrt((d**2).mean())), CAR.dims_lwh_m(shape)[0] - length
    return table
