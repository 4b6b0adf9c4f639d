"""Which Car-render pictures are drawn: how many vehicles and views, in which shards, from which seeds.

The splits share no vehicle, and no picture of one split shows a body type that is kept for "unseen".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.synthetic.plans import DrawJob, check_counts, plan_jobs

# Far above the seeds of simulated cameras and of the keypoint network's vehicles.
SEEDS = {"train": 1 << 44, "val": 1 << 45, "test": 1 << 46, "unseen": 1 << 47}
# The bodies of the bases "car" and "van". The unseen ones have relatives among the seen, so that what ships knows all.
SEEN = ("hatchback", "sedan", "suv", "pickup", "van")
UNSEEN = ("wagon", "minibus")


@dataclass(frozen=True)
class CarViewSettings:
    """How many pictures are drawn (Occlusion-Net, section 4.1: 300 models to train, 72 to validate, 100 to test)."""

    vehicles: int = field(default=300, metadata={"help": "vehicles of the fleet drawn for training"})
    val_vehicles: int = field(default=30, metadata={"help": "other vehicles, drawn for validation"})
    test_vehicles: int = field(default=60, metadata={"help": "other vehicles, drawn for the test"})
    unseen_vehicles: int = field(default=40, metadata={"help": "vehicles of body types that training never shows"})
    views: int = field(default=12, metadata={"help": "pictures of each"})
    seed: int = field(default=0, metadata={"help": "of vehicles, paints, places and lights"})
    per_shard: int = field(default=10, metadata={"help": "vehicles of a shard"})

    def __post_init__(self) -> None:
        if self.views < 3:
            raise ValueError(f"car views: views: the trifocal loss needs at least 3 of a vehicle, got {self.views}")
        check_counts(self, "car views")


class ViewJob(DrawJob):
    """One shard of vehicles to draw."""

    @property
    def first_seed(self) -> int:
        """Of the shard's vehicles."""
        return SEEDS[self.split] + (self.seed << 20) + self.index * 1000


def plan_views(settings: CarViewSettings, folder: Path) -> list[ViewJob]:
    """The shards of all splits."""
    counts = {
        "train": settings.vehicles,
        "val": settings.val_vehicles,
        "test": settings.test_vehicles,
        "unseen": settings.unseen_vehicles,
    }
    return plan_jobs(ViewJob, counts, settings.per_shard, settings.views, settings.seed, folder)
