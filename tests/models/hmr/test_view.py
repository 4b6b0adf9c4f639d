import cv2
import numpy as np
import pytest

from calibration.camera import Camera, edge_to_pixel
from models.crops import PERSON_ASPECT, crop_from_camera
from models.hmr.window import cut, to_sides, windows_of


def test_rays_are_turned_onto_the_axis_by_rotations(rng):
    rays = np.column_stack([rng.normal(0, 1, (20, 2)), np.ones(20)])
    R = crop_from_camera(rays)
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    turned = np.einsum("nij,nj->ni", R, rays)
    np.testing.assert_allclose(turned[:, :2], 0, atol=1e-12)
    # The least rotation: its axis is square to the view, so nothing rolls.
    for one, ray in zip(R, rays, strict=True):
        axis = cv2.Rodrigues(one)[0][:, 0]
        assert abs(axis @ ray) < 1e-9 and abs(axis[2]) < 1e-9


def test_a_camera_that_looks_at_the_person_sees_what_the_crop_orientation_says(rng):
    """A point projects to the same pixel through the camera and through the crop's camera turned back."""
    camera = Camera(np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]), (720, 1280))
    middle = np.array([[1100.0, 600.0]])
    R = crop_from_camera(camera.rays(edge_to_pixel(middle)))[0]
    points = rng.normal(0, 0.5, (12, 3)) + 15 * camera.rays(edge_to_pixel(middle))
    crop = points @ R.T
    back = camera.project(crop @ R)
    np.testing.assert_allclose(back, camera.project(points), atol=1e-9)
    assert np.abs(crop[:, :2] / crop[:, 2:]).max() < 0.2


@pytest.mark.parametrize("height", [300.0, 90.0, 20.0])
def test_the_window_keeps_points_where_they_are(height):
    image = np.zeros((400, 400, 3), np.uint8)
    box = np.array([[100.0, 50.0, 0.4 * height, height]])
    window = windows_of(box)[0]
    spot = box[0, :2] + 0.5 * box[0, 2:] + [0.1 * height, -0.2 * height]
    radius = max(2, height / 30)
    cv2.circle(image, tuple(np.round(16 * (spot - 0.5)).astype(int)), int(16 * radius), (255,) * 3, -1, cv2.LINE_AA, 4)
    found = cut(image, window, 128)[..., 0].astype(float)
    ys, xs = np.mgrid[: found.shape[0], : found.shape[1]]
    mean = np.array([(found * xs).sum(), (found * ys).sum()]) / found.sum() + 0.5
    expected = 128 * (to_sides(spot, window) + [0.5 * PERSON_ASPECT, 0.5])
    np.testing.assert_allclose(mean, expected, atol=0.4)


def test_boxes_are_checked():
    with pytest.raises(ValueError, match="box 1: expected finite x y and positive w h"):
        windows_of(np.array([[0, 0, 5, 5], [0, 0, 0, 5.0]]))
    with pytest.raises(ValueError, match=r"expected \(N, 4\)"):
        windows_of(np.zeros((2, 3)))
