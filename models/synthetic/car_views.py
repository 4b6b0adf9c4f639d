"""Car-render (Occlusion-Net, section 4.1): vehicles of the fleet, each seen by cameras on an icosphere around it.

Sprites as the vehicle keypoint network's, with the camera of each: x_sprite ~ K (R X + t) in edge pixels, X metres in
the vehicle's frame. Directions are a level 5 icosphere's vertices that look down by 2 to 60 degrees: street cameras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from models.synthetic.plans import SEEN, UNSEEN, ViewJob
from models.synthetic.sprites import SIDE_PX, Placed, Sprite, render_sprite, sample_illumination, sampled_vehicle
from models.synthetic.vehicle_shards import (
    BACKDROP,
    SCHEMA,
    VehicleLibrary,
    backdrop_rows,
    backdrops_of,
    read_rows,
    render_passers_by,
    sprite_of,
    sprite_row,
    write_shard,
)
from pipeline.core.skeletons import VEHICLE_12
from pipeline.simulate.vehicles.fleet import Vehicle

_LEVEL = 5
_ELEVATION_DEG = (2.0, 60.0)
_FOCAL_PX = (600.0, 2400.0)
_DISTANCE = (1.3, 10.0)  # lengths of the vehicle
_SIZE_HW = (720, 1280)


@dataclass(frozen=True)
class CarView:
    """A sprite of a vehicle and how it was seen: K (3, 3) of the sprite's edge px, R (3, 3) and t (3,) camera from
    vehicle, points (12, 3) its keypoints in metres; instance: one number for every view of one vehicle."""

    sprite: Sprite
    instance: int
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class CarViews:
    """The views of one split, all of one vehicle together, and the library to compose them with."""

    views: Sequence[CarView]
    library: VehicleLibrary


@cache
def directions() -> np.ndarray:
    """(D, 3) unit vectors from the vehicle to the cameras."""
    import trimesh

    vertices = np.asarray(trimesh.creation.icosphere(_LEVEL).vertices)
    elevation = np.degrees(np.arcsin(vertices[:, 2] / np.linalg.norm(vertices, axis=1)))
    return vertices[(elevation >= _ELEVATION_DEG[0]) & (elevation <= _ELEVATION_DEG[1])]


def place_on_sphere(vehicle: Vehicle, rng: np.random.Generator) -> Placed:
    """A camera somewhere on the icosphere, at a random focal length and distance, that looks nearly at the vehicle."""
    focal = np.exp(rng.uniform(*np.log(_FOCAL_PX)))
    distance = max(vehicle.dims_lwh_m) * np.exp(rng.uniform(*np.log(_DISTANCE)))
    direction = directions()[rng.integers(len(directions()))]
    elevation, middle = np.arcsin(direction[2]), 0.5 * vehicle.dims_lwh_m[2]
    aside, above = np.clip(rng.normal(0, 0.3, 2), -0.8, 0.8) * np.arctan(0.5 * np.array(_SIZE_HW[::-1]) / focal)
    K = np.array([[focal, 0, _SIZE_HW[1] / 2 - 0.5], [0, focal, _SIZE_HW[0] / 2 - 0.5], [0, 0, 1]])
    height = middle + distance * direction[2]
    plane = GroundPlane.from_tilt(float(np.degrees(elevation + above)), rng.normal(0, 2.0), height)
    forward = plane.R_cam_world.T @ np.array([0.0, 0.0, 1.0])
    bearing = np.arctan2(forward[1], forward[0]) + aside
    away = np.array([np.cos(bearing), np.sin(bearing), 0.0])
    yaw = bearing + np.pi - np.arctan2(direction[1], direction[0])
    cos, sin = np.cos(yaw), np.sin(yaw)
    R = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    return Placed(Camera(K, _SIZE_HW), plane, R, away * distance * np.cos(elevation))


def render_view(body: str, seed: int, vehicle: Vehicle, instance: int, rng: np.random.Generator) -> CarView:
    """One picture of a vehicle."""
    place = place_on_sphere(vehicle, rng)
    sprite = render_sprite(body, seed, vehicle.mesh, vehicle.keypoints, place, sample_illumination(rng), rng)
    low, high = place.extent(vehicle.mesh)
    zoom = SIDE_PX / float((high - low).max())
    to_sprite = np.array([[zoom, 0, zoom * (0.5 - low[0])], [0, zoom, zoom * (0.5 - low[1])], [0, 0, 1]])
    R_cam_world, t_cam_world = place.plane.T_cam_world[:3, :3], place.plane.T_cam_world[:3, 3]
    return CarView(
        sprite, instance, to_sprite @ place.camera.K,
        R_cam_world @ place.R, R_cam_world @ place.t + t_cam_world, vehicle.keypoints,
    )  # fmt: skip


def render_views(job: ViewJob) -> int:
    """Render one shard of views, people and backdrops and write it; its number of rows."""
    return write_shard(job, VIEW_SCHEMA, lambda rng: _rows_of_views(job, rng))


def _rows_of_views(job: ViewJob, rng: np.random.Generator) -> Iterator[dict]:
    yield from map(_view_row, _views(job, rng))
    yield from map(sprite_row, render_passers_by(job.first_seed, max(1, job.count // 3), rng))
    yield from backdrop_rows(max(2, job.count // 3), rng)


def _views(job: ViewJob, rng: np.random.Generator) -> Iterator[CarView]:
    """Every body type of the split equally often, all views of a vehicle in its own paint."""
    bodies = (UNSEEN if job.split == "unseen" else SEEN)[job.fleet]
    for number in range(job.count):
        seed, body = job.first_seed + number, bodies[(job.index + number) % len(bodies)]
        vehicle = sampled_vehicle(job.fleet, body, seed, rng)
        for _ in range(job.views):
            yield render_view(body, seed, vehicle, seed, rng)


_F64S = pa.list_(pa.float64())
VIEW_SCHEMA = pa.schema([*SCHEMA, ("instance", pa.int64()), *((name, _F64S) for name in ("K", "R", "t", "points"))])


def _view_row(view: CarView) -> dict:
    arrays = {name: getattr(view, name).reshape(-1) for name in ("K", "R", "t", "points")}
    return {**sprite_row(view.sprite), "instance": view.instance, **arrays}


def read_views(folder: Path) -> CarViews:
    """All shards of one split's folder, decoded into memory; raises FileNotFoundError where there is none."""
    rows = read_rows(folder, "RenderCarViews")
    backdrops = backdrops_of(rows)
    people = [sprite_of(row) for row in rows if row["kind"] == "person"]
    views = [_view_of(row) for row in rows if row["kind"] not in (BACKDROP, "person")]
    views.sort(key=lambda view: view.instance)  # stable
    return CarViews(views, VehicleLibrary([view.sprite for view in views], people, backdrops))


def _view_of(row: dict) -> CarView:
    shapes = {"K": (3, 3), "R": (3, 3), "t": (3,), "points": (len(VEHICLE_12), 3)}
    arrays = [np.array(row[name]).reshape(shape) for name, shape in shapes.items()]
    return CarView(sprite_of(row), row["instance"], *arrays)
