"""The mmdet config of the detector: a ResNeXt, one of three necks, ATSS's dense head with CIoU in place of GIoU."""

from __future__ import annotations

from typing import Any

from models.dpad import FIRST_LEVEL, DpadSettings

_BACKBONE_LEVELS = (3, 4, 5)


def model_config(settings: DpadSettings) -> dict[str, Any]:
    """What `mmdet.registry.MODELS.build` makes the network of, once `models.dpad.neck` is imported.

    The paper does not say which one-stage head it has: ATSS's assigns boxes by their overlaps' statistics, which asks
    for no sizes of anchors by class.
    """
    strides = [2 ** (FIRST_LEVEL + k) for k in range(settings.levels)]
    return {
        "type": "ATSS",
        "data_preprocessor": {"type": "DetDataPreprocessor"},
        "backbone": {
            "type": "SmallResNeXt", "depth": settings.depth, "groups": settings.groups, "base_width": 4,
            "base_channels": settings.base_channels, "num_stages": 4, "frozen_stages": -1,
            "out_indices": [level - 2 for level in _BACKBONE_LEVELS], "norm_eval": False, "style": "pytorch",
            "norm_cfg": {"type": "BN", "requires_grad": True},
        },
        "neck": neck_config(settings),
        "bbox_head": {
            "type": "ATSSHead", "num_classes": len(settings.table), "in_channels": settings.channels,
            "feat_channels": settings.channels, "stacked_convs": settings.convolutions,
            "norm_cfg": {"type": "GN", "num_groups": max(1, settings.channels // 8)},
            "anchor_generator": {
                "type": "AnchorGenerator", "ratios": [1.0], "octave_base_scale": 8, "scales_per_octave": 1,
                "strides": strides,
            },
            "bbox_coder": {
                "type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": [0.1, 0.1, 0.2, 0.2],
            },
            "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
            "loss_bbox": {"type": "CIoULoss", "loss_weight": 2.0},
            "loss_centerness": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
        },
        "train_cfg": {
            "assigner": {"type": "ATSSAssigner", "topk": 9}, "allowed_border": -1, "pos_weight": -1, "debug": False,
        },
        "test_cfg": {
            "nms_pre": 300, "min_bbox_size": 0, "score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.6},
            "max_per_img": 60,
        },
    }  # fmt: skip


def neck_config(settings: DpadSettings) -> dict[str, Any]:
    """DPAD, or PANet's and FPN's with as many levels."""
    wide = [settings.base_channels * 4 * 2**k for k in range(1, 4)]
    shared = {"in_channels": wide, "out_channels": settings.channels, "num_outs": settings.levels,
              "norm_cfg": {"type": "GN", "num_groups": max(1, settings.channels // 8)}}  # fmt: skip
    more = {} if settings.neck == "DPAD" else {"add_extra_convs": "on_output", "start_level": 0}
    return {"type": settings.neck, **shared, **more}
