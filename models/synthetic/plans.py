"""Which pictures are drawn for a network to learn from: how many of each split, in which shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar


@dataclass(frozen=True)
class DrawJob:
    """One shard to draw: how many people or vehicles of which split, pictures of each, and where it goes."""

    split: str
    index: int
    count: int
    views: int
    seed: int
    out: Path

    @property
    def name(self) -> str:
        return self.out.name


J = TypeVar("J", bound=DrawJob)


def plan_jobs(job: type[J], counts: dict[str, int], per_shard: int, views: int, seed: int, folder: Path) -> list[J]:
    """The shards of all splits; counts are of people or vehicles, by split."""
    return [
        job(split, index, min(per_shard, count - first), views, seed, folder / split / f"part-{index:05d}.parquet")
        for split, count in counts.items()
        for index, first in enumerate(range(0, count, per_shard))
    ]


def check_counts(settings: Any, what: str) -> None:
    """Raises ValueError, which names it, where a number of the settings is below 1; the seed may be."""
    for name, value in vars(settings).items():
        if name != "seed" and value < 1:
            raise ValueError(f"{what}: {name}: expected at least 1, got {value}")
