"""One training loop for every network of the project: `make train MODEL=NAME`, or `models.launch` under torchrun.

A model is a folder `models/NAME` whose `recipe.py` declares PRESETS and `build`; its network declares `loss` and
`metrics`. A run folder holds config.json, checkpoint.pt, metrics.json, weights.safetensors and TensorBoard's files.
A run that was stopped goes on from its last checkpoint and, on a CPU, ends with the same bytes as an undisturbed one.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.checkpoints import read_checkpoint, write_checkpoint, write_weights
from models.runs import claim, log_values, open_board
from pipeline.core.storage import write_json

Batch = Mapping[str, Tensor]
_LOG_EVERY = 20  # steps
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained; fields marked "speed" do not change what is learnt."""

    steps: int = field(default=3000, metadata={"help": "optimiser steps"})
    batch: int = field(default=64, metadata={"help": "samples of a step, on each device"})
    lr: float = field(default=2e-3, metadata={"help": "AdamW's learning rate after the warm-up"})
    warmup: int = field(default=100, metadata={"help": "steps over which the rate rises linearly; a cosine follows"})
    weight_decay: float = field(default=0.05, metadata={"help": "of matrices and kernels; norms and biases have none"})
    clip: float = field(default=1.0, metadata={"help": "largest norm of the gradient"})
    ema: float = field(default=0.998, metadata={"help": "decay of the moving average of the weights, which is kept"})
    bfloat16: bool = field(default=True, metadata={"help": "mixed precision; on CPUs without bfloat16 units, slower"})
    seed: int = field(default=0, metadata={"help": "of the initial weights, of the samples and of dropout"})
    evaluate_every: int = field(default=500, metadata={"help": "steps between evaluations"})
    val_samples: int = field(default=512, metadata={"help": "samples of an evaluation"})
    save_every: int = field(default=100, metadata={"help": "steps between checkpoints", "speed": True})
    workers: int = field(default=2, metadata={"help": "processes that prepare samples", "speed": True})
    threads: int = field(default=0, metadata={"help": "torch threads on a CPU, else torch's choice", "speed": True})

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "lr", "clip", "evaluate_every", "val_samples", "save_every"):
            if getattr(self, name) <= 0:
                raise ValueError(f"training: {name}: expected more than 0, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"training: ema: expected 0 <= ema < 1, got {self.ema}")


class Samples(Protocol):
    """Training or validation samples: item i >= 0, as large as one likes, is a pure function of i."""

    def __getitem__(self, index: int) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know of a model.

    network: a module with `loss(batch) -> {"loss": ..., parts}` and `metrics(batch) -> {name: (sum, count)}`; config:
    plain values that rebuild it.
    """

    network: nn.Module
    train_set: Samples
    val_set: Samples
    config: dict[str, Any]


@dataclass
class _Run:
    """All that changes while training."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train(recipe: Recipe, settings: TrainSettings, folder: Path, *, progress: Progress | None = None) -> dict:
    """Train, or go on training, in a run folder; the last evaluation's metrics.

    Raises ValueError where the folder holds a run of another configuration.
    """
    rank, world, device = devices()
    learnt = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if not f.metadata.get("speed")}
    config = {"train": learnt, **recipe.config, "devices": world}
    if rank == 0:
        claim(folder, config)
    if world > 1:
        torch.distributed.barrier()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    run = _start(recipe, settings, folder, device)
    if run.step < settings.steps:
        _loop(run, recipe, settings, folder, (rank, world, device), progress)
    if rank == 0:
        write_weights(folder / "weights.safetensors", run.average, recipe.config)
    if world > 1:
        torch.distributed.destroy_process_group()
    return run.history[-1]


