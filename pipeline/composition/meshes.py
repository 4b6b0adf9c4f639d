"""The solids that stand for objects: a fitted vehicle's or person's mesh, else the convex body of its kind in its size.

Camera frame, metres; triangles wind counter-clockwise seen from outside. Integer pixels are pixel centres, so a ray
through a projected vertex meets that vertex. Depth and normals of a scene are of its solids and the ground plane, the
nearest of both: what of the background is not the ground is not known and counts as ground; above the horizon there is
nothing. As pictures: depth in centimetres as 16-bit PNG, 0 none; normals n * 127.5 + 127.5 as RGB PNG, 0 0 0 none,
which no unit vector gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from models.shape_basis import ShapeBasis, load_bases
from pipeline.core import masks
from pipeline.core.mesh import cast, scene_of
from pipeline.reconstruction.shape_priors import KINDS, PERSON, Kind

if TYPE_CHECKING:
    from models.body_model import Body

_PLACE = ("R", "t", "dims_lwh_m")
_HULL = ("category", *_PLACE, "shape", "shape_basis")
_BODY = ("body_model", "smpl_theta", "smpl_beta", "smpl_transl")
COLUMNS = (*_HULL, *_BODY)
# Straight edges bend under the lens: an outline may leave the box of its projected vertices by so much of its size.
_BEND, _BEND_PX = 0.03, 2.0
_NEAR_M = 0.05  # a vertex nearer than this may project anywhere
_CM, _FARTHEST_CM = 100.0, 65535


@dataclass(frozen=True)
class Solid:
    """vertices (V, 3) metres in the camera frame, triangles (T, 3) int32, a closed surface."""

    vertices: np.ndarray
    triangles: np.ndarray


def solid(
    category: str,
    R: Sequence[float] | np.ndarray,
    t: Sequence[float] | np.ndarray,
    dims_lwh_m: Sequence[float] | np.ndarray,
    shape: Sequence[float] | np.ndarray | None = None,
    shape_basis: str | None = None,
) -> Solid:
    """The solid of one object, placed: X_cam = R X_obj + t.

    With `shape` (K,) of the basis `shape_basis` it is the basis' mesh, as large as its coefficients say; without, the
    convex body of a person, or of the kind of vehicle nearest in size, scaled to dims_lwh_m. Raises ValueError for an
    unknown basis or another number of coefficients.
    """
    if shape is None or shape_basis is None:
        kind = PERSON if category == "person" else nearest_kind(dims_lwh_m)
        points, triangles = kind.points * np.asarray(dims_lwh_m, float), _hull(kind.name)
    else:
        basis = _basis(shape_basis)
        points, triangles = basis.mesh(np.asarray(shape, float)), basis.triangles
    return Solid(points @ np.reshape(np.asarray(R, float), (3, 3)).T + np.asarray(t, float), triangles)


def person_solid(body: Body, theta: np.ndarray, beta: np.ndarray, transl: np.ndarray) -> Solid:
    """The surface of a body in a pose: theta (24, 3) radians with its orientation in the camera frame, beta (10,),
    transl (3,) metres, camera frame, as smplx has them."""
    import torch

    given = (torch.from_numpy(np.array(value, float))[None] for value in (theta, beta, transl))
    with torch.inference_mode():
        vertices = body(*given).vertices[0].numpy()
    return Solid(vertices, body.faces.astype(np.int32))


def solids(placed: pa.Table, body_file: Path | None = None) -> list[Solid | None]:
    """The solid of each row of a table with COLUMNS, as `solid_of` has it."""
    return [solid_of(row, body_file) for row in placed.select(COLUMNS).to_pylist()]


def solid_of(row: Mapping[str, Any], body_file: Path | None = None) -> Solid | None:
    """The solid of one row with COLUMNS; None where its place or size is not known.

    Bodies are those that ship, or of the user's body_file; a person with another body has the convex one.
    """
    if any(row[name] is None for name in _PLACE):
        return None
    fitted = all(row[name] is not None for name in _BODY)
    body = _body(row["body_model"], body_file) if fitted else None
    if body is None:
        return solid(**{name: row[name] for name in _HULL})
    return person_solid(body, np.reshape(row["smpl_theta"], (-1, 3)), row["smpl_beta"], row["smpl_transl"])


def nearest_kind(dims_lwh_m: Sequence[float] | np.ndarray) -> Kind:
    """The kind of vehicle whose typical size is nearest, in standard deviations of the logarithms of its sides."""
    size = np.log(np.asarray(dims_lwh_m, float))
    return min(KINDS, key=lambda kind: float((((size - np.log(kind.size_m)) / kind.spread) ** 2).sum()))


def silhouettes(placed: pa.Table, camera: Camera) -> list[str]:
    """COCO run-length string of the amodal silhouette, the part inside the frame, of each row of a table with COLUMNS.

    A pixel belongs to it iff the ray through its centre, the lens undone, meets the solid. Empty where the object's
    place is not known.
    """
    return [silhouette(body, camera) if body else _encode_empty(camera) for body in solids(placed)]


def silhouette(body: Solid, camera: Camera) -> str:
    """COCO run-length string of the pixels whose rays meet the solid."""
    x0, y0, x1, y1 = extent(body, camera)
    if x0 >= x1 or y0 >= y1:
        return _encode_empty(camera)
    seen = first_hits([body], camera.rays(pixel_grid(x0, y0, x1, y1))).depth_m > 0
    return masks.encode(seen, (x0, y0), camera.size_hw)


def extent(body: Solid, camera: Camera) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1: pixels of the frame, the last ones excluded, outside of which the solid is not seen."""
    height, width = camera.size_hw
    if (body.vertices[:, 2] <= _NEAR_M).all():
        return 0, 0, 0, 0
    if (body.vertices[:, 2] <= _NEAR_M).any():
        return 0, 0, width, height
    pixels = camera.project(body.vertices)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    room = _BEND_PX + _BEND * (high - low)
    (x0, y0), (x1, y1) = np.floor(low - room), np.ceil(high + room) + 1
    x0, x1 = np.clip([x0, x1], 0, width)
    y0, y1 = np.clip([y0, y1], 0, height)
    return int(x0), int(y0), int(x1), int(y1)


