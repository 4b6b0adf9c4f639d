"""The unmoving part of a simulated view, cast once: what each pixel sees without the actors, and its illumination.

Rays have z = 1 in the camera frame, so a hit's parameter is its depth. Images hold 2 x 2 samples a pixel while they are
cast and one after shading; all light is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import open3d as o3d

from calibration.camera import Camera, GroundPlane
from pipeline.core.mesh import Lamp, Mesh, blocked, cast, scene_of
from pipeline.simulate.world.illumination import Illumination
from pipeline.simulate.world.layout import Layout, ground_albedo
from pipeline.simulate.world.props import lamp_heads, static_mesh
from pipeline.simulate.world.texture import fractal

SAMPLES = 2  # a side
# Sample positions within a pixel, relative to its centre.
OFFSETS = np.array([(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)])
MARGIN_PX = 360  # how far beyond the frame silhouettes are followed, to know how much is cut off
_AO_RAYS, _AO_REACH_M = 6, 2.5
_FAR_M = 400.0
# Soaked asphalt reflects about half of what it does dry (Lekner and Dorf 1988); the film on it mirrors what is above.
_SOAKED, _FILM = 0.45, 0.6


@dataclass(frozen=True)
class WorldView:
    """Camera and world as the renderer uses them."""

    camera: Camera
    plane: GroundPlane

    @property
    def eye(self) -> np.ndarray:
        return np.array([0.0, 0.0, self.plane.d])

    def directions(self, pixels: np.ndarray) -> np.ndarray:
        """World directions (..., 3), of camera depth 1, through pixels (..., 2)."""
        return self.camera.rays(pixels) @ self.plane.R_cam_world

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World directions through the pixels of frame and margin, and a quarter pixel's change along x and y.

        Undoing the lens for every sample of every frame would cost more than casting it; within a pixel the lens is
        straight to far better than a thousandth of a pixel.
        """
        height, width = self.camera.size_hw
        xs, ys = np.meshgrid(np.arange(-MARGIN_PX, width + MARGIN_PX), np.arange(-MARGIN_PX, height + MARGIN_PX))
        middle = self.directions(np.stack([xs, ys], axis=-1)).astype(np.float32)
        dy, dx = np.gradient(middle, axis=(0, 1))
        return middle, 0.25 * dx, 0.25 * dy

    def rays(self, crop: tuple[int, int, int, int], todo: np.ndarray) -> np.ndarray:
        """(n, 4, 3) float32 world directions through the samples of a crop's pixels, by their flat indices (n,)."""
        middle, dx, dy = (part[todo] for part in self._cropped(crop))
        right, left = middle + dx, middle - dx
        return np.stack([left - dy, right - dy, left + dy, right + dy], axis=1)  # the order of OFFSETS

    def middle_rays(self, crop: tuple[int, int, int, int], todo: np.ndarray) -> np.ndarray:
        """(n, 3) float32 world directions through the middles of a crop's pixels."""
        return self._cropped(crop)[0][todo]

    def _cropped(self, crop: tuple[int, int, int, int]) -> list[np.ndarray]:
        x, y, w, h = crop
        part = np.s_[y + MARGIN_PX : y + MARGIN_PX + h, x + MARGIN_PX : x + MARGIN_PX + w]
        return [grid[part].reshape(-1, 3) for grid in self._grid]

    def project(self, points_world: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of world points (..., 3); NaN behind the camera."""
        return self.camera.project(self.plane.to_camera(points_world))


@dataclass(frozen=True)
class StillLayers:
    """Per-pixel layers of the unmoving scene.

    depth (H, W, 4) float32 of each sample; point (H, W, 3) world position of the pixel's middle; sunlit and unlit
    (H, W, 3): light that comes from the sun, and all other light; albedo (H, W, 3): what lamps of
    vehicles fall on; scene: everything but the ground, for shadow rays.
    """

    depth: np.ndarray
    point: np.ndarray
    sunlit: np.ndarray
    unlit: np.ndarray
    albedo: np.ndarray
    scene: o3d.t.geometry.RaycastingScene


def surface(mesh: Mesh, hits: dict) -> tuple[np.ndarray, np.ndarray]:
    """Triangle (N,) and unit normal (N, 3) at hits."""
    triangle, uv = hits["primitive_ids"], hits["primitive_uvs"]
    weights = np.stack([1 - uv[:, 0] - uv[:, 1], uv[:, 0], uv[:, 1]], axis=1)
    corners = mesh.normals[triangle]
    normal = sum(weights[:, i, None] * corners[:, i] for i in range(3))
    return triangle, unit(normal)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) vectors of length one."""
    return vectors / np.sqrt(np.maximum(dot(vectors, vectors), 1e-18))[:, None]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) scalar products of (N, 3) with (N, 3) or (3,)."""
    return a[:, 0] * b[..., 0] + a[:, 1] * b[..., 1] + a[:, 2] * b[..., 2]


def build_stage(layout: Layout, view: WorldView, illumination: Illumination, threads: int) -> StillLayers:
    """Cast and shade the unmoving scene."""
    mesh = static_mesh(layout)
    scene = scene_of([mesh.geometry], threads)
    height, width = view.camera.size_hw
    xs, ys = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([xs, ys], axis=-1).astype(float)
    depth = np.empty((height, width, 4), np.float32)
    layers = {name: np.zeros((height, width, 3), np.float32) for name in ("sunlit", "unlit", "albedo")}
    open_sky = None  # varies slowly: asked for once a pixel
    for number, offset in enumerate(OFFSETS):
        directions = view.directions(pixels + offset).reshape(-1, 3)
        sample = _shade_sample(layout, mesh, scene, view, illumination, directions, open_sky, threads)
        open_sky = sample["open_sky"]
        depth[..., number] = sample["depth"].reshape(height, width)
        for name, layer in layers.items():
            layer += sample[name].reshape(height, width, 3) / len(OFFSETS)
    middle = np.min(depth, axis=2)
    point = view.eye + view.directions(pixels) * np.minimum(middle, _FAR_M)[..., None]
    return StillLayers(depth, point.astype(np.float32), layers["sunlit"], layers["unlit"], layers["albedo"], scene)


def _shade_sample(
    layout: Layout, mesh: Mesh, scene, view: WorldView, illumination: Illumination, directions: np.ndarray,
    open_sky: np.ndarray | None, threads: int,
) -> dict:  # fmt: skip
    hits = cast(scene, view.eye, directions, threads)
    depth = hits["t_hit"].copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        ground_depth = np.where(directions[:, 2] < -1e-5, -view.eye[2] / directions[:, 2], np.inf)
    on_ground = (ground_depth < depth) & (ground_depth < _FAR_M)
    depth[on_ground] = ground_depth[on_ground]
    on_prop = np.isfinite(hits["t_hit"]) & ~on_ground
    count = len(directions)
    albedo, normal = np.zeros((count, 3)), np.tile([0.0, 0, 1], (count, 1))
    glow, gloss = np.zeros((count, 3)), np.zeros(count)
    points = view.eye + directions * np.where(np.isfinite(depth), depth, 0)[:, None]
    albedo[on_ground] = ground_albedo(layout, layout.to_plan(points[on_ground, :2])) * (1 - _SOAKED * illumination.wet)
    gloss[on_ground] = _FILM * illumination.wet
    rows = np.flatnonzero(on_prop)
    triangle, smooth = surface(mesh, {k: v[rows] for k, v in hits.items()})
    facing = dot(smooth, directions[rows]) > 0
    normal[rows] = np.where(facing[:, None], -smooth, smooth)
    mottle = 0.86 + 0.28 * fractal(points[rows, :2] + points[rows, 2:] * (0.7, 1.3), 1.7, 51, 3)
    albedo[rows] = mesh.albedo[triangle] * mottle[:, None]
    gloss[rows] = mesh.gloss[triangle]
    glowing = illumination.lamps * np.isin(mesh.lamp[triangle], (Lamp.WINDOW, Lamp.STREET_LAMP))
    bright = np.where(mesh.lamp[triangle] == Lamp.STREET_LAMP, 2.2, 0.16)
    glow[rows] = (glowing * bright)[:, None] * np.array([1.0, 0.80, 0.52])
    seen = on_ground | on_prop
    if open_sky is None:
        open_sky = np.ones(count, np.float32)
        open_sky[seen] = _openness(scene, points[seen] + 0.02 * normal[seen], normal[seen], threads)
    shaded = _lit(layout, scene, illumination, points, normal, albedo, gloss, glow, directions, seen, open_sky, threads)
    return {"depth": depth, "open_sky": open_sky, **shaded}


def _lit(
    layout: Layout,
    scene,
    illumination: Illumination,
    points,
    normal,
    albedo,
    gloss,
    glow,
    directions,
    seen,
    open_sky,
    threads: int,
) -> dict:
    """sunlit, unlit and albedo (N, 3) of samples; those not seen are sky."""
    rows = np.flatnonzero(seen)
    cosine = np.clip(normal[rows] @ illumination.sun_dir, 0, None)
    free = np.zeros(len(rows))
    towards = np.flatnonzero(cosine > 0) if illumination.sun.any() else np.zeros(0, int)
    start = points[rows[towards]] + 0.02 * normal[rows[towards]]
    free[towards] = ~blocked(scene, start, illumination.sun_dir, threads)
    sunlit, unlit = np.zeros_like(albedo), np.zeros_like(albedo)
    sunlit[rows] = albedo[rows] * (cosine * free)[:, None] * illumination.sun
    around = illumination.ambient(normal[rows]) * open_sky[rows, None]
    around = around + lamp_light(illumination, lamp_heads(layout), points[rows], normal[rows])
    unlit[rows] = albedo[rows] * around + glow[rows]
    shiny = rows[gloss[rows] > 0]
    view_dir = unit(directions[shiny])
    mirror = fresnel(view_dir, normal[shiny]) * gloss[shiny]
    unlit[shiny] += reflected(illumination, view_dir, normal[shiny]) * mirror[:, None]
    unlit[~seen] = sky_colour(illumination, directions[~seen])
    return {"sunlit": sunlit, "unlit": unlit, "albedo": albedo}


def _openness(scene, points: np.ndarray, normals: np.ndarray, threads: int) -> np.ndarray:
    """(N,) how much of the sky above the surface is near-by free: ambient occlusion by a few fixed directions."""
    golden = np.pi * (3 - np.sqrt(5)) * np.arange(_AO_RAYS)
    z = 1 - (np.arange(_AO_RAYS) + 0.5) / _AO_RAYS * 0.9
    fan = np.stack([np.sqrt(1 - z**2) * np.cos(golden), np.sqrt(1 - z**2) * np.sin(golden), z], axis=1)
    free = np.zeros(len(points))
    for direction in fan:
        towards = direction + 0.9 * normals
        free += ~blocked(scene, points, towards, threads, _AO_REACH_M)
    return 0.35 + 0.65 * free / _AO_RAYS


def lamp_light(illumination: Illumination, heads: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) light of street lamps at heads (L, 3), which shine down; nothing by day."""
    if not illumination.lamps:
        return np.zeros((len(points), 3))
    total = np.zeros(len(points))
    for head in heads:
        to_lamp = head - points
        distance = np.linalg.norm(to_lamp, axis=1)
        down = np.clip(to_lamp[:, 2] / distance, 0, 1) ** 1.5
        facing = np.clip(dot(to_lamp, normals) / distance, 0.15, 1)
        total += 9.0 * down * facing / np.maximum(distance, 1.5) ** 2
    return total[:, None] * np.array([1.0, 0.78, 0.50])


