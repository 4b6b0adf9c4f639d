import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

import models
from models.geometry import exp_so3
from models.hmr import HeadSettings, LossWeights
from models.hmr.data import RenderedPeople, known_facing
from models.hmr.discriminator import Discriminator, critic_loss, predictor_loss
from models.hmr.head import FACING
from models.hmr.network import FOCAL_SIDES, MeshNetwork, weak_translation
from models.hmr.released import read_released
from models.layers.settings import BackboneSettings


@pytest.fixture(scope="module")
def batch(people_library):
    samples = RenderedPeople(people_library, 0, 64)
    return default_collate([samples[i] for i in range(8)])


@pytest.fixture
def network(small):
    torch.manual_seed(0)
    return MeshNetwork(small)


def test_a_sample_is_a_function_of_its_number(people_library):
    first, again = (RenderedPeople(people_library, 0, 64)[5] for _ in range(2))
    for name, value in first.items():
        assert torch.equal(value, again[name]), name
    assert first["image"].shape == (3, 64, 48) and first["points_2d"].shape == (29, 2)


def test_one_batch_can_be_learnt_by_heart(network, batch):
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        parts = network.loss(network(batch), batch)
        optimizer.zero_grad()
        parts["total"].backward()
        optimizer.step()
        losses.append((parts["points_3d"] + parts["points_2d"] / 0.25).item())
    assert losses[-1] < 0.5 * losses[0]


def test_an_untrained_network_has_errors_and_the_truth_has_none(network, batch):
    pred = network.eval()(batch)
    found = {name: (total[0] / total[1]).item() for name, total in network.metrics(pred, batch).items()}
    assert found["mpjpe_mm"] > found["pa_mpjpe_mm"] > 30 and 0 <= found["pck"] <= 1
    true = pred._replace(rotations=batch["theta"], points_3d=batch["points_3d"], points_2d=batch["points_2d"])
    known = {name: (total[0] / total[1]).item() for name, total in network.metrics(true, batch).items()}
    assert known["mpjpe_mm"] == 0 and known["pck"] == 1
    assert known["pa_mpjpe_mm"] < 1e-3 and known["orientation_deg"] < 0.1


def test_each_part_of_the_loss_has_its_weight(network, batch, small):
    """Parts are weighted already: with twice the weight of one, that one is twice as large and no other changes."""
    pred = network.eval()(batch)
    once = network.loss(pred, batch)
    for name in ("points_2d", "orientation", "betas", "heatmaps", "adversarial", "discriminator"):
        network.settings = replace(small, weights=replace(small.weights, **{name: 2 * getattr(small.weights, name)}))
        twice = network.loss(pred, batch)
        assert twice[name].item() == pytest.approx(2 * once[name].item(), rel=1e-4)
        assert (twice["total"] - once["total"]).item() == pytest.approx(once[name].item(), rel=1e-2, abs=1e-6)


def test_it_starts_upright_and_facing_the_camera(network, pictures):
    rotations, beta, camera, *_ = network.eval()(pictures(2))
    assert (rotations[:, 0] - FACING).abs().max() < 0.2
    assert beta.abs().max() < 0.2 and (camera[:, 0] - 0.9).abs().max() < 0.2


def test_it_starts_turned_to_where_bodies_face(network, pictures):
    """And stands upright in the picture; of those whose facing is not known there is nothing to start from."""
    facing = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1, 0.2], [-0.3, 0.0, 0.9], [0.0, 0.0, 0.0]]), dim=1)
    rotations = network.eval()(pictures(3, facing)).rotations
    assert (rotations[:2, 0, :, 2] - facing[:2]).abs().max() < 0.2
    assert (rotations[:2, 0, 1, 1] < -0.9).all()
    assert (rotations[2, 0] - FACING).abs().max() < 0.2


def test_motion_knows_about_where_a_body_faces_and_mostly_rightly():
    rng, orientation = np.random.default_rng(3), np.array([2.0, 0.5, -0.3])
    forward = exp_so3(torch.from_numpy(orientation)).numpy()[:, 2]
    facing = np.stack([known_facing(orientation, rng) for _ in range(4000)])
    known = facing.any(axis=1)
    apart = np.degrees(np.arccos(facing[known] @ forward))
    assert known.mean() == pytest.approx(0.6, abs=0.03) and np.allclose(np.linalg.norm(facing[known], axis=1), 1)
    assert 10 < np.median(apart) < 16 and 0.01 < (apart > 60).mean() < 0.04


