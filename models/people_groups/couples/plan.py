"""Which couples are rendered: how many of each split, in which shards, from which seeds. It loads no ray caster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.synthetic.plans import Jobs, RenderJob, plan_jobs

COUPLE_SEEDS = {"train": 1 << 50, "val": 1 << 51, "test": 1 << 52, "unseen": 1 << 53}
SPLITS = tuple(COUPLE_SEEDS)


@dataclass(frozen=True)
class CoupleSettings:
    """How many couples are rendered."""

    couples: int = field(default=480, metadata={"help": "couples rendered for training"})
    val_couples: int = field(default=40, metadata={"help": "couples of other bodies, for validation"})
    test_couples: int = field(default=60, metadata={"help": "couples of further bodies, for the test"})
    unseen_couples: int = field(default=60, metadata={"help": "couples of other bodies in motions never trained on"})
    views: int = field(default=10, metadata={"help": "pictures of each"})
    seed: int = field(default=0, metadata={"help": "of bodies, outfits, motions, places and illuminations"})
    per_shard: int = field(default=10, metadata={"help": "couples of a shard"})

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "seed" and value < 1:
                raise ValueError(f"couples: {name}: expected at least 1, got {value}")


class CoupleJob(RenderJob):
    """One shard of couples."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, COUPLE_SEEDS[self.split], self.index]


def plan_couples(settings: CoupleSettings, folder: Path) -> list[CoupleJob]:
    """The shards of all splits."""
    counts = {
        "train": settings.couples,
        "val": settings.val_couples,
        "test": settings.test_couples,
        "unseen": settings.unseen_couples,
    }
    return plan_jobs(CoupleJob, counts, settings.per_shard, settings.views, settings.seed, folder)


def couple_jobs(settings: CoupleSettings, folder: Path) -> Jobs:
    """What renders couples, each from several places in several illuminations: a Spec's `Rendered` source asks it."""
    from models.people_groups.couples.shards import render_couples

    return [(render_couples, plan_couples(settings, folder))]