def _loop(run: _Run, recipe: Recipe, settings: TrainSettings, folder: Path, place, progress: Progress | None) -> None:
    """Step, log, evaluate, save, until the last step."""
    rank, world, device = place
    board = open_board(folder) if rank == 0 else None
    step_loss = _distributed(run.network, device) if world > 1 else _Loss(run.network)
    batches = _batches(recipe.train_set, settings, run.step, rank, world)
    while run.step < settings.steps:
        parts = _step(run, step_loss, next(batches), settings, device)
        last = run.step == settings.steps
        judged = last or run.step % settings.evaluate_every == 0
        if board and (last or run.step % _LOG_EVERY == 0):
            log_values(board, run.step, "train", {name: value.item() for name, value in parts.items()})
        if judged:
            result = evaluate(run.average, recipe.val_set, settings, device)
            run.history.append({"step": run.step, "train_loss": parts["loss"].item(), **result})
            if board:
                log_values(board, run.step, "val", result)
        if rank == 0 and (judged or run.step % settings.save_every == 0):
            _save(run, folder)
        if progress and rank == 0:
            progress(run.step, settings.steps)
    if board:
        board.close()


def _step(run: _Run, step_loss: nn.Module, batch: Batch, settings: TrainSettings, device: torch.device) -> Batch:
    """One optimiser step; the loss and its parts, the gradient's norm and the learning rate."""
    torch.manual_seed(settings.seed * 1_000_003 + run.step)  # dropout resumes without a stored state
    rate = _rate(run.step, settings)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.network.train()
    with _mixed(settings, device):
        parts = step_loss({name: value.to(device, non_blocking=True) for name, value in batch.items()})
    run.optimizer.zero_grad(set_to_none=True)
    parts["loss"].backward()
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip)
    run.optimizer.step()
    update_average(run.average, run.network, settings.ema, run.step)
    run.step += 1
    return {**{name: value.detach() for name, value in parts.items()}, "gradient": norm, "lr": torch.tensor(rate)}


class _Loss(nn.Module):
    """`loss` as a forward pass, which is what DistributedDataParallel synchronises."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.network.loss(batch)  # type: ignore[operator]


def _distributed(network: nn.Module, device: torch.device) -> nn.Module:
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
    run = _Run(network, copy.deepcopy(network).requires_grad_(False), _optimizer(network, settings))
    path = folder / "checkpoint.pt"
    if path.exists():
        state = read_checkpoint(path, device)
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.step, run.history = state["step"], state["history"]
    return run


def _save(run: _Run, folder: Path) -> None:
    state = {"network": run.network.state_dict(), "average": run.average.state_dict(), "step": run.step,
             "optimizer": run.optimizer.state_dict(), "history": run.history}  # fmt: skip
    write_checkpoint(folder / "checkpoint.pt", state)
    write_json(folder / "metrics.json", run.history)


def _optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019); vectors, that is norms and biases, do not decay."""
    free = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in free if (p.ndim > 1) == decays], "weight_decay": settings.weight_decay * decays}
        for decays in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def _rate(step: int, settings: TrainSettings) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine down to zero."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """average <- d average + (1 - d) network with d = min(decay, (1 + step) / (10 + step)); buffers are copied."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, share)
    for kept, now in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(now)


@torch.no_grad()
def evaluate(network: nn.Module, samples: Samples, settings: TrainSettings, device: torch.device) -> dict[str, float]:
    """Metrics over the first `val_samples` samples; a metric nothing counted towards is left out."""
    network.eval()
    totals: dict[str, Tensor] = {}
    count = settings.val_samples
    chunks = [range(i, min(i + settings.batch, count)) for i in range(0, count, settings.batch)]
    for batch in DataLoader(samples, batch_sampler=chunks, num_workers=settings.workers):  # type: ignore[arg-type]
        with _mixed(settings, device):
            found = network.metrics({name: value.to(device) for name, value in batch.items()})  # type: ignore[operator]
        for name, value in found.items():
            totals[name] = totals.get(name, torch.zeros(2, dtype=torch.float64)) + value.cpu()
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
