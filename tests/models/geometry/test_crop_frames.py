import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import edge_to_pixel
from models.crops import crop_square, squares_of
from models.geometry.crop_frames import (
    cells_of_frame,
    crop_corners,
    frame_of_cells,
    from_frame,
    reframed,
    sampled,
    to_frame,
)

ASPECT = 0.8
sides = st.floats(5, 300)
places = st.floats(-2000, 2000)


def square(x, y, w, h):
    return torch.from_numpy(squares_of(np.array([[x, y, w, h]]), ASPECT))


@given(places, places, sides, sides, st.floats(-1, 1), st.floats(-1, 1))
def test_there_and_back(x, y, w, h, u, v):
    own, other = square(x, y, w, h), square(y, x, h, w)
    point = torch.tensor([[[u, v]]], dtype=torch.float64)
    torch.testing.assert_close(to_frame(from_frame(point, own, ASPECT), own, ASPECT), point)
    away = reframed(point, own, other, ASPECT)
    torch.testing.assert_close(from_frame(away, other, ASPECT), from_frame(point, own, ASPECT))
    torch.testing.assert_close(frame_of_cells(cells_of_frame(point, (40, 32)), (40, 32)), point)


def test_the_corners_of_the_frame_are_those_of_the_crop_around_the_box():
    own = square(100, 50, 40, 80)
    corner, size = crop_corners(own, ASPECT)
    assert (size[0] / size[0, 1]).tolist() == pytest.approx([ASPECT, 1])
    assert (corner + size / 2)[0].tolist() == pytest.approx([120, 90])
    assert from_frame(torch.tensor([[[-1.0, 1.0]]]).double(), own, ASPECT)[0, 0].tolist() == pytest.approx(
        [corner[0, 0].item(), (corner + size)[0, 1].item()]
    )


def checkerboard(cells_hw, field_px):
    """(H, W, 3) uint8, one field in ten white, and (n, 2) px centres of the white ones."""
    rows, columns = np.indices(cells_hw)
    white = (rows * 7 + columns) % 10 == 0
    image = np.kron(white, np.ones((field_px, field_px)))[..., None].repeat(3, 2) * 255
    centres = edge_to_pixel((np.argwhere(white)[:, ::-1] + 0.5) * field_px)
    return image.astype(np.uint8), centres


@pytest.mark.parametrize("stride", [1, 4, 8, 16])
def test_a_checkerboards_fields_are_sampled_where_they_are(stride):
    """Pixels to crop to pooled map to points: align_corners=True would be off by up to half a cell at the rim."""
    image, centres = checkerboard((20, 16), 16)
    own = torch.tensor([[-32.0, 0.0, 320.0]], dtype=torch.float64)  # of a picture 320 px high and 256 wide
    crop = torch.from_numpy(crop_square(image, own[0].numpy(), 320, ASPECT)).permute(2, 0, 1)[None] / 255
    features = torch.nn.functional.avg_pool2d(crop, stride)
    at = to_frame(torch.from_numpy(centres + 0.5)[None], own, ASPECT).float()
    if stride < 16:  # even strides have no cell's centre there, but its neighbours are of one field
        assert sampled(features, at).min() > 0.99
    else:
        assert sampled(features, at).min() == pytest.approx(1, abs=1e-5)
        wrong = torch.nn.functional.grid_sample(features, at[:, :, None], align_corners=True)
        assert wrong.min() < 0.6
    shifted = at + torch.tensor([2 * 16 / 256, 0])  # the next field is black
    inside = (shifted < 1).all(-1)[0]
    assert sampled(features, shifted)[0, inside].max() < 0.01


def test_sampling_is_bilinear_between_centres_and_constant_beyond_them():
    features = torch.tensor([[[[0.0, 1.0, 2.0, 3.0]]]])
    x = torch.tensor([-3.0, -1.0, -0.75, -0.5, 0.0, 0.75, 1.0])
    found = sampled(features, torch.stack([x, torch.zeros(7)], -1)[None])
    assert found[0, :, 0].tolist() == pytest.approx([0, 0, 0, 0.5, 1.5, 3, 3])
