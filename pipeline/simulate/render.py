"""One frame of the simulated camera: actors over the stage, their shadows and lamps.

Each actor is cast alone, 2 x 2 samples a pixel in its own box, so its whole (amodal) silhouette is exact; a depth
buffer over all samples says what is visible.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import open3d as o3d

from pipeline.simulate.actors import State
from pipeline.simulate.layout import Layout
from pipeline.simulate.light import Light
from pipeline.simulate.mesh import Lamp, Mesh
from pipeline.simulate.people import person_mesh
from pipeline.simulate.props import lamp_heads
from pipeline.simulate.stage import (
    MARGIN_PX,
    OFFSETS,
    Stage,
    View,
    add_mesh,
    blocked,
    cast,
    dot,
    fresnel,
    lamp_light,
    reflected,
    scene_of,
    surface,
    unit,
)

STATIC = -1
_LAMP_COLOURS = {
    Lamp.HEADLIGHT: (1.0, 0.95, 0.82),
    Lamp.TAIL_LIGHT: (0.75, 0.02, 0.015),
    Lamp.BRAKE_LIGHT: (1.0, 0.03, 0.02),
    Lamp.INDICATOR_LEFT: (1.0, 0.45, 0.03),
    Lamp.INDICATOR_RIGHT: (1.0, 0.45, 0.03),
}


@dataclass
class Drawn:
    """An actor's own silhouette in a window that may leave the frame.

    xy: the window's top-left pixel; depth (h, w, 4) of each sample, inf beside it; seen (h, w, 4): nothing hides it.
    hits: triangle and barycentrics at `rows`, the flat indices of the samples that hit.
    """

    state: State
    mesh: Mesh  # in the actor's own frame
    R: np.ndarray  # world from actor
    t: np.ndarray
    xy: tuple[int, int]
    depth: np.ndarray
    hits: dict = field(repr=False)
    rows: np.ndarray = field(repr=False)
    seen: np.ndarray = field(repr=False)

    def shared(self, size_hw: tuple[int, int]) -> tuple[slice, slice, slice, slice]:
        """Rows and columns of the frame, and of the window, that they share."""
        (x, y), (h, w) = self.xy, self.depth.shape[:2]
        y0, y1, x0, x1 = max(y, 0), min(y + h, size_hw[0]), max(x, 0), min(x + w, size_hw[1])
        return slice(y0, y1), slice(x0, x1), slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)


def world_pose(layout: Layout, state: State) -> tuple[np.ndarray, np.ndarray]:
    """R (3, 3), t (3,) of an actor in the world frame."""
    yaw = state.yaw + np.radians(layout.yaw_deg)
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]), np.r_[layout.to_world(np.array(state.xy)), 0.0]


def inside(image_point: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(N,) whether pixel-centre coordinates (N, 2) lie in the frame."""
    x, y = image_point[..., 0], image_point[..., 1]
    return (x >= -0.5) & (y >= -0.5) & (x < size_hw[1] - 0.5) & (y < size_hw[0] - 0.5)


