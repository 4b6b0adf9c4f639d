"""Projection: the calibrated camera's own pixels, and derivatives against finite differences."""

import numpy as np
import torch

from calibration.camera import Camera
from models.geometry import distort, project, project_jacobian

K = np.array([[1100.0, 0, 640.2], [0, 1080.0, 361.5], [0, 0, 1]])
LENS = np.array([-0.31, 0.12, 1e-3, -2e-3, -0.02])


def cloud(count: int = 200) -> np.ndarray:
    """Points (count, 3) in front of the camera."""
    rng = np.random.default_rng(1)
    return rng.uniform([-8, -4, 10], [8, 4, 60], (count, 3))


def test_agrees_with_the_calibrated_camera():
    for lens in (LENS, np.zeros(5)):
        ours = project(torch.tensor(cloud()), torch.tensor(K), torch.tensor(lens)).numpy()
        np.testing.assert_allclose(ours, Camera(K, (720, 1280), lens).project(cloud()), atol=1e-9)


def test_no_lens_is_a_lens_of_zeros():
    points = torch.tensor(cloud())
    zeros = project(points, torch.tensor(K), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(project(points, torch.tensor(K)), zeros)
    torch.testing.assert_close(distort(points[:, :2], torch.zeros(5, dtype=torch.float64)), points[:, :2])


def test_batches_are_their_samples():
    points = torch.tensor(cloud()).reshape(4, 50, 3)
    cameras = torch.tensor(K) * torch.tensor([1.0, 1.1, 1.2, 1.3], dtype=torch.float64)[:, None, None]
    lenses = torch.tensor(LENS) * torch.arange(4, dtype=torch.float64)[:, None]
    together = project(points, cameras, lenses)
    for i in range(4):
        torch.testing.assert_close(together[i], project(points[i], cameras[i], lenses[i]))


def test_the_jacobian_is_the_derivative():
    points = torch.tensor(cloud(20))
    for lens in (torch.tensor(LENS), None):
        pixels, ours = project_jacobian(points, torch.tensor(K), lens)
        torch.testing.assert_close(pixels, project(points, torch.tensor(K), lens))
        whole = torch.autograd.functional.jacobian(lambda p, lens=lens: project(p, torch.tensor(K), lens), points)
        exact = whole[torch.arange(20), :, torch.arange(20)]
        torch.testing.assert_close(ours, exact)


def test_points_behind_give_numbers():
    points = torch.tensor([[1.0, 1.0, -5.0], [0.0, 0.0, 0.0]], requires_grad=True)
    pixels = project(points, torch.tensor(K, dtype=torch.float32))
    pixels.sum().backward()
    assert pixels.isfinite().all() and points.grad.isfinite().all()
