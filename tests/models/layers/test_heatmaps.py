import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.layers import heatmaps

SIZE = 40
POINTS = torch.tensor([[[20.0, 11.0], [7.25, 30.5], [33.9, 7.1], [19.5, 19.49], [8.0, 31.6]]])


def gaussian_logits(points, sigma):
    axis = torch.arange(SIZE, dtype=torch.float32)
    along = -((points[..., None] - axis) ** 2) / (2 * sigma**2)
    return along[..., 1, :, None] + along[..., 0, None, :]


def test_targets_are_distributions_around_their_points():
    target = heatmaps.gaussian_targets(POINTS, SIZE)
    assert target.sum((-1, -2)) == pytest.approx(torch.ones(1, 5))
    axis = torch.arange(SIZE, dtype=torch.float32)
    mean = torch.stack([(target.sum(-2) * axis).sum(-1), (target.sum(-1) * axis).sum(-1)], -1)
    assert mean == pytest.approx(POINTS, abs=0.02)


def test_a_point_off_the_map_or_unknown_has_no_target():
    points = torch.tensor([[[-0.6, 5.0], [5.0, 39.6], [float("nan")] * 2, [39.4, -0.4]]])
    assert (heatmaps.gaussian_targets(points, SIZE).sum((-1, -2)) > 0).tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("sigma", [0.8, 1.0, 2.0])
def test_the_mode_of_a_gaussian_is_its_centre(sigma):
    found = heatmaps.peaks(heatmaps.distributions(gaussian_logits(POINTS, sigma)))
    assert found == pytest.approx(POINTS, abs=0.03)


def test_of_two_hills_the_higher_is_found_not_the_place_between():
    high, low = torch.tensor([[[10.3, 20.0]]]), torch.tensor([[[30.0, 20.0]]])
    mixed = 0.6 * torch.softmax(gaussian_logits(high, 1).flatten(2), -1)
    mixed = (mixed + 0.4 * torch.softmax(gaussian_logits(low, 1).flatten(2), -1)).view(1, 1, SIZE, SIZE)
    found = heatmaps.peaks(mixed)
    assert found == pytest.approx(high, abs=0.02)
    # Half of 0.4 * 19.7^2: the second hill is in the expected error.
    assert heatmaps.spread(mixed, found).item() == pytest.approx((0.5 * 0.4 * 19.7**2) ** 0.5, rel=0.02)
    assert heatmaps.mass_within(mixed, found, torch.tensor([[4.0]])).item() == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("error", [0.5, 1.0, 3.0])
def test_the_spread_is_the_errors_without_the_targets_blur(error):
    """What a perfect network would predict for points that scatter by `error`: the scatter, blurred as targets are."""
    point = torch.full((1, 1, 2), 19.6)
    probability = heatmaps.distributions(gaussian_logits(point, (error**2 + heatmaps.TARGET_SIGMA**2) ** 0.5))
    assert heatmaps.spread(probability, heatmaps.peaks(probability)).item() == pytest.approx(error, rel=0.03)


@given(st.floats(3, 52), st.floats(3, 52))
def test_centre_of_a_gaussian_is_found_between_cells(x, y):
    logits = (heatmaps.gaussian_targets(torch.tensor([[[x, y]]]), 56) + 1e-12).log()
    cells, confidence = heatmaps.means_about_peaks(logits)
    assert (cells[0, 0] - torch.tensor([x, y])).abs().max() < 0.03
    assert 0.98 < confidence[0, 0] <= 1


def test_the_likelier_of_two_peaks_and_its_fraction():
    target = 0.7 * heatmaps.gaussian_targets(torch.tensor([[[10.0, 20.0]]]), 56)
    target = target + 0.3 * heatmaps.gaussian_targets(torch.tensor([[[40.0, 20.0]]]), 56)
    cells, confidence = heatmaps.means_about_peaks((target + 1e-12).log())
    torch.testing.assert_close(cells[0, 0], torch.tensor([10.0, 20.0]), atol=0.03, rtol=0)
    assert abs(confidence.item() - 0.7) < 0.02


