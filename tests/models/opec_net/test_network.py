from dataclasses import replace

import numpy as np
import pytest
import torch

from models.geometry.crop_frames import frame_of_cells
from models.layers import heatmaps
from models.opec_net import ABLATIONS, BEGINS, CONTROLS, PRESETS, SKELETONS, STAYS, BaseSettings, OpecNetSettings
from models.opec_net.network import OpecNet, flattened, l1, size_of


def totals(network, batch):
    return network.loss(network(batch), batch)


def test_the_correction_begins_as_the_heatmaps_own_pose(small, batch):
    found = OpecNet(small).eval()(batch)
    for pose in found.poses:
        torch.testing.assert_close(pose, found.initial)
    torch.testing.assert_close(found.final, found.initial, atol=1e-5, rtol=0)


def test_the_initial_pose_is_the_peak_as_far_as_the_heatmap_is_sure_and_else_its_integral(made, small, batch):
    plain, blended = (made(replace(small, initial=name)).eval()(batch) for name in ("integral", "blended"))
    sure = blended.confidence[..., None]
    torch.testing.assert_close(blended.initial, sure * blended.base + (1 - sure) * plain.initial, atol=1e-5, rtol=1e-5)
    assert (plain.initial - blended.initial).abs().max() > 1e-3


def test_from_its_least_confidence_on_the_peak_alone_counts(made, small, batch):
    half, plain = (made(replace(small, sure=sure)).eval()(batch) for sure in (1e-6, 1.0))
    torch.testing.assert_close(half.initial, half.base)
    assert (plain.initial - plain.base).abs().max() > 1e-3


def test_the_graph_may_begin_at_the_peaks_of_cfas_heatmaps(small, batch):
    """Untrained it moves nothing, and the initial pose is still equation 2's."""
    network = OpecNet(replace(small, begins="auxiliary")).eval()
    torch.nn.init.normal_(network.correction.adaption.heat.weight)
    found = network(batch)
    cells, _ = heatmaps.means_about_peaks(found.auxiliary)
    peaks = frame_of_cells(cells, size_of(found.auxiliary))
    torch.testing.assert_close(found.poses[-1], peaks)
    assert (peaks - found.initial).abs().max() > 0.1
    with torch.inference_mode():
        torch.testing.assert_close(network(batch).poses[-1], peaks)


@pytest.mark.parametrize("stays", STAYS)
def test_a_pose_that_is_given_is_what_the_graph_begins_with(stays, small, batch):
    network = OpecNet(replace(small, begins="auxiliary", stays=stays)).eval()
    given = torch.rand(6, 12, 2)
    given[2, 3] = torch.nan
    found = network({**flattened(batch), "given": given, "given_score": torch.rand(6, 12)})
    known = given.isfinite().all(-1)
    for pose in (found.poses[-1], found.final):
        torch.testing.assert_close(pose[known], given[known], atol=1e-5, rtol=0)
        assert pose.isfinite().all()


def test_what_is_read_to_be_visible_stays_at_the_peak_and_what_is_hidden_moves(made, small, batch):
    network = made(replace(small, stays="visible")).eval()
    found = network(batch)
    moved = found.poses[-1]
    assert (moved - found.base).abs().max() > 0.05
    logits = torch.where(torch.arange(12) % 2 == 0, 50.0, -50.0).expand(6, 12)
    for read in ("read", "couple_read"):
        found = found._replace(**{read: getattr(found, read)._replace(visible=logits)})
    for name, pose in (("opec", moved), ("couple", found.couple_poses[-1].flatten(0, 1))):
        held = found.by_method()[name]
        torch.testing.assert_close(held[:, ::2], found.base[:, ::2])
        torch.testing.assert_close(held[:, 1::2], pose[:, 1::2])


def test_what_cfas_heatmap_is_sure_of_stays_at_its_peak_and_what_is_given_moves(made, small, batch):
    settings = replace(small, begins="auxiliary", stays="sure")
    given = {**flattened(batch), "given": torch.zeros(6, 12, 2), "given_score": torch.ones(6, 12)}
    certain, unsure = (made(replace(settings, stays_from=sure)).eval() for sure in (1e-6, 1e6))
    begun, _ = heatmaps.means_about_peaks(certain(batch).auxiliary)
    peaks = frame_of_cells(begun, size_of(certain(batch).auxiliary))
    torch.testing.assert_close(certain(batch).final, peaks)
    found = unsure(batch)
    torch.testing.assert_close(found.by_method()["opec"], found.poses[-1], atol=1e-4, rtol=1e-4)
    assert (found.poses[-1] - peaks).abs().max() > 0.05
    assert certain(given).by_method()["opec"].abs().max() > 0.02


