"""One training loop for every network of the project: `make train MODEL=NAME`, or `models.launch` under torchrun.

A run folder holds config.json, checkpoint.pt (the last), best.safetensors, metrics.json, weights.safetensors and
TensorBoard's files. A run that was stopped goes on from its last checkpoint and, on a CPU, ends with the same bytes as
an undisturbed one.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, SequentialLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from models.checkpoints import (
    claim,
    log_values,
    open_board,
    read_checkpoint,
    read_weights,
    write_checkpoint,
    write_weights,
)
from models.contract import Given, Preset, Progress, Samples, Spec, Splits, SteppedTraining, TrainSettings, load_object
from models.network import Batch, Network, check_batch
from pipeline.core.storage import write_json

_LOG_EVERY = 20  # steps
BEST = "best.safetensors"


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know of a model: its network, what it learns from, config: plain values that rebuild it,
    best: the metric of the best checkpoint, with a minus where less is better."""

    network: Network
    data: Splits
    config: dict[str, Any]
    best: str = "-loss"


@dataclass
class _Run:
    """All that changes while training."""

    network: Network
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    spec: Spec, preset: Preset, given: Given, folder: Path, *, init_from: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train a network of the house, or go on where a stopped run was; the last evaluation's metrics.

    Raises ValueError where the folder holds a run of another configuration, for weights of another model or
    architecture, and for data that cannot be read.
    """
    return train_recipe(build(spec, preset, given, init_from), preset.train, folder, progress=progress)


def build(spec: Spec, preset: Preset, given: Given, init_from: Path | None = None) -> Recipe:
    """A Spec's network with its first weights, or those of a file, and its data."""
    seed = preset.train.seed
    torch.manual_seed(seed)
    settings = load_object(spec.adapt)(preset.network, given) if spec.adapt else preset.network
    network, config = load_object(spec.network)(settings), spec.config(settings) | given.named()
    if init_from is None:
        network.initialise(seed)
    else:
        state, theirs = read_weights(init_from)
        spec.rebuilt(theirs, init_from)
        network.start_from(state, init_from)
        config["init_from"] = init_from.name
    return Recipe(network, load_object(spec.data)(settings, given, seed), config, spec.best)


def train_recipe(
    recipe: Recipe, settings: TrainSettings, folder: Path, *, progress: Progress | None = None
) -> dict[str, float]:
    """Train, or go on training, in a run folder; the last evaluation's metrics."""
    rank, world, device = devices()
    learnt = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if not f.metadata.get("speed")}
    config = {"train": learnt, **recipe.config, "devices": world}
    if rank == 0:
        claim(folder, config)
    if world > 1:
        torch.distributed.barrier()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    now = _start(recipe, settings, folder, device)
    if now.step < settings.steps:
        _loop(now, recipe, settings, folder, (rank, world, device), progress)
    if rank == 0:
        write_weights(folder / "weights.safetensors", now.average.module, recipe.config)
    if world > 1:
        torch.distributed.destroy_process_group()
    return now.history[-1]


def _loop(now: _Run, recipe: Recipe, settings: TrainSettings, folder: Path, place, progress: Progress | None) -> None:
    """Step, log, evaluate, save, until the last step."""
    rank, world, device = place
    board = open_board(folder) if rank == 0 else None
    step_loss = _distributed(now.network, device) if world > 1 else _Loss(now.network)
    batches = _batches(recipe.data.train, settings, now.step, rank, world)
    while now.step < settings.steps:
        parts = _step(now, step_loss, next(batches), settings, device)
        last = now.step == settings.steps
        evaluated = last or now.step % settings.evaluate_every == 0
        if board and (last or now.step % _LOG_EVERY == 0):
            log_values(board, now.step, "train", {name: value.item() for name, value in parts.items()})
        if evaluated:
            result = evaluate(cast(Network, now.average.module), recipe.data.val, settings, device)
            now.history.append({"step": now.step, "train_loss": parts["total"].item(), **result})
            if board:
                log_values(board, now.step, "val", result)
            if rank == 0 and _is_best(now.history, recipe.best):
                write_weights(folder / BEST, now.average.module, recipe.config)
        if rank == 0 and (evaluated or now.step % settings.save_every == 0):
            _save(now, folder)
        if progress and rank == 0:
            progress(now.step, settings.steps)
    if board:
        board.close()


def _is_best(history: list[dict[str, float]], metric: str) -> bool:
    """Whether no evaluation before the last was as good, by a metric, less of which is better behind a minus."""
    sign, name = (-1, metric[1:]) if metric.startswith("-") else (1, metric)
    values = [sign * row[name] for row in history if name in row]
    return name in history[-1] and values[-1] > max(values[:-1], default=-math.inf)


def _step(now: _Run, step_loss: nn.Module, batch: Batch, settings: TrainSettings, device: torch.device) -> Batch:
    """One optimiser step; the loss and its parts, the gradient's norm and the learning rate."""
    torch.manual_seed(settings.seed * 1_000_003 + now.step)  # dropout resumes without a stored state
    rate = now.schedule.get_last_lr()[0]
    now.network.train()
    with _mixed(settings, device):
        parts = step_loss({name: value.to(device, non_blocking=True) for name, value in batch.items()})
    now.optimizer.zero_grad(set_to_none=True)
    parts["total"].backward()
    norm = nn.utils.clip_grad_norm_(now.network.parameters(), settings.clip)
    now.optimizer.step()
    now.schedule.step()
    now.average.update_parameters(now.network)
    now.step += 1
    return {**{name: value.detach() for name, value in parts.items()}, "gradient": norm, "lr": torch.tensor(rate)}


