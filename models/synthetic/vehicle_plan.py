"""Which rendered pictures the network is trained on: how many, in which shards, from which seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.synthetic.plans import DrawJob, check_counts, plan_jobs

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
        check_counts(self, "crops")


def plan_shards(settings: CropSettings, folder: Path) -> list[DrawJob]:
    """The shards of both splits."""
    counts = {"train": settings.vehicles, "val": settings.val_vehicles}
    return plan_jobs(DrawJob, counts, settings.per_shard, settings.views, settings.seed, folder)
