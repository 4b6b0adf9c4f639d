"""PCK of points that one can count by hand."""

import numpy as np
import pytest
import torch

from models.crops import squares_of, to_cells
from models.metrics.keypoints import PCK_FRACTION, box_error, pck_by_state, pck_radius_cells


def test_points_count_where_their_truth_is_known_each_for_its_own_state():
    nan = float("nan")
    distance = torch.tensor([[0.5, 1.0, 1.1, nan], [2.0, 2.1, nan, 0.0]])
    state = torch.tensor([[0, 0, 1, 1], [1, 2, 3, -1]])
    found = {name: value.tolist() for name, value in pck_by_state(distance, torch.tensor([1.0, 2.0]), state).items()}
    assert found == {
        "pck": [4, 6], "pck_visible": [2, 2], "pck_self_occluded": [1, 2], "pck_occluded": [0, 1],
        "pck_truncated": [0, 0],
    }  # fmt: skip


@pytest.mark.parametrize("box", [[10.0, 20, 80, 30], [10.0, 20, 30, 80]])
def test_the_radius_and_the_error_are_tenths_of_the_longer_side(box):
    square, side = squares_of(np.array([box])), max(box[2:])
    middle = np.array([[[box[0] + box[2] / 2, box[1] + box[3] / 2]]])
    off = middle + PCK_FRACTION * side * np.array([0.6, 0.8])
    away = np.linalg.norm(to_cells(off, square) - to_cells(middle, square))
    assert away == pytest.approx(pck_radius_cells())
    xy = [torch.tensor(2 * (p - box[:2]) / box[2:] - 1) for p in (off, middle)]
    assert box_error(*xy, torch.tensor([box[2] / box[3]])).item() == pytest.approx(PCK_FRACTION)
