from types import SimpleNamespace

import cv2
import numpy as np
import open3d as o3d
import pytest

from calibration.camera import Camera, GroundPlane
from models.synthetic.plans import CROP_SEEDS, CropSettings, plan_crops
from models.synthetic.sprites import SIDE_PX, Placed, render_sprite, sample_illumination, sample_place, self_hidden
from models.synthetic.vehicle_shards import read_backdrops, read_library, render_vehicles
from pipeline.core.mesh import Mesh
from pipeline.simulate.vehicles.fleet import BODY_TYPES, make_vehicle

FACES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def box_mesh(length=4.0, width=2.0, height=1.5):
    x, y = length / 2, width / 2
    corners = np.array([[a, b, c] for a in (-x, x) for b in (-y, y) for c in (0, height)])
    return Mesh.build(corners, np.concatenate([FACES[:, :3], FACES[:, [0, 2, 3]]]), (0.5, 0.5, 0.5))


def placed(yaw=0.0, away=20.0):
    """A camera 6 m up looking 15 degrees down at a spot straight ahead."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    camera = Camera(np.array([[900.0, 0, 639.5], [0, 900, 359.5], [0, 0, 1]]), (720, 1280))
    R = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    return Placed(camera, GroundPlane.from_tilt(15, 0, 6.0), R, np.array([0.0, away, 0]))


def rendered(vehicle, place, rng):
    return render_sprite("sedan", 1, vehicle.mesh, vehicle.keypoints, place, sample_illumination(rng), rng)


@pytest.mark.parametrize("body", BODY_TYPES)
def test_a_keypoint_that_is_not_hidden_is_where_its_ray_meets_the_vehicle(body, rng):
    vehicle = make_vehicle(body, CROP_SEEDS["val"] + 5)
    place = sample_place(rng, 0.6 * vehicle.dims_lwh_m[0])
    sprite = rendered(vehicle, place, rng)
    corners = place.project(vehicle.mesh.vertices)
    low = corners.min(axis=0)
    assert max(sprite.alpha.shape) == SIDE_PX or abs(max(sprite.alpha.shape) - SIDE_PX) <= 1
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(vehicle.mesh.vertices), o3d.core.Tensor(vehicle.mesh.triangles.astype(np.uint32))
    )
    zoom = SIDE_PX / sprite.natural_px
    rays = place.rays(sprite.keypoints / zoom + low)
    origin = np.broadcast_to(place.eye, rays.shape)
    depth = scene.cast_rays(o3d.core.Tensor(np.hstack([origin, rays]).astype(np.float32)))["t_hit"].numpy()
    to_point = (vehicle.keypoints - place.eye) @ (place.plane.R_cam_world @ place.R)[2]  # camera depth
    in_front = depth < to_point - 0.12
    assert (sprite.self_hidden == in_front).sum() >= 11  # one may lie right at the skin's depth
    seen = ~sprite.self_hidden & np.isfinite(depth)
    assert abs(depth[seen] - to_point[seen]).max() < 0.35


def test_a_boxs_own_sides_hide_what_is_behind_them():
    mesh, place = box_mesh(), placed(yaw=0.0)
    keypoints = np.array([[0, -1.0, 0.7], [0, 1.0, 0.7], [0, -1.0, 1.5], [2, 0, 0.3], [0, 1.0, 1.5]])
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.triangles.astype(np.uint32)))
    # Seen from its right, from above: right side and roof edges show, the left side does not, nor the front's middle.
    assert self_hidden(scene, place.eye, keypoints).tolist() == [False, True, False, True, False]


def test_the_mask_is_the_projection_of_the_box(rng):
    place = placed(yaw=0.6)
    vehicle = SimpleNamespace(mesh=box_mesh(), keypoints=np.zeros((12, 3)))
    sprite = rendered(vehicle, place, rng)
    from scipy.spatial import ConvexHull

    corners = place.project(vehicle.mesh.vertices)
    hull = ConvexHull((corners - corners.min(axis=0)) * SIDE_PX / sprite.natural_px)
    ys, xs = np.mgrid[: sprite.alpha.shape[0], : sprite.alpha.shape[1]] + 0.5
    outside = (np.stack([xs, ys], -1) @ hull.equations[:, :2].T + hull.equations[:, 2]).max(-1)
    clear = abs(outside) > 0.05
    assert ((outside < 0) == sprite.alpha)[clear].all() and sprite.alpha.sum() > 4000


def test_its_shadow_falls_away_from_the_sun(rng):
    illumination = sample_illumination(rng)
    low_sun = np.array([1.0, 0, 1.0]) / np.sqrt(2)
    illumination = type(illumination)(
        low_sun, np.ones(3), np.full(3, 0.2), np.full(3, 0.1), 1.0, np.ones(3), False, 0.0
    )
    place = placed(yaw=0.0)
    mesh = box_mesh()
    sprite = render_sprite("sedan", 1, mesh, np.zeros((12, 3)), place, illumination, rng)
    dark = sprite.ground[..., 0] < 128
    middle = sprite.ground.shape[1] / 2
    assert dark.any() and np.nonzero(dark)[1].mean() < middle - 2  # the sun stands to the right
    assert sprite.ground[..., 1].min() < 150 and sprite.ground[0, 0, 1] > 240


def test_places_are_those_of_street_cameras(rng):
    for _ in range(50):
        place = sample_place(rng, 3.0)
        assert 4 <= place.plane.d <= 14 and 700 <= place.camera.K[0, 0] <= 1600
        assert place.t[2] == pytest.approx(0, abs=1e-9) and place.eye[2] == pytest.approx(place.plane.d)
        pixel = place.project(np.zeros(3))
        assert (pixel > -1).all() and (pixel < [1281, 721]).all()


def test_the_same_job_gives_the_same_bytes_and_comes_back_as_it_was_rendered(crops_folder, tmp_path, library):
    again = plan_crops(CropSettings(vehicles=6, views=3, val_vehicles=3, per_shard=6), tmp_path)[0]
    render_vehicles(again)
    assert again.out.read_bytes() == (crops_folder / "train" / again.out.name).read_bytes()
    assert len(library.vehicles) == 18 and len(library.people) == 6 and len(library.backdrops) == 2
    for sprite in [*library.vehicles, *library.people]:
        assert (sprite.rgb[~sprite.alpha] == 0).all() and sprite.alpha.any()
    assert all(np.isfinite(s.keypoints).all() for s in library.vehicles)
    assert all(np.isnan(s.keypoints).all() for s in library.people)
    other = read_library(crops_folder / "val")
    assert not {s.seed for s in other.vehicles} & {s.seed for s in library.vehicles}


def test_a_folder_without_shards_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="RenderVehicleCrops"):
        read_library(tmp_path)


def test_ones_own_pictures_are_cropped_to_square_backdrops(tmp_path, rng):
    with pytest.raises(ValueError, match="expected pictures of at least 384 px a side"):
        read_backdrops(tmp_path)
    image = rng.integers(0, 255, (400, 800, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "street.png"), image)
    (tmp_path / "notes.txt").write_text("no picture")
    first, second = read_backdrops(tmp_path)
    assert (first == image[:384, :384, ::-1]).all() and (second == image[:384, 384:768, ::-1]).all()
