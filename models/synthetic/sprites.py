"""Vehicles and people rendered one at a time, segmented, with what networks have to learn about them.

A sprite's longer side is SIDE_PX whatever its size in the imagined camera; its pixel coordinates are COCO edges.
Radiance is linear RGB until `tone`; images are RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import open3d as o3d

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from pipeline.core.mesh import LIT_COLOURS, Lamp, Mesh, blocked, cast, scene_of
from pipeline.core.skeletons import VEHICLE_12
from pipeline.simulate.vehicles.fleet import Vehicle
from pipeline.simulate.vehicles.fleets import fleet_named
from pipeline.simulate.world.illumination import Illumination, illumination_at
from pipeline.simulate.world.stage import dot, fresnel, reflected, sample_surroundings, surface, unit
from pipeline.simulate.world.texture import cell_noise, fractal

SIDE_PX = 176  # nearly twice what the network sees of a vehicle, so that shrinking it smooths its edges
GROUND_CELLS = 48  # the illumination of the ground is kept at this many cells a side
GROUND_MARGIN = 0.5  # of SIDE_PX, how far around the sprite the ground is illuminated
SKIN_M = 0.10  # a keypoint may lie this deep below the surface and still be seen, as in the simulator's truth
_SIZE_HW = (720, 1280)


@dataclass(frozen=True)
class Sprite:
    """One segmented rendering.

    kind: a body type of the fleet, or "person"; rgb (h, w, 3) uint8; alpha (h, w) bool; ground (G, G, 2) uint8,
    fraction of sun and of sky that reaches the ground in and around the sprite; keypoints (12, 2) edge px, NaN for
    people; self_hidden (12,) bool; natural_px: its longer side in the imagined camera; px_per_m at its place; sun and
    sky (3,): illumination of open ground, after exposure.
    """

    kind: str
    seed: int
    rgb: np.ndarray
    alpha: np.ndarray
    ground: np.ndarray
    keypoints: np.ndarray
    self_hidden: np.ndarray
    natural_px: float
    px_per_m: float
    sun: np.ndarray
    sky: np.ndarray

    @property
    def rgba(self) -> np.ndarray:
        """(h, w, 4) uint8."""
        return np.dstack([self.rgb, self.alpha.view(np.uint8) * np.uint8(255)])


@dataclass(frozen=True)
class Placed:
    """A camera over a ground plane, and the pose in the world of what stands before it."""

    camera: Camera
    plane: GroundPlane
    R: np.ndarray  # world from object
    t: np.ndarray

    @property
    def eye(self) -> np.ndarray:
        """(3,) the camera in the object's frame."""
        return (np.array([0.0, 0.0, self.plane.d]) - self.t) @ self.R

    def project(self, points: np.ndarray) -> np.ndarray:
        """Edge pixels (..., 2) of points (..., 3) in the object's frame."""
        return pixel_to_edge(self.camera.project(self.plane.to_camera(points @ self.R.T + self.t)))

    def extent(self, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest edge pixel (2,) of a mesh in the object's frame: its sprite's corners."""
        corners = self.project(mesh.vertices)
        return corners.min(axis=0), corners.max(axis=0)

    def rays(self, edge_xy: np.ndarray) -> np.ndarray:
        """Directions (N, 3), of camera depth 1, in the object's frame through edge pixels (N, 2)."""
        return (self.camera.rays(edge_xy - 0.5) @ (self.plane.R_cam_world @ self.R)).astype(np.float32)


def sample_place(rng: np.random.Generator, reach_m: float) -> Placed:
    """A street camera 4 to 14 m up, and an object anywhere in its picture, turned anyhow, at least reach_m away."""
    focal = rng.uniform(700, 1600)
    K = np.array([[focal, 0, _SIZE_HW[1] / 2 - 0.5], [0, focal, _SIZE_HW[0] / 2 - 0.5], [0, 0, 1]])
    camera = Camera(K, _SIZE_HW)
    while True:
        plane = GroundPlane.from_tilt(rng.uniform(4, 38), rng.normal(0, 1.5), rng.uniform(4, 14))
        pixel = rng.uniform([0, 0], [_SIZE_HW[1], _SIZE_HW[0]])
        ground = plane.intersect(camera, pixel)
        # Far places fill most of a picture; thinned so that near ones, large in the picture, are as frequent.
        if np.isfinite(ground).all() and plane.d + reach_m < np.linalg.norm(ground) < 15 + 80 * rng.uniform():
            break
    yaw = rng.uniform(-np.pi, np.pi)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return Placed(camera, plane, np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]]), plane.to_world(ground))


