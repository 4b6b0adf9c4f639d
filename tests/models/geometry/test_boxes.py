import torch

from models.geometry.boxes import box_of_cells, cells_of_box


def test_cells_and_box_are_inverse_and_keep_circles_round():
    xy, aspect = torch.rand(3, 12, 2) * 2 - 1, torch.tensor([2.0, 1.0, 0.5])
    torch.testing.assert_close(box_of_cells(cells_of_box(xy, aspect), aspect), xy)
    corner = cells_of_box(torch.ones(3, 1, 2), aspect) - cells_of_box(torch.zeros(3, 1, 2), aspect)
    torch.testing.assert_close(corner[:, 0, 0] / corner[:, 0, 1], aspect)
