import numpy as np
import pytest
import torch
from chance import examples
from composed_streets import CAMERA, composed, write_composed
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from small_walt3d import SMALL
from torch.utils.data import default_collate

from models.contract import Given
from models.layers.heatmaps import gaussian_targets
from models.metrics.poses import angles_between
from models.scenes.objects import GROUP_NAMES
from models.shape_basis import load_bases
from models.walt3d.data import splits
from models.walt3d.heads import POINTS as CHANNELS
from models.walt3d.heads import Inside
from models.walt3d.lifting import LiftHead, Solid, geman_mcclure, keypoints_of, rotation_angles, solve, to_frame

CELLS = 28


def test_keypoints_of_a_shape_are_its_bases():
    shape = np.random.default_rng(0).normal(size=(3, 8))
    ours = keypoints_of(torch.arange(3), torch.from_numpy(shape).float()).numpy()
    for k, name in enumerate(GROUP_NAMES):
        assert np.allclose(ours[k], load_bases()[name].keypoints(shape[k]), atol=1e-5)


@examples(20)
@given(seed=st.integers(0, 10_000))
def test_the_pose_of_exact_keypoints_is_the_true_one(seed):
    _, rows = composed(seed, cars=3, people=0)
    shape = torch.tensor([row["shape"] for row in rows])
    shapes = torch.zeros(3, len(GROUP_NAMES), 8)
    shapes[:, 0] = shape
    solid = Solid(torch.tensor([[1.0, 0, 0]]).repeat(3, 1), shapes, torch.full((3, 12), 0.8))
    xy = torch.tensor([row["keypoints_2d"] for row in rows]).view(3, 12, 2)
    R, t, known = solve(solid, xy, torch.ones(3, 12), CAMERA.K, CAMERA.distortion)
    true = [np.array([row[name] for row in rows]) for name in ("R", "t")]
    assert known.all()
    assert np.degrees(angles_between(R.numpy(), true[0].reshape(3, 3, 3))).max() < 1
    assert np.abs(t.numpy() - true[1]).max() < 0.2


def test_too_little_to_see_gives_no_pose_and_no_failure():
    solid = Solid(torch.zeros(1, 3), torch.zeros(1, 3, 8), torch.full((1, 12), 0.5))
    _, _, known = solve(solid, torch.zeros(1, 12, 2), torch.ones(1, 12), CAMERA.K, CAMERA.distortion)
    assert known.shape == (1,) and not known.any()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the labels say of the cars of some windows, mirrored ones among them, by name, and their regions."""
    train = splits(SMALL, Given(shards=write_composed(tmp_path_factory.mktemp("clipart"), 20)), 0).train
    batch = default_collate([train[k] for k in range(6)])
    window, place = torch.nonzero(batch["group"] >= 0, as_tuple=True)
    truth = {n: batch[n][window, place] for n in ("labels", "group", "shape", "R", "t", "keypoints", "whole")}
    truth |= {n: batch[n][window] for n in ("K", "distortion", "to_frame")}
    assert (truth["to_frame"][:, 0, 0] < 0).any() and (truth["to_frame"][:, 0, 0] > 0).any()
    return truth


def inside_of(truth, regions):
    """Heatmaps that are certain of the true keypoints."""
    cells = (truth["keypoints"] - regions[:, None, :2]) / (regions[:, None, 2:] - regions[:, None, :2]) * CELLS - 0.5
    heat = torch.zeros(len(cells), CHANNELS, CELLS, CELLS)
    heat[:, CHANNELS - 12 :] = (gaussian_targets(cells[:, :12], CELLS, 0.7) + 1e-9).log()
    return Inside(torch.zeros(len(cells), 2, CELLS, CELLS), heat, torch.zeros(len(cells), CHANNELS, 4))


def head_of(truth):
    """A head whose shapes are the true ones of a car, whatever it sees."""
    head = LiftHead(4)
    torch.nn.init.zeros_(head.out.weight)
    head.out.bias.data[: len(GROUP_NAMES)] = torch.tensor([9.0, 0, 0])
    return head


def test_where_keypoints_and_shape_are_right_nothing_is_lost(told):
    regions = told["whole"] + torch.tensor([-4.0, -4, 4, 4])
    head, count = head_of(told), len(told["labels"])
    told = told | {"shape": torch.zeros(count, 8)}
    points = keypoints_of(told["group"], told["shape"])
    cam = points @ told["R"].transpose(1, 2) + told["t"][:, None]
    pixels = torch.from_numpy(CAMERA.project(cam.numpy())).float() + 0.5
    inverse = torch.linalg.inv(torch.cat([told["to_frame"], torch.tensor([[[0.0, 0, 1]]]).repeat(count, 1, 1)], 1))
    xy = pixels @ inverse[:, :2, :2].transpose(1, 2) + inverse[:, None, :2, 2]
    mirrored = told["to_frame"][:, 0, 0] < 0
    xy = torch.where(mirrored[:, None, None], xy[:, [k ^ 1 for k in range(12)]], xy)
    told["keypoints"] = torch.cat([xy, torch.full((count, 5, 2), torch.nan)], 1)
    assert torch.allclose(to_frame(xy, told["to_frame"]), pixels - 0.5, atol=1e-3)
    inside = xy.amin(1).ge(regions[:, :2]).all(-1) & xy.amax(1).le(regions[:, 2:]).all(-1)
    some = {name: value[inside] for name, value in told.items()}
    losses = head.loss(inside_of(some, regions[inside]), torch.ones(int(inside.sum()), 4), regions[inside], some)
    assert inside.sum() >= 3 and losses["shape"] == 0 and losses["group"] < 1e-3
    assert losses["kp2d"] < 2e-3 and losses["rotation"] < 0.02 and losses["translation"] < 0.02
    far = told | {
        "t": told["t"] * 1.5,
        "R": told["R"] @ torch.tensor(Rotation.from_euler("z", 40, True).as_matrix()).float(),
    }
    worse = {name: value[inside] for name, value in far.items()}
    off = head.loss(inside_of(some, regions[inside]), torch.ones(int(inside.sum()), 4), regions[inside], worse)
    assert off["rotation"] > 5 * losses["rotation"] and off["translation"] > 5 * losses["translation"]


def test_without_a_vehicle_the_terms_are_zero_and_still_lead_to_the_head(told):
    head = LiftHead(4)
    none = {name: value[:2] for name, value in told.items()} | {"group": torch.tensor([-1, -1])}
    regions = none["whole"]
    losses = head.loss(inside_of(none, regions), torch.ones(2, 4), regions, none)
    total = sum(losses.values())
    total.backward()
    assert total == 0 and head.out.weight.grad is not None


def test_gradients_are_those_of_finite_differences():
    value = torch.tensor([0.05, 0.15, 0.3, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: geman_mcclure(v, 0.2), value)
    one, other = (torch.from_numpy(Rotation.random(4, random_state=k).as_matrix()) for k in range(2))
    assert torch.autograd.gradcheck(lambda R: rotation_angles(R, other), one.requires_grad_())
    assert torch.allclose(
        rotation_angles(one, other).detach(),
        torch.from_numpy(angles_between(one.detach().numpy(), other.numpy())),
        atol=1e-5,
    )