def sample_illumination(rng: np.random.Generator) -> Illumination:
    """Sun and sky of some moment somewhere: mostly by day, one in eight at dusk or dark."""
    hour = rng.uniform(7, 19) if rng.uniform() < 0.875 else rng.uniform(19, 22)
    moment = datetime(2024, int(rng.integers(1, 13)), 15, int(hour), int(60 * (hour % 1)))
    illumination = illumination_at(moment, rng.uniform(20, 58), rng.uniform(0, 360), float(rng.beta(0.6, 0.8)))
    return replace(illumination, exposure=illumination.exposure * np.exp(rng.normal(0, 0.25)))


def sampled_vehicle(fleet: str, body: str, seed: int, rng: np.random.Generator) -> Vehicle:
    """A vehicle of a fleet to render; the plain fleet's are repainted, for its paints are few."""
    vehicle = fleet_named(fleet).make(body, seed)
    return repainted(vehicle, rng) if fleet == "plain" else vehicle


def repainted(vehicle: Vehicle, rng: np.random.Generator) -> Vehicle:
    """The vehicle in a colour of any hue, or with its own paint; one in ten has its trim and glass changed too."""
    mesh, choice = vehicle.mesh, rng.uniform()
    albedo = mesh.albedo.copy()
    if choice < 0.4:
        _, which, count = np.unique(albedo, axis=0, return_inverse=True, return_counts=True)
        paint = which.reshape(-1) == count.argmax()
        albedo[paint] = rng.uniform(0.01, 0.75) * rng.uniform(0.15, 1.0, 3)
    if choice > 0.9:
        albedo = albedo * rng.uniform(0.5, 2.5, 3) + rng.uniform(0, 0.06)
    return replace(vehicle, mesh=replace(mesh, albedo=np.clip(albedo, 0.004, 0.9).astype(np.float32)))


def tone(linear: np.ndarray) -> np.ndarray:
    """uint8 display values of linear radiance: a film's shoulder, then the display's gamma."""
    return np.round(255 * (1 - np.exp(-1.5 * np.maximum(linear, 0))) ** (1 / 2.2)).astype(np.uint8)


@dataclass(frozen=True)
class Traced:
    """What rays from a place meet of a mesh that fills its picture.

    scene: the mesh alone; low (2,) and natural: top left corner and longer side in the place's own camera, pixels;
    zoom: the picture's pixels for each of them; rays (h * w, 3); hits (h * w, ...) by the ray caster's names.
    """

    scene: o3d.t.geometry.RaycastingScene
    low: np.ndarray
    natural: float
    zoom: float
    size_wh: tuple[int, int]
    rays: np.ndarray
    hits: dict[str, np.ndarray]

    @property
    def alpha(self) -> np.ndarray:
        """(h * w,) bool: rays that meet it."""
        return np.isfinite(self.hits["t_hit"])


def traced(mesh: Mesh, place: Placed, side_px: float) -> Traced:
    """A mesh, in its own frame, seen from a place in a picture whose longer side is side_px."""
    low, high = place.extent(mesh)
    natural = float((high - low).max())
    zoom = side_px / natural
    width, height = (int(n) for n in np.ceil(zoom * (high - low)))
    scene = scene_of([mesh.geometry])
    rays = place.rays(pixel_centres(width, height) / zoom + low)
    return Traced(scene, low, natural, zoom, (width, height), rays, cast(scene, place.eye, rays))


