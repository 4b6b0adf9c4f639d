"""Errors of posed people's joints."""

import pytest
import torch

from models.body_model.points import LIMBS
from models.geometry import exp_so3
from models.metrics.joints import mpjpe_mm, pa_mpjpe_mm
from pipeline.core.skeletons import COCO_17


@pytest.fixture
def joints():
    return torch.randn(8, 24, 3)


def test_the_truth_has_no_error_and_a_body_elsewhere_none_either(joints):
    assert mpjpe_mm(joints, joints).max() == 0
    assert mpjpe_mm(joints + torch.tensor([1.0, -2.0, 3.0]), joints).max() < 1e-2


def test_one_joint_off_by_so_much_is_the_mean_over_the_limbs(joints):
    """A wrist counts once among twelve, a toe not at all; half of a hip's shift moves all that is measured from it."""
    for joint, expected in ((20, 12.0 / 12), (10, 0.0)):
        moved = joints.clone()
        moved[:, joint, 0] += 0.012
        assert mpjpe_mm(moved, joints) == pytest.approx(torch.full((8,), expected), abs=1e-3)
    moved = joints.clone()
    moved[:, 1, 0] += 0.012  # the left hip: itself and all others are off by half of that
    assert mpjpe_mm(moved, joints) == pytest.approx(torch.full((8,), 6.0), abs=1e-3)


def test_limbs_are_cocos_joints_from_the_shoulders_down():
    assert len(LIMBS) == len(COCO_17) - 5 and {1, 2} <= set(LIMBS) and not {0, 10, 11, 15} & set(LIMBS)


def test_procrustes_takes_any_similarity_away_but_not_a_mirror(joints):
    R = exp_so3(torch.tensor([0.3, -1.0, 0.5]))
    assert pa_mpjpe_mm(1.7 * joints @ R.T + 2.0, joints).max() < 1e-2
    assert pa_mpjpe_mm(joints * torch.tensor([-1.0, 1, 1]), joints).max() > 5
    assert (pa_mpjpe_mm(joints + 0.1 * torch.randn(8, 24, 3), joints) > 10).all()
