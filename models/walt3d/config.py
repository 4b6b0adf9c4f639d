"""The mmdet config of the network: Mask R-CNN on a Swin backbone and FPN, with this project's heads of regions.

The sizes are WALT's (notes A6) in the presets base and paper. Group normalisation, so that small batches train.
"""

from __future__ import annotations

from typing import Any

from models.walt3d import RegionSettings, Walt3dSettings

_STRIDES = (4, 8, 16, 32, 64)
_BOX_CELLS, _INSIDE_CELLS = 7, 14  # of a region along each side, for its box and for what is inside
_CODER = {"type": "DeltaXYWHBBoxCoder", "clip_border": False, "target_means": [0.0] * 4}  # a whole box may leave it
_ANCHOR_STDS, _REGION_STDS = [1.0] * 4, [0.1, 0.1, 0.2, 0.2]


def model_config(settings: Walt3dSettings) -> dict[str, Any]:
    """What `mmdet.registry.MODELS.build` makes the network of."""
    backbone, channels, regions = settings.backbone, settings.channels, settings.regions
    return {
        "type": "TwoStageDetector",
        "data_preprocessor": {"type": "DetDataPreprocessor"},
        "backbone": {
            "type": "StemmedSwin" if backbone.stem else "SwinTransformer",
            "embed_dims": backbone.dim, "depths": list(backbone.depths), "num_heads": list(backbone.heads),
            "window_size": 7, "mlp_ratio": backbone.mlp_ratio, "drop_path_rate": backbone.drop_path,
            "patch_norm": True, "out_indices": (0, 1, 2, 3),
        },
        "neck": {
            "type": "FPN", "in_channels": [backbone.dim * 2**k for k in range(4)], "out_channels": channels,
            "num_outs": len(_STRIDES), "norm_cfg": {"type": "GN", "num_groups": min(8, channels // 8)},
        },
        "rpn_head": {
            "type": "RPNHead", "in_channels": channels, "feat_channels": channels,
            "anchor_generator": {
                "type": "AnchorGenerator", "scales": list(regions.scales), "ratios": list(regions.ratios),
                "strides": list(_STRIDES),
            },
            "bbox_coder": {**_CODER, "target_stds": _ANCHOR_STDS},
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "roi_head": _region_head(settings),
        "train_cfg": _training(regions),
        "test_cfg": {
            "rpn": {**_proposals(regions), "max_per_img": regions.test},
            "rcnn": {
                "coder": {**_CODER, "target_stds": _REGION_STDS}, "score_thr": settings.score,
                "overlap": settings.overlap, "max_per_img": 100,
            },
        },
    }  # fmt: skip


def _region_head(settings: Walt3dSettings) -> dict[str, Any]:
    channels, hidden = settings.channels, settings.hidden
    extractor = {"type": "SingleRoIExtractor", "out_channels": channels, "featmap_strides": list(_STRIDES[:4])}
    align = {"type": "RoIAlign", "sampling_ratio": 2}
    return {
        "type": "AmodalRoIHead", "grown": settings.grown, "weights": settings.weights.by_part(),
        "box_extractor": {**extractor, "roi_layer": {**align, "output_size": _BOX_CELLS}},
        "inside_extractor": {**extractor, "roi_layer": {**align, "output_size": _INSIDE_CELLS}},
        "box_head": {"type": "PairedBoxHead", "channels": channels, "cells": _BOX_CELLS, "hidden": hidden},
        "inside_head": {
            "type": "InsideHead", "channels": channels, "width": settings.inside, "hidden": hidden,
            "convolutions": settings.convolutions, "layered": settings.layered,
        },
        "lift_head": {"type": "LiftHead", "hidden": hidden} if settings.lift else None,
    }  # fmt: skip


def _training(regions: RegionSettings) -> dict[str, Any]:
    """Which anchors and regions are learnt from; as many of a hidden object, of which few are, as of any other."""
    assigner = {"type": "ToldAssigner", "ignore_iof_thr": -1}
    return {
        "rpn": {
            "assigner": {**assigner, "pos_iou_thr": 0.7, "neg_iou_thr": 0.3, "min_pos_iou": 0.3,
                         "match_low_quality": True},
            "sampler": {"type": "RandomSampler", "num": regions.rpn_batch, "pos_fraction": 0.5, "neg_pos_ub": -1,
                        "add_gt_as_proposals": False},
            "allowed_border": -1, "pos_weight": -1, "debug": False,
        },
        "rpn_proposal": {**_proposals(regions), "max_per_img": regions.train},
        "rcnn": {
            "assigner": {**assigner, "pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "min_pos_iou": 0.5,
                         "match_low_quality": False},
            "sampler": {"type": "BalancedSampler", "num": regions.batch, "pos_fraction": 1 / 3, "neg_pos_ub": -1,
                        "add_gt_as_proposals": True},
            "most_inside": regions.inside,
        },
    }  # fmt: skip


def _proposals(regions: RegionSettings) -> dict[str, Any]:
    suppression = {"type": "nms", "iou_threshold": regions.overlap}
    return {"nms_pre": regions.before, "min_bbox_size": 0, "nms": suppression}
