"""Train a detector through mmengine's Runner; several GPUs: `torchrun --nproc-per-node 4 -m models.launch detector`.

A run folder holds config.json, detector.py (mmdet's config of the network), checkpoint_*.pth, metrics.json, weights.pth
and TensorBoard's files. A run that was stopped goes on from its last checkpoint and, on a CPU, ends with the same
weights as an undisturbed one. The detector `mmdet` takes detector.py and weights.pth.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from models.contract import Given, Preset, Progress, Spec
from models.contract.spec import to_plain
from models.detector import DetectorSettings
from models.detector.config import model_config, run_config
from models.detector.pictures import CLASSES, source_of
from models.mm import quiet, require
from models.mm.checkpoints import read_zoo_checkpoint

CONFIG = "detector.py"
_LEAST_SHARED = 0.5  # of the weights that a run starts from, by number of tensors


def train(
    spec: Spec, preset: Preset, given: Given, folder: Path, *, init_from: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train, or go on training, in a run folder; the last losses, and on stdout the manifest's line that uses it.

    Raises ValueError where the folder holds a run of another configuration, where weights to start from fit too
    little, and without the packages.
    """
    require("mmdet")
    import torch

    from models.checkpoints import claim
    from models.train import devices

    source, settings = source_of(given), preset.train
    rank, world, device = devices()
    learnt = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if not f.metadata.get("speed")}
    learnt["window"] = to_plain(settings.window)
    config = {"train": learnt, **spec.config(preset.network), "source": source, "devices": world}
    config["init_from"] = init_from.name if init_from else ""
    if (folder / "config.json").exists():
        claim(folder, config)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    history = _history(folder)
    runner = _runner(preset, source, folder, init_from, device)
    # Pictures and weights to start from could be opened: the folder is this run's from here on.
    if rank == 0:
        claim(folder, config)
    _follow(runner, folder, settings.steps, history, progress)
    with quiet():
        runner.train()
    if rank == 0:
        _write_result(runner, preset.network, folder, folder / spec.trained)
        print(
            f"detector: {{backend: mmdet, config: {folder / CONFIG}, checkpoint: {folder / spec.trained}}}", flush=True
        )
    if world > 1:
        torch.distributed.destroy_process_group()
    return {name: value for name, value in history[-1].items() if name != "step"}


def _runner(preset: Preset, source: dict[str, str], folder: Path, init_from: Path | None, device: Any) -> Any:
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner

    import models.detector.parts  # noqa: F401  registers what the config names

    config = run_config(preset.network, preset.train, source, folder)
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


def _follow(runner: Any, folder: Path, steps: int, history: list[dict], progress: Progress | None) -> None:
    from models.detector.parts import Follow

    runner.register_hook(Follow(folder, steps, history, progress), priority="LOWEST")


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


def _write_result(runner: Any, settings: DetectorSettings, folder: Path, weights: Path) -> None:
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
    with atomic_path(weights) as part:
        torch.save({"meta": {"dataset_meta": {"classes": list(CLASSES)}}, "state_dict": state}, part)


# Frames are seen in their own size.
_TEST_PIPELINE = [
    {"type": "LoadImageFromNDArray"},
    {"type": "Resize", "scale_factor": 1.0, "keep_ratio": True},
    {"type": "Pad", "size_divisor": 32, "pad_val": {"img": (114, 114, 114)}},
    {"type": "PackDetInputs", "meta_keys": ("ori_shape", "img_shape", "scale_factor")},
]
