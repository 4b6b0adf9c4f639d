import numpy as np
import torch

from models.geometry.boxes import box_matrix, box_of_cells, cells_of_box, from_box, to_box


def test_cells_and_box_are_inverse_and_keep_circles_round():
    xy, aspect = torch.rand(3, 12, 2) * 2 - 1, torch.tensor([2.0, 1.0, 0.5])
    torch.testing.assert_close(box_of_cells(cells_of_box(xy, aspect), aspect), xy)
    corner = cells_of_box(torch.ones(3, 1, 2), aspect) - cells_of_box(torch.zeros(3, 1, 2), aspect)
    torch.testing.assert_close(corner[:, 0, 0] / corner[:, 0, 1], aspect)


def test_a_boxs_frame_runs_from_edge_to_edge_and_back():
    box, points = np.array([10.0, 20, 40, 80]), np.array([[10.0, 20], [50, 100], [30, 60], [5, 120]])
    inside = to_box(points, box)
    np.testing.assert_allclose(inside[:3], [[-1, -1], [1, 1], [0, 0]])
    np.testing.assert_allclose(from_box(inside, box), points)
    h = np.column_stack([points, np.ones(4)]) @ box_matrix(box).T
    np.testing.assert_allclose(h[:, :2] / h[:, 2:], inside)
