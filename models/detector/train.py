"""Train a detector through mmengine's Runner; several GPUs: `torchrun --nproc-per-node 4 -m models.detector.train`.

A run folder holds config.json, detector.py (mmdet's config of the network), checkpoint_*.pth, metrics.json, weights.pth
and TensorBoard's files. A run that was stopped goes on from its last checkpoint and, on a CPU, ends with the same
weights as an undisturbed one. The detector `mmdet` takes detector.py and weights.pth.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.detector.pictures import CLASSES, source_of
from models.detector.presets import PRESETS, DetectorSettings, model_config, run_config
from models.mm import quiet, require
from models.mm.checkpoints import read_zoo_checkpoint

CONFIG, WEIGHTS = "detector.py", "weights.pth"
_LEAST_SHARED = 0.5  # of the weights that a run starts from, by number of tensors


def train(
    settings: DetectorSettings, source: dict[str, str], folder: Path, *, init_from: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train, or go on training, in a run folder; the last losses.

    source: what `dataset.open_pictures` opens. Raises ValueError where the folder holds a run of another
    configuration, where weights to start from fit too little, and without the packages.
    """
    require("mmdet")
    import torch

    from models.runs import claim
    from models.train import devices

    rank, world, device = devices()
    learnt = _learnt(settings) | {"source": source, "init_from": init_from.name if init_from else ""}
    config = learnt | {"model": "detector", "devices": world}
    if (folder / "config.json").exists():
        claim(folder, config)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    history = _history(folder)
    runner = _runner(settings, source, folder, init_from, device)
    # Pictures and weights to start from could be opened: the folder is this run's from here on.
    if rank == 0:
        claim(folder, config)
    _follow(runner, folder, settings, history, progress)
    with quiet():
        runner.train()
    if rank == 0:
        _write_result(runner, settings, folder)
    if world > 1:
        torch.distributed.destroy_process_group()
    return {name: value for name, value in history[-1].items() if name != "step"}


def _runner(
    settings: DetectorSettings, source: dict[str, str], folder: Path, init_from: Path | None, device: Any
) -> Any:
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner

    import models.detector.dataset
    import models.detector.hooks  # noqa: F401  both register what the config names

    config = run_config(settings, source, folder)
    if torch.distributed.is_initialized():
        config |= {"launcher": "pytorch", "model_wrapper_cfg": _wrapper(device)}
        config["model"]["use_syncbn"] = device.type == "cuda"  # CPUs have no such layer
    config |= {"log_level": "ERROR", "experiment_name": folder.name}
    resumed = _last_checkpoint(folder)
    if resumed is not None:
        config |= {"resume": True, "load_from": str(resumed)}
    with quiet():
        init_default_scope("mmdet")
        runner = Runner.from_cfg(Config(config))
        runner.train_loop  # noqa: B018  opens the pictures
    model = runner.model.module if torch.distributed.is_initialized() else runner.model
    model.to(memory_format=torch.channels_last)  # a third faster on CPUs
    if resumed is None and init_from is not None:
        _start_from(model, init_from)
    return runner


