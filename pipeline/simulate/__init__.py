"""A time-lapse camera that needs no download: an intersection over a day, with exact truth beside every frame.

The world frame is the ground plane's own (calibration.camera). A burst is a few seconds of frames; each is rendered on
its own from its own seed, so that workers may share the bursts in any way.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
import simplejpeg

from calibration.camera import Camera, GroundPlane
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import to_table
from pipeline.simulate.camera.render import Renderer
from pipeline.simulate.camera.sensor import noise_tile, sensor
from pipeline.simulate.camera.truth import TRUTH, read_truth, rows_of
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.traffic.flow import simulate
from pipeline.simulate.vehicles.fleets import fleet_named
from pipeline.simulate.world.illumination import Illumination, drift, illumination_at
from pipeline.simulate.world.layout import LAYOUTS
from pipeline.simulate.world.stage import (
    EVEN_STREET,
    StillLayers,
    Surroundings,
    WorldView,
    build_stage,
    sample_surroundings,
)

__all__ = ["BucketPlan", "Burst", "Simulation", "plan_bursts", "read_truth", "render_burst"]

_PAUSE_S = 240.0  # between the starts of two bursts of a bucket
_IDS_PER_BURST = 1000


@dataclass(frozen=True)
class BucketPlan:
    """A lighting bucket: its name, the local time its first burst starts, how cloudy and how wet it is (0 to 1)."""

    name: str
    start: time
    cloud: float = 0.2
    wet: float = 0.0


@dataclass(frozen=True)
class Simulation:
    """What the simulated camera films; one of the layouts of pipeline/simulate/world/layout.py, one of the fleets of
    pipeline/simulate/vehicles/fleets.py, whose own mix vehicle_mix may replace."""

    layout: str
    seed: int
    date: date
    buckets: tuple[BucketPlan, ...]
    bursts_per_bucket: int = 4
    burst_s: float = 12.0
    fps: float = 5.0
    latitude_deg: float = 51.5
    vehicles_per_minute: float = 26.0
    people_per_minute: float = 16.0
    vehicle_mix: dict[str, float] = field(default_factory=dict)
    fleet: str = "plain"
    jpeg_quality: int = 92

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {self.layout!r}")
        known = fleet_named(self.fleet).bodies
        unknown = [body for body in self.vehicle_mix if body not in known]
        if unknown or (self.vehicle_mix and not any(self.vehicle_mix.values())):
            what = f"got {', '.join(unknown)}" if unknown else "some of them above 0"
            raise ValueError(f"vehicle_mix: expected bodies of the {self.fleet} fleet, {', '.join(known)}; {what}")


@dataclass(frozen=True)
class Burst:
    """A few seconds of frames: which bucket, when they start, their ids and times."""

    index: int
    bucket: BucketPlan
    start: datetime
    frame_ids: range
    timestamps: tuple[datetime, ...]


def plan_bursts(sim: Simulation, zone: tzinfo) -> list[Burst]:
    """All bursts of the day, in time order."""
    count = round(sim.burst_s * sim.fps)
    bursts: list[Burst] = []
    for bucket in sorted(sim.buckets, key=lambda b: b.start):
        first = datetime.combine(sim.date, bucket.start, zone)
        for number in range(sim.bursts_per_bucket):
            index = len(bursts)
            start = first + timedelta(seconds=_PAUSE_S * number)
            moments = tuple(start + timedelta(seconds=i / sim.fps) for i in range(count))
            bursts.append(Burst(index, bucket, start, range(index * count, (index + 1) * count), moments))
    return bursts


def render_burst(
    sim: Simulation, camera: Camera, plane: GroundPlane, burst: Burst, frames_dir: Path, truth_path: Path, *,
    threads: int = 1, progress: Callable[[int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write frames_dir/<frame_id>.jpg of a burst, then its truth; the same bytes for the same arguments."""
    layout = LAYOUTS[sim.layout]
    view, stage, illumination = bucket_view(sim, camera, plane, burst, threads)
    fleet = fleet_named(sim.fleet)
    parked = parked_cars(layout, sim.seed, 1, fleet)
    times_s = np.arange(len(burst.frame_ids)) / sim.fps
    states = simulate(
        layout, np.random.default_rng([sim.seed, burst.index]), mix=sim.vehicle_mix,
        vehicles_per_minute=sim.vehicles_per_minute, people_per_minute=sim.people_per_minute, parked=parked,
        times_s=times_s, first_id=_IDS_PER_BURST * (burst.index + 1), fleet=fleet,
    )  # fmt: skip
    renderer = Renderer(layout, view, stage, illumination, threads, surroundings_of(sim))
    tile = noise_tile(camera.size_hw, np.random.default_rng([sim.seed, burst.index, 4]))
    rows: list[dict] = []
    for number, (frame_id, now) in enumerate(zip(burst.frame_ids, states, strict=True)):
        rendered = renderer.render(now)
        noise = np.random.default_rng([sim.seed, frame_id, 3])
        image = sensor(renderer.picture(rendered, sun_fraction(sim, burst, number)), illumination, tile, noise)
        jpeg = simplejpeg.encode_jpeg(
            np.ascontiguousarray(image), sim.jpeg_quality, "BGR", colorsubsampling="420", fastdct=False
        )
        write_bytes(frames_dir / f"{frame_id:06d}.jpg", jpeg)
        rows += rows_of(renderer, rendered, frame_id)
        if progress:
            progress(number + 1, len(burst.frame_ids))
    write_table(truth_path, to_table(rows, TRUTH))


