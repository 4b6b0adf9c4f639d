"""Which rendered pictures the network is trained on: how many, in which shards, from which seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# Far above the 32 bits that simulated cameras draw their vehicles' seeds from.
SEEDS = {"train": 1 << 40, "val": 1 << 41}


@dataclass(frozen=True)
class CropSettings:
    """How many sprites are drawn."""

    vehicles: int = field(default=1200, metadata={"help": "vehicles of the fleet drawn for training"})
    views: int = field(default=10, metadata={"help": "pictures of each"})
    val_vehicles: int = field(default=90, metadata={"help": "other vehicles, drawn for validation"})
    seed: int = field(default=0, metadata={"help": "of vehicles, paints, places and lights"})
    per_shard: int = field(default=15, metadata={"help": "vehicles of a shard"})

    def __post_init__(self) -> None:
        for name in ("vehicles", "views", "val_vehicles", "per_shard"):
            if getattr(self, name) < 1:
                raise ValueError(f"crops: {name}: expected at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class ShardJob:
    """One shard to draw: which vehicles of which split, and where it goes."""

    split: str
    index: int
    vehicles: int
    views: int
    seed: int
    out: Path

    @property
    def name(self) -> str:
        return self.out.name


def plan_shards(settings: CropSettings, folder: Path) -> list[ShardJob]:
    """The shards of both splits."""
    jobs = []
    for split, total in (("train", settings.vehicles), ("val", settings.val_vehicles)):
        count = -(-total // settings.per_shard)
        for index in range(count):
            vehicles = min(settings.per_shard, total - index * settings.per_shard)
            out = folder / split / f"part-{index:05d}.parquet"
            jobs.append(ShardJob(split, index, vehicles, settings.views, settings.seed, out))
    return jobs
