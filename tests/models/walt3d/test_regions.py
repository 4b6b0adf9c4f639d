import pytest
import torch
from composed_streets import write_composed
from mmdet.models.task_modules.assigners import AssignResult
from mmengine.structures import InstanceData
from small_walt3d import SMALL
from torch.utils.data import default_collate

from models.contract import Given
from models.walt3d.data import splits
from models.walt3d.heads import Boxes
from models.walt3d.network import Walt3d
from models.walt3d.regions import BalancedSampler, share_of_map


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = Walt3d(SMALL)
    made.initialise(0)
    return made


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    train = splits(SMALL, Given(shards=write_composed(tmp_path_factory.mktemp("clipart"), 20)), 0).train
    return default_collate([train[k] for k in range(3)])


def test_every_term_moves_the_parameters_that_it_is_of(network, batch):
    """And none that only another term reaches; whole and visible boxes have rows of their own."""
    network.train()
    heads = network.heads
    reaches = {
        "rpn_cls": network.detector.rpn_head.rpn_cls, "rpn_bbox": network.detector.rpn_head.rpn_reg,
        "class": heads.box_head.classes, "whole_box": heads.box_head.boxes, "visible_box": heads.box_head.boxes,
        "masks": heads.inside_head.masks, "keypoints": heads.inside_head.heat, "states": heads.inside_head.states,
        "group": heads.lift_head.out, "shape": heads.lift_head.out, "kp2d": heads.inside_head.heat,
        "rotation": heads.inside_head.heat, "translation": heads.lift_head.out,
    }  # fmt: skip
    parts = network.loss(network(batch), batch)
    assert set(parts) == {"total", *reaches}
    for name, layer in reaches.items():
        network.zero_grad()
        parts[name].backward(retain_graph=True)
        moved = layer.weight.grad
        assert moved is not None and moved.abs().sum() > 0, name
        first = network.detector.backbone.patch_embed.projection.weight.grad
        assert first is not None and first.abs().sum() > 0, name
        if name in ("class", "masks", "group"):
            others = {one for one in reaches.values() if one is not layer}
            assert all(one.weight.grad is None or not one.weight.grad.any() for one in others), name
    network.zero_grad()
    parts["whole_box"].backward(retain_graph=True)
    assert heads.box_head.boxes.weight.grad[4:].abs().sum() == 0


def test_the_layout_of_memory_makes_no_difference(network, batch):
    """mmcv's RoIAlign reads channels that lie last as if they lay first."""
    network.eval()
    with torch.no_grad():
        pred = network(batch)
        rois = torch.tensor([[0.0, 4, 4, 60, 50], [1, 10, 20, 40, 90]])
        straight = network.heads.boxes_of(pred.maps, rois).logits
        turned = network.to(memory_format=torch.channels_last)(batch)
        other = network.heads.boxes_of(turned.maps, rois).logits
    assert torch.allclose(straight, other, atol=1e-4)


def found_boxes(whole, visible, scores):
    """What a box head would say that found these boxes of class 1 in regions that are the whole boxes themselves."""
    logits = torch.log(torch.tensor([[1e-6, s, 1 - s] for s in scores]))
    return whole, Boxes(logits, torch.zeros(len(whole), 4), visible, torch.zeros(len(whole), 8))


def relative(network, regions, boxes):
    return network.heads.coder.encode(regions, boxes)


def test_a_hidden_object_is_not_removed_by_who_hides_it_and_a_duplicate_is(network):
    """Two cars of nearly one whole box: the far one shows a strip at the top. The third box is the near one again."""
    whole = torch.tensor([[10.0, 20, 60, 50], [12, 16, 62, 46], [11, 20, 61, 50]])
    seen = torch.tensor([[10.0, 20, 60, 50], [12, 16, 62, 21], [11, 20, 61, 50]])
    regions, found = found_boxes(whole, relative(network, whole, seen), (0.9, 0.6, 0.5))
    kept = network.heads._kept(regions, found, 0)
    assert torch.allclose(kept.bboxes, whole[:2], atol=1e-3) and torch.allclose(kept.visible, seen[:2], atol=0.1)


def test_boxes_are_not_cut_at_the_pictures_edge(network):
    regions = torch.tensor([[-40.0, 20, 30, 60]])
    assert torch.allclose(network.heads.decoded(regions, torch.zeros(1, 4)), regions, atol=1e-4)
    assert not network.detector.rpn_head.bbox_coder.clip_border


def test_an_object_of_few_regions_gets_as_many_as_there_are():
    """Forty regions are of the first object, two of the second; of eight places two are the second's."""
    sampler = BalancedSampler(16, 0.5)
    index = torch.tensor([1] * 40 + [2] * 2 + [0] * 10)
    for seed in range(5):
        torch.manual_seed(seed)
        taken = sampler._sample_pos(AssignResult(2, index, torch.ones(52), torch.zeros(52, dtype=torch.int64)), 8)
        assert len(set(taken.tolist())) == 8 and (index[taken] == 2).sum() == 2


def test_shares_of_a_map_are_counted():
    ignored = torch.zeros(6, 10, dtype=torch.bool)
    ignored[:, :5] = True
    boxes = torch.tensor([[0.0, 0, 5, 6], [3, 1, 7, 5], [6, 0, 10, 6], [-8, -8, 5, 6], [20, 20, 30, 30]])
    assert share_of_map(ignored, boxes).tolist() == [1.0, 0.5, 0.0, 1.0, 0.0]


def test_regions_where_nothing_is_told_are_neither(network):
    assigner = network.heads.assigner
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 40, 40]]), labels=torch.tensor([1]))
    ignored = torch.zeros(1, 24, 24, dtype=torch.bool)
    ignored[:, :, 15:] = True
    nothing = InstanceData(bboxes=torch.zeros(1, 4), map=ignored, cell_px=torch.tensor([4]))
    priors = InstanceData(priors=torch.tensor([[0.0, 0, 40, 40], [62, 0, 90, 40], [0, 50, 40, 90]]))
    assert assigner.assign(priors, truth, nothing).gt_inds.tolist() == [1, -1, 0]
    assert assigner.assign(priors, truth, None).gt_inds.tolist() == [1, 0, 0]
