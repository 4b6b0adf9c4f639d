"""Colours of actors: sun and sky on their paint, what it mirrors, their own lamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.mesh import LIT_COLOURS, Lamp, blocked
from pipeline.simulate.camera.rendered import RenderedActor
from pipeline.simulate.world.illumination import Illumination
from pipeline.simulate.world.stage import (
    EVEN_STREET,
    OFFSETS,
    StillLayers,
    Surroundings,
    WorldView,
    dot,
    fresnel,
    lamp_light,
    reflected,
    surface,
    unit,
)

_LAMP_COLOURS = {
    Lamp.HEADLIGHT: (1.0, 0.95, 0.82),
    Lamp.TAIL_LIGHT: (0.75, 0.02, 0.015),
    Lamp.BRAKE_LIGHT: (1.0, 0.03, 0.02),
    Lamp.INDICATOR_LEFT: (1.0, 0.45, 0.03),
    Lamp.INDICATOR_RIGHT: (1.0, 0.45, 0.03),
    **LIT_COLOURS,
}


@dataclass(frozen=True)
class Shading:
    """For all frames of a burst; lamp_heads (L, 3): street lamps, world; around: what vehicles mirror."""

    view: WorldView
    stage: StillLayers
    illumination: Illumination
    lamp_heads: np.ndarray
    threads: int
    around: Surroundings = EVEN_STREET

    def colours(self, one: RenderedActor, casters, sun_fraction: float) -> np.ndarray:
        """(h, w, 4, 3) linear colour of the samples that are seen; zero elsewhere."""
        illumination = self.illumination
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
        sun = np.clip(normal @ illumination.sun_dir, 0, None) * sun_fraction
        if casters is not None:
            sun *= self._sunlit(one, rows, points, normal, casters)
        # Close to the ground less sky comes in: the lower flanks and the wheels are darker.
        low = np.clip(points[:, 2] / 0.55, 0, 1)
        around = illumination.ambient(normal) * (0.45 + 0.55 * low)[:, None]
        around += lamp_light(illumination, self._lamps_near(one), points, normal)
        result = albedo * (sun[:, None] * illumination.sun + around)
        shiny = np.flatnonzero(gloss > 0)
        if len(shiny):
            result[shiny] += self._coat(gloss[shiny], view_dir[shiny], normal[shiny], sun[shiny])
        colours[rows] = result + self._lamps(one, triangle)
        return colours.reshape(*one.seen.shape, 3)

    def _coat(self, gloss: np.ndarray, view_dir: np.ndarray, normal: np.ndarray, sun: np.ndarray) -> np.ndarray:
        """(N, 3) what a clear coat mirrors of the street, and the sun's glint in it."""
        illumination = self.illumination
        mirrored = (gloss * fresnel(view_dir, normal))[:, None] * reflected(illumination, view_dir, normal, self.around)
        half = unit(illumination.sun_dir - view_dir)
        glint = gloss * np.clip(dot(half, normal), 0, 1) ** 220 * 3.0 * (sun > 0)
        return mirrored + glint[:, None] * illumination.sun

    def _lamps_near(self, one: RenderedActor) -> np.ndarray:
        """(L, 3) street lamps whose light reaches the actor."""
        return self.lamp_heads[np.linalg.norm(self.lamp_heads[:, :2] - one.t[:2], axis=1) < 16.0]

    def _sunlit(
        self, one: RenderedActor, rows: np.ndarray, points: np.ndarray, normal: np.ndarray, casters
    ) -> np.ndarray:
        """(N,) 1 where the sun reaches; asked once a pixel, for its first sample, and lifted off the own hull."""
        pixel = rows // len(OFFSETS)
        _, first, back = np.unique(pixel, return_index=True, return_inverse=True)
        lift = 0.30 if one.state.vehicle else 0.05
        start = points[first] + normal[first] * lift + self.illumination.sun_dir * lift
        dark = blocked(self.stage.scene, start, self.illumination.sun_dir, self.threads)
        dark |= blocked(casters, start, self.illumination.sun_dir, self.threads)
        return (~dark)[back].astype(np.float32)

    def _lamps(self, one: RenderedActor, triangle: np.ndarray) -> np.ndarray:
        """(N, 3) light that the vehicle's own lamps send out."""
        state, kinds = one.state, one.mesh.lamp[triangle]
        glow = np.zeros((len(triangle), 3), np.float32)
        if not state.vehicle or not state.moving:
            return glow
        power = 2.6 if self.illumination.lamps else 1.0
        on = {
            Lamp.HEADLIGHT: self.illumination.lamps,
            Lamp.TAIL_LIGHT: self.illumination.lamps,
            Lamp.BRAKE_LIGHT: state.braking,
            Lamp.INDICATOR_LEFT: state.turn > 0,
            Lamp.INDICATOR_RIGHT: state.turn < 0,
            **dict.fromkeys(LIT_COLOURS, True),
        }
        for lamp, lit in on.items():
            if lit:
                glow[kinds == lamp] = power * np.array(_LAMP_COLOURS[lamp])
        return glow
