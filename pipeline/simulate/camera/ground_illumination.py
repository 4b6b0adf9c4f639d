"""The stage's illumination with actors in it: their shadows, the dark beside them, their headlights' pools."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.core.mesh import blocked
from pipeline.simulate.camera.rendered import RenderedActor
from pipeline.simulate.world.illumination import Illumination
from pipeline.simulate.world.stage import StillLayers, WorldView


@dataclass(frozen=True)
class GroundIllumination:
    """For all frames of a burst."""

    view: WorldView
    stage: StillLayers
    illumination: Illumination
    threads: int

    def background(self, rendered: list[RenderedActor], casters, sun_fraction: float) -> np.ndarray:
        """Linear RGB (H, W, 3) of the stage; casters throw shadows, None without sun; sun_fraction: clouds'."""
        stage, size_hw = self.stage, self.stage.depth.shape[:2]
        free = np.ones(size_hw, np.float32)
        ambient = np.ones(size_hw, np.float32)
        pools = np.zeros(size_hw, np.float32)
        for one in rendered:
            self._contact(one, ambient)
            if casters is not None:
                self._shadow(one, casters, free)
            if self.illumination.lamps and one.state.vehicle and one.state.moving:
                self._headlight_pool(one, pools)
        # The sun is half a degree wide and cloud spreads it: a shadow's edge is soft.
        soft = cv2.GaussianBlur(free, (0, 0), 1.0)
        picture = stage.sunlit * (soft * sun_fraction)[..., None]
        picture += stage.unlit * ambient[..., None]
        if pools.any():
            picture += stage.albedo * pools[..., None] * np.array([1.0, 0.93, 0.80], np.float32)
        return picture

    def _ground_crop(self, points: np.ndarray) -> tuple[slice, slice] | None:
        """The frame's rows and columns around the projections of world points (N, 3)."""
        height, width = self.view.camera.size_hw
        pixels = self.view.project(points)
        pixels = pixels[~np.isnan(pixels).any(axis=1)]
        if not len(pixels):
            return None
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 2, 0, [width, height])
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 3, 0, [width, height])
        return (slice(low[1], high[1]), slice(low[0], high[0])) if (high > low).all() else None

    def _footprint(self, one: RenderedActor, grow_m: float) -> np.ndarray:
        """(4, 3) ground rectangle around the actor's mesh, world."""
        low, high = one.mesh.vertices[:, :2].min(axis=0) - grow_m, one.mesh.vertices[:, :2].max(axis=0) + grow_m
        corners = np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])
        return corners @ one.R.T + one.t

    def _shadow(self, one: RenderedActor, casters, free: np.ndarray) -> None:
        base, sun = self._footprint(one, 0.0), self.illumination.sun_dir
        top = base + [0, 0, float(one.mesh.vertices[:, 2].max())]
        fallen = top - sun * (top[:, 2:3] / max(sun[2], 0.08))
        crop = self._ground_crop(np.concatenate([base, top, fallen]))
        if crop is None:
            return
        part = free[crop]
        todo = (part > 0) & (self.stage.sunlit[crop].max(axis=2) > 1e-4)
        points = self.stage.point[crop][todo]
        part[todo] = ~blocked(casters, points, sun, self.threads)

    def _contact(self, one: RenderedActor, ambient: np.ndarray) -> None:
        """Less sky reaches the ground beside and under a body."""
        reach = 0.5 if one.state.vehicle else 0.15
        base = self._footprint(one, 3 * reach)
        crop = self._ground_crop(np.concatenate([base, base + [0, 0, 0.3]]))
        if crop is None:
            return
        local = (self.stage.point[crop] - one.t.astype(np.float32)) @ one.R.astype(np.float32)
        low, high = one.mesh.vertices.min(axis=0), one.mesh.vertices.max(axis=0)
        beside = np.maximum(np.maximum(low[:2] - local[..., :2], local[..., :2] - high[:2]), 0)
        away = np.hypot(beside[..., 0], beside[..., 1]) + np.abs(local[..., 2])
        strength = 0.62 if one.state.vehicle else 0.4
        ambient[crop] *= 1 - strength * np.exp(-((away / reach) ** 1.2))

    def _headlight_pool(self, one: RenderedActor, pools: np.ndarray) -> None:
        ahead = np.array([[1.0, -4, 0], [24, -7, 0], [24, 7, 0], [1, 4, 0]]) + [one.mesh.vertices[:, 0].max(), 0, 0]
        crop = self._ground_crop(ahead @ one.R.T + one.t)
        if crop is None:
            return
        local = (self.stage.point[crop] - one.t) @ one.R
        x = local[..., 0] - one.mesh.vertices[:, 0].max()
        spread = np.exp(-((local[..., 1] / (0.7 + 0.16 * np.maximum(x, 0))) ** 2))
        low = np.exp(-np.abs(local[..., 2]) / 0.6)
        fall = np.clip(x / 2.0, 0, 1) * np.exp(-np.maximum(x, 0) / 9.0)
        pools[crop] += (0.42 * spread * fall * low * (x > 0)).astype(np.float32)
