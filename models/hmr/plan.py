"""Which rendered people the network is trained on: how many, in which shards, from which seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.vehicle_keypoints.plan import SEEDS
from models.vehicle_keypoints.plan import ShardJob as VehicleJob

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
        for name in ("people", "views", "val_people", "vehicles", "per_shard"):
            if getattr(self, name) < 1:
                raise ValueError(f"people crops: {name}: expected at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class PeopleJob:
    """One shard of people to draw, and where it goes."""

    split: str
    index: int
    people: int
    views: int
    seed: int
    out: Path

    @property
    def name(self) -> str:
        return self.out.name

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, SEEDS[self.split], self.index, 0x9E0]


def plan_people(settings: PeopleSettings, folder: Path) -> list[PeopleJob]:
    """The shards of people of both splits."""
    jobs = []
    for split, total in (("train", settings.people), ("val", settings.val_people)):
        for index, first in enumerate(range(0, total, settings.per_shard)):
            count = min(settings.per_shard, total - first)
            out = folder / split / f"part-{index:05d}.parquet"
            jobs.append(PeopleJob(split, index, count, settings.views, settings.seed, out))
    return jobs


def plan_vehicles(settings: PeopleSettings, folder: Path) -> list[VehicleJob]:
    """The shards of vehicles of both splits, as models.vehicle_keypoints draws them."""
    jobs = []
    for split in ("train", "val"):
        for index, first in enumerate(range(0, settings.vehicles, _VEHICLES_OF_SHARD)):
            count = min(_VEHICLES_OF_SHARD, settings.vehicles - first)
            out = folder / "vehicles" / split / f"part-{index:05d}.parquet"
            jobs.append(VehicleJob(split, index, count, 3, settings.seed, out))
    return jobs