def sky_colour(illumination: Illumination, directions: np.ndarray) -> np.ndarray:
    """(N, 3) the sky in directions (N, 3): paler towards the horizon, a glow around a low sun."""
    towards = unit(directions)
    rise = np.clip(towards[:, 2:3], 0, 1)
    pale = illumination.sky * np.array([1.35, 1.25, 1.1]) + 0.25 * illumination.sun
    colour = pale + (illumination.sky * 1.15 - pale) * np.sqrt(rise)
    near = np.clip(towards @ illumination.sun_dir, 0, 1) ** 12
    return colour + near[:, None] * 0.4 * illumination.sun


@dataclass(frozen=True)
class Surroundings:
    """What paint and glass mirror below the sky: how high houses rise, as the sine of an elevation, by how much that
    varies around, in how many steps; albedo of houses and ground; their colour, linear RGB."""

    rise: float = 0.28
    varies: float = 0.0
    steps: int = 0
    wall: float = 0.30
    ground: float = 0.12
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def skyline(self, towards: np.ndarray) -> np.ndarray | float:
        """Sine of the elevation (N, 1) at which houses end in directions (N, 3)."""
        if not self.steps:
            return self.rise
        turn = np.arctan2(towards[:, 1:2], towards[:, 0:1]) / (2 * np.pi)
        house = np.floor(self.steps * turn)
        return self.rise + self.varies * np.sin(12.9898 * house + 4.1414 * self.steps)


