"""Objects of many classes, each with keypoints and links of its own: class tables, pictures, how both are rendered.

A class table says of every class how many keypoints it has, which of them are linked and which stand in whose place in
the mirror image. Points' names are for people, readers and evaluation; a network sees their number and links alone.
"""

from models.linked_objects.classes import ClassTable, ObjectClass
from models.linked_objects.pictures import LinkedObject, LinkedPicture

__all__ = ["ClassTable", "LinkedObject", "LinkedPicture", "ObjectClass"]
