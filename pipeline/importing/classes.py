"""Which of this project's categories the classes of others are: by their names, as `person_names` and `vehicle_names`
list them; classes of neither kind are left out and counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.core.instances import subcategory_of
from pipeline.core.tables import CATEGORY_IDS

_PERSONS = "person,pedestrian,people,person_sitting"
_VEHICLES = (
    "car,truck,bus,motorcycle,bicycle,van,lorry,vehicle,minibus,taxi,train,tram,motorbike,suv,cyclist,motorcyclist"
)


@dataclass(frozen=True)
class ClassSettings:
    """Names of classes."""

    person_names: str = field(
        default=_PERSONS, metadata={"help": "names of classes that are a person, comma-separated"}
    )
    vehicle_names: str = field(
        default=_VEHICLES, metadata={"help": "names of classes that are a vehicle, comma-separated"}
    )

    def category(self, name: str) -> str | None:
        """The category of a class; None for one of neither kind."""
        plain = name.strip().lower()
        for category, listed in zip(CATEGORY_IDS, (self.person_names, self.vehicle_names), strict=True):
            if plain in [one.strip().lower() for one in listed.split(",")]:
                return category
        return None


def kind_of(row: dict[str, Any], name: str, settings: ClassSettings) -> tuple[str | None, str | None]:
    """Category and subcategory of a row of a class: its own fields of these names where it has them, as exports do."""
    category = row["category"] if row.get("category") in CATEGORY_IDS else settings.category(name)
    return category, row["subcategory"] if "subcategory" in row else subcategory_of(name)