def test_a_keypoint_is_where_most_of_its_heat_lies(network):
    """Two places, of which one has three times the other's heat: its middle, and a score of three quarters."""
    cells = network.heatmaps.cells
    xy = torch.tensor([[-0.1, 0.2], [0.2, -0.3]])
    near = torch.exp(-(cells - xy[:, None]).square().sum(-1) / (2 * 0.045**2))
    heat = (0.75 * near[0] / near[0].sum() + 0.25 * near[1] / near[1].sum()).log()
    points, score = network.heatmaps.points(heat.expand(1, 29, -1))
    assert (points - xy[0]).abs().max() < 0.02
    assert score == pytest.approx(torch.full((1, 29), 0.75), abs=0.03)


def test_the_crops_camera_puts_a_body_of_scale_one_half_a_side_around(network):
    """A point one metre beside the axis is half of s sides away from the middle."""
    t = weak_translation(torch.tensor([[0.8, 0.0, 0.0]]))[0]
    x = FOCAL_SIDES * (1.0 + t[0]) / t[2]
    assert x == pytest.approx(0.4)
    assert torch.isfinite(weak_translation(torch.tensor([[-1.0, 0.0, 0.0]]))).all()


def test_each_adversary_gets_its_own_gradient_alone():
    torch.manual_seed(1)
    critic = Discriminator()
    body = torch.eye(3).expand(4, 23, 3, 3).clone().requires_grad_()
    beta = torch.zeros(4, 10, requires_grad=True)
    assert critic(body, beta).shape == (4, 25)
    predictor_loss(critic, body, beta).backward()
    assert body.grad.abs().sum() > 0 and beta.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.parameters())
    body.grad = beta.grad = None
    critic_loss(critic, (body.detach() + 0.1, beta.detach()), (body, beta)).backward()
    assert body.grad is None and beta.grad is None
    assert all(p.grad is not None for p in critic.parameters())


def test_the_discriminator_learns_to_tell_real_from_predicted():
    torch.manual_seed(1)
    critic = Discriminator()
    optimizer = torch.optim.AdamW(critic.parameters(), lr=1e-3)
    real = exp_so3(0.1 * torch.randn(32, 23, 3)), torch.randn(32, 10)
    fake = exp_so3(1.0 * torch.randn(32, 23, 3)), torch.randn(32, 10)
    before = critic_loss(critic, real, fake).item()
    for _ in range(30):
        optimizer.zero_grad()
        critic_loss(critic, real, fake).backward()
        optimizer.step()
    assert critic_loss(critic, real, fake).item() < 0.7 * before


def test_without_the_adversarial_term_there_is_no_discriminator(batch, small):
    plain = MeshNetwork(replace(small, weights=LossWeights(adversarial=0.0)))
    assert not any("discriminator" in name for name in plain.state_dict())
    assert "adversarial" not in plain.loss(plain(batch), batch)


def test_nothing_is_dropped_at_test_time(small, pictures):
    dropping = replace(small, backbone=replace(small.backbone, drop_path=0.5), head=replace(small.head, dropout=0.5))
    network, batch = MeshNetwork(dropping).eval(), pictures(2)
    assert torch.equal(network(batch).rotations, network(batch).rotations)
    network.train()
    assert not torch.equal(network(batch).rotations, network(batch).rotations)


def _released_state(network):
    """A state dict as the release has it, with a discriminator and a body that are not read."""
    state = {n: v for n, v in network.state_dict().items() if n.startswith(("backbone.", "smpl_head."))}
    return state | {"discriminator.D_conv1.weight": torch.zeros(2, 2), "smpl.shapedirs": torch.zeros(3)}


def _plain(small):
    settings = replace(
        small,
        backbone=BackboneSettings(height_px=64, dim=80, depth=2, heads=1, stem=0, drop_path=0.0),
        head=HeadSettings(dim=32, depth=2, heads=2, dim_head=64, mlp=48),
        weights=LossWeights(adversarial=0.0, heatmaps=0.0),
        conditioned_on_facing=False,
    )
    torch.manual_seed(3)
    return MeshNetwork(settings)


