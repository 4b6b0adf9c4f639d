"""Necks of a few channels: what sizes they give, what reaches what, and which head stands behind them."""

import pytest
import torch

from models.dpad import NECKS, DpadSettings
from models.mm import quiet, require

require("mmdet")

from mmdet.registry import MODELS  # noqa: E402
from mmengine.config import ConfigDict  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

from models.dpad.config import model_config, neck_config  # noqa: E402
from models.dpad.neck import DPAD  # noqa: E402
from models.dpad.network import category_of  # noqa: E402

SMALL = DpadSettings(base_channels=8, groups=4, channels=16, levels=7)


def inputs(channels=(8, 12, 16), side=32):
    torch.manual_seed(0)
    return [torch.randn(1, c, side // 2**k, side // 2**k, requires_grad=True) for k, c in enumerate(channels)]


def built(config):
    with quiet(), DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(ConfigDict(config))


@pytest.mark.parametrize(("levels", "sides"), [(3, [32, 16, 8]), (5, [32, 16, 8, 4, 2]), (7, [32, 16, 8, 4, 2, 1, 1])])
def test_levels_halve_from_the_backbones_on(levels, sides):
    outs = DPAD((8, 12, 16), 4, levels)(inputs())
    assert [tuple(out.shape) for out in outs] == [(1, 4, side, side) for side in sides]


def test_every_level_sees_the_finest_and_the_coarsest_of_the_backbone():
    """Up by the top-down path and down by the bottom-up one."""
    neck = DPAD((8, 12, 16), 4, 7)
    neck.init_weights()
    for level in range(7):
        given = inputs()
        neck(given)[level].square().sum().backward()
        assert all(one.grad.abs().sum() > 0 for one in given), level


def test_all_of_the_neck_is_used():
    neck = DPAD((8, 12, 16), 4, 7)
    sum(out.square().sum() for out in neck(inputs())).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_fewer_levels_than_the_backbone_gives_are_refused():
    with pytest.raises(ValueError, match="DPAD: num_outs: expected at least the 3 levels given, got 2"):
        DPAD((8, 12, 16), 4, 2)
    with pytest.raises(ValueError, match="in_channels: expected at most 5 levels, got 6"):
        DPAD((8,) * 6, 4, 7)


@pytest.mark.parametrize("neck", NECKS)
def test_necks_stand_beside_each_other_with_as_many_levels(neck):
    from dataclasses import replace

    network = built(model_config(replace(SMALL, neck=neck)))
    levels = network.extract_feat(torch.randn(1, 3, 128, 128))
    assert [level.shape[2] for level in levels] == [16, 8, 4, 2, 1, 1, 1]
    assert all(len(kind) == 7 for kind in network.bbox_head(levels))


def test_another_head_of_mmdets_works_behind_it():
    """FCOS's, say."""
    head = built({"type": "FCOSHead", "num_classes": 3, "in_channels": 16, "feat_channels": 8, "stacked_convs": 1,
                  "strides": [8 * 2**k for k in range(7)], "norm_cfg": {"type": "GN", "num_groups": 4}})  # fmt: skip
    neck = built(neck_config(SMALL))
    maps = neck(inputs((64, 128, 256)))
    assert len(head(maps)[0]) == 7


def test_boxes_learn_by_ciou():
    assert model_config(SMALL)["bbox_head"]["loss_bbox"]["type"] == "CIoULoss"


@pytest.mark.parametrize("wrong", [{"neck": "BiFPN"}, {"depth": 18}, {"levels": 2}, {"side_px": 100}])
def test_settings_that_fit_no_network_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"dpad: {next(iter(wrong))}: expected"):
        DpadSettings(**wrong)


@pytest.mark.parametrize(("name", "category"), [("lorry", "vehicle"), ("person", "person"), ("chair", "chair")])
def test_networks_that_ask_for_vehicles_or_people_find_them_among_the_classes(name, category):
    assert category_of(name) == category
