"""The mmdet config of the network: Mask R-CNN on a Swin backbone and FPN, with this project's heads of regions.

The sizes are WALT's (notes A6) in the presets base and paper. Group normalisation, so that small batches train.
"""

from __future__ import annotations

from typing import Any

from models.walt3d import Walt3dSettings

_STRIDES = (4, 8, 16, 32, 64)
_SIZES = (7, 14)  # cells of a region along each side, for its box and for what is inside


def model_config(settings: Walt3dSettings) -> dict[str, Any]:
    """What `mmdet.registry.MODELS.build` makes the network of."""
    backbone, channels = settings.backbone, settings.channels
    norm = {"type": "GN", "num_groups": min(8, channels // 8)}
    coder = {"type": "DeltaXYWHBBoxCoder", "clip_border": False}  # a whole box may leave the picture
    assigner = {"type": "ToldAssigner", "ignore_iof_thr": -1}
    extractor = {"type": "SingleRoIExtractor", "out_channels": channels, "featmap_strides": list(_STRIDES[:4])}
    align = {"type": "RoIAlign", "sampling_ratio": 2}
    regions = {"nms_pre": settings.regions.before, "min_bbox_size": 0,
               "nms": {"type": "nms", "iou_threshold": settings.regions.overlap}}  # fmt: skip
    return {
        "type": "TwoStageDetector",
        "data_preprocessor": {"type": "DetDataPreprocessor"},
        "backbone": {
            "type": "StemmedSwin" if backbone.stem else "SwinTransformer",
            "embed_dims": backbone.dim, "depths": list(backbone.depths),
            "num_heads": list(backbone.heads), "window_size": 7, "mlp_ratio": backbone.mlp_ratio,
            "drop_path_rate": backbone.drop_path, "patch_norm": True, "out_indices": (0, 1, 2, 3),
        },
        "neck": {
            "type": "FPN", "in_channels": [backbone.dim * 2**k for k in range(4)], "out_channels": channels,
            "num_outs": len(_STRIDES), "norm_cfg": norm,
        },
        "rpn_head": {
            "type": "RPNHead", "in_channels": channels, "feat_channels": channels,
            "anchor_generator": {
                "type": "AnchorGenerator", "scales": list(settings.regions.scales),
                "ratios": list(settings.regions.ratios), "strides": list(_STRIDES),
            },
            "bbox_coder": {**coder, "target_means": [0.0] * 4, "target_stds": [1.0] * 4},
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
        "roi_head": {
            "type": "AmodalRoIHead", "grown": settings.grown, "weights": settings.weights.by_part(),
            "box_extractor": {**extractor, "roi_layer": {**align, "output_size": _SIZES[0]}},
            "inside_extractor": {**extractor, "roi_layer": {**align, "output_size": _SIZES[1]}},
            "box_head": {
                "type": "PairedBoxHead", "channels": channels, "cells": _SIZES[0], "hidden": settings.hidden,
            },
            "inside_head": {
                "type": "InsideHead", "channels": channels, "width": settings.inside, "hidden": settings.hidden,
                "convolutions": settings.convolutions, "layered": settings.layered,
            },
            "lift_head": {"type": "LiftHead", "hidden": settings.hidden} if settings.lift else None,
        },
        "train_cfg": {
            "rpn": {
                "assigner": {**assigner, "pos_iou_thr": 0.7, "neg_iou_thr": 0.3, "min_pos_iou": 0.3,
                             "match_low_quality": True},
                "sampler": {"type": "RandomSampler", "num": settings.regions.rpn_batch, "pos_fraction": 0.5,
                            "neg_pos_ub": -1, "add_gt_as_proposals": False},
                "allowed_border": -1, "pos_weight": -1, "debug": False,
            },
            "rpn_proposal": {**regions, "max_per_img": settings.regions.train},
            "rcnn": {
                "assigner": {**assigner, "pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "min_pos_iou": 0.5,
                             "match_low_quality": False},
                # As many of a hidden object, of which few regions are, as of any other.
                "sampler": {
                    "type": "BalancedSampler", "num": settings.regions.batch, "pos_fraction": 1 / 3,
                    "add_gt_as_proposals": True, "neg_pos_ub": -1,
                },
                "most_inside": settings.regions.inside,
            },
        },
        "test_cfg": {
            "rpn": {**regions, "max_per_img": settings.regions.test},
            "rcnn": {
                "coder": {**coder, "target_means": [0.0] * 4, "target_stds": [0.1, 0.1, 0.2, 0.2]},
                "score_thr": settings.score, "overlap": settings.overlap, "max_per_img": 100,
            },
        },
    }  # fmt: skip
