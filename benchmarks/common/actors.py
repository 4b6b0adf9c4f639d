"""The very meshes that the simulator rendered: their outlines on the ground, and who is nearer where two overlap.

The simulation is run again without being rendered; its states are the same for the same manifest. World frame of the
ground plane, metres.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from calibration.camera import Camera, GroundPlane
from data_manifest.loader import CameraEntry
from data_manifest.schema import SimulatedSource
from pipeline.core import masks
from pipeline.core.mesh import cast, scene_of
from pipeline.simulate import plan_bursts
from pipeline.simulate.camera.render import world_pose
from pipeline.simulate.people.person import person_mesh
from pipeline.simulate.traffic.actors import ActorState
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.traffic.flow import simulate
from pipeline.simulate.vehicles.fleets import fleet_named
from pipeline.simulate.world.layout import LAYOUTS
from tasks.frames import simulation_of

_RAYS = 400  # of the pixels that two masks have in common, at most


class TrueActors:
    """Actors of a simulated camera by (frame, actor id), as the truth table has them."""

    def __init__(self, entry: CameraEntry, camera: Camera, plane: GroundPlane) -> None:
        source = entry.manifest.source
        if not isinstance(source, SimulatedSource):
            raise SystemExit(f"{entry.path}: no exact truth; expected a source of kind simulated")
        self.camera, self.plane, self.simulation = camera, plane, simulation_of(source)
        self.bursts = plan_bursts(self.simulation, entry.zone)
        self.layout = LAYOUTS[self.simulation.layout]
        self._states = lru_cache(maxsize=None)(self._simulated)
        self._mesh = lru_cache(maxsize=None)(self._made)
        self._scene = lru_cache(maxsize=256)(lambda *key: scene_of([self._mesh(*key)]))

    def _simulated(self, number: int) -> list[dict[int, ActorState]]:
        """States of a burst by frame and actor: as `render_burst` has them."""
        sim, burst = self.simulation, self.bursts[number]
        states = simulate(
            self.layout, np.random.default_rng([sim.seed, burst.index]), mix=sim.vehicle_mix,
            vehicles_per_minute=sim.vehicles_per_minute, people_per_minute=sim.people_per_minute,
            parked=parked_cars(self.layout, sim.seed, 1, fleet_named(sim.fleet)), fleet=fleet_named(sim.fleet),
            times_s=np.arange(len(burst.frame_ids)) / sim.fps, first_id=1000 * (burst.index + 1),
        )  # fmt: skip
        return [{state.actor_id: state for state in now} for now in states]

    def _made(self, frame_id: int, actor_id: int) -> tuple[np.ndarray, np.ndarray]:
        number, place = divmod(frame_id, len(self.bursts[0].frame_ids))
        state = self._states(number)[place][actor_id]
        mesh = state.vehicle.mesh if state.vehicle else person_mesh(state.walker, state.motion, state.phase)
        R, t = world_pose(self.layout, state)
        return mesh.vertices @ R.T + t, mesh.triangles

    def footprint(self, frame_id: int, actor_id: int) -> np.ndarray:
        """(C, 2) convex outline on the ground."""
        vertices, _ = self._mesh(frame_id, actor_id)
        return cv2.convexHull(np.ascontiguousarray(vertices[:, :2], np.float32))[:, 0].astype(float)

    def nearer(self, first: tuple[int, int, str], second: tuple[int, int, str]) -> float | None:
        """Fraction of the pixels that both show at which the first is the nearer; None where there are none.

        Each is (frame, actor, its true mask's run-length string).
        """
        shared = _shared(first[2], second[2], self.camera.size_hw)
        if not len(shared):
            return None
        shared = shared[:: -(-len(shared) // _RAYS)]
        rays = self.camera.rays(shared) @ self.plane.R_cam_world
        eye = np.array([0.0, 0.0, self.plane.d])
        depth = [cast(self._scene(*one[:2]), eye, rays.astype(np.float32))["t_hit"] for one in (first, second)]
        both = np.isfinite(depth[0]) & np.isfinite(depth[1])
        return float((depth[0] < depth[1])[both].mean()) if both.any() else None


def _shared(first: str, second: str, size_hw: tuple[int, int]) -> np.ndarray:
    """(P, 2) xy of the pixels of both masks."""
    (a, (ax, ay, aw, ah)), (b, (bx, by, bw, bh)) = masks.decode(first, size_hw), masks.decode(second, size_hw)
    x0, y0, x1, y1 = max(ax, bx), max(ay, by), min(ax + aw, bx + bw), min(ay + ah, by + bh)
    if x0 >= x1 or y0 >= y1:
        return np.empty((0, 2))
    both = a[y0 - ay : y1 - ay, x0 - ax : x1 - ax] & b[y0 - by : y1 - by, x0 - bx : x1 - bx]
    rows, columns = np.nonzero(both)
    return np.stack([columns + x0, rows + y0], axis=1).astype(float)
