import torch
from hypothesis import given
from hypothesis import strategies as st

from models.layers.heatmaps import gaussian_targets
from models.occlusion_net.frames import MAP_CELLS, box_of_cells, cells_of_box
from models.occlusion_net.readout import read_out


@given(st.floats(3, 52), st.floats(3, 52))
def test_centre_of_a_gaussian_is_found_between_cells(x, y):
    logits = (gaussian_targets(torch.tensor([[[x, y]]]), MAP_CELLS) + 1e-12).log()
    cells, confidence = read_out(logits)
    assert (cells[0, 0] - torch.tensor([x, y])).abs().max() < 0.03
    assert 0.98 < confidence[0, 0] <= 1


def test_the_likelier_of_two_peaks_and_its_share():
    target = 0.7 * gaussian_targets(torch.tensor([[[10.0, 20.0]]]), 56)
    target = target + 0.3 * gaussian_targets(torch.tensor([[[40.0, 20.0]]]), 56)
    cells, confidence = read_out((target + 1e-12).log())
    torch.testing.assert_close(cells[0, 0], torch.tensor([10.0, 20.0]), atol=0.03, rtol=0)
    assert abs(confidence.item() - 0.7) < 0.02


def test_gradient_agrees_with_finite_differences_and_is_finite_at_the_rim():
    logits = torch.randn(1, 2, 9, 9, dtype=torch.float32) * 0.3
    logits[0, 0, 4, 4], logits[0, 1, 0, 8] = 5, 5  # the second peak lies in a corner
    logits.requires_grad_(True)
    cells, confidence = read_out(logits)
    weights = torch.tensor([[[0.3, -0.2], [0.5, 0.7]]])
    ((cells * weights).sum() + confidence.sum()).backward()
    step, flat = 1e-2, logits.detach()
    for index in ((0, 0, 4, 5), (0, 0, 7, 7), (0, 0, 0, 0), (0, 1, 1, 7)):
        values = []
        for sign in (1, -1):
            moved = flat.clone()
            moved[index] += sign * step
            c, conf = read_out(moved)
            values.append(((c * weights).sum() + conf.sum()).item())
        assert abs((values[0] - values[1]) / (2 * step) - logits.grad[index].item()) < 2e-4


def test_cells_and_box_are_inverse_and_keep_circles_round():
    xy, aspect = torch.rand(3, 12, 2) * 2 - 1, torch.tensor([2.0, 1.0, 0.5])
    torch.testing.assert_close(box_of_cells(cells_of_box(xy, aspect), aspect), xy)
    corner = cells_of_box(torch.ones(3, 1, 2), aspect) - cells_of_box(torch.zeros(3, 1, 2), aspect)
    torch.testing.assert_close(corner[:, 0, 0] / corner[:, 0, 1], aspect)
