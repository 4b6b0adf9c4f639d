import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from models.poses import PosePrior, joint_limits, load_prior, sample_poses
from models.poses.mixture import SHIPPED
from models.poses.prior import learn


def bodies(split="train", count=500):
    return torch.from_numpy(sample_poses(np.random.default_rng(77), count, split)[0][:, 1:])


def random_rotations(count=500):
    return torch.from_numpy(Rotation.random(count * 23, rng=np.random.default_rng(0)).as_rotvec()).reshape(-1, 23, 3)


def test_the_shipped_file_is_learned_again_to_the_last_byte(tmp_path):
    learn().save(tmp_path / "prior.npz")
    assert (tmp_path / "prior.npz").read_bytes() == SHIPPED.read_bytes()
    assert SHIPPED.stat().st_size < 400_000


def test_sampled_poses_are_likelier_than_uniform_ones_and_those_than_random_rotations():
    prior, (low, high) = load_prior(), (torch.from_numpy(limit) for limit in joint_limits())
    uniform = low + (high - low) * torch.rand(500, 23, 3, generator=torch.Generator().manual_seed(0))
    train, held_out = (prior.energy(bodies(split)) for split in ("train", "held_out"))
    assert train.median() < held_out.median() < prior.energy(uniform).min() < prior.energy(random_rotations()).median()
    # Half of the 69 numbers' squared deviations, less what the floor on the spread takes.
    assert 5 < train.mean() < 69 / 2
    assert train.max() < prior.energy(uniform).min()


def test_energy_is_the_least_negative_log_likelihood_of_the_components():
    prior, theta = load_prior(), bodies(count=5).double()
    off = theta.flatten(1)[:, None] - torch.from_numpy(prior.means)
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(69).double(), torch.from_numpy(prior.covariances))
    weighted = gaussian.log_prob(off) + torch.from_numpy(prior.weights).log()
    peak = (gaussian.log_prob(torch.zeros_like(off)) + torch.from_numpy(prior.weights).log()).max()
    assert torch.allclose(prior.energy(theta), peak - weighted.max(dim=1).values)


@pytest.mark.parametrize("theta", [torch.zeros(2, 23, 3), random_rotations(4), bodies(count=4)])
def test_gradients_are_finite_and_descend(theta):
    theta = theta.clone().requires_grad_()
    energy = load_prior().energy(theta)
    (slope,) = torch.autograd.grad(energy.sum(), theta)
    assert slope.dtype == theta.dtype and slope.isfinite().all()
    assert (load_prior().energy(theta - 1e-5 * slope) < energy).all()


def test_energy_agrees_with_finite_differences():
    theta = bodies(count=2).double().requires_grad_()
    assert torch.autograd.gradcheck(load_prior().energy, theta)


def test_a_knee_bent_forwards_costs():
    theta = torch.from_numpy(load_prior().means.reshape(-1, 23, 3).copy())
    wrong = theta.clone()
    wrong[:, 3, 0] = -1.0
    assert (load_prior().energy(wrong) > load_prior().energy(theta) + 3).all()


def test_shapes_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"expected .* got means \(2, 72\)"):
        PosePrior(np.ones(2), np.zeros((2, 72)), np.zeros((2, 72, 72)))