def _hull_mask(pixels: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """(h * w,) bool: pixels of the window in or beside the convex hull of projected vertices: no ray hits elsewhere."""
    x, y, w, h = window
    mask = np.zeros((h, w), np.uint8)
    hull = cv2.convexHull((pixels - (x, y)).astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    return cv2.dilate(mask, np.ones((5, 5), np.uint8)).reshape(-1) > 0


class Renderer:
    """Draws the frames of one burst; keeps the ray casting scenes of its vehicles, which are rigid."""

    def __init__(self, layout: Layout, view: View, stage: Stage, light: Light, threads: int) -> None:
        self.layout, self.view, self.stage, self.light, self.threads = layout, view, stage, light, threads
        self.lamp_heads = lamp_heads(layout)
        self._scenes: dict[int, o3d.t.geometry.RaycastingScene] = {}
        self._hulls: dict[int, Mesh] = {}
        self._drawn: dict[int, tuple[tuple, Drawn | None]] = {}

    def draw(self, states: list[State]) -> list[Drawn]:
        """The silhouettes of all actors in sight, with what is seen of each."""
        drawn = [d for d in map(self._draw_once, states) if d is not None]
        there = {state.actor_id for state in states}
        self._drawn = {actor_id: known for actor_id, known in self._drawn.items() if actor_id in there}
        owner = self._owners(drawn)
        for index, one in enumerate(drawn):
            fy, fx, wy, wx = one.shared(owner.shape[:2])
            one.seen[wy, wx] = owner[fy, fx] == index
        return drawn

    def _draw_once(self, state: State) -> Drawn | None:
        """What stands as it stood in the frame before is not cast again."""
        known = self._drawn.get(state.actor_id)
        pose = (state.xy, state.yaw, state.motion, state.phase)
        if known is None or known[0] != pose:
            known = (pose, self._draw_one(state))
            self._drawn[state.actor_id] = known
        one = known[1]
        return replace(one, state=state, seen=np.zeros(one.depth.shape, bool)) if one else None

    def _draw_one(self, state: State) -> Drawn | None:
        R, t = world_pose(self.layout, state)
        if not self._near_view(t, 0.55 * max(state.vehicle.dims_lwh_m) if state.vehicle else 1.3):
            return None
        mesh = state.vehicle.mesh if state.vehicle else person_mesh(state.walker, state.motion, state.phase)
        pixels = self.view.project(mesh.vertices @ R.T + t)
        window = self._window(pixels)
        if window is None:
            return None
        x, y, w, h = window
        todo = np.flatnonzero(_hull_mask(pixels, window))
        directions = self.view.rays(window, todo).reshape(-1, 3)
        # Rays are turned into the actor's frame: a rigid body keeps its scene.
        turned = directions @ R.astype(np.float32)
        hits = cast(self._scene(state, mesh), (self.view.eye - t) @ R, turned, self.threads)
        hit = np.flatnonzero(np.isfinite(hits["t_hit"]))
        if not len(hit):
            return None
        depth = np.full((h, w, len(OFFSETS)), np.inf, np.float32)
        depth.reshape(h * w, -1)[todo] = hits["t_hit"].reshape(-1, len(OFFSETS))
        rows = (todo[:, None] * len(OFFSETS) + np.arange(len(OFFSETS))).reshape(-1)[hit]
        hits = {name: values[hit] for name, values in hits.items()}
        return Drawn(state, mesh, R, t, (x, y), depth, hits, rows, np.zeros(depth.shape, bool))

    def _near_view(self, t: np.ndarray, radius_m: float) -> bool:
        """Whether a ball of that radius a metre above t can be in the picture: asked before anybody is dressed."""
        centre = self.view.plane.to_camera(t + [0, 0, 1.0])
        if centre[2] < radius_m + 1.0:
            return bool(centre[2] > -radius_m)
        (x, y), (height, width) = self.view.camera.project(centre), self.view.camera.size_hw
        reach = 1.2 * radius_m * self.view.camera.K[0, 0] / (centre[2] - radius_m)
        return bool(-reach < x < width + reach and -reach < y < height + reach)

    def scene_for(self, one: Drawn) -> o3d.t.geometry.RaycastingScene:
        """The ray casting scene of an actor, in its own frame."""
        return self._scene(one.state, one.mesh)

    def _scene(self, state: State, mesh: Mesh) -> o3d.t.geometry.RaycastingScene:
        if not state.vehicle:
            return scene_of(mesh, self.threads)
        if state.actor_id not in self._scenes:
            self._scenes[state.actor_id] = scene_of(mesh, self.threads)
        return self._scenes[state.actor_id]

    def _window(self, pixels: np.ndarray) -> tuple[int, int, int, int] | None:
        """xywh of the part of frame and margin around projected vertices (V, 2); None where it is empty."""
        height, width = self.view.camera.size_hw
        if np.isnan(pixels).any():
            return None
        low = np.floor(pixels.min(axis=0) - 1).astype(int)
        high = np.ceil(pixels.max(axis=0) + 2).astype(int)
        if (high <= 0).any() or low[0] >= width or low[1] >= height:
            return None
        low = np.maximum(low, -MARGIN_PX)
        high = np.minimum(high, np.array([width, height]) + MARGIN_PX)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

    def _owners(self, drawn: list[Drawn]) -> np.ndarray:
        """(H, W, 4) index into drawn of who is nearest at each sample; STATIC where nobody is."""
        depth, size_hw = self.stage.depth.copy(), self.stage.depth.shape[:2]
        owner = np.full(depth.shape, STATIC, np.int16)
        for index, one in enumerate(drawn):
            fy, fx, wy, wx = one.shared(size_hw)
            nearer = one.depth[wy, wx] < depth[fy, fx]
            depth[fy, fx][nearer] = one.depth[wy, wx][nearer]
            owner[fy, fx][nearer] = index
        return owner

    def picture(self, drawn: list[Drawn], sun_share: float) -> np.ndarray:
        """Linear RGB (H, W, 3) of what the lens sees; sun_share is the passing cloud's factor on the sun."""
        casters = self._shadow_casters(drawn) if self.light.sun.any() and drawn else None
        background = self._background(drawn, casters, sun_share)
        size_hw = background.shape[:2]
        cover = np.zeros((*size_hw, 1), np.float32)
        actors = np.zeros_like(background)
        for one in drawn:
            if not one.seen.any():
                continue
            fy, fx, wy, wx = one.shared(size_hw)
            seen = one.seen[wy, wx]
            cover[fy, fx, 0] += seen.mean(axis=2, dtype=np.float32)
            actors[fy, fx] += self._colours(one, casters, sun_share)[wy, wx].sum(axis=2) / len(OFFSETS)
        background *= 1 - cover
        background += actors
        return background

    def _shadow_casters(self, drawn: list[Drawn]) -> o3d.t.geometry.RaycastingScene:
        """Everyone's shape for shadow rays: people as they are, vehicles as convex hulls a hand's breadth up."""
        scene = o3d.t.geometry.RaycastingScene(nthreads=self.threads)
        for one in drawn:
            mesh = self._hull(one) if one.state.vehicle else one.mesh
            add_mesh(scene, mesh.vertices @ one.R.T + one.t, mesh.triangles)
        return scene

    def _hull(self, one: Drawn) -> Mesh:
        key = one.state.actor_id
        if key not in self._hulls:
            import trimesh

            hull = trimesh.PointCloud(one.mesh.vertices).convex_hull
            shrunk = hull.vertices * (0.985, 0.97, 0.985)
            self._hulls[key] = Mesh.build(shrunk, hull.faces, (0, 0, 0))
        return self._hulls[key]

    def _background(self, drawn: list[Drawn], casters, sun_share: float) -> np.ndarray:
        """The stage with the actors' shadows on it and their lamps' light."""
        stage, size_hw = self.stage, self.stage.depth.shape[:2]
        free = np.ones(size_hw, np.float32)
        ambient = np.ones(size_hw, np.float32)
        pools = np.zeros(size_hw, np.float32)
        for one in drawn:
            self._contact(one, ambient)
            if casters is not None:
                self._shadow(one, casters, free)
            if self.light.lamps and one.state.vehicle and one.state.moving:
                self._headlight_pool(one, pools)
        # The sun is half a degree wide and cloud spreads it: a shadow's edge is soft.
        soft = cv2.GaussianBlur(free, (0, 0), 1.0)
        picture = stage.sunlit * (soft * sun_share)[..., None]
        picture += stage.unlit * ambient[..., None]
        if pools.any():
            picture += stage.albedo * pools[..., None] * np.array([1.0, 0.93, 0.80], np.float32)
        return picture

    def _ground_window(self, points: np.ndarray) -> tuple[slice, slice] | None:
        """The frame's rows and columns around the projections of world points (N, 3)."""
        height, width = self.view.camera.size_hw
        pixels = self.view.project(points)
        pixels = pixels[~np.isnan(pixels).any(axis=1)]
        if not len(pixels):
            return None
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 2, 0, [width, height])
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 3, 0, [width, height])
        return (slice(low[1], high[1]), slice(low[0], high[0])) if (high > low).all() else None

    def _footprint(self, one: Drawn, grow_m: float) -> np.ndarray:
        """(4, 3) ground rectangle around the actor's mesh, world."""
        low, high = one.mesh.vertices[:, :2].min(axis=0) - grow_m, one.mesh.vertices[:, :2].max(axis=0) + grow_m
        corners = np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])
        return corners @ one.R.T + one.t

    def _shadow(self, one: Drawn, casters, free: np.ndarray) -> None:
        base, sun = self._footprint(one, 0.0), self.light.sun_dir
        top = base + [0, 0, float(one.mesh.vertices[:, 2].max())]
        fallen = top - sun * (top[:, 2:3] / max(sun[2], 0.08))
        window = self._ground_window(np.concatenate([base, top, fallen]))
        if window is None:
            return
        part = free[window]
        todo = (part > 0) & (self.stage.sunlit[window].max(axis=2) > 1e-4)
        points = self.stage.point[window][todo]
        part[todo] = ~blocked(casters, points, sun, self.threads)

    def _contact(self, one: Drawn, ambient: np.ndarray) -> None:
        """Less sky reaches the ground beside and under a body."""
        reach = 0.5 if one.state.vehicle else 0.15
        base = self._footprint(one, 3 * reach)
        window = self._ground_window(np.concatenate([base, base + [0, 0, 0.3]]))
        if window is None:
            return
        local = (self.stage.point[window] - one.t.astype(np.float32)) @ one.R.astype(np.float32)
        low, high = one.mesh.vertices.min(axis=0), one.mesh.vertices.max(axis=0)
        beside = np.maximum(np.maximum(low[:2] - local[..., :2], local[..., :2] - high[:2]), 0)
        away = np.hypot(beside[..., 0], beside[..., 1]) + np.abs(local[..., 2])
        strength = 0.62 if one.state.vehicle else 0.4
        ambient[window] *= 1 - strength * np.exp(-((away / reach) ** 1.2))

    def _headlight_pool(self, one: Drawn, pools: np.ndarray) -> None:
        ahead = np.array([[1.0, -4, 0], [24, -7, 0], [24, 7, 0], [1, 4, 0]]) + [one.mesh.vertices[:, 0].max(), 0, 0]
        window = self._ground_window(ahead @ one.R.T + one.t)
        if window is None:
            return
        local = (self.stage.point[window] - one.t) @ one.R
        x = local[..., 0] - one.mesh.vertices[:, 0].max()
        spread = np.exp(-((local[..., 1] / (0.7 + 0.16 * np.maximum(x, 0))) ** 2))
        low = np.exp(-np.abs(local[..., 2]) / 0.6)
        fall = np.clip(x / 2.0, 0, 1) * np.exp(-np.maximum(x, 0) / 9.0)
        pools[window] += (0.42 * spread * fall * low * (x > 0)).astype(np.float32)

    def _colours(self, one: Drawn, casters, sun_share: float) -> np.ndarray:
        """(h, w, 4, 3) linear colour of the samples that are seen; zero elsewhere."""
        light = self.light
        colours = np.zeros((one.seen.size, 3), np.float32)
        kept = one.seen.reshape(-1)[one.rows]
        hits = {name: values[kept] for name, values in one.hits.items()}
        rows = one.rows[kept]
        triangle, normal = surface(one.mesh, hits)
        h, w = one.depth.shape[:2]
        # For shading, a pixel's samples may share the direction through its middle.
        rays = self.view.middle_rays((*one.xy, w, h), rows // len(OFFSETS))
        points = self.view.eye.astype(np.float32) + rays * hits["t_hit"][:, None]
        view_dir = unit(rays)
        normal = normal @ one.R.T.astype(np.float32)
        normal *= np.where(dot(normal, view_dir) > 0, np.float32(-1), np.float32(1))[:, None]
        albedo, gloss = one.mesh.albedo[triangle], one.mesh.gloss[triangle]
        sun = np.clip(normal @ light.sun_dir, 0, None) * sun_share
        if casters is not None:
            sun *= self._sunlit(one, rows, points, normal, casters)
        # Close to the ground less sky comes in: the lower flanks and the wheels are darker.
        low = np.clip(points[:, 2] / 0.55, 0, 1)
        around = light.ambient(normal) * (0.45 + 0.55 * low)[:, None]
        around += lamp_light(light, self._lamps_near(one), points, normal)
        result = albedo * (sun[:, None] * light.sun + around)
        shiny = np.flatnonzero(gloss > 0)
        if len(shiny):
            result[shiny] += self._coat(gloss[shiny], view_dir[shiny], normal[shiny], sun[shiny])
        colours[rows] = result + self._lamps(one, triangle)
        return colours.reshape(*one.seen.shape, 3)

    def _coat(self, gloss: np.ndarray, view_dir: np.ndarray, normal: np.ndarray, sun: np.ndarray) -> np.ndarray:
        """(N, 3) what a clear coat mirrors of the street, and the sun's glint in it."""
        light = self.light
        mirrored = (gloss * fresnel(view_dir, normal))[:, None] * reflected(light, view_dir, normal)
        half = unit(light.sun_dir - view_dir)
        glint = gloss * np.clip(dot(half, normal), 0, 1) ** 220 * 3.0 * (sun > 0)
        return mirrored + glint[:, None] * light.sun

    def _lamps_near(self, one: Drawn) -> np.ndarray:
        """(L, 3) street lamps whose light reaches the actor."""
        return self.lamp_heads[np.linalg.norm(self.lamp_heads[:, :2] - one.t[:2], axis=1) < 16.0]

    def _sunlit(self, one: Drawn, rows: np.ndarray, points: np.ndarray, normal: np.ndarray, casters) -> np.ndarray:
        """(N,) 1 where the sun reaches; asked once a pixel, for its first sample, and lifted off the own hull."""
        pixel = rows // len(OFFSETS)
        _, first, back = np.unique(pixel, return_index=True, return_inverse=True)
        lift = 0.30 if one.state.vehicle else 0.05
        start = points[first] + normal[first] * lift + self.light.sun_dir * lift
        dark = blocked(self.stage.scene, start, self.light.sun_dir, self.threads)
        dark |= blocked(casters, start, self.light.sun_dir, self.threads)
        return (~dark)[back].astype(np.float32)

    def _lamps(self, one: Drawn, triangle: np.ndarray) -> np.ndarray:
        """(N, 3) light that the vehicle's own lamps send out."""
        state, kinds = one.state, one.mesh.lamp[triangle]
        glow = np.zeros((len(triangle), 3), np.float32)
        if not state.vehicle or not state.moving:
            return glow
        power = 2.6 if self.light.lamps else 1.0
        on = {
            Lamp.HEADLIGHT: self.light.lamps,
            Lamp.TAIL_LIGHT: self.light.lamps,
            Lamp.BRAKE_LIGHT: state.braking,
            Lamp.INDICATOR_LEFT: state.turn > 0,
            Lamp.INDICATOR_RIGHT: state.turn < 0,
        }
        for lamp, lit in on.items():
            if lit:
                glow[kinds == lamp] = power * np.array(_LAMP_COLOURS[lamp])
        return glow
