import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.poses import motions, sample_poses
from models.poses.angles import theta_of
from models.poses.gait import RUN, WALK, series_at
from models.poses.sample import STYLES, WEIGHTS, sample_styles

SIDES = ((1, 4, 7, 10, 16, 18, 20), (2, 5, 8, 11, 17, 19, 21))


def of(motion, count=400, split="train", seed=0):
    rng = np.random.default_rng(seed)
    return theta_of(motion(motions.Sample(rng, sample_styles(rng, count, split))))


def named(names, *wanted):
    return np.isin(names, wanted)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    (a, a_names), (b, b_names) = (sample_poses(np.random.default_rng(3), 50) for _ in range(2))
    assert a.dtype == np.float32 and a.tobytes() == b.tobytes() and a_names == b_names
    assert a.tobytes() != sample_poses(np.random.default_rng(4), 50)[0].tobytes()


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_poses(count):
    theta, names = sample_poses(np.random.default_rng(0), count)
    assert theta.shape == (count, 24, 3) and len(names) == count


def test_a_street_mostly_walks_and_stands():
    _, names = sample_poses(np.random.default_rng(0), 5000)
    fraction = {motion.__name__: weight for motion, weight in WEIGHTS["train"].items()}
    assert sum(fraction.values()) == pytest.approx(1)
    for name, weight in fraction.items():
        assert names.count(name) / 5000 == pytest.approx(weight, abs=0.03)


@examples(20)
@given(st.integers(0, 2**32 - 1))
def test_splits_share_no_style(seed):
    rng = np.random.default_rng(seed)
    train, held_out = (sample_styles(rng, 200, split) for split in ("train", "held_out"))
    bands = [[(low <= s) & (s < high) for low, high in STYLES["held_out"]] for s in (train, held_out)]
    assert not np.any(bands[0]) and np.any(bands[1], axis=0).all()
    assert ((0 <= train) & (train < 1)).all() and ((0 <= held_out) & (held_out < 1)).all()


def test_waving_and_pushing_are_held_out_alone():
    seen = {split: set(sample_poses(np.random.default_rng(1), 3000, split)[1]) for split in WEIGHTS}
    assert seen["held_out"] - seen["train"] == {"wave", "push"}


def test_recorded_poses_make_half_of_the_poses():
    recorded = np.full((2, 24, 3), 0.25)
    theta, names = sample_poses(np.random.default_rng(0), 1000, extra=recorded)
    chosen = named(names, "mocap")
    assert chosen.mean() == pytest.approx(0.5, abs=0.05)
    assert (np.abs(theta[chosen]) == 0.25).all() and (np.abs(theta[~chosen]) != 0.25).any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, "expected train or held_out, got 'test'"),
        ({"extra": np.zeros((3, 72))}, r"expected \(M, 24, 3\) with M at least 1, got \(3, 72\)"),
        ({"extra": np.zeros((0, 24, 3))}, "at least 1"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        sample_poses(np.random.default_rng(0), 5, **options)


def test_a_walker_strides_on_level_ground_with_one_leg_before_the_other(figure):
    theta = of(motions.walk, 1000)
    soles, joints = figure.sole_heights(theta), figure.posed(theta)
    assert soles.min(axis=1).std() < 0.03  # the pelvis hardly bobs
    assert np.quantile(np.ptp(soles, axis=1), 0.5) < 0.03 and np.ptp(soles, axis=1).max() < 0.15
    ahead = joints[:, 7, 2] - joints[:, 8, 2]
    assert 0.4 < np.quantile(np.abs(ahead), 0.9) < 0.8
    # The arm swings with the other side's leg.
    assert np.corrcoef(ahead, joints[:, 20, 2] - joints[:, 21, 2])[0, 1] < -0.7


def test_who_stands_has_both_feet_on_the_ground(figure):
    assert np.ptp(figure.sole_heights(of(motions.stand)), axis=1).max() < 0.05


def test_who_sits_has_level_thighs_and_upright_shanks(figure):
    joints = figure.posed(of(motions.sit))
    thigh, shank = joints[:, 4] - joints[:, 1], joints[:, 7] - joints[:, 4]
    assert (thigh[:, 2] > 0.8 * 0.4).all() and (shank[:, 1] < -0.65 * 0.41).all()


@pytest.mark.parametrize("split", WEIGHTS)
def test_knees_bend_backwards_and_elbows_forwards(figure, split):
    theta, _ = sample_poses(np.random.default_rng(5), 2000, split)
    joints = figure.posed(theta)
    for hip, knee, ankle, *_, shoulder, elbow, wrist in SIDES:
        leg, arm = joints[:, ankle] - joints[:, hip], joints[:, wrist] - joints[:, shoulder]
        # The middle joint is off the straight line: the knee ahead of it; the elbow flexes one way only.
        assert (theta[:, knee, 0] >= 0).all()
        assert (np.cross(joints[:, knee] - joints[:, hip], leg)[:, 0] > -0.05).all()
        assert (np.sign(theta[:, elbow, 1]) * (1 if elbow % 2 else -1) >= 0).all()
        assert (np.linalg.norm(arm, axis=1) > 0.08).all()


def test_arms_of_walkers_and_standers_hang_beside_the_body(figure):
    for motion in (motions.walk, motions.stand):
        joints = figure.posed(of(motion))
        for side, sign in ((SIDES[0], 1), (SIDES[1], -1)):
            hip, *_, shoulder, elbow, wrist = side
            assert (sign * (joints[:, elbow, 0] - joints[:, shoulder, 0]) > -0.04).all()
            assert (sign * (joints[:, wrist, 0] - joints[:, hip, 0]) > 0.03).all()
            assert (joints[:, wrist, 1] < joints[:, shoulder, 1] - 0.3).all()


def test_a_telephone_is_at_the_head_or_in_view_of_the_eyes(figure):
    joints = figure.posed(of(motions.phone))
    to_head = np.linalg.norm(joints[:, 20] - joints[:, 15] - (0, 0.07, 0.05), axis=1)
    assert (to_head < 0.6).all() and (joints[:, 20, 1] > joints[:, 3, 1] - 0.05).all()


def test_series_pass_near_the_published_angles():
    assert series_at(WALK["knee"], np.array(0.75)) == pytest.approx(60, abs=4)
    assert series_at(WALK["thigh_flex"], np.array([0.0, 0.5])) == pytest.approx([20, -20], abs=4)
    assert series_at(RUN["knee"], np.array(0.63)) == pytest.approx(98, abs=5)
    phase = np.linspace(0, 1, 7)
    assert series_at(WALK["ankle"], phase) == pytest.approx(series_at(WALK["ankle"], phase + 1))
