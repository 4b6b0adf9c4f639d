import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.crops import INPUT_PX, MAP_CELLS, cut, from_cells, px_per_cell, to_cells, windows_of

BOXES = st.tuples(*[st.floats(-200, 1500)] * 2, *[st.floats(2, 700)] * 2)


@given(BOXES)
def test_cells_and_pixels_are_each_others_inverse(box):
    window = windows_of(np.array([box]))
    xy = np.random.default_rng(0).uniform(-300, 2000, (1, 12, 2))
    assert from_cells(to_cells(xy, window), window) == pytest.approx(xy, abs=1e-6)


@given(BOXES)
def test_a_boxs_middle_is_the_maps_middle_and_a_cell_spans_what_it_says(box):
    window = windows_of(np.array([box]))
    middle = np.array(box[:2]) + np.array(box[2:]) / 2 - 0.5
    assert to_cells(middle[None, None], window)[0, 0] == pytest.approx([(MAP_CELLS - 1) / 2] * 2, abs=1e-6)
    step = from_cells(np.array([[[1.0, 0], [0, 0]]]), window)
    assert step[0, 0, 0] - step[0, 1, 0] == pytest.approx(px_per_cell(window)[0])


@pytest.mark.parametrize("side", [16, 60, 102.4, 180, 400])
@pytest.mark.parametrize("shift", [(0, 0), (0.3, -0.4), (0.5, 0.5)])
def test_a_spot_in_the_image_lands_where_the_map_says(side, shift):
    """A blurred spot at a known sub-pixel place: its centroid in the cut is its place in the heatmap, times four."""
    ys, xs = np.mgrid[:600, :700]
    spot = np.array([330.2, 280.7])
    blob = 240 * np.exp(-((xs - spot[0]) ** 2 + (ys - spot[1]) ** 2) / (2 * (0.06 * side) ** 2))
    box = np.array([[*(spot + 0.5 - side / 2 + np.array(shift) * side * 0.3), side, side]])
    window = windows_of(box)
    part = cut(np.repeat(np.round(blob)[..., None], 3, axis=2).astype(np.uint8), window[0])[..., 0].astype(float)
    ys, xs = np.mgrid[:INPUT_PX, :INPUT_PX]
    found = np.array([(part * xs).sum(), (part * ys).sum()]) / part.sum()
    expected = (to_cells(spot[None, None], window)[0, 0] + 0.5 - 4) * 4 - 0.5
    assert found == pytest.approx(expected, abs=0.15)


def test_beyond_the_image_it_is_black():
    image = np.full((100, 100, 3), 200, np.uint8)
    part = cut(image, np.array([-50.0, 20, 100]))
    assert (part[:, : INPUT_PX // 2 - 1] == 0).all() and (part[5:60, INPUT_PX // 2 + 2 :] == 200).all()
    assert (cut(image, np.array([500.0, 20, 100])) == 0).all()


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
        windows_of(boxes)
