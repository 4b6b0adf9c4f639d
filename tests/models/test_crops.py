import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import Camera, edge_to_pixel
from models.crops import (
    INPUT_PX,
    MAP_CELLS,
    PERSON_ASPECT,
    crop_from_camera,
    crop_square,
    from_cells,
    px_per_cell,
    squares_of,
    to_cells,
)

BOXES = st.tuples(*[st.floats(-200, 1500)] * 2, *[st.floats(2, 700)] * 2)


@given(BOXES)
def test_cells_and_pixels_are_each_others_inverse(box):
    square = squares_of(np.array([box]))
    xy = np.random.default_rng(0).uniform(-300, 2000, (1, 12, 2))
    assert from_cells(to_cells(xy, square), square) == pytest.approx(xy, abs=1e-6)


@given(BOXES)
def test_a_boxs_middle_is_the_maps_middle_and_a_cell_spans_what_it_says(box):
    square = squares_of(np.array([box]))
    middle = np.array(box[:2]) + np.array(box[2:]) / 2 - 0.5
    assert to_cells(middle[None, None], square)[0, 0] == pytest.approx([(MAP_CELLS - 1) / 2] * 2, abs=1e-6)
    step = from_cells(np.array([[[1.0, 0], [0, 0]]]), square)
    assert step[0, 0, 0] - step[0, 1, 0] == pytest.approx(px_per_cell(square)[0])


@pytest.mark.parametrize("side", [16, 60, 102.4, 180, 400])
@pytest.mark.parametrize("shift", [(0, 0), (0.3, -0.4), (0.5, 0.5)])
def test_a_spot_in_the_image_lands_where_the_map_says(side, shift):
    """A blurred spot at a known sub-pixel place: its centroid in the crop is its place in the heatmap, times four."""
    ys, xs = np.mgrid[:600, :700]
    spot = np.array([330.2, 280.7])
    blob = 240 * np.exp(-((xs - spot[0]) ** 2 + (ys - spot[1]) ** 2) / (2 * (0.06 * side) ** 2))
    box = np.array([[*(spot + 0.5 - side / 2 + np.array(shift) * side * 0.3), side, side]])
    square = squares_of(box)
    part = crop_square(np.repeat(np.round(blob)[..., None], 3, axis=2).astype(np.uint8), square[0])[..., 0].astype(
        float
    )
    ys, xs = np.mgrid[:INPUT_PX, :INPUT_PX]
    found = np.array([(part * xs).sum(), (part * ys).sum()]) / part.sum()
    expected = (to_cells(spot[None, None], square)[0, 0] + 0.5 - 4) * 4 - 0.5
    assert found == pytest.approx(expected, abs=0.15)


def test_beyond_the_image_it_is_black():
    image = np.full((100, 100, 3), 200, np.uint8)
    part = crop_square(image, np.array([-50.0, 20, 100]))
    assert (part[:, : INPUT_PX // 2 - 1] == 0).all() and (part[5:60, INPUT_PX // 2 + 2 :] == 200).all()
    assert (crop_square(image, np.array([500.0, 20, 100])) == 0).all()


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        (np.zeros((3, 5)), r"boxes: expected \(N, 4\)"),
        ([[0, 0, 5, 0]], "box 0: expected finite"),
        ([[0, 0, 5, 5], [0, np.nan, 5, 5]], "box 1: expected finite"),
    ],
)
def test_bad_boxes_are_refused(boxes, said):
    with pytest.raises(ValueError, match=said):
        squares_of(boxes)


def test_a_narrow_crop_is_the_middle_of_its_square():
    image = np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    square = squares_of(np.array([[100.0, 40, 40, 64]]), PERSON_ASPECT)[0]
    assert square.tolist() == [80.0, 32.0, 80.0]
    whole, narrow = crop_square(image, square, 80), crop_square(image, square, 80, PERSON_ASPECT)
    assert narrow.shape == (80, 60, 3)
    assert (whole == image[32:112, 80:160]).all() and (narrow == whole[:, 10:70]).all()


def test_the_square_of_a_wide_box_holds_its_width():
    (left, _, side), box = squares_of(np.array([[100.0, 40, 90, 30]]), PERSON_ASPECT)[0], (100, 190)
    reach = PERSON_ASPECT * side / 2
    assert (left + side / 2 - reach, left + side / 2 + reach) == pytest.approx((box[0] - 11.25, box[1] + 11.25))


@pytest.mark.parametrize("height", [300.0, 90.0, 20.0])
def test_a_persons_crop_keeps_points_where_they_are(height):
    image = np.zeros((400, 400, 3), np.uint8)
    box = np.array([[100.0, 50.0, 0.4 * height, height]])
    left, top, side = square = squares_of(box, PERSON_ASPECT)[0]
    spot = box[0, :2] + 0.5 * box[0, 2:] + [0.1 * height, -0.2 * height]
    radius = max(2, height / 30)
    cv2.circle(image, tuple(np.round(16 * (spot - 0.5)).astype(int)), int(16 * radius), (255,) * 3, -1, cv2.LINE_AA, 4)
    found = crop_square(image, square, 128, PERSON_ASPECT)[..., 0].astype(float)
    ys, xs = np.mgrid[: found.shape[0], : found.shape[1]]
    mean = np.array([(found * xs).sum(), (found * ys).sum()]) / found.sum() + 0.5
    from_middle = (spot - [left, top]) / side - 0.5
    assert mean == pytest.approx(128 * (from_middle + [0.5 * PERSON_ASPECT, 0.5]), abs=0.4)


def test_rays_are_turned_onto_the_axis_by_the_least_rotations():
    rng = np.random.default_rng(11)
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


def test_a_camera_that_looks_at_the_person_sees_what_the_crop_orientation_says():
    """A point projects to the same pixel through the camera and through the crop's camera turned back."""
    rng = np.random.default_rng(11)
    camera = Camera(np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]), (720, 1280))
    middle = np.array([[1100.0, 600.0]])
    R = crop_from_camera(camera.rays(edge_to_pixel(middle)))[0]
    points = rng.normal(0, 0.5, (12, 3)) + 15 * camera.rays(edge_to_pixel(middle))
    crop = points @ R.T
    back = camera.project(crop @ R)
    np.testing.assert_allclose(back, camera.project(points), atol=1e-9)
    assert np.abs(crop[:, :2] / crop[:, 2:]).max() < 0.2
