"""The wide fleet: of sound triangles, closed to a camera, its keypoints on the right parts, no cue of one end only."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from pipeline.core.mesh import LIT_COLOURS, Lamp, Mesh, cast, scene_of
from pipeline.simulate.vehicles.fleet import Vehicle, sample_paint
from pipeline.simulate.vehicles.wide.dimensions import BEYOND, models_of
from pipeline.simulate.vehicles.wide.fleet import WIDE_BODIES, make_wide_vehicle
from pipeline.simulate.vehicles.wide.looks import Looks, sample_looks

SEEDS = range(4)
every_body = pytest.mark.parametrize("body", WIDE_BODIES)
# The kinds that a headlight, and a lamp cluster of the rear, may be made of.
_FRONT = (Lamp.HEADLIGHT, Lamp.LIT_WHITE, Lamp.LIT_RED)
_REAR = (Lamp.TAIL_LIGHT, Lamp.BRAKE_LIGHT, Lamp.INDICATOR_LEFT, Lamp.INDICATOR_RIGHT, Lamp.LIT_RED, Lamp.LIT_WHITE)


@cache
def fleet_of(body: str) -> list[Vehicle]:
    return [make_wide_vehicle(body, seed) for seed in SEEDS]


def bytes_of(vehicle: Vehicle) -> list[bytes]:
    names = ("vertices", "triangles", "normals", "albedo", "gloss", "lamp")
    return [getattr(vehicle.mesh, name).tobytes() for name in names] + [vehicle.keypoints.tobytes()]


@every_body
def test_keypoints_are_mirror_images_in_the_order_of_the_skeleton(body: str) -> None:
    for vehicle in fleet_of(body):
        points = vehicle.keypoints
        np.testing.assert_array_equal(points[0::2] * [1, -1, 1], points[1::2])
        assert (points[1::2, 1] > 0.19).all()
        front, back = points[[0, 4, 8]], points[[2, 6, 10]]
        assert (front[:, 0] > back[:, 0]).all()
        assert points[4:8, 2].min() > 0.3 and points[8:, 2].min() > points[4:8, 2].max()
        assert points[4, 0] > points[0, 0] and points[6, 0] < points[2, 0] + 0.35


@every_body
def test_keypoints_lie_on_the_surface(body: str) -> None:
    for seed in SEEDS:
        vehicle = make_wide_vehicle(body, seed, bare=True)
        scene = scene_of([vehicle.mesh.geometry])
        distance = scene.compute_distance(vehicle.keypoints.astype(np.float32)).numpy()
        assert distance.max() < 0.04, (seed, distance)


@every_body
def test_lamp_keypoints_lie_on_lamps(body: str) -> None:
    for seed in SEEDS:
        vehicle = make_wide_vehicle(body, seed, bare=True)
        points = vehicle.keypoints[4:8].astype(np.float32)
        nearest = scene_of([vehicle.mesh.geometry]).compute_closest_points(points)["primitive_ids"].numpy()
        lamps = vehicle.mesh.lamp[nearest]
        assert np.isin(lamps[:2], _FRONT).all() and np.isin(lamps[2:], _REAR).all(), (seed, lamps)


@every_body
def test_stands_on_its_wheels(body: str) -> None:
    """All tyres touch the ground; nothing is below it."""
    for vehicle in fleet_of(body):
        wheels = vehicle.keypoints[:4]
        assert abs(vehicle.mesh.vertices[:, 2].min()) < 1e-5
        touching = vehicle.mesh.vertices[vehicle.mesh.vertices[:, 2] < 1e-5]
        assert np.abs(touching[:, None, 0] - wheels[:, 0]).min(axis=0).max() < 1e-4
        assert wheels[0, 0] - wheels[2, 0] == pytest.approx(vehicle.wheelbase_m, abs=2e-3)


@every_body
def test_the_bare_vehicle_is_centred_and_the_rest_reaches_as_far_as_it_says(body: str) -> None:
    for seed in SEEDS:
        bare, whole = make_wide_vehicle(body, seed, bare=True), make_wide_vehicle(body, seed)
        low, high = bare.mesh.vertices.min(axis=0), bare.mesh.vertices.max(axis=0)
        np.testing.assert_allclose(bare.dims_lwh_m, high - low, atol=1e-5)
        assert low[0] + high[0] == pytest.approx(0, abs=1e-4)
        assert bare.overhang_m < 1e-4
        np.testing.assert_array_equal(bare.keypoints, whole.keypoints)
        assert bare.dims_lwh_m == whole.dims_lwh_m
        reach = np.abs(whole.mesh.vertices[:, 0]).max()
        assert whole.dims_lwh_m[0] / 2 + whole.overhang_m == pytest.approx(reach, abs=1e-4)


@every_body
def test_triangles_are_sound_and_few(body: str) -> None:
    """All but sheets that an arch or an edge cuts short have an area."""
    for vehicle in fleet_of(body):
        mesh = vehicle.mesh
        a, b, c = np.moveaxis(mesh.vertices[mesh.triangles].astype(float), 1, 0)
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
        assert (area > 1e-8).mean() > 0.99
        np.testing.assert_allclose(np.linalg.norm(mesh.normals[area > 1e-8], axis=2), 1, atol=1e-4)
        assert len(mesh.triangles) < 11000
        assert mesh.albedo.min() >= 0 and mesh.albedo.max() <= 1 and mesh.gloss.min() >= 0


@every_body
def test_a_street_camera_sees_no_inside(body: str) -> None:
    """Rays from all around meet faces from their front, but for a hundredth along outlines."""
    mesh = make_wide_vehicle(body, 1, bare=True).mesh
    scene = scene_of([mesh.geometry])
    rng = np.random.default_rng(0)
    targets = rng.uniform(mesh.vertices.min(axis=0), mesh.vertices.max(axis=0), (3000, 3)).astype(np.float32)
    azimuth = rng.uniform(0, 2 * np.pi, 3000)
    eye = np.stack([25 * np.cos(azimuth), 25 * np.sin(azimuth), rng.uniform(4, 12, 3000)], 1).astype(np.float32)
    hits = cast(scene, eye, targets - eye, wanted=("t_hit", "primitive_normals"))
    hit = np.isfinite(hits["t_hit"])
    facing = np.sum(hits["primitive_normals"] * (targets - eye), axis=1) < 0
    assert hit.sum() > 1000 and facing[hit].mean() > 0.985


@every_body
def test_same_seed_same_bytes(body: str) -> None:
    assert bytes_of(make_wide_vehicle(body, 7)) == bytes_of(make_wide_vehicle(body, 7))
    assert make_wide_vehicle(body, 7).dims_lwh_m != make_wide_vehicle(body, 8).dims_lwh_m


@pytest.mark.parametrize("body", ["microcar", "hatchback", "sedan", "suv", "van", "bus", "double_decker"])
def test_sizes_are_those_published_and_a_tenth_beyond(body: str) -> None:
    """Length over bumpers; a bus' mirrors may stand ahead."""
    rows = models_of(body)
    low, high = min(r.length_m for r in rows), max(r.length_m for r in rows)
    for vehicle in fleet_of(body):
        least = 0.6 * low if body == "bus" else low  # midibuses are shorter
        assert least * (low / high) ** BEYOND - 0.02 <= vehicle.dims_lwh_m[0] <= high * (high / low) ** BEYOND + 0.35