def test_cfas_heatmaps_learn_hidden_joints_too(small, batch):
    network = OpecNet(replace(small, auxiliary_heatmap_weight=1.0)).eval()
    assert (batch["state"] > 0).any()
    moved = {**batch, "xy": torch.where((batch["state"] > 0)[..., None], batch["xy"] * 0.5, batch["xy"])}
    one, other = totals(network, batch), totals(network, moved)
    assert one["heatmap"] == other["heatmap"] and one["auxiliary_heatmap"] != other["auxiliary_heatmap"]


@pytest.mark.parametrize("begins", BEGINS)
def test_the_final_poses_gradient_reaches_the_heatmaps(begins, made, small, batch):
    """End to end: from the L1 of the last pose alone to the base's first layer."""
    network = made(replace(small, begins=begins)).train()
    found = network(batch)
    l1(found.poses[-1], flattened(batch)["xy"].nan_to_num(0.0), torch.ones(6, 12, dtype=torch.bool)).backward()
    assert network.base.stem[0].weight.grad.abs().sum() > 0
    assert network.base.heat.weight.grad.abs().sum() > 0


def test_a_frozen_base_learns_nothing_and_keeps_its_statistics(made, small, batch):
    network = made(replace(small, frozen=True)).train()
    before = {name: value.clone() for name, value in network.base.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    parts = totals(network, batch)
    assert "heatmap" not in parts and "initial" not in parts
    parts["total"].backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.base.state_dict().items())
    assert network.correction.graph.first.convolution.itself.weight.grad.abs().sum() > 0


