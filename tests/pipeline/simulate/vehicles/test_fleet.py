"""The fleet: symmetric, of published size, closed to a street camera, its keypoints on the right parts."""

from functools import cache

import numpy as np
import open3d as o3d
import pytest

from pipeline.core.mesh import Lamp, Mesh
from pipeline.simulate.vehicles.fleet import BODY_TYPES, SIZES, Vehicle, make_vehicle
from pipeline.simulate.vehicles.parts import grid_triangles, mirrored_mesh, panel

SEEDS = range(4)
every_body = pytest.mark.parametrize("body", BODY_TYPES)


@cache
def fleet_of(body: str) -> list[Vehicle]:
    return [make_vehicle(body, seed) for seed in SEEDS]


def scene(mesh: Mesh) -> o3d.t.geometry.RaycastingScene:
    made = o3d.t.geometry.RaycastingScene(nthreads=1)
    made.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.triangles.astype(np.uint32)))
    return made


def corners(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[mesh.triangles].astype(float)


@every_body
def test_left_mirrors_right(body: str) -> None:
    for vehicle in fleet_of(body):
        right, left = vehicle.keypoints[0::2], vehicle.keypoints[1::2]
        np.testing.assert_array_equal(right * [1, -1, 1], left)
        assert (left[:, 1] > 0).all()
        low, high = vehicle.mesh.vertices.min(axis=0), vehicle.mesh.vertices.max(axis=0)
        np.testing.assert_allclose(low[:2], -high[:2], atol=1e-4)


@every_body
def test_dims_are_the_extents_and_lie_in_the_published_range(body: str) -> None:
    published = SIZES[body]
    for vehicle in fleet_of(body):
        np.testing.assert_array_equal(vehicle.dims_lwh_m, np.ptp(vehicle.mesh.vertices, axis=0))
        for measured, (low, high) in zip(
            (*vehicle.dims_lwh_m, vehicle.wheel_radius_m),
            (published.length, published.width, published.height, published.wheel_radius),
            strict=True,
        ):
            assert low <= measured <= high


@every_body
def test_stands_on_its_wheels(body: str) -> None:
    for vehicle in fleet_of(body):
        wheels = vehicle.keypoints[:4]
        assert abs(vehicle.mesh.vertices[:, 2].min()) < 1e-6
        np.testing.assert_allclose(wheels[:, 2], vehicle.wheel_radius_m)
        assert wheels[0, 0] - wheels[2, 0] == pytest.approx(vehicle.wheelbase_m)
        touching = vehicle.mesh.vertices[vehicle.mesh.vertices[:, 2] < 1e-6]
        gaps = np.abs(touching[:, None, 0] - wheels[:, 0]).min(axis=0)
        assert gaps.max() < 1e-4


@every_body
def test_keypoints_lie_on_the_surface(body: str) -> None:
    for vehicle in fleet_of(body):
        points = o3d.core.Tensor(vehicle.keypoints.astype(np.float32))
        assert scene(vehicle.mesh).compute_distance(points).numpy().max() < 0.03


@every_body
def test_lamp_keypoints_lie_on_lamps(body: str) -> None:
    for vehicle in fleet_of(body):
        points = o3d.core.Tensor(vehicle.keypoints[4:8].astype(np.float32))
        nearest = scene(vehicle.mesh).compute_closest_points(points)["primitive_ids"].numpy()
        lamps = vehicle.mesh.lamp[nearest]
        assert (lamps[:2] == Lamp.HEADLIGHT).all()
        assert np.isin(lamps[2:], (Lamp.TAIL_LIGHT, Lamp.BRAKE_LIGHT)).all()


@every_body
def test_indicators_are_on_their_own_side(body: str) -> None:
    mesh = fleet_of(body)[0].mesh
    side = corners(mesh)[:, :, 1].mean(axis=1)
    assert (side[mesh.lamp == Lamp.INDICATOR_LEFT] > 0).all()
    assert (side[mesh.lamp == Lamp.INDICATOR_RIGHT] < 0).all()
    assert (mesh.lamp == Lamp.INDICATOR_LEFT).sum() == (mesh.lamp == Lamp.INDICATOR_RIGHT).sum() > 0


@every_body
def test_roof_corners_are_the_highest_keypoints(body: str) -> None:
    for vehicle in fleet_of(body):
        assert vehicle.keypoints[8:, 2].min() > vehicle.keypoints[:8, 2].max()
        assert (vehicle.keypoints[8:10, 0] > vehicle.keypoints[10:, 0]).all()


@every_body
def test_triangles_are_sound(body: str) -> None:
    for vehicle in fleet_of(body):
        mesh = vehicle.mesh
        a, b, c = np.moveaxis(corners(mesh), 1, 0)
        assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 1e-6
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=2), 1, atol=1e-5)
        assert 2000 <= len(mesh.triangles) <= 6000
        assert mesh.albedo.min() >= 0 and mesh.albedo.max() <= 1


