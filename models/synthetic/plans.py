"""Which pictures are rendered for networks to learn from: how many of each split, in which shards, from which seeds.

Vehicle crops, people crops and Car-render have settings, shards and jobs each; no two splits of one share a vehicle, a
body or a pose. The jobs are what a Spec's `Rendered` source asks for; a ray caster is loaded when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

# By split, far above the 32 bits that simulated cameras sample their vehicles' seeds from; of crops and of Car-render.
CROP_SEEDS = {"train": 1 << 40, "val": 1 << 41}
VIEW_SEEDS = {"train": 1 << 44, "val": 1 << 45, "test": 1 << 46, "unseen": 1 << 47}
POSES = {"train": "train", "val": "held_out"}  # split of models.poses
# By fleet the bodies of cars and vans. The unseen ones have relatives among the seen, so that what ships knows all.
SEEN = {
    "plain": ("hatchback", "sedan", "suv", "pickup", "van"),
    "wide": ("microcar", "city_car", "hatchback", "sedan", "coupe", "suv", "offroader", "limousine", "pickup",
             "small_van", "van"),
}  # fmt: skip
UNSEEN = {"plain": ("wagon", "minibus"), "wide": ("wagon", "mpv", "minibus")}
FLEET = "wide"
_FLEET_HELP = "which vehicles: wide, of every class and look, or plain, nine ordinary bodies"
_VEHICLES_OF_SHARD, _VIEWS_OF_VEHICLE = 12, 3  # that stand around people

Jobs = list[tuple[Callable[[Any], int], Sequence[Any]]]  # functions that render a shard, each with its shards


@dataclass(frozen=True)
class RenderJob:
    """One shard to render: how many people or vehicles of which split and fleet, pictures of each, where it goes."""

    split: str
    index: int
    count: int
    views: int
    seed: int
    out: Path
    fleet: str = FLEET

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.out.name

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, self.index]


class VehicleJob(RenderJob):
    """One shard of vehicles of the fleet, and of people beside them."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, CROP_SEEDS[self.split], self.index]

    @property
    def first_seed(self) -> int:
        """Of the shard's vehicles."""
        return CROP_SEEDS[self.split] + (self.seed << 20) + self.index * 1000


class PeopleJob(RenderJob):
    """One shard of people."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, CROP_SEEDS[self.split], self.index, 0x9E0]


class ViewJob(RenderJob):
    """One shard of Car-render's vehicles."""

    @property
    def stream(self) -> list[int]:
        """What the shard's random numbers are keyed by."""
        return [self.seed, self.first_seed]

    @property
    def first_seed(self) -> int:
        """Of the shard's vehicles."""
        return VIEW_SEEDS[self.split] + (self.seed << 20) + self.index * 1000


J = TypeVar("J", bound=RenderJob)


def plan_jobs(
    job: type[J], counts: dict[str, int], per_shard: int, views: int, seed: int, folder: Path, fleet: str = FLEET
) -> list[J]:
    """The shards of all splits; counts are of people or vehicles, by split."""

    def out(split: str, index: int) -> Path:
        return folder / split / f"part-{index:05d}.parquet"

    return [
        job(split, index, min(per_shard, count - first), views, seed, out(split, index), fleet)
        for split, count in counts.items()
        for index, first in enumerate(range(0, count, per_shard))
    ]


def _check_counts(settings: Any, what: str) -> None:
    """Raises ValueError, which names it, for an unknown fleet or a number below 1; the seed may be."""
    for name, value in vars(settings).items():
        if name == "fleet":
            if value not in SEEN:
                raise ValueError(f"{what}: fleet: expected one of {', '.join(SEEN)}, got {value!r}")
        elif name != "seed" and value < 1:
            raise ValueError(f"{what}: {name}: expected at least 1, got {value}")


@dataclass(frozen=True)
class CropSettings:
    """How many sprites of vehicles are rendered."""

    vehicles: int = field(default=1200, metadata={"help": "vehicles of the fleet rendered for training"})
    views: int = field(default=10, metadata={"help": "pictures of each"})
    val_vehicles: int = field(default=90, metadata={"help": "other vehicles, rendered for validation"})
    seed: int = field(default=0, metadata={"help": "of vehicles, paints, places and illuminations"})
    per_shard: int = field(default=15, metadata={"help": "vehicles of a shard"})
    fleet: str = field(default=FLEET, metadata={"help": _FLEET_HELP})

    def __post_init__(self) -> None:
        _check_counts(self, "crops")


