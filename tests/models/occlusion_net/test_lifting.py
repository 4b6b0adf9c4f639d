import numpy as np
import torch

from models.geometry.rotations import quaternion_to_matrix
from models.layers.graph import node_features
from models.occlusion_net.lifting import SHAPES, LiftingGraph, joint_basis, project
from models.shape_basis.basis import load_bases


def lifted_of(network, aspect):
    xy, confidence = torch.rand(len(aspect), 12, 2), torch.rand(len(aspect), 12)
    return network(node_features(xy, confidence), torch.rand(len(aspect), 12), aspect)


def test_projection_of_a_point_by_hand():
    point = torch.tensor([[[1.0, 0.5, 0.25]]])
    turn = torch.eye(3)[None]
    found = project(point, turn, torch.tensor([[0.0, 0.5, 9.75]]), torch.tensor([20.0]), torch.tensor([1.5]))
    torch.testing.assert_close(found, torch.tensor([[[2.0, 3.0]]]))  # f x / z, and f y / z times w / h


def test_camera_is_a_rotation_and_its_quaternion_a_unit():
    found = lifted_of(LiftingGraph(16, 0.0), torch.tensor([1.2, 0.8]))
    torch.testing.assert_close(found.rotation @ found.rotation.mT, torch.eye(3).expand(2, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.quaternion.norm(dim=-1), torch.ones(2))
    torch.testing.assert_close(quaternion_to_matrix(found.quaternion), found.rotation, atol=1e-5, rtol=1e-5)
    assert (found.focal > 0).all() and (found.translation[:, 2] > 0).all()


def test_joint_basis_is_mirrored_and_holds_both_groups():
    mean, components = joint_basis()
    for points in (mean, *components):
        np.testing.assert_allclose(points[0::2], points[1::2] * (1, -1, 1), atol=1e-9)
    for basis in (load_bases()[name] for name in ("car", "van")):
        flat = components.reshape(SHAPES, -1)
        shape = np.linalg.lstsq(flat.T, (basis.mean - mean).ravel(), rcond=None)[0]
        left = np.linalg.norm((shape @ flat).reshape(12, 3) + mean - basis.mean, axis=1)
        assert left.max() < 0.02 and np.abs(shape).max() < 3


def test_outputs_that_project_onto_a_real_view_can_be_found(batch):
    network, aspect = LiftingGraph(16, 0.0), batch["aspect"]
    start = torch.zeros(len(aspect), SHAPES + 10)
    # Six numbers of the true rotation: only shape, focal length and place are sought.
    start[:, SHAPES : SHAPES + 6] = batch["R"][:, :, :2].mT.flatten(1) - torch.tensor([1.0, 0, 0, 0, 0, 1])
    raw = start.requires_grad_(True)
    optimizer = torch.optim.Adam([raw], lr=0.02)
    for _ in range(600):
        optimizer.zero_grad()
        error = (network.lifted(raw, aspect).xy - batch["xy"]).square().sum(-1)
        error.mean().backward()
        optimizer.step()
    assert error.sqrt().mean() < 0.05


def test_lifted_points_agree_with_the_reported_camera():
    aspect = torch.tensor([1.3, 0.7])
    found = lifted_of(LiftingGraph(16, 0.0), aspect)
    again = project(found.points, quaternion_to_matrix(found.quaternion), found.translation, found.focal, aspect)
    torch.testing.assert_close(again, found.xy, atol=1e-4, rtol=1e-4)