@every_body
@pytest.mark.parametrize("height_m", [4.0, 12.0])
def test_a_street_camera_sees_no_inside(body: str, height_m: float) -> None:
    """Rays from all around meet faces from their front: nothing is open, nothing is turned inside out.

    Glass and lamps are sheets a centimetre above the body, whose underside may show along an outline.
    """
    mesh = fleet_of(body)[1].mesh
    cast = scene(mesh)
    for azimuth in np.radians(np.arange(0, 360, 45)):
        eye = [15 * np.cos(azimuth), 15 * np.sin(azimuth), height_m]
        rays = cast.create_rays_pinhole(45, [0, 0, 1], eye, [0, 0, 1], 160, 120)
        hits = cast.cast_rays(rays)
        hit = np.isfinite(hits["t_hit"].numpy())
        facing = np.sum(hits["primitive_normals"].numpy() * rays.numpy()[..., 3:], axis=2)
        assert hit.sum() > 500
        assert (facing[hit] > 0).mean() < 0.005


@every_body
def test_same_seed_same_bytes(body: str) -> None:
    first, second, other = make_vehicle(body, 7), make_vehicle(body, 7), make_vehicle(body, 8)
    for name in ("vertices", "triangles", "normals", "albedo", "gloss", "lamp"):
        assert getattr(first.mesh, name).tobytes() == getattr(second.mesh, name).tobytes()
    assert first.keypoints.tobytes() == second.keypoints.tobytes()
    assert first.dims_lwh_m != other.dims_lwh_m


@every_body
def test_shells_of_a_body_type_share_their_topology(body: str) -> None:
    """The shell comes first in the mesh, with as many vertices whatever the seed."""
    meshes = [vehicle.mesh for vehicle in fleet_of(body)]
    for mesh in meshes[1:]:
        np.testing.assert_array_equal(mesh.triangles[:2500], meshes[0].triangles[:2500])


def test_unknown_body_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected one of hatchback.*got 'tram'"):
        make_vehicle("tram", 0)


def test_mirroring_twice_gives_the_mesh_back() -> None:
    mesh = make_vehicle("bus", 3).mesh
    twice = mirrored_mesh(mirrored_mesh(mesh))
    for name in ("vertices", "triangles", "normals", "lamp"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(mesh, name))


def test_a_panel_lies_above_its_surface_and_faces_outward() -> None:
    from pipeline.simulate.vehicles.parts import GLASS

    def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([x, y, 0.5 * x], -1)

    for turn in (1, -1):
        sheet = panel(
            slope, [(0, 0), (1, 0), (1, 1), (0, 1)][::turn], GLASS, outward=(0, 0, 1), cells=(3, 2), lift_m=0.1
        )
        above = (sheet.vertices[:, 2] - 0.5 * sheet.vertices[:, 0]) / np.sqrt(1.25)
        np.testing.assert_allclose(above, 0.1, atol=1e-6)
        assert (sheet.normals[..., 2] > 0).all()


def test_grid_triangles_cover_every_cell_once() -> None:
    triangles = grid_triangles(3, 4)
    points = np.stack(np.meshgrid(range(3), range(4), indexing="ij"), -1).reshape(-1, 2).astype(float)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    double_area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    np.testing.assert_array_equal(double_area, np.ones(12))