EVEN_STREET = Surroundings()


def sample_surroundings(rng: np.random.Generator) -> Surroundings:
    """An open field to a street canyon, of bright or dark houses."""
    rise = float(rng.uniform(0.02, 0.6))
    red, green, blue = (float(c) for c in rng.uniform(0.7, 1.15, 3))
    varies, steps = float(rng.uniform(0, 0.8)) * rise, int(rng.integers(3, 40))
    return Surroundings(
        rise, varies, steps, float(rng.uniform(0.08, 0.55)), float(rng.uniform(0.05, 0.3)), (red, green, blue)
    )


def reflected(
    illumination: Illumination, view_dir: np.ndarray, normals: np.ndarray, around: Surroundings = EVEN_STREET
) -> np.ndarray:
    """(N, 3) what a mirror would show: sky, the street's walls up to some height, the ground."""
    towards = view_dir - 2 * dot(view_dir, normals)[:, None] * normals
    sky = sky_colour(illumination, towards)
    wall = around.wall * (illumination.sky + 0.35 * illumination.sun)
    ground = around.ground * (illumination.sky + 0.5 * illumination.sun)
    if around.steps:
        wall = wall * np.array(around.tint, np.float32)
    up = towards[:, 2:3]
    above = np.clip((up - around.skyline(towards)) / 0.12, 0, 1)
    below = np.clip(-up / 0.08, 0, 1)
    return sky * above + (1 - above) * (wall * (1 - below) + ground * below)


def fresnel(view_dir: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N,) reflectance of a clear coat, by Schlick's approximation."""
    cosine = np.clip(-dot(view_dir, normals), 0, 1)
    away = 1 - cosine
    return 0.05 + 0.95 * away * away * (away * away * away)
