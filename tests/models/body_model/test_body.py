"""Bodies in SMPL's format: the free one, a user's, and files that are refused."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from models.body_model import FREE_BODY, load_body
from models.body_model.body import SHIPPED
from models.body_model.files import KEYS, read_arrays
from models.geometry import exp_so3

MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


def rest(count: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(count, 24, 3, dtype=torch.float64), torch.zeros(count, 10, dtype=torch.float64)


def test_at_rest_it_is_the_template_as_tall_as_a_person():
    body = load_body()
    posed = body(*rest())
    assert body.name == FREE_BODY
    torch.testing.assert_close(posed.vertices[0], body.v_template.double(), atol=1e-6, rtol=0)
    assert 1.6 < float(np.ptp(posed.vertices[0, :, 1].numpy())) < 1.8


def test_its_surface_is_closed_and_faces_outward():
    body = load_body()
    corners = body.v_template.double()[body.faces]
    assert float(torch.linalg.det(corners).sum() / 6) > 0.04  # cubic metres: triangles wind outward
    edges = np.sort(np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_joints_are_left_and_right_alike():
    joints = load_body()(*rest()).joints[0]
    mirrored = joints[MIRROR] * torch.tensor([-1.0, 1, 1])
    assert float((joints - mirrored).norm(dim=1).max()) < 0.01


def test_orientation_turns_about_the_pelvis_and_transl_moves():
    body, (theta, beta) = load_body(), rest()
    theta[0, 0] = torch.tensor([0.3, -1.1, 0.4])
    transl = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    before, after = body(*rest()), body(theta, beta, transl)
    J0 = before.joints[0, 0]
    for name in ("vertices", "joints", "keypoints"):
        was, now = getattr(before, name)[0], getattr(after, name)[0]
        expected = (was - J0) @ exp_so3(theta[0, 0]).T + J0 + transl
        torch.testing.assert_close(now, expected, atol=1e-5, rtol=0)


def test_rotations_and_axis_angle_agree_and_joints_need_no_skin():
    body = load_body()
    theta = torch.from_numpy(np.random.default_rng(0).normal(0, 0.4, (3, 24, 3)))
    beta = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (3, 10)))
    one, other = body(theta, beta), body(exp_so3(theta), beta)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)
    joints, keypoints = body.joints_only(theta, beta)
    torch.testing.assert_close(joints, one.joints)
    torch.testing.assert_close(keypoints[:, 5:], one.joints[:, [16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]])


def test_shape_changes_the_body_and_gradients_reach_pose_and_shape():
    body, (theta, beta) = load_body(), rest()
    beta[0, 0] = 2.0
    heights = [float(np.ptp(body(theta, b).vertices[0, :, 1].numpy())) for b in (beta, torch.zeros_like(beta))]
    assert abs(heights[0] - heights[1]) > 0.05
    theta.requires_grad_()
    beta.requires_grad_()
    body(theta, beta).vertices.square().sum().backward()
    assert torch.isfinite(theta.grad).all() and theta.grad.abs().sum() > 0
    assert torch.isfinite(beta.grad).all() and beta.grad.abs().sum() > 0


def test_it_is_what_smplx_itself_makes_of_it():
    body = load_body()
    theta = torch.from_numpy(np.random.default_rng(2).normal(0, 0.3, (2, 24, 3))).float()
    beta = torch.ones(2, 10)
    theirs = body.smpl(
        betas=beta, global_orient=theta[:, 0], body_pose=theta[:, 1:].flatten(1), transl=torch.zeros(2, 3)
    )
    torch.testing.assert_close(theirs.vertices, body(theta, beta).vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(theirs.joints[:, :24], body(theta, beta).joints, atol=1e-4, rtol=0)


class _Ch:
    """Pickles as chumpy's arrays do: an object of chumpy.ch with its array in `x`."""

    def __init__(self, x):
        self.x, self._dirty_vars, self._itr = x, {"x"}, None


def as_pickle(arrays: dict, path, protocol: int = 2) -> None:
    """Write the arrays as the original files are: some of chumpy's, a sparse regressor."""
    _Ch.__module__, _Ch.__qualname__, _Ch.__name__ = "chumpy.ch", "Ch", "Ch"
    module = type(sys)("chumpy.ch")
    module.Ch = _Ch
    sys.modules["chumpy"], sys.modules["chumpy.ch"] = type(sys)("chumpy"), module
    try:
        content = dict(arrays, shapedirs=_Ch(arrays["shapedirs"]), J_regressor=sparse.csc_matrix(arrays["J_regressor"]))
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


@pytest.fixture
def arrays() -> dict:
    return dict(np.load(SHIPPED))


@pytest.mark.parametrize("protocol", range(6))
def test_an_original_pickle_is_read_without_chumpy(arrays, tmp_path, protocol):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    as_pickle(arrays, path, protocol)
    body = load_body(path)
    assert body.name == "SMPL_NEUTRAL"
    torch.testing.assert_close(body(*rest()).vertices, load_body()(*rest()).vertices)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "hostile.pkl"

    class Hostile:
        def __reduce__(self):
            return subprocess.call, (["touch", str(marker)],)

    path.write_bytes(pickle.dumps({"v_template": Hostile()}))
    with pytest.raises(ValueError, match=r"hostile\.pkl: not read: .*subprocess\.call") as caught:
        load_body(path)
    assert "\n" not in str(caught.value) and not marker.exists()


def test_a_sparse_matrix_that_points_outside_itself_is_refused(arrays, tmp_path):
    regressor = sparse.csc_matrix(arrays["J_regressor"])
    regressor.indices[0] = 10**6
    path = tmp_path / "outside.pkl"
    path.write_bytes(pickle.dumps(arrays | {"J_regressor": regressor}))
    with pytest.raises(ValueError, match=r"outside\.pkl: J_regressor: not a sparse matrix"):
        load_body(path)


def test_files_of_another_kind_are_refused_in_one_line(arrays, tmp_path):
    other = {
        "no.npz": {k: v for k, v in arrays.items() if k != "J_regressor"},
        "x.npz": arrays | {"weights": np.zeros((len(arrays["v_template"]), 55))},
        "chain.npz": arrays | {"kintree_table": arrays["kintree_table"][:, ::-1]},
        "few.npz": {k: arrays[k] for k in KEYS},
    }
    for name, content in other.items():
        np.savez(tmp_path / name, **content)
        with pytest.raises(ValueError, match=name) as caught:
            read_arrays(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.pkl").write_text("no pickle")
    np.savez(tmp_path / "objects.npz", v_template=np.array([object()], dtype=object))
    for name in ("text.npz", "text.pkl", "objects.npz"):
        with pytest.raises(ValueError, match=name):
            load_body(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_body(tmp_path / "absent.npz")