def pixel_grid(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """(y1 - y0, x1 - x0, 2) xy of the pixel centres of a rectangle."""
    return np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1).astype(float)


@dataclass(frozen=True)
class Hits:
    """Where rays (...,) first meet a solid: depth_m (...) along z, 0 for none; normals (..., 3) unit, towards the
    camera, 0 for none; number (...) of the solid, -1 for none."""

    depth_m: np.ndarray
    normals: np.ndarray
    number: np.ndarray


def first_hits(bodies: Sequence[Solid], rays: np.ndarray) -> Hits:
    """Where rays (..., 3) with z = 1 from the camera's centre first meet solids: their length is then a depth."""
    scene = scene_of([(body.vertices, body.triangles) for body in bodies])
    directions = np.asarray(rays, np.float32)
    found = cast(scene, np.zeros(3), directions, wanted=("t_hit", "primitive_normals", "geometry_ids"))
    depth, normals, number = found["t_hit"], found["primitive_normals"], found["geometry_ids"].astype(np.int64)
    hit = np.isfinite(depth)
    away = (normals * directions).sum(axis=-1, keepdims=True) > 0
    return Hits(
        np.where(hit, depth, 0.0),
        np.where(hit[..., None], np.where(away, -normals, normals), 0.0),
        np.where(hit, number, -1),
    )


class SceneGeometry:
    """Renders the scenes of one camera, whose rays and ground are found once."""

    def __init__(self, camera: Camera, plane: GroundPlane) -> None:
        height, width = camera.size_hw
        pixels = pixel_grid(0, 0, width, height)
        self.camera = camera
        self.rays = camera.rays(pixels).astype(np.float32)  # (H, W, 3), z = 1
        # z = -d / (n . K^-1 p): WALT3D section 3.
        ground = np.nan_to_num(plane.intersect(camera, pixels)[..., 2])  # 0 where none
        self.ground_m = ground.astype(np.float32)  # (H, W)
        self.ground_normals = np.where(ground[..., None] > 0, plane.n, 0.0).astype(np.float32)  # (H, W, 3)

    def render(self, bodies: Sequence[Solid]) -> tuple[np.ndarray, np.ndarray]:
        """float32 depth (H, W) metres, 0 none, and normals (H, W, 3) unit, towards the camera, 0 none."""
        depth, normals = self.ground_m.copy(), self.ground_normals.copy()
        near = np.zeros(self.camera.size_hw, bool)
        for body in bodies:
            x0, y0, x1, y1 = extent(body, self.camera)
            near[y0:y1, x0:x1] = True
        if not near.any():
            return depth, normals
        hits = first_hits(bodies, self.rays[near])
        ground = depth[near]
        # Wheels touch the ground: of two surfaces at one place the object's is the one that is seen.
        first = (hits.depth_m > 0) & ((ground == 0) | (hits.depth_m <= ground))
        depth[near] = np.where(first, hits.depth_m, ground)
        normals[near] = np.where(first[:, None], hits.normals, normals[near])
        return depth, normals


def depth_png(depth_m: np.ndarray) -> bytes:
    """16-bit PNG of depths (H, W) metres in centimetres; 0 for none and for what is beyond 655.35 m."""
    centimetres = np.rint(depth_m * _CM)
    return _png(np.where(centimetres <= _FARTHEST_CM, centimetres, 0).astype(np.uint16))


def normals_png(normals: np.ndarray) -> bytes:
    """8-bit RGB PNG of unit normals (H, W, 3) in the camera frame; 0 0 0 for none."""
    rgb = np.rint(normals * 127.5 + 127.5).astype(np.uint8)
    rgb[cv2.inRange(normals, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)) > 0] = 0
    return _png(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def _png(picture: np.ndarray) -> bytes:
    # Level 3 is a third of the time of the default and a tenth larger.
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def _encode_empty(camera: Camera) -> str:
    return masks.encode(np.zeros((0, 0), bool), (0, 0), camera.size_hw)


@lru_cache
def _hull(kind_name: str) -> np.ndarray:
    """Triangles of the convex hull of a kind's points, wound outwards."""
    from scipy.spatial import ConvexHull

    points = next(kind for kind in (PERSON, *KINDS) if kind.name == kind_name).points
    hull = ConvexHull(points)
    a, b, c = np.moveaxis(points[hull.simplices], 1, 0)
    inwards = (np.cross(b - a, c - a) * hull.equations[:, :3]).sum(axis=1) < 0
    return np.where(inwards[:, None], hull.simplices[:, ::-1], hull.simplices).astype(np.int32)


@lru_cache
def _bases() -> dict[str, ShapeBasis]:
    return load_bases()


def _basis(name: str) -> ShapeBasis:
    if name not in _bases():
        known = ", ".join(_bases())
        raise ValueError(f"shape_basis {name!r}: expected one of {known}; reconstruct with the shipped bases")
    return _bases()[name]


@lru_cache
def _body(name: str, file: Path | None) -> Body | None:
    """The body model of a name, the one that ships or the user's; None for a third one."""
    from models.body_model import load_body  # torch comes with it: loaded only where a person has a body

    files = [None, file] if file is not None and file.is_file() else [None]
    return next((body for body in map(load_body, files) if body.name == name), None)