def test_the_two_sides_differ() -> None:
    """Most have something on one side only, and yet both sides' keypoints mirror each other."""
    vehicles = [make_wide_vehicle("hatchback", seed) for seed in range(12)]
    assert sum(one_sided(v.mesh) for v in vehicles) >= 10


def one_sided(mesh: Mesh) -> bool:
    cells = np.round(mesh.vertices, 3) + 0.0
    return {tuple(row) for row in (cells * [1, -1, 1] + 0.0).tolist()} != {tuple(row) for row in cells.tolist()}


def test_no_colour_or_light_belongs_to_one_end() -> None:
    """White and red lenses, lit and unlit, are met at both ends, so that none of them tells which end it is."""
    rng = np.random.default_rng(5)
    looks = [sample_looks(sample_paint("sedan", rng), rng) for _ in range(1500)]
    front, rear = Counter(map(front_cue, looks)), Counter(map(rear_cue, looks))
    for colour in ("red", "white", "dark"):
        for lit in (True, False):
            assert front[colour, lit] >= 5 and rear[colour, lit] >= 5, (colour, lit, front, rear)


def front_cue(looks: Looks) -> tuple[str, bool]:
    return colour_of(looks.front), looks.front.lamp in LIT_COLOURS or looks.day is not None


def rear_cue(looks: Looks) -> tuple[str, bool]:
    return colour_of(looks.tail), looks.tail.lamp in LIT_COLOURS


def colour_of(material) -> str:
    red, _, blue = material.albedo
    return "red" if red > 3 * blue and red > 0.1 else "dark" if red < 0.1 else "white"


def test_a_body_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected one of microcar.*got 'tram'"):
        make_wide_vehicle("tram", 0)


def test_a_coupe_whose_lamps_lie_below_its_grille_is_built() -> None:
    coupe = make_wide_vehicle("coupe", 948197524)
    assert np.isfinite(coupe.mesh.vertices).all()
    assert coupe.dims_lwh_m[2] < 1.4