class _Loss(nn.Module):
    """Prediction and loss as one forward pass, which is what DistributedDataParallel synchronises."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.checked = False

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        if not self.checked:
            check_batch(self.network, batch)
            self.checked = True
        return self.network.loss(self.network(batch), batch)


def _distributed(network: Network, device: torch.device) -> nn.Module:
    ids = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(_Loss(network), device_ids=ids)


def devices() -> tuple[int, int, torch.device]:
    """Rank, number of processes, and this one's device, as torchrun's environment has them; joins the others."""
    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_RANK", 0))
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local)
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if cuda else "gloo")
    return int(os.environ.get("RANK", 0)), world, torch.device("cuda", local) if cuda else torch.device("cpu")


def _mixed(settings: TrainSettings, device: torch.device) -> AbstractContextManager:
    return torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16)


def _start(recipe: Recipe, settings: TrainSettings, folder: Path, device: torch.device) -> _Run:
    """A fresh run, or the one that the folder's checkpoint holds."""
    network = recipe.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, settings)
    now = _Run(network, moving_average(network, settings.ema), optimizer, _schedule(optimizer, settings))
    path = folder / "checkpoint.pt"
    if path.exists():
        state = read_checkpoint(path, device)
        now.network.load_state_dict(state["network"])
        now.average.load_state_dict(state["average"])
        now.optimizer.load_state_dict(state["optimizer"])
        now.schedule.load_state_dict(state["schedule"])
        now.step, now.history = state["step"], state["history"]
    return now


def _save(now: _Run, folder: Path) -> None:
    state = {"network": now.network.state_dict(), "average": now.average.state_dict(), "step": now.step,
             "optimizer": now.optimizer.state_dict(), "schedule": now.schedule.state_dict(),
             "history": now.history}  # fmt: skip
    write_checkpoint(folder / "checkpoint.pt", state)
    write_json(folder / "metrics.json", now.history)


def _optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019); vectors, that is norms and biases, do not decay."""
    free = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in free if (p.ndim > 1) == decays], "weight_decay": settings.weight_decay * decays}
        for decays in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def _schedule(optimizer: torch.optim.Optimizer, settings: TrainSettings) -> SequentialLR:
    """Linear warm-up of the learning rate, then half a cosine down to zero, or steps."""
    warmup = max(settings.warmup, 1)
    rise = LinearLR(optimizer, 1 / warmup, 1, max(warmup - 1, 1))
    fall: LRScheduler
    if isinstance(settings, SteppedTraining) and settings.decays:
        fall = MultiStepLR(optimizer, [max(round(at * settings.steps) - warmup, 1) for at in settings.decays])
    else:
        fall = CosineAnnealingLR(optimizer, max(settings.steps - warmup, 1))
    return SequentialLR(optimizer, [rise, fall], [warmup])


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """average <- d average + (1 - d) network, with d = min(decay, (1 + n) / (10 + n)) at the n-th update; buffers are
    copied."""

    def averaged(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        return torch.lerp(mean, value, 1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return AveragedModel(network, avg_fn=averaged).requires_grad_(False)


@torch.no_grad()
def evaluate(network: Network, samples: Samples, settings: TrainSettings, device: torch.device) -> dict[str, float]:
    """Loss and metrics over the first `val_samples` samples; a metric nothing counted towards is left out."""
    network.eval()
    totals: dict[str, Tensor] = {}
    count = settings.val_samples
    chunks = [range(i, min(i + settings.batch, count)) for i in range(0, count, settings.batch)]
    for batch in DataLoader(samples, batch_sampler=chunks, num_workers=settings.workers):  # type: ignore[arg-type]
        there = {name: value.to(device) for name, value in batch.items()}
        with _mixed(settings, device):
            pred = network(there)
            found = network.metrics(pred, there)
            rows = len(next(iter(there.values())))
            found = found | {
                "loss": torch.stack([network.loss(pred, there)["total"] * rows, torch.tensor(rows, device=device)])
            }
        for name, value in found.items():
            totals[name] = totals.get(name, torch.zeros(2, dtype=torch.float64)) + value.double().cpu()
    return {name: float(total[0] / total[1]) for name, total in totals.items() if total[1] > 0}


@dataclass(frozen=True)
class _Numbers:
    """The samples of every step from `start` on, endlessly; processes share a step's samples among them."""

    start: int
    batch: int
    rank: int
    world: int

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
            step += 1


def _batches(samples: Samples, settings: TrainSettings, start: int, rank: int, world: int) -> Iterator[Batch]:
    numbers = _Numbers(start, settings.batch, rank, world)
    pinned = torch.cuda.is_available()
    return iter(DataLoader(samples, batch_sampler=numbers, num_workers=settings.workers, pin_memory=pinned))  # type: ignore[arg-type]
