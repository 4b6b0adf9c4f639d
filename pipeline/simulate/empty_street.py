"""What an empty street looks like to the simulated camera: the exact picture that a bucket's median only estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.simulate import Burst, Simulation, bucket_view, sun_fraction, surroundings_of
from pipeline.simulate.camera.render import Renderer
from pipeline.simulate.camera.sensor import sensor
from pipeline.simulate.camera.truth import rows_of
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.vehicles.fleets import fleet_named
from pipeline.simulate.world.layout import LAYOUTS


def render_empty(
    sim: Simulation, camera: Camera, plane: GroundPlane, bursts: Sequence[Burst], *, threads: int = 1
) -> tuple[np.ndarray, list[dict]]:
    """BGR uint8 (H, W, 3) of the street with nobody on the move, and TRUTH rows of what is parked there all day.

    bursts: of one bucket. Without noise and compression, under the median of the sun's fractions of all their frames:
    each pixel grows with that fraction, so that this is the median of the empty street's pictures.
    """
    layout = LAYOUTS[sim.layout]
    view, stage, illumination = bucket_view(sim, camera, plane, bursts[0], threads)
    renderer = Renderer(layout, view, stage, illumination, threads, surroundings_of(sim))
    rendered = renderer.render(parked_cars(layout, sim.seed, 1, fleet_named(sim.fleet)))
    fraction = float(np.median([sun_fraction(sim, burst, n) for burst in bursts for n in range(len(burst.frame_ids))]))
    blank = np.zeros((camera.size_hw[0] + 64, camera.size_hw[1] + 64, 3), np.float32)
    picture = sensor(renderer.picture(rendered, fraction), illumination, blank, np.random.default_rng(0))
    return np.ascontiguousarray(picture), rows_of(renderer, rendered, -1)