def render_sprite(
    kind: str,
    seed: int,
    mesh: Mesh,
    keypoints: np.ndarray,
    place: Placed,
    illumination: Illumination,
    rng: np.random.Generator,
) -> Sprite:
    """Render a mesh, metres in the object's frame, with its keypoints (12, 3) or (0, 3)."""
    seen = traced(mesh, place, SIDE_PX)
    scene, alpha, low, zoom, (width, height) = seen.scene, seen.alpha, seen.low, seen.zoom, seen.size_wh
    sun_dir = illumination.sun_dir @ place.R  # into the object's frame
    linear = np.zeros((width * height, 3), np.float32)
    hits = {name: values[alpha] for name, values in seen.hits.items()}
    linear[alpha] = shaded(mesh, scene, place, illumination, seen.rays[alpha], hits, rng)
    white = illumination.exposure * illumination.white
    points, hidden = np.full((len(VEHICLE_12), 2), np.nan), np.zeros(len(VEHICLE_12), bool)
    if len(keypoints):
        points, hidden = zoom * (place.project(keypoints) - low), self_hidden(scene, place.eye, keypoints)
    return Sprite(
        kind, seed,
        tone(linear * white).reshape(height, width, 3), alpha.reshape(height, width),
        ground_around(mesh, scene, place, illumination, sun_dir, low, zoom, (width, height)),
        points, hidden, seen.natural,
        float(place.camera.K[0, 0] / place.plane.to_camera(place.t)[2]),
        illumination.sun * max(float(illumination.sun_dir[2]), 0.0) * white, illumination.sky * white,
    )  # fmt: skip


