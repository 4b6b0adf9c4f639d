"""One frame of the simulated camera: actors over the stage, their shadows and lamps.

Each actor is cast alone, 2 x 2 samples a pixel in its own box, so its whole (amodal) silhouette is exact; a depth
buffer over all samples says what is visible.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import open3d as o3d

from pipeline.core.mesh import Mesh, cast, scene_of
from pipeline.simulate.camera.ground_illumination import GroundIllumination
from pipeline.simulate.camera.rendered import RenderedActor
from pipeline.simulate.camera.shading import Shading
from pipeline.simulate.people.person import person_mesh
from pipeline.simulate.traffic.actors import ActorState
from pipeline.simulate.world.illumination import Illumination
from pipeline.simulate.world.layout import Layout
from pipeline.simulate.world.props import lamp_heads
from pipeline.simulate.world.stage import EVEN_STREET, MARGIN_PX, OFFSETS, StillLayers, Surroundings, WorldView

STATIC = -1


def world_pose(layout: Layout, state: ActorState) -> tuple[np.ndarray, np.ndarray]:
    """R (3, 3), t (3,) of an actor in the world frame."""
    yaw = state.yaw + np.radians(layout.yaw_deg)
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]), np.r_[layout.to_world(np.array(state.xy)), 0.0]


def _hull_mask(pixels: np.ndarray, crop: tuple[int, int, int, int]) -> np.ndarray:
    """(h * w,) bool: pixels of the crop in or beside the convex hull of projected vertices: no ray hits elsewhere."""
    x, y, w, h = crop
    mask = np.zeros((h, w), np.uint8)
    hull = cv2.convexHull((pixels - (x, y)).astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    return cv2.dilate(mask, np.ones((5, 5), np.uint8)).reshape(-1) > 0


class Renderer:
    """Renders the frames of one burst; keeps the ray casting scenes of its vehicles, which are rigid."""

    def __init__(
        self, layout: Layout, view: WorldView, stage: StillLayers, illumination: Illumination, threads: int,
        around: Surroundings = EVEN_STREET,
    ) -> None:  # fmt: skip
        self.layout, self.view, self.stage, self.illumination, self.threads = layout, view, stage, illumination, threads
        self.ground = GroundIllumination(view, stage, illumination, threads)
        self.shading = Shading(view, stage, illumination, lamp_heads(layout), threads, around)
        self._scenes: dict[int, o3d.t.geometry.RaycastingScene] = {}
        self._hulls: dict[int, Mesh] = {}
        self._rendered: dict[int, tuple[tuple, RenderedActor | None]] = {}

    def render(self, states: list[ActorState]) -> list[RenderedActor]:
        """The silhouettes of all actors in sight, with what is seen of each."""
        rendered = [d for d in map(self._render_once, states) if d is not None]
        there = {state.actor_id for state in states}
        self._rendered = {actor_id: known for actor_id, known in self._rendered.items() if actor_id in there}
        owner = self._owners(rendered)
        for index, one in enumerate(rendered):
            fy, fx, wy, wx = one.shared(owner.shape[:2])
            one.seen[wy, wx] = owner[fy, fx] == index
        return rendered

    def _render_once(self, state: ActorState) -> RenderedActor | None:
        """What stands as it stood in the frame before is not cast again."""
        known = self._rendered.get(state.actor_id)
        pose = (state.xy, state.yaw, state.motion, state.phase)
        if known is None or known[0] != pose:
            known = (pose, self._render_one(state))
            self._rendered[state.actor_id] = known
        one = known[1]
        return replace(one, state=state, seen=np.zeros(one.depth.shape, bool)) if one else None

    def _render_one(self, state: ActorState) -> RenderedActor | None:
        R, t = world_pose(self.layout, state)
        vehicle = state.vehicle
        if not self._near_view(t, 0.55 * max(vehicle.dims_lwh_m) + vehicle.overhang_m if vehicle else 1.3):
            return None
        mesh = state.vehicle.mesh if state.vehicle else person_mesh(state.walker, state.motion, state.phase)
        pixels = self.view.project(mesh.vertices @ R.T + t)
        crop = self._crop_around(pixels)
        if crop is None:
            return None
        x, y, w, h = crop
        todo = np.flatnonzero(_hull_mask(pixels, crop))
        directions = self.view.rays(crop, todo).reshape(-1, 3)
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
        return RenderedActor(state, mesh, R, t, (x, y), depth, hits, rows, np.zeros(depth.shape, bool))

    def _near_view(self, t: np.ndarray, radius_m: float) -> bool:
        """Whether a ball of that radius a metre above t can be in the picture: asked before anybody is dressed."""
        centre = self.view.plane.to_camera(t + [0, 0, 1.0])
        if centre[2] < radius_m + 1.0:
            return bool(centre[2] > -radius_m)
        (x, y), (height, width) = self.view.camera.project(centre), self.view.camera.size_hw
        reach = 1.2 * radius_m * self.view.camera.K[0, 0] / (centre[2] - radius_m)
        return bool(-reach < x < width + reach and -reach < y < height + reach)

    def scene_for(self, one: RenderedActor) -> o3d.t.geometry.RaycastingScene:
        """The ray casting scene of an actor, in its own frame."""
        return self._scene(one.state, one.mesh)

    def _scene(self, state: ActorState, mesh: Mesh) -> o3d.t.geometry.RaycastingScene:
        if state.actor_id in self._scenes:
            return self._scenes[state.actor_id]
        scene = scene_of([mesh.geometry], self.threads)
        if state.vehicle:
            self._scenes[state.actor_id] = scene
        return scene

    def _crop_around(self, pixels: np.ndarray) -> tuple[int, int, int, int] | None:
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

    def _owners(self, rendered: list[RenderedActor]) -> np.ndarray:
        """(H, W, 4) index into rendered of who is nearest at each sample; STATIC where nobody is."""
        depth, size_hw = self.stage.depth.copy(), self.stage.depth.shape[:2]
        owner = np.full(depth.shape, STATIC, np.int16)
        for index, one in enumerate(rendered):
            fy, fx, wy, wx = one.shared(size_hw)
            nearer = one.depth[wy, wx] < depth[fy, fx]
            depth[fy, fx][nearer] = one.depth[wy, wx][nearer]
            owner[fy, fx][nearer] = index
        return owner

    def picture(self, rendered: list[RenderedActor], sun_fraction: float) -> np.ndarray:
        """Linear RGB (H, W, 3) of what the lens sees; sun_fraction is the passing cloud's factor on the sun."""
        casters = self._shadow_casters(rendered) if self.illumination.sun.any() and rendered else None
        background = self.ground.background(rendered, casters, sun_fraction)
        size_hw = background.shape[:2]
        cover = np.zeros((*size_hw, 1), np.float32)
        actors = np.zeros_like(background)
        for one in rendered:
            if not one.seen.any():
                continue
            fy, fx, wy, wx = one.shared(size_hw)
            seen = one.seen[wy, wx]
            cover[fy, fx, 0] += seen.mean(axis=2, dtype=np.float32)
            actors[fy, fx] += self.shading.colours(one, casters, sun_fraction)[wy, wx].sum(axis=2) / len(OFFSETS)
        background *= 1 - cover
        background += actors
        return background

    def _shadow_casters(self, rendered: list[RenderedActor]) -> o3d.t.geometry.RaycastingScene:
        """Everyone's shape for shadow rays: people as they are, vehicles as convex hulls a hand's breadth up."""
        meshes = [self._hull(one) if one.state.vehicle else one.mesh for one in rendered]
        return scene_of(
            [(mesh.vertices @ one.R.T + one.t, mesh.triangles) for one, mesh in zip(rendered, meshes, strict=True)],
            self.threads,
        )

    def _hull(self, one: RenderedActor) -> Mesh:
        key = one.state.actor_id
        if key not in self._hulls:
            import trimesh

            hull = trimesh.PointCloud(one.mesh.vertices).convex_hull
            shrunk = hull.vertices * (0.985, 0.97, 0.985)
            self._hulls[key] = Mesh.build(shrunk, hull.faces, (0, 0, 0))
        return self._hulls[key]