def plan_crops(settings: CropSettings, folder: Path) -> list[VehicleJob]:
    """The shards of both splits."""
    counts = {"train": settings.vehicles, "val": settings.val_vehicles}
    return plan_jobs(VehicleJob, counts, settings.per_shard, settings.views, settings.seed, folder, settings.fleet)


def crop_jobs(settings: CropSettings, folder: Path) -> Jobs:
    """What renders vehicles and people, one by one in any illumination, and backdrops."""
    from models.synthetic.vehicle_shards import render_vehicles

    return [(render_vehicles, plan_crops(settings, folder))]


@dataclass(frozen=True)
class PeopleSettings:
    """How many sprites of people are rendered."""

    people: int = field(default=700, metadata={"help": "dressed people rendered for training"})
    views: int = field(default=20, metadata={"help": "pictures of each, every one in another pose"})
    val_people: int = field(default=40, metadata={"help": "people of other bodies in held-out poses, for validation"})
    vehicles: int = field(default=60, metadata={"help": "vehicles that stand before and behind them, of each split"})
    seed: int = field(default=0, metadata={"help": "of outfits, poses, places and illuminations"})
    per_shard: int = field(default=20, metadata={"help": "people of a shard"})
    fleet: str = field(default=FLEET, metadata={"help": _FLEET_HELP})

    def __post_init__(self) -> None:
        _check_counts(self, "people crops")


def plan_people(settings: PeopleSettings, folder: Path) -> list[PeopleJob]:
    """The shards of people of both splits."""
    counts = {"train": settings.people, "val": settings.val_people}
    return plan_jobs(PeopleJob, counts, settings.per_shard, settings.views, settings.seed, folder)


def plan_vehicles(settings: PeopleSettings, folder: Path) -> list[VehicleJob]:
    """The shards of vehicles of both splits that stand around people, as vehicle crops have them."""
    counts = dict.fromkeys(POSES, settings.vehicles)
    views, folder = _VIEWS_OF_VEHICLE, folder / "vehicles"
    return plan_jobs(VehicleJob, counts, _VEHICLES_OF_SHARD, views, settings.seed, folder, settings.fleet)


def people_jobs(settings: PeopleSettings, folder: Path) -> Jobs:
    """What renders dressed people, one by one in any pose and illumination, vehicles and backdrops."""
    from models.synthetic.people_shards import render_people
    from models.synthetic.vehicle_shards import render_vehicles

    return [(render_vehicles, plan_vehicles(settings, folder)), (render_people, plan_people(settings, folder))]


@dataclass(frozen=True)
class CarViewSettings:
    """How many pictures are rendered (Occlusion-Net, section 4.1: 300 models to train, 72 to validate, 100 to test)."""

    vehicles: int = field(default=300, metadata={"help": "vehicles of the fleet rendered for training"})
    val_vehicles: int = field(default=30, metadata={"help": "other vehicles, rendered for validation"})
    test_vehicles: int = field(default=60, metadata={"help": "other vehicles, rendered for the test"})
    unseen_vehicles: int = field(default=40, metadata={"help": "vehicles of body types that training never shows"})
    views: int = field(default=12, metadata={"help": "pictures of each"})
    seed: int = field(default=0, metadata={"help": "of vehicles, paints, places and illuminations"})
    per_shard: int = field(default=10, metadata={"help": "vehicles of a shard"})
    fleet: str = field(default=FLEET, metadata={"help": _FLEET_HELP})

    def __post_init__(self) -> None:
        if self.views < 3:
            raise ValueError(f"car views: views: the trifocal loss needs at least 3 of a vehicle, got {self.views}")
        _check_counts(self, "car views")


def plan_views(settings: CarViewSettings, folder: Path) -> list[ViewJob]:
    """The shards of all splits; no picture of one but "unseen" shows a body type that is kept for it."""
    counts = {
        "train": settings.vehicles,
        "val": settings.val_vehicles,
        "test": settings.test_vehicles,
        "unseen": settings.unseen_vehicles,
    }
    return plan_jobs(ViewJob, counts, settings.per_shard, settings.views, settings.seed, folder, settings.fleet)


def view_jobs(settings: CarViewSettings, folder: Path) -> Jobs:
    """What renders Car-render: vehicles of the fleet, each from cameras on an icosphere, people and backdrops."""
    from models.synthetic.car_views import render_views

    return [(render_views, plan_views(settings, folder))]