def test_a_released_checkpoint_is_read_by_its_names(tmp_path, small, pictures):
    """And stands wherever weights are asked for; its network takes no facing."""
    network, path = _plain(small).eval(), tmp_path / "epoch=35.ckpt"
    torch.save({"state_dict": _released_state(network), "epoch": 35}, path)
    found, batch = models.load("hmr", path, "cpu").network, pictures(2)
    for turned in (batch, batch | {"facing": torch.eye(3)[:2]}):
        ours, theirs = found(turned), network(batch)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True) if a is not None)
        assert ours.heat is None


def test_the_layers_have_the_names_and_shapes_of_the_release(small):
    """As the released checkpoint lists them, for ViT-H at 1280 channels; here at 80."""
    shapes = {name: tuple(value.shape) for name, value in _plain(small).state_dict().items()}
    layer = "smpl_head.transformer.transformer.layers.1"
    expected = {
        "backbone.patch_embed.proj.weight": (80, 3, 16, 16), "backbone.patch_embed.proj.bias": (80,),
        "backbone.pos_embed": (1, 13, 80), "backbone.blocks.1.norm1.weight": (80,),
        "backbone.blocks.1.attn.qkv.weight": (240, 80), "backbone.blocks.1.attn.qkv.bias": (240,),
        "backbone.blocks.1.attn.proj.weight": (80, 80), "backbone.blocks.1.norm2.bias": (80,),
        "backbone.blocks.1.mlp.fc1.weight": (320, 80), "backbone.blocks.1.mlp.fc2.weight": (80, 320),
        "backbone.last_norm.weight": (80,), "smpl_head.transformer.pos_embedding": (1, 1, 32),
        "smpl_head.transformer.to_token_embedding.weight": (32, 1),
        f"{layer}.0.norm.weight": (32,), f"{layer}.0.fn.to_qkv.weight": (384, 32),
        f"{layer}.0.fn.to_out.0.weight": (32, 128), f"{layer}.1.fn.to_kv.weight": (256, 80),
        f"{layer}.1.fn.to_q.weight": (128, 32), f"{layer}.1.fn.to_out.0.bias": (32,),
        f"{layer}.2.fn.net.0.weight": (48, 32), f"{layer}.2.fn.net.3.weight": (32, 48),
        "smpl_head.decpose.weight": (144, 32), "smpl_head.decshape.weight": (10, 32),
        "smpl_head.deccam.weight": (3, 32), "smpl_head.init_body_pose": (1, 144),
        "smpl_head.init_betas": (1, 10), "smpl_head.init_cam": (1, 3),
    }  # fmt: skip
    assert {name: shapes.get(name) for name in expected} == expected


def test_a_checkpoint_that_runs_code_or_is_another_network_is_refused(tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {"encoder.weight": torch.zeros(2)}}, path)
    with pytest.raises(ValueError, match=r"other.ckpt: expected HMR 2.0's weights .* got \['encoder.weight'\]"):
        read_released(path)
    torch.save({"state_dict": {}, "hook": np.random.default_rng}, path)
    with pytest.raises(ValueError, match=r"refused: it asks for .*, which could run code"):
        read_released(path)


def test_lightnings_settings_are_placeholders_and_nothing_of_theirs_runs(tmp_path, small):
    """As 4D-Humans' trainer saves it: yacs' nodes of settings, with their state, beside the weights."""
    module = types.ModuleType("yacs.config")

    class CfgNode(dict):
        def __init__(self, values):
            super().__init__(values)
            self.__dict__ |= {"__immutable__": False, "__deprecated_keys__": set(), "__renamed_keys__": {}}

    CfgNode.__module__, CfgNode.__qualname__, module.CfgNode = module.__name__, "CfgNode", CfgNode
    path = tmp_path / "lightning.ckpt"
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
        patched.setitem(sys.modules, "yacs.config", module)
        settings = CfgNode({"MODEL": CfgNode({"NAME": "vit"}), "SEED": 3})
        torch.save({"state_dict": _released_state(_plain(small)), "hyper_parameters": {"cfg": settings}}, path)
    assert read_released(path).state_dict().keys() == _plain(small).state_dict().keys()