def sun_fraction(sim: Simulation, burst: Burst, number: int) -> float:
    """Factor on the sun in a burst's frame of that number: thin cloud drifts by."""
    seconds = (burst.timestamps[number] - burst.timestamps[0]).total_seconds()
    return drift(burst.bucket.cloud, seconds + 60.0 * burst.index, sim.seed + burst.index)


def surroundings_of(sim: Simulation) -> Surroundings:
    """What vehicles mirror in this street: of the plain fleet an even street, else one of the seed's own."""
    return EVEN_STREET if sim.fleet == "plain" else sample_surroundings(np.random.default_rng([sim.seed, 6]))


def bucket_view(
    sim: Simulation, camera: Camera, plane: GroundPlane, burst: Burst, threads: int
) -> tuple[WorldView, StillLayers, Illumination]:
    """The view, the stage and the illumination of a burst's bucket; cast once for all its bursts."""
    illumination = _illumination_of(sim, burst)
    return *_stage(sim.layout, _Keyed((WorldView(camera, plane), illumination)), threads), illumination


def _illumination_of(sim: Simulation, burst: Burst) -> Illumination:
    """One illumination for all of a bucket: the sun hardly moves in so few minutes; the stage is cast once."""
    moment = datetime.combine(sim.date, burst.bucket.start)
    found = illumination_at(moment, sim.latitude_deg, LAYOUTS[sim.layout].north_deg, burst.bucket.cloud)
    return replace(found, wet=burst.bucket.wet)


class _Keyed:
    """View and illumination under a key of all their numbers: arrays cannot be compared by one ==.

    Of fields alone: what a view has worked out since must not make it another.
    """

    def __init__(self, value: tuple[WorldView, Illumination]) -> None:
        self.value = value
        self.key = pickle.dumps([asdict(part) for part in value])

    def __hash__(self) -> int:
        return crc32(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self.key == other.key


@lru_cache(maxsize=1)
def _stage(layout: str, seen: _Keyed, threads: int) -> tuple[WorldView, StillLayers]:
    """The stage of a bucket, and the view with what it has worked out: bursts of one bucket share both."""
    view, illumination = seen.value
    return view, build_stage(LAYOUTS[layout], view, illumination, threads)
