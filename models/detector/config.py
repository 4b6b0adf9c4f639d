"""The mmdet config of the network, RTMDet-Ins, whose masks stay fine where objects are small, and of a run of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.contract.spec import to_plain
from models.detector import DetectorSettings, DetectorTraining
from models.detector.pictures import CLASSES

# Of CSPNeXt: channels behind each of its four stages at width 1. Stage k has a stride of 2 ** (k + 1) pixels.
_STAGES = {1: 128, 2: 256, 3: 512, 4: 1024}


def model_config(settings: DetectorSettings) -> dict[str, Any]:
    """RTMDet-Ins (Lyu et al., 2022) of mmdet for CLASSES; BatchNorm, so that one process can train it."""
    stages = [s for s in _STAGES if s >= settings.first_stage]
    shared = {"norm_cfg": {"type": "BN"}, "act_cfg": {"type": "SiLU", "inplace": True}}
    return {
        "type": "RTMDet",
        "data_preprocessor": {
            "type": "DetDataPreprocessor", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395],
            "bgr_to_rgb": False, "pad_size_divisor": 32, "pad_value": 114,
        },
        "backbone": {
            "type": "CSPNeXt", "arch": "P5", "expand_ratio": 0.5, "deepen_factor": settings.depth,
            "widen_factor": settings.width, "out_indices": stages, "channel_attention": True, **shared,
        },
        "neck": {
            "type": "CSPNeXtPAFPN", "in_channels": [int(_STAGES[s] * settings.width) for s in stages],
            "out_channels": settings.channels, "num_csp_blocks": 1, "expand_ratio": 0.5, **shared,
        },
        "bbox_head": {
            "type": "RTMDetInsSepBNHead", "num_classes": len(CLASSES), "in_channels": settings.channels,
            "stacked_convs": settings.convolutions, "share_conv": True, "pred_kernel_size": 1,
            "feat_channels": settings.channels, **shared,
            "anchor_generator": {
                "type": "MlvlPointGenerator", "offset": 0, "strides": [2 ** (s + 1) for s in stages],
            },
            "bbox_coder": {"type": "DistancePointBBoxCoder"},
            "loss_cls": {"type": "QualityFocalLoss", "use_sigmoid": True, "beta": 2.0, "loss_weight": 1.0},
            "loss_bbox": {"type": "GIoULoss", "loss_weight": 2.0},
            "loss_mask": {"type": "DiceLoss", "loss_weight": 2.0, "eps": 5e-6, "reduction": "mean"},
        },
        "train_cfg": {
            "assigner": {"type": "DynamicSoftLabelAssigner", "topk": 13}, "allowed_border": -1, "pos_weight": -1,
            "debug": False,
        },
        "test_cfg": {
            "nms_pre": 1000, "min_bbox_size": 0, "score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.6},
            "max_per_img": 100, "mask_thr_binary": 0.5,
        },
    }  # fmt: skip


def run_config(
    network: DetectorSettings, settings: DetectorTraining, source: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """All of mmengine's config of a run; source: what names the pictures to `parts.ClipArtWindows`."""
    data = {"seed": settings.seed, "window": to_plain(settings.window), **source}
    free = {"norm_decay_mult": 0, "bias_decay_mult": 0, "bypass_duplicate": True}
    return {
        "default_scope": "mmdet",
        "model": model_config(network),
        "train_dataloader": {
            "batch_size": settings.batch, "num_workers": settings.workers, "persistent_workers": settings.workers > 0,
            "dataset": {"type": "ClipArtWindows", **data},
            "sampler": {"type": "EndlessNumbers"},
            "collate_fn": {"type": "pseudo_collate"},
        },
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": settings.steps, "val_interval": settings.steps + 1},
        "optim_wrapper": {
            "type": "AutocastOptimWrapper", "bfloat16": settings.bfloat16,
            "optimizer": {"type": "AdamW", "lr": settings.lr, "weight_decay": settings.weight_decay},
            "paramwise_cfg": free, "clip_grad": {"max_norm": 10.0},
        },
        "param_scheduler": _schedulers(settings),
        "custom_hooks": [
            {"type": "EMAHook", "ema_type": "ExpMomentumEMA", "momentum": settings.ema, "update_buffers": True,
             "priority": 49},
        ],
        "default_hooks": {
            "timer": {"type": "IterTimerHook"},
            "logger": {"type": "LoggerHook", "interval": 20},
            "param_scheduler": {"type": "ParamSchedulerHook"},
            "checkpoint": {
                "type": "CheckpointHook", "interval": settings.save_every, "by_epoch": False,
                "max_keep_ckpts": 2,  # the hook removes the oldest before it writes the next
                "filename_tmpl": "checkpoint_{}.pth",
            },
            "sampler_seed": {"type": "DistSamplerSeedHook"},
        },
        "env_cfg": {"cudnn_benchmark": True},
        "visualizer": {"type": "Visualizer", "vis_backends": _backends_of_board(folder / "tensorboard")},
        "randomness": {"seed": settings.seed},
        "work_dir": str(folder),
    }  # fmt: skip


def _backends_of_board(folder: Path) -> list[dict[str, Any]]:
    """TensorBoard's curves, where it is installed; the losses are in metrics.json in any case."""
    if find_spec("tensorboard") is None:
        print("no TensorBoard, metrics.json only; `make setup EXTRAS=train` installs it")
        return []
    return [{"type": "TensorboardVisBackend", "save_dir": str(folder)}]


def _schedulers(settings: DetectorTraining) -> list[dict[str, Any]]:
    """The learning rate: a linear warm-up, then half a cosine down to nearly nothing."""
    warm = min(settings.warmup, settings.steps - 1)
    rise = {"type": "LinearLR", "start_factor": 1e-3, "by_epoch": False, "begin": 0, "end": warm}
    fall = {
        "type": "CosineAnnealingLR", "eta_min": settings.lr * 0.02, "by_epoch": False, "begin": warm,
        "end": settings.steps, "T_max": settings.steps - warm,
    }  # fmt: skip
    return [rise, fall] if warm else [fall]
