"""A picture and its mirror image are seen together."""

import pytest
import torch
from torch.nn.functional import normalize

from models.body_model.points import COCO, FLIP_ORDER
from models.geometry import log_so3
from models.hmr.network import MeshNetwork
from models.poses import mirror

MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture
def network(small):
    torch.manual_seed(2)
    return MeshNetwork(small).eval()


def both(batch):
    return batch | {"mirrored": batch["image"].flip(3)}


@torch.no_grad()
def test_the_mirror_image_gives_the_mirrored_person(network, pictures):
    """Left and right limbs, turns and places exchanged, whatever the network has learnt."""
    batch = pictures(5, normalize(torch.randn(5, 3), dim=1))
    seen = network(both(batch))
    other = network(both({"image": batch["image"].flip(3), "facing": batch["facing"] * MIRROR}))
    theta, mirrored = log_so3(seen.rotations.double()), log_so3(other.rotations.double())
    assert torch.allclose(torch.from_numpy(mirror(theta.numpy())), mirrored, atol=1e-4)
    assert torch.allclose(seen.beta, other.beta, atol=1e-6)
    assert torch.allclose(seen.camera * torch.tensor([1.0, -1, 1]), other.camera, atol=1e-6)
    swapped = [COCO.index(FLIP_ORDER[point]) for point in COCO]
    (keypoints, score), (theirs, scored) = network.keypoints(seen), network.keypoints(other)
    assert torch.allclose(keypoints[:, swapped] * MIRROR[:2], theirs, atol=1e-4)
    assert torch.allclose(score[:, swapped], scored, atol=1e-5)


@torch.no_grad()
def test_both_pictures_count(network, pictures):
    """Neither is what they say together, and what they say lies between them."""
    batch = pictures(4)
    alone, together = network(batch), network(both(batch))
    again = network({"image": batch["image"].flip(3), "facing": batch["facing"]})
    assert torch.allclose(together.beta, (alone.beta + again.beta) / 2, atol=1e-6)
    assert not torch.allclose(together.beta, alone.beta, atol=1e-4)
    assert (network.keypoints(together)[0] - network.keypoints(alone)[0]).abs().max() > 1e-3


@torch.no_grad()
def test_rotations_stay_rotations(network, pictures):
    rotations = network(both(pictures(4))).rotations
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(4, 24), atol=1e-5)
