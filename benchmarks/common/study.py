"""What studies share, benchmarks that train networks anew: pictures rendered once, runs that go on, rows of means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.contract import Rendered, Spec
from pipeline.core.engine import map_shards
from pipeline.core.storage import write_json
from tasks.learn.training_data import task_of


def rendered(spec: Spec, data: Path, settings: Any) -> Path:
    """The folder of a network's rendered pictures, that of the task which renders them, with what was not there yet;
    a training finds them there, and other settings or another version have a folder of their own."""
    task = task_of(spec)
    assert task is not None and isinstance(spec.source, Rendered), f"{spec.name} renders nothing"
    folder: Path = task(data_root=str(data.resolve()), **vars(settings)).folder
    for render, jobs in spec.source.jobs(settings, folder):
        map_shards(render, [job for job in jobs if not job.out.exists()])
    return folder


def runs_of(study: str, data: Path, seed: int, steps: int, *, quick: bool) -> Path:
    """The folder of a seed's runs; those of other lengths lie apart."""
    return data / "runs" / f"{study}-{'quick' if quick else steps}" / str(seed)


def once(done: Path, made: Callable[[], Any]) -> Any:
    """What a JSON file holds; made and written where it is not there yet."""
    if not done.exists():
        write_json(done, made())
    return json.loads(done.read_text())


def mean_of(rows: Sequence[Mapping[str, float]], told: Sequence[str]) -> dict[str, float]:
    """Means of the numbers that all seeds' rows have, and the deviation, as `NAME ±`, of those that are told."""
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if all(key in row for row in rows)}
    return means | {f"{key} ±": float(np.std([row[key] for row in rows])) for key in told if key in means}