def test_the_couples_graph_changes_nothing_of_opec_net(made, small, batch):
    network = made(small).train()
    parts = totals(network, batch)
    (parts["couple"] + parts["couple_reading"]).backward()
    moved = {
        name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert moved == {"couples", "couple_reading"}


def test_who_is_alone_keeps_opec_nets_pose(made, small, batch):
    network = made(small).eval()
    mixed = {**batch, "couple": torch.tensor([True, False, True])}
    found = network(mixed)
    assert found.pairs.tolist() == [[0, 1], [4, 5]]
    final, single = found.final, found.poses[-1]
    assert torch.equal(final[2:4], single[2:4]) and not torch.allclose(final[[0, 1, 4, 5]], single[[0, 1, 4, 5]])


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_every_ablation_predicts_and_learns(name, made, small, batch):
    graph = replace(ABLATIONS[name], first=16, width=16, adapted=(12, 8, 8))
    network = made(replace(small, graph=graph)).train()
    parts = totals(network, batch)
    parts["total"].backward()
    assert ("auxiliary" in parts) is (name not in "ad")
    assert ("pose_1" in parts) and (("pose_3" in parts) is (name != "b"))
    names = {n.split(".")[1] for n, _ in network.named_parameters() if n.startswith("correction.")}
    assert ("adaption" in names) is (name not in "ad")


def test_without_image_guidance_the_pictures_reach_the_correction_by_the_pose_alone(made, small, batch):
    network = made(replace(small, graph=replace(ABLATIONS["a"], first=16, width=16))).eval()
    nothing = [torch.zeros(6, width, 3, 3) for width in network.base.maps]
    xy, clues = torch.rand(6, 12, 2), torch.rand(6, 12, 1)
    one, other = (network.correction(xy, clues, m).poses[-1] for m in (nothing, [m + 1 for m in nothing]))
    assert torch.equal(one, other)


def test_controls_have_as_many_parameters_as_the_base_with_its_correction():
    def size(settings):
        return sum(weight.numel() for weight in OpecNet(settings).parameters())

    tiny = PRESETS["tiny"].network
    whole = size(replace(tiny, graph=replace(tiny.graph, couples=False)))
    for name in CONTROLS:
        assert size(PRESETS[f"control_{name}"].network) == pytest.approx(whole, rel=0.02)


def test_a_control_begins_with_the_base_and_predicts_finer_heatmaps(small, batch, tmp_path):
    base = OpecNet(replace(small, corrected=False)).eval()
    control = OpecNet(replace(small, corrected=False, base=replace(small.base, fourth=8, tail=6))).eval()
    control.start_from(base.state_dict(), tmp_path)
    assert torch.equal(control.base.stem[0].weight, base.base.stem[0].weight)
    one, other = base(batch).heat, control(batch).heat
    assert other.shape[-1] == 2 * one.shape[-1]


def test_graphs_begin_anew_behind_a_base_and_go_on_from_a_whole_network(made, small, tmp_path):
    base, whole, begun = made(replace(small, corrected=False), 1), made(small, 2), made(small, 3)
    first = {name: value.clone() for name, value in begun.state_dict().items()}
    begun.start_from(base.state_dict(), tmp_path)
    assert torch.equal(begun.base.heat.weight, base.base.heat.weight)
    assert all(torch.equal(v, first[n]) for n, v in begun.state_dict().items() if not n.startswith("base."))
    begun.start_from(whole.state_dict(), tmp_path)
    assert all(torch.equal(v, whole.state_dict()[n]) for n, v in begun.state_dict().items())


def test_who_shows_five_joints_or_is_found_badly_is_not_learnt_from(small, batch):
    network = OpecNet(replace(small, least_visible=5, least_oks=0.3)).eval()
    people, found = flattened(batch), network(batch)
    right = found._replace(initial=people["xy"].nan_to_num(0.0))
    five = people["state"].clone()
    five[0] = torch.where(torch.arange(12) < 5, 0, 2)
    five[1] = torch.where(torch.arange(12) < 6, 0, 2)
    kept = network.kept(right, {**people, "state": five})
    assert kept[:2].tolist() == [False, True]
    assert not network.kept(right._replace(initial=right.initial + 1.0), people).any()


def test_the_loss_is_the_equations_sum_of_labelled_joints(made, small, batch):
    """lambda 0.3, 0.5, 1 on the three poses and 1 on the initial one; what nobody labelled does not count."""
    network = made(small).eval()
    hidden = {**batch, "xy": batch["xy"].clone()}
    hidden["xy"][:, :, 3] = torch.nan
    hidden["state"] = batch["state"].clone()
    hidden["state"][:, :, 3] = -1
    found, target = network(hidden), flattened(batch)["xy"]
    parts = network.loss(found, hidden)
    among = [k for k in range(12) if k != 3]
    for name, weight, pose in zip(
        ("initial", "pose_1", "pose_2", "pose_3"), (1, 0.3, 0.5, 1), (found.initial, *found.poses), strict=True
    ):
        assert parts[name].item() == pytest.approx(weight * (pose - target)[:, among].abs().mean().item(), rel=1e-4)
    summed = sum(value for name, value in parts.items() if name != "total")
    assert parts["total"].item() == pytest.approx(summed.item(), rel=1e-5)


def test_heatmaps_learn_of_visible_joints_alone_or_of_all(small, batch):
    alone = replace(small, corrected=False)
    seen, every = OpecNet(alone).eval(), OpecNet(replace(alone, base=replace(small.base, labels="all"))).eval()
    every.load_state_dict(seen.state_dict())
    moved = {**batch, "xy": torch.where((batch["state"] > 0)[..., None], batch["xy"] * 0.5, batch["xy"])}
    assert (batch["state"] > 0).any()
    losses = [[network.loss(network(b), b)["total"].item() for b in (batch, moved)] for network in (seen, every)]
    assert losses[0][0] == losses[0][1] and losses[1][0] != losses[1][1]


@pytest.mark.parametrize("name", list(SKELETONS))
def test_every_skeleton_of_people_has_its_network(name, small):
    settings = replace(small, skeleton=name)
    count, people = len(settings.joints), {
        "image": torch.zeros(2, 3, 96, 96, dtype=torch.uint8), "square": torch.tensor([[0.0, 0, 90]] * 2).double(),
        "pairs": torch.tensor([[0, 1]]), "union": torch.tensor([[0.0, 0, 90]]).double(),
    }  # fmt: skip
    assert OpecNet(settings).eval()(people).final.shape == (2, count, 2)


def test_heatmaps_of_another_size_are_one_line(small, batch):
    network = OpecNet(small).eval()
    cropped = {**batch, "image": batch["image"][..., :64, :]}
    with pytest.raises(ValueError, match=r"expected heatmaps of \(24, 24\) cells .*got \(16, 24\); set height_px"):
        network(cropped)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"skeleton": "cat"}, "skeleton: expected one of opec_12, crowdpose_14, coco_17, got 'cat'"),
        ({"height_px": 100}, "height_px: expected a multiple of 32, got 100"),
        ({"initial": "best"}, "initial: expected blended, integral, given"),
        ({"begins": "anew"}, "begins: expected initial or auxiliary, got 'anew'"),
        ({"stays": "all"}, "stays: expected one of none, visible, sure, got 'all'"),
        ({"pose_weights": (1.0,)}, "pose_weights: expected 3, got 1"),
    ],
)
def test_settings_that_are_none_are_one_line(change, match):
    with pytest.raises(ValueError, match=match):
        OpecNetSettings(**change)
    with pytest.raises(ValueError, match="labels: expected visible or all, got 'some'"):
        BaseSettings(labels="some")


def test_metrics_of_the_truth_itself_are_one(small, batch):
    network = OpecNet(small).eval()
    found, people = network(batch), flattened(batch)
    perfect = found._replace(poses=[people["xy"].nan_to_num(0.0)], couple_poses=[])
    metrics = {name: (value[0] / value[1]).item() for name, value in network.metrics(perfect, batch).items()}
    assert metrics["oks"] == metrics["oks_hidden_opec"] == metrics["oks_visible_opec"] == pytest.approx(1, abs=1e-5)
    assert metrics["oks_base"] < 0.9 and np.isfinite(list(metrics.values())).all()