def _wrapper(device: Any) -> dict[str, Any]:
    """How several processes share a network; where none of a process's windows shows an object, no mask is made."""
    ids = [device.index] if device.type == "cuda" else None
    return {
        "type": "MMDistributedDataParallel", "device_ids": ids, "broadcast_buffers": False,
        "find_unused_parameters": True,
    }  # fmt: skip


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole: a run killed while it wrote one leaves the one before."""
    found = sorted(folder.glob("checkpoint_*.pth"), key=lambda path: int(path.stem.split("_")[1]), reverse=True)
    for path in found:
        try:
            meta = read_zoo_checkpoint(path).meta
        except ValueError as error:
            print(f"passed over: {error}", flush=True)
            path.unlink(missing_ok=True)  # of several processes one comes first
            continue
        if "config" in meta:  # mmengine would run it
            raise ValueError(f"{path}: refused: it carries a config, which is code; no run writes that")
        return path
    return None


def _follow(runner: Any, folder: Path, settings: DetectorSettings, history: list[dict], progress: Any) -> None:
    from models.detector.hooks import Follow

    runner.register_hook(Follow(folder, settings.steps, history, progress), priority="LOWEST")


def _history(folder: Path) -> list[dict]:
    path = folder / "metrics.json"
    return json.loads(path.read_text()) if path.exists() else []


def _start_from(model: Any, path: Path) -> None:
    """Give a network what fits it of other weights, as those of a model zoo, whose classes are others."""
    theirs = read_zoo_checkpoint(path).state
    with quiet():
        model.init_weights()  # once and now: the runner would do it after these weights are in
    ours = model.state_dict()
    fitting = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if len(fitting) < _LEAST_SHARED * len(ours):
        raise ValueError(f"{path}: weights of another architecture: {len(fitting)} of {len(ours)} tensors fit")
    model.load_state_dict(fitting, strict=False)


def _write_result(runner: Any, settings: DetectorSettings, folder: Path) -> None:
    """The averaged weights, and the config that the detector `mmdet` reads them with."""
    import torch
    from mmengine.config import Config

    from pipeline.core.storage import atomic_path

    average = next(hook.ema_model for hook in runner.hooks if type(hook).__name__ == "EMAHook").module
    state = {name: value.detach().cpu() for name, value in average.state_dict().items()}
    config = {"default_scope": "mmdet", "model": model_config(settings), "metainfo": {"classes": CLASSES}}
    config["test_dataloader"] = {"dataset": {"pipeline": _TEST_PIPELINE, "metainfo": {"classes": CLASSES}}}
    with atomic_path(folder / CONFIG) as part:
        part.write_text(Config(config).pretty_text)
    with atomic_path(folder / WEIGHTS) as part:
        torch.save({"meta": {"dataset_meta": {"classes": list(CLASSES)}}, "state_dict": state}, part)


# Frames are looked at in their own size.
_TEST_PIPELINE = [
    {"type": "LoadImageFromNDArray"},
    {"type": "Resize", "scale_factor": 1.0, "keep_ratio": True},
    {"type": "Pad", "size_divisor": 32, "pad_val": {"img": (114, 114, 114)}},
    {"type": "PackDetInputs", "meta_keys": ("ori_shape", "img_shape", "scale_factor")},
]


def _learnt(settings: DetectorSettings) -> dict[str, Any]:
    """The settings that change what is learnt, as plain values."""
    fields = dataclasses.fields(settings)
    plain = dataclasses.asdict(settings)
    return {f.name: plain[f.name] for f in fields if not f.metadata.get("speed")}


def main(arguments: list[str] | None = None) -> None:
    """Train a preset on shards that are there already, or on COCO labels; torchrun starts one process a GPU."""
    parser = argparse.ArgumentParser(prog="models.detector.train", description=main.__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="base")
    parser.add_argument("--shards", default="", help="a camera's clipart folder")
    parser.add_argument("--masks", default="visible", help="visible or amodal, of clip-art")
    parser.add_argument("--labels", default="", help="a COCO dataset instead of shards")
    parser.add_argument("--images", default="", help="folder of its pictures, else the labels'")
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder; a stopped run goes on")
    parser.add_argument("--init-from", type=Path, help="weights to start from, as rtmdet-ins_s of the model zoo")
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps, else the preset's")
    given = parser.parse_args(arguments)
    settings = PRESETS[given.preset]
    settings = dataclasses.replace(settings, steps=given.steps or settings.steps)
    source = source_of(given.shards, given.masks, given.labels, given.images)
    last = train(settings, source, given.folder, init_from=given.init_from)
    if int(os.environ.get("RANK", 0)) == 0:
        print(", ".join(f"{name} {value:.3f}" for name, value in last.items()))


if __name__ == "__main__":
    logging.getLogger("mmengine").setLevel(logging.ERROR)
    main()
