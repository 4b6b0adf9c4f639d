"""Maps with one and two points on them: targets, their loss, peaks, and gradients through soft peaks."""

import pytest
import torch
from torch.nn import functional as F

from models.klpnet import CklmSettings
from models.klpnet.cklm import (
    CHANNELS,
    Cklm,
    channel_loss,
    confidence_targets,
    kernel_sigma,
    map_loss,
    peak_cells,
    sampled,
    soft_points,
)

SMALL = CklmSettings(input_px=64, widths=(8, 8, 8, 8), kernels=(7, 5, 3))
POINTS = torch.tensor([[[6.3, 9.8], [20.0, 4.0], [torch.nan, torch.nan]]])


def perfect(points, size=32, kernel=5):
    """Maps that say where the points are: high where one is near, with the exact offsets."""
    target, nearest = confidence_targets(points, size, kernel)
    axis = torch.arange(size, dtype=torch.float32)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
    there = points.nan_to_num(0).gather(1, nearest.flatten(1)[..., None].expand(-1, -1, 2))
    offsets = there.transpose(1, 2).unflatten(-1, (size, size)) - grid
    return torch.cat([torch.logit(target[:, None], eps=1e-4), offsets], 1)


def test_a_kernels_gaussian_is_opencvs():
    assert [kernel_sigma(k) for k in (3, 5, 7)] == pytest.approx([0.8, 1.1, 1.4])


def test_targets_are_one_at_points_on_cells_and_nothing_far_from_all():
    target, nearest = confidence_targets(POINTS, 32, 5)
    assert target[0, 4, 20] == 1 and nearest[0, 4, 20] == 1
    assert target[0, 10, 6] == pytest.approx(torch.exp(torch.tensor(-(0.3**2 + 0.2**2) / (2 * 1.1**2))).item())
    assert target[0, 31, 31] == 0
    assert confidence_targets(torch.full((1, 2, 2), torch.nan), 32, 5)[0].sum() == 0


def test_wider_kernels_blur_more():
    sums = [confidence_targets(POINTS, 32, kernel)[0].sum() for kernel in (3, 5, 7)]
    assert sums == sorted(sums)


def test_perfect_maps_have_the_least_loss_and_their_peaks_are_the_points():
    maps = perfect(POINTS)
    least = map_loss(maps, POINTS, 5, 1.0)
    for changed in (maps.roll(1, -1), maps * 0.5, torch.cat([maps[:, :1], maps[:, 1:] + 0.5], 1)):
        assert map_loss(changed, POINTS, 5, 1.0) > least
    cells, there = peak_cells(maps[:, 0], 4)
    assert there[0].tolist()[:2] == [True, True]
    assert {tuple(cell) for cell in cells[0, :2].tolist()} == {(20, 4), (6, 10)}
    xy, confidence = soft_points(maps, cells[:, :2])
    order = xy[0, :, 0].argsort()
    assert torch.allclose(xy[0, order], POINTS[0, :2], atol=1e-4)
    assert (confidence > 0.9).all()


def test_the_loss_of_channels_knows_which_point_is_which():
    maps = torch.stack([perfect(POINTS[:, k : k + 1])[:, 0] for k in range(3)], 1)
    assert channel_loss(maps[:, [1, 0, 2]], POINTS, 5) > channel_loss(maps, POINTS, 5)
    assert torch.isfinite(channel_loss(maps, torch.full_like(POINTS, torch.nan), 5))


def test_a_point_at_the_maps_edge_is_read_from_cells_inside():
    points = torch.tensor([[[0.2, 31.4]]])
    maps = perfect(points)
    cells, _ = peak_cells(maps[:, 0], 1)
    xy, _ = soft_points(maps, cells)
    assert torch.allclose(xy, points, atol=1e-3)


def test_soft_points_move_with_offsets_and_with_confidence():
    maps = perfect(POINTS).requires_grad_()
    cells, _ = peak_cells(maps[:, 0], 2)
    torch.manual_seed(0)
    noise = torch.randn_like(maps) * 0.3
    xy, confidence = soft_points(maps + noise, cells)
    (xy.sum() + confidence.sum()).backward()
    about = maps.grad[0, :, 9:12, 5:8]  # the cells about the first point
    assert (about[0] != 0).all() and (about[1:] != 0).all()
    assert (maps.grad[0, :, 20:] == 0).all()


def test_features_are_sampled_at_cells_of_the_finer_map():
    features = torch.arange(16.0).view(1, 1, 4, 4)
    fine = F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)
    cells = torch.tensor([[[3.0, 2.0], [4.0, 5.0]]])
    assert torch.allclose(sampled(features, cells, 8)[0, :, 0], torch.stack([fine[0, 0, 2, 3], fine[0, 0, 5, 4]]))


def test_every_stage_has_maps_and_sees_the_one_before():
    torch.manual_seed(0)
    network = Cklm(SMALL, classes=2)
    located = network(torch.rand(2, 3, 64, 64), torch.tensor([1, 2]))
    assert [tuple(m.shape) for m in located.maps] == [(2, CHANNELS, 32, 32)] * 3
    assert located.features.shape == (2, 8, 16, 16)
    located.maps[-1].square().sum().backward()
    first = network.stages[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in first.parameters())
    assert network.stages[0].join is None and network.stages[1].join is not None
    plain = Cklm(CklmSettings(input_px=64, widths=(8, 8, 8, 8), aggregate=False), classes=2)
    assert all(stage.join is None for stage in plain.stages)


def test_grouped_bottlenecks_stand_in_for_plain_blocks():
    grouped = Cklm(CklmSettings(input_px=64, widths=(16, 16, 16, 16), kernels=(5,), groups=4), classes=1)
    located = grouped(torch.rand(1, 3, 64, 64), torch.tensor([0]))
    assert located.maps[0].shape == (1, CHANNELS, 32, 32)


@pytest.mark.parametrize(
    "wrong", [{"input_px": 100}, {"kernels": ()}, {"kernels": (4,)}, {"widths": (8, 8)}, {"up_blocks": (1,)}]
)
def test_settings_that_fit_no_network_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"klpnet: {next(iter(wrong))}: expected"):
        CklmSettings(**wrong)
