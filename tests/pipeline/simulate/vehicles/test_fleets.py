"""Which fleet a simulated camera draws from: cam07 and cam11 have theirs of old, all others the wide one."""

import hashlib

import numpy as np
import pytest
import yaml

from data_manifest import load_camera
from pipeline.simulate import Simulation, plan_bursts
from pipeline.simulate.traffic.arrivals import parked_cars
from pipeline.simulate.traffic.flow import simulate
from pipeline.simulate.vehicles.fleet import BODY_TYPES, Vehicle, make_vehicle
from pipeline.simulate.vehicles.fleets import FLEETS, fleet_named
from pipeline.simulate.world.layout import LAYOUTS
from tasks.frames import IngestFrames, simulation_of

# Digests of what these had before there was another fleet, to a thousandth, so that no machine's last bit matters.
PLAIN = {
    "hatchback": "2a608f2217e3", "sedan": "f69f5fbc47cd", "wagon": "21d3ed8cee4d", "suv": "fe7675eb8244",
    "pickup": "fe4472abaa0f", "van": "a44906079195", "minibus": "e6c626e8a6bc", "bus": "5c1436b6635f",
    "lorry": "6b355ece9b7c",
}  # fmt: skip
FOURTH_BURST = {
    "cam07": {
        4014: "d8dc81c7c9a3", 4020: "cf143c1addd3", 4021: "b7d4fa1acb6b", 4023: "c01fde134b98", 4024: "3f9f6c54a595",
        4028: "d607d26b1daf", 4029: "85ee4bf4b854", 1: "e2536b5b210f", 2: "74168d11ae0e", 3: "648255ce1dae",
        4: "e7ebc23d7fe0", 5: "35d2ee05da8f", 6: "4e7e6796605e", 7: "853875315b9e", 8: "cda8aaf9ecf3",
        9: "7e91f05a4c8c", 10: "19c18ce464bb", 11: "2e3d525377e3",
    },
    "cam11": {
        4013: "100ad3f6edce", 4018: "bb9c656ed5b4", 4021: "11540f28a471", 4023: "c24635391327", 4024: "441a9bfaf0f9",
        1: "2e7c99d01592", 2: "5b0a6a1ec204", 3: "a97e20841970", 4: "928f13f2cfd9", 5: "b513ef93e4fe",
        6: "3d4efdd20cdd", 7: "44e110f2dfd1", 8: "e8d5c6fa90eb", 9: "8d729f4c4e39", 10: "a0306ded4cc3",
        11: "7230d1e8d15f",
    },
}  # fmt: skip


def digest(vehicle: Vehicle) -> str:
    mesh, found = vehicle.mesh, hashlib.sha256()
    numbers = ((mesh.vertices, 1000), (mesh.albedo, 1000), (mesh.gloss, 1000), (mesh.normals, 100))
    for array, steps in (*numbers, (vehicle.keypoints, 1000)):
        found.update(np.floor(array.astype(float) * steps + 0.3137).astype(np.int32).tobytes())
    found.update(mesh.triangles.tobytes())
    found.update(mesh.lamp.tobytes())
    return found.hexdigest()[:12]


def on_the_street(sim: Simulation, burst: int, zone):
    """States at the first moment of a burst."""
    fleet, layout = fleet_named(sim.fleet), LAYOUTS[sim.layout]
    index = plan_bursts(sim, zone)[burst].index
    return simulate(
        layout, np.random.default_rng([sim.seed, index]), mix=sim.vehicle_mix,
        vehicles_per_minute=sim.vehicles_per_minute, people_per_minute=sim.people_per_minute,
        parked=parked_cars(layout, sim.seed, 1, fleet), times_s=np.array([0.0]),
        first_id=1000 * (index + 1), fleet=fleet,
    )[0]  # fmt: skip


def test_the_plain_fleet_is_what_it_was() -> None:
    assert {body: digest(make_vehicle(body, 7)) for body in BODY_TYPES} == PLAIN


@pytest.mark.parametrize("camera", FOURTH_BURST)
def test_these_cameras_have_the_traffic_they_always_had(camera: str) -> None:
    """Vehicle for vehicle; and nothing new among what the folder of their frames is keyed by."""
    entry = load_camera(camera)
    states = on_the_street(simulation_of(entry.manifest.source), 3, entry.zone)
    assert {s.actor_id: digest(s.vehicle) for s in states if s.vehicle} == FOURTH_BURST[camera]
    assert "fleet" not in IngestFrames(camera=camera).depends_on()["source"]


@pytest.mark.parametrize("camera", ["cam03", "cam05"])
def test_other_cameras_draw_from_the_wide_fleet(camera: str) -> None:
    entry = load_camera(camera)
    sim = simulation_of(entry.manifest.source)
    assert sim.fleet == "wide"
    assert IngestFrames(camera=camera).depends_on()["source"]["fleet"] == "wide"
    bodies = {s.vehicle.body for s in on_the_street(sim, 0, entry.zone) if s.vehicle}
    assert bodies <= set(FLEETS["wide"].bodies) and not bodies <= set(BODY_TYPES)


def test_mixes_are_of_the_fleets_own_bodies() -> None:
    for fleet in FLEETS.values():
        for mix in (fleet.mix, fleet.parked):
            assert set(mix) <= set(fleet.bodies)
            assert sum(mix.values()) == pytest.approx(1)
    assert set(FLEETS["plain"].bodies) <= set(FLEETS["wide"].bodies)


def test_long_vehicles_go_straight_on_and_keep_apart() -> None:
    """They are rigid here: none turns, and nothing drives through them or what they tow."""
    fleet, layout = FLEETS["wide"], LAYOUTS["crossroads"]
    mix = {"articulated_lorry": 0.3, "articulated_bus": 0.3, "sedan": 0.4}
    times = np.arange(0, 8, 0.5)
    frames = simulate(
        layout, np.random.default_rng(2), mix=mix, vehicles_per_minute=26.0, people_per_minute=0.0, parked=[],
        times_s=times, first_id=1, fleet=fleet,
    )  # fmt: skip
    long = {s.actor_id: s.turn for now in frames for s in now if s.vehicle and s.vehicle.dims_lwh_m[0] > 13}
    assert long and set(long.values()) == {0}
    for now in frames:
        outlines = [outline(state) for state in now if state.vehicle]
        assert not any(a.intersects(b) for i, a in enumerate(outlines) for b in outlines[i + 1 :])


def outline(state):
    """The footprint on the plan, fittings and what is towed included."""
    from shapely import MultiPoint

    c, s = np.cos(state.yaw), np.sin(state.yaw)
    return MultiPoint(state.vehicle.mesh.vertices[:, :2] @ np.array([[c, s], [-s, c]]) + state.xy).convex_hull


@pytest.mark.parametrize(("mix", "what"), [({"tram": 1.0}, "got tram"), ({"sedan": 0.0}, "some of them above 0")])
def test_a_mix_of_what_is_not_there_is_refused(tmp_path, mix, what) -> None:
    """One line that names the setting, what it may hold and what it held."""
    manifest = yaml.safe_load((load_camera("cam03").path).read_text())
    manifest["source"]["vehicle_mix"] = mix
    (tmp_path / "cam99.yaml").write_text(yaml.safe_dump(manifest))
    with pytest.raises(ValueError, match=rf"vehicle_mix: expected bodies of the wide fleet, microcar, .*{what}"):
        simulation_of(load_camera("cam99", tmp_path).manifest.source)


def test_an_unknown_fleet_is_named() -> None:
    with pytest.raises(ValueError, match=r"fleet: expected one of plain, wide, got 'small'"):
        fleet_named("small")
