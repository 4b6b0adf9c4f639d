"""Which pictures of linked objects are rendered: how many of each split, of which bodies, in which shards.

No two splits share a body. `other` is a second test set on which nothing may be chosen: bodies, backdrops, cameras and
proportions of classes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.synthetic.plans import Jobs, RenderJob, plan_jobs

SPLITS = ("train", "val", "test", "other")
SIZE_PX = 320  # a picture's sides
TASK = "RenderLinkedObjects"


class LinkedJob(RenderJob):
    """One shard of pictures; `views` is the number of bodies that each class of its split has."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, SPLITS.index(self.split), self.index, 0x11]


@dataclass(frozen=True)
class LinkedSettings:
    """How many pictures are rendered, of how many bodies a class."""

    pictures: int = field(default=2400, metadata={"help": "rendered for training"})
    val_pictures: int = field(default=240, metadata={"help": "of other bodies, for validation"})
    test_pictures: int = field(default=360, metadata={"help": "of other bodies again, for the test"})
    other_pictures: int = field(
        default=240, metadata={"help": "of other bodies, backdrops, cameras and proportions of classes"}
    )
    bodies: int = field(default=36, metadata={"help": "of each class, shown in training"})
    held_out_bodies: int = field(default=12, metadata={"help": "of each class, of every other split"})
    seed: int = field(default=0, metadata={"help": "of bodies, places and illuminations"})
    per_shard: int = field(default=60, metadata={"help": "pictures of a shard"})

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "seed" and value < 1:
                raise ValueError(f"linked objects: {name}: expected at least 1, got {value}")


def plan_linked(settings: LinkedSettings, folder: Path) -> list[LinkedJob]:
    """The shards of all splits."""
    s = settings
    counts = dict(zip(SPLITS, (s.pictures, s.val_pictures, s.test_pictures, s.other_pictures), strict=True))
    jobs: list[LinkedJob] = []
    for split, count in counts.items():
        bodies = s.bodies if split == "train" else s.held_out_bodies
        jobs += plan_jobs(LinkedJob, {split: count}, s.per_shard, bodies, s.seed, folder)
    return jobs


def linked_jobs(settings: LinkedSettings, folder: Path) -> Jobs:
    """What renders pictures of linked objects."""
    from models.linked_objects.rendered.render import render_linked

    return [(render_linked, plan_linked(settings, folder))]
