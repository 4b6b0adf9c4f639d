import pytest
import torch

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
