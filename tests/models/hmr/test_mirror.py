import pytest
import torch

from models.body_model.points import COCO, FLIP_ORDER
from models.geometry import log_so3
from models.hmr.mirror import look_twice
from models.hmr.network import HumanMeshNetwork
from models.poses import mirror

MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture
def network(small):
    torch.manual_seed(2)
    return HumanMeshNetwork(small).eval()


@torch.no_grad()
def test_the_mirror_image_gives_the_mirrored_person(network):
    """Left and right limbs, turns and places exchanged, whatever the network has learnt."""
    image, facing = torch.rand(5, 3, 64, 48), torch.nn.functional.normalize(torch.randn(5, 3), dim=1)
    rotations, beta, keypoints, score = look_twice(network, image, facing)
    of_mirror = look_twice(network, image.flip(3), facing * MIRROR)
    theta, mirrored = log_so3(rotations.double()), log_so3(of_mirror[0].double())
    assert torch.allclose(torch.from_numpy(mirror(theta.numpy())), mirrored, atol=1e-4)
    assert torch.allclose(beta, of_mirror[1], atol=1e-6)
    swapped = [COCO.index(FLIP_ORDER[point]) for point in COCO]
    assert torch.allclose(keypoints[:, swapped] * MIRROR[:2], of_mirror[2], atol=1e-4)
    assert torch.allclose(score[:, swapped], of_mirror[3], atol=1e-5)


@torch.no_grad()
def test_rotations_stay_rotations(network):
    rotations, *_ = look_twice(network, torch.rand(4, 3, 64, 48), torch.zeros(4, 3))
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(4, 24), atol=1e-5)
