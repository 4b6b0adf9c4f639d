import numpy as np
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.poses import joint_limits, mirror, sample_poses
from models.poses.sample import WEIGHTS

SEEDS = st.integers(0, 2**32 - 1)


@examples(25)
@given(SEEDS, st.sampled_from(list(WEIGHTS)))
def test_every_sampled_joint_is_within_its_limits(seed, split):
    low, high = joint_limits()
    theta, _ = sample_poses(np.random.default_rng(seed), 100, split)
    assert (theta[:, 1:] >= low).all() and (theta[:, 1:] <= high).all()
    assert np.abs(theta[:, 0]).max() < np.radians(25)


def test_limits_are_those_of_a_mirror_symmetric_body():
    low, high = (np.concatenate([np.zeros((1, 3), np.float32), limit]) for limit in joint_limits())
    x = [1, 0, 0]
    assert (low[1:] < high[1:]).all()
    assert (np.where(x, mirror(low), mirror(high)) == low).all()
    assert (np.where(x, mirror(high), mirror(low)) == high).all()


@examples(25)
@given(SEEDS)
def test_mirror_is_an_involution_and_mirrors_every_joint(figure, seed):
    theta, _ = sample_poses(np.random.default_rng(seed), 20, "held_out")
    assert (mirror(mirror(theta)) == theta).all()
    assert np.allclose(figure.posed(mirror(theta)), figure.posed(theta)[:, figure.pairs] * (-1, 1, 1), atol=1e-12)
