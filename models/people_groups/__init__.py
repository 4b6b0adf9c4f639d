"""Pictures of people who hide each other: what networks of groups and couples learn from and are measured on."""

from models.people_groups.picture import GroupPerson, GroupPicture
from models.people_groups.store import read_pictures

__all__ = ["GroupPerson", "GroupPicture", "read_pictures"]
