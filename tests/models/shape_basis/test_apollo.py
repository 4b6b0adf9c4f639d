"""The 79 CAD meshes of ApolloCar3D as unseen cars; nothing that ships is fitted to them.

Their own frame, once x and y are negated as its users do, is x left, y up, z forward, metres. The keypoints of a mesh
are where rays through human clicks meet it in its annotated pose.
"""

import gzip
import json
import tarfile
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from models.shape_basis import load_bases
from models.shape_basis.envelope import resample

APOLLO = Path(__file__).resolve().parents[3].parent / "shared" / "real" / "apollo_cars"
pytestmark = pytest.mark.skipif(not APOLLO.is_dir(), reason="ApolloCar3D is not beside the repository")
# Which of the 66 points make each of the twelve: the hub, the mean of a lamp's corners, a corner of the wind- or rear
# screen. Right and left in turn.
OF_66 = ((50,), (7,), (37,), (20,), (54, 55, 56, 57), (0, 1, 2, 3), (31, 32, 34, 35), (22, 23, 25, 26), (49,), (8,),
         (33,), (24,))  # fmt: skip
K = np.array([[2304.548, 0, 1686.238], [0, 2305.876, 1354.985], [0, 0, 1]])
CAR = load_bases()["car"]


@cache
def meshes():
    """(vertices (V, 3), triangles (T, 3)) by name, in the vehicle frame."""
    found = {}
    with tarfile.open(APOLLO / "car_models_json_79.tar.gz") as archive:
        for member in archive.getmembers():
            if member.isfile():
                model = json.load(archive.extractfile(member))
                vertices = np.array(model["vertices"]) * (-1, -1, 1)
                found[Path(member.name).stem] = vertices[:, [2, 0, 1]], np.array(model["faces"]) - 1
    return found


def grounded(vertices):
    """What to add to bring the origin onto the ground under the centre."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return -np.array([(low[0] + high[0]) / 2, 0, low[2]])


@cache
def clicked():
    """(12, 3) keypoints in the vehicle frame, NaN where nobody clicked, by name."""
    import open3d as o3d

    names = {c["id"]: c["name"] for c in json.loads((APOLLO / "car_models.json").read_text())}
    points = defaultdict(lambda: [[] for _ in range(66)])
    with gzip.open(APOLLO / "apollo_val_keypoints_pose_give.json.gz") as file:
        annotations = json.load(file)["annotations"]
    scenes = {}
    for a in annotations:
        name = names[a["category_id"]]
        vertices, triangles = meshes()[name]
        if name not in scenes:
            scenes[name] = o3d.t.geometry.RaycastingScene(nthreads=1)
            scenes[name].add_triangles(
                o3d.core.Tensor.from_numpy(vertices.astype(np.float32)),
                o3d.core.Tensor.from_numpy(triangles.astype(np.uint32)),
            )
        seen = np.reshape(a["keypoints"], (66, 3))
        ids = np.flatnonzero(seen[:, 2])
        R = rotation(a["pose"][:3])
        p = np.c_[seen[ids, :2], np.ones(len(ids))]
        rays = np.c_[np.broadcast_to(-R.T @ a["pose"][3:], p.shape), p @ np.linalg.inv(K).T @ R][:, [2, 0, 1, 5, 3, 4]]
        hit = scenes[name].cast_rays(o3d.core.Tensor.from_numpy(rays.astype(np.float32)), nthreads=1)["t_hit"].numpy()
        for i, ray, t in zip(ids, rays, hit, strict=True):
            if np.isfinite(t):
                points[name][i].append(ray[:3] + t * ray[3:])
    return {name: twelve(of_66) + grounded(meshes()[name][0]) for name, of_66 in points.items()}


def rotation(angles):
    """R = Rz Ry Rx of (rx, ry, rz) radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ Ry @ Rx


def twelve(of_66):
    """Our twelve from the clicks (66 lists of points), the two sides pooled."""
    result = np.full((12, 3), np.nan)
    for k in range(0, 12, 2):
        corners = []
        for right, left in zip(OF_66[k], OF_66[k + 1], strict=True):
            both = [p * (1, -1, 1) for p in of_66[right]] + of_66[left]
            corners.append(np.median(both, axis=0) if both else np.full(3, np.nan))
        result[k + 1] = np.mean(corners, axis=0)
        result[k] = result[k + 1] * (1, -1, 1)
    return result


def fitted(vertices, triangles, rounds=6):
    """(shape (K,), skin (V, 3)) of a mesh: its own envelope, cut where the keypoints found so far say."""
    V = CAR.mesh_components.reshape(CAR.size, -1).T
    shape = np.zeros(CAR.size)
    for _ in range(rounds):
        skin = resample("car", vertices, triangles, CAR.keypoints(shape))
        offset = (skin - CAR.mesh_mean).ravel()
        shape = np.linalg.solve(V.T @ V / 0.05**2 / 20 + np.eye(CAR.size), V.T @ offset / 0.05**2 / 20)
    return shape, skin


def distances(points, vertices, triangles):
    """Metres from points (P, 3) to a surface."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices, np.float32)),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(triangles, np.uint32)),
    )
    return scene.compute_distance(o3d.core.Tensor.from_numpy(points.astype(np.float32)), nthreads=1).numpy()


@cache
def residuals():
    """Name: (length, median and RMS distance of the mesh's skin to the basis, both in metres, error of the length)."""
    table = {}
    for name, (vertices, triangles) in meshes().items():
        placed = vertices + grounded(vertices)
        shape, skin = fitted(placed, triangles)
        d = distances(skin, CAR.mesh(shape), CAR.triangles)
        length = float(np.ptp(placed[:, 0]))
        table[name] = length, float(np.median(d)), float(np.sqrt((d**2).mean())), CAR.dims_lwh_m(shape)[0] - length
    return table


def test_the_skin_of_all_79_lies_near_the_basis():
    length, median, rms, length_error = np.array(list(residuals().values())).T
    assert len(length) == 79
    assert np.median(median) < 0.045
    assert np.median(rms) < 0.075
    assert np.median(rms / length) < 0.017
    assert np.quantile(rms, 0.9) < 0.12
    assert np.median(np.abs(length_error)) < 0.04


def test_the_keypoints_that_people_clicked_lie_near_the_basis():
    """Up to what the two sets of keypoints mean: a lamp's mean corner lies behind its face, a screen's corner inside
    the pillar. That is one offset a keypoint, the median over all cars of what the fit to the skin leaves."""
    complete = {name: points for name, points in clicked().items() if np.isfinite(points).all()}
    assert len(complete) >= 25
    keypoints = np.stack(list(complete.values()))
    lengths = np.array([np.ptp(meshes()[name][0][:, 0]) for name in complete])
    skins = [fitted(vertices + grounded(vertices), triangles)[0] for vertices, triangles in map(meshes().get, complete)]
    meaning = np.median(keypoints - CAR.keypoints(np.stack(skins)), axis=0)
    for offset, bound_m, bound_share in ((meaning, 0.075, 0.017), (np.zeros_like(meaning), 0.15, 0.031)):
        shapes = np.stack([CAR.solve(points - offset, sigma_m=0.03) for points in keypoints])
        off = np.median(np.linalg.norm(CAR.keypoints(shapes) + offset - keypoints, axis=2), axis=1)
        assert np.median(off) < bound_m
        assert np.median(off / lengths) < bound_share
