"""Which rendered people the network is trained on: how many, in which shards, from which seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.synthetic.plans import DrawJob, check_counts, plan_jobs
from models.synthetic.vehicle_plan import SEEDS

POSES = {"train": "train", "val": "held_out"}  # split of models.poses
_VEHICLES_OF_SHARD = 12


@dataclass(frozen=True)
class PeopleSettings:
    """How many sprites are drawn."""

    people: int = field(default=700, metadata={"help": "dressed people drawn for training"})
    views: int = field(default=20, metadata={"help": "pictures of each, every one in another pose"})
    val_people: int = field(default=40, metadata={"help": "people of other bodies in held-out poses, for validation"})
    vehicles: int = field(default=60, metadata={"help": "vehicles that stand before and behind them, of each split"})
    seed: int = field(default=0, metadata={"help": "of outfits, poses, places and lights"})
    per_shard: int = field(default=20, metadata={"help": "people of a shard"})

    def __post_init__(self) -> None:
        check_counts(self, "people crops")


class PeopleJob(DrawJob):
    """One shard of people to draw."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, SEEDS[self.split], self.index, 0x9E0]


def plan_people(settings: PeopleSettings, folder: Path) -> list[PeopleJob]:
    """The shards of people of both splits."""
    counts = {"train": settings.people, "val": settings.val_people}
    return plan_jobs(PeopleJob, counts, settings.per_shard, settings.views, settings.seed, folder)


def plan_vehicles(settings: PeopleSettings, folder: Path) -> list[DrawJob]:
    """The shards of vehicles of both splits, as models.vehicle_keypoints draws them."""
    counts = dict.fromkeys(("train", "val"), settings.vehicles)
    return plan_jobs(DrawJob, counts, _VEHICLES_OF_SHARD, 3, settings.seed, folder / "vehicles")