def self_hidden(scene: o3d.t.geometry.RaycastingScene, eye: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(N,) whether the object's own surface hides keypoints (N, 3) from the eye (3,), all in the object's frame."""
    towards = keypoints - eye
    return cast(scene, eye, towards)["t_hit"] < 1 - SKIN_M / np.linalg.norm(towards, axis=1)


def pixel_centres(width: int, height: int) -> np.ndarray:
    """(h * w, 2) edge coordinates of pixel centres."""
    xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([xs, ys], axis=-1).reshape(-1, 2)


def shaded(
    mesh: Mesh,
    scene: o3d.t.geometry.RaycastingScene,
    place: Placed,
    illumination: Illumination,
    rays: np.ndarray,
    hits: dict[str, np.ndarray],
    rng: np.random.Generator,
    casters: Sequence[tuple[o3d.t.geometry.RaycastingScene, Placed]] = (),
) -> np.ndarray:
    """(N, 3) linear colour at hits of rays (N, 3): paint under sun and sky, clear coat, the sun's glint, lamps.

    casters: what else stands in the sun, each in its own frame.
    """
    sun_dir = illumination.sun_dir @ place.R  # into the object's frame
    triangle, normal = surface(mesh, hits)
    points = (place.eye + rays * hits["t_hit"][:, None]).astype(np.float32)
    view_dir = unit(rays.astype(np.float32))
    normal *= np.where(dot(normal, view_dir) > 0, np.float32(-1), np.float32(1))[:, None]
    sun = np.clip(normal @ sun_dir, 0, None)
    if illumination.sun.any():
        lit = np.flatnonzero(sun > 0)
        sun[lit] *= ~blocked(scene, points[lit] + 0.02 * normal[lit], sun_dir, 1)
        for other, at in casters:
            world = points[lit] @ place.R.T + place.t
            sun[lit] *= ~blocked(other, (world - at.t) @ at.R, illumination.sun_dir @ at.R, 1)
    albedo = mesh.albedo[triangle] * _texture(points, rng)
    gloss = mesh.gloss[triangle] * np.float32(rng.uniform(0.3, 1.2))
    low = np.clip(points[:, 2] / 0.55, 0, 1)
    around = illumination.ambient(normal) * (0.45 + 0.55 * low)[:, None]
    world_view, world_normal = view_dir @ place.R.T, normal @ place.R.T
    coat = gloss * fresnel(view_dir, normal)
    surroundings = sample_surroundings(rng)
    glint = gloss * np.clip(dot(unit(sun_dir - view_dir), normal), 0, 1) ** 220 * 3.0 * (sun > 0)
    colour = albedo * (sun[:, None] * illumination.sun + around) + glint[:, None] * illumination.sun
    return (
        colour
        + coat[:, None] * reflected(illumination, world_view, world_normal, surroundings)
        + _glow(mesh.lamp[triangle], illumination, rng)
    )


def _texture(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 1) or (N, 3) factor on the paint: dirt on most, now and then a pattern of rectangles or blots."""
    side = points @ rng.normal(size=(3, 2)).astype(np.float32)
    seed, choice = int(rng.integers(1 << 20)), rng.uniform()
    dirt = 1 + rng.uniform(0, 0.3) * (fractal(side, 0.8, seed, 2) - 0.5)
    if choice < 0.10:
        blocks = cell_noise(points[:, [0, 2]], (rng.uniform(0.3, 2.0), rng.uniform(0.2, 1.0)), seed)
        return dirt[:, None] * np.where(blocks[:, None] < 0.3, rng.uniform(0.2, 2.5, 3), 1.0).astype(np.float32)
    if choice < 0.16:
        return dirt[:, None] * (0.4 + 1.4 * fractal(side, rng.uniform(0.3, 1.5), seed + 9, 3))[:, None]
    return dirt[:, None]


def _glow(lamp: np.ndarray, illumination: Illumination, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) emission of the vehicle's own lamps, each kind on or off."""
    power = rng.uniform(0.6, 3.0)
    on = {
        Lamp.HEADLIGHT: ((1.0, 0.95, 0.82), illumination.lamps or rng.uniform() < 0.25),
        Lamp.TAIL_LIGHT: ((0.75, 0.02, 0.015), illumination.lamps or rng.uniform() < 0.15),
        Lamp.BRAKE_LIGHT: ((1.0, 0.03, 0.02), rng.uniform() < 0.3),
        Lamp.INDICATOR_LEFT: ((1.0, 0.45, 0.03), rng.uniform() < 0.1),
        Lamp.INDICATOR_RIGHT: ((1.0, 0.45, 0.03), rng.uniform() < 0.1),
        **{kind: (colour, True) for kind, colour in LIT_COLOURS.items()},
    }
    glow = np.zeros((len(lamp), 3), np.float32)
    for kind, (colour, lit) in on.items():
        if lit:
            glow[lamp == kind] = power * np.array(colour)
    return glow


def ground_around(mesh, scene, place, illumination, sun_dir, low, zoom, size_wh, side_px: int = SIDE_PX) -> np.ndarray:
    """(G, G, 2) uint8: fraction of the sun, and of the sky, that reaches the ground around the object, 255 for all.

    side_px: the sprite's longer side.
    """
    margin = GROUND_MARGIN * side_px
    extent = np.array(size_wh) + 2 * margin
    edge = pixel_centres(GROUND_CELLS, GROUND_CELLS) / GROUND_CELLS * extent - margin
    rays, eye = place.rays(edge / zoom + low), place.eye
    below = rays[:, 2] < -1e-3
    points = eye + rays * np.where(below, -eye[2] / np.minimum(rays[:, 2], -1e-3), 0)[:, None]
    free = np.ones(len(points))
    if illumination.sun.any():
        free[below] = ~blocked(scene, points[below] + [0, 0, 0.01], sun_dir, 1)
    corner = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    beside = np.maximum(np.maximum(corner[0] - points, points - corner[1])[:, :2], 0)
    reach = 0.12 * float((corner[1] - corner[0])[:2].max())
    sky = 1 - 0.62 * below * np.exp(-((np.hypot(*beside.T) / reach) ** 1.2))
    layers = np.stack([free, sky], axis=1).reshape(GROUND_CELLS, GROUND_CELLS, 2)
    return np.round(255 * layers).astype(np.uint8)