def test_gradient_agrees_with_finite_differences_and_is_finite_at_the_rim():
    logits = torch.randn(1, 2, 9, 9, dtype=torch.float32) * 0.3
    logits[0, 0, 4, 4], logits[0, 1, 0, 8] = 5, 5  # the second peak lies in a corner
    logits.requires_grad_(True)
    cells, confidence = heatmaps.means_about_peaks(logits)
    weights = torch.tensor([[[0.3, -0.2], [0.5, 0.7]]])
    ((cells * weights).sum() + confidence.sum()).backward()
    step, flat = 1e-2, logits.detach()
    for index in ((0, 0, 4, 5), (0, 0, 7, 7), (0, 0, 0, 0), (0, 1, 1, 7)):
        values = []
        for sign in (1, -1):
            moved = flat.clone()
            moved[index] += sign * step
            c, conf = heatmaps.means_about_peaks(moved)
            values.append(((c * weights).sum() + conf.sum()).item())
        assert abs((values[0] - values[1]) / (2 * step) - logits.grad[index].item()) < 2e-4


@pytest.mark.parametrize(
    ("radius", "expected", "mass"), [(1.5, [2.0, 1.25], 0.8), (0.5, [2.0, 1.0], 0.6), (99, None, 1.0)]
)
def test_the_mean_within_a_radius_leaves_out_what_is_farther(radius, expected, mass):
    """Cells in no order: a peak, a neighbour one cell below it, and one far away."""
    cells = torch.tensor([[9.0, 9.0], [2.0, 1.0], [2.0, 2.0]])
    probability = torch.tensor([[[0.2, 0.6, 0.2]]])
    point, confidence = heatmaps.means_within(probability, cells, radius)
    expected = expected or (probability[0] @ cells)[0].tolist()
    assert point[0, 0].tolist() == pytest.approx(expected) and confidence.item() == pytest.approx(mass)


def test_cross_entropy_is_least_at_the_target_and_is_a_mean_over_those_that_have_one():
    target = heatmaps.gaussian_targets(POINTS, SIZE)
    entropy = -(target * (target + 1e-30).log()).sum((-1, -2)).mean().item()
    assert heatmaps.cross_entropy((target + 1e-30).log(), target).item() == pytest.approx(entropy, abs=1e-3)
    assert heatmaps.cross_entropy(gaussian_logits(POINTS + 1, 1.0), target).item() > entropy + 0.4
    flat = torch.zeros_like(target)
    one = target.clone()
    one[:, 1:] = 0
    assert heatmaps.cross_entropy(flat, one).item() == pytest.approx(math.log(SIZE**2))
    assert heatmaps.cross_entropy(flat, flat) == 0


def test_the_integral_is_the_mean_of_two_hills_and_has_gradients_everywhere():
    places = torch.tensor([[[10.0, 20.0], [30.0, 8.0]]])
    logits = heatmaps.gaussian_targets(places, (30, 40)).add(1e-9).log()
    found = heatmaps.integral(logits)
    assert found == pytest.approx(places, abs=1e-3)
    mixed = (logits.exp().mean(1, keepdim=True)).log().requires_grad_()
    middle = heatmaps.integral(mixed)
    assert middle.detach() == pytest.approx(places.mean(1, keepdim=True), abs=1e-3)
    (gradient,) = torch.autograd.grad(middle[..., 0].sum(), mixed)
    axis = torch.arange(40) - middle[0, 0, 0].item()
    assert gradient == pytest.approx(heatmaps.distributions(mixed.detach()) * axis, abs=1e-4)


def test_maps_need_not_be_square():
    """A point near the far end of either axis is found where it is."""
    points = torch.tensor([[[37.25, 3.5], [2.0, 27.75], [20.0, 26.9]]])
    logits = heatmaps.gaussian_targets(points, (30, 40)).add(1e-9).log()
    assert logits.shape == (1, 3, 30, 40)
    assert heatmaps.means_about_peaks(logits)[0] == pytest.approx(points, abs=0.1)
    off = torch.tensor([[[30.5, 29.6], [39.6, 5.0]]])
    assert heatmaps.gaussian_targets(off, (30, 40)).sum() == 0
