"""The rendered pictures as networks' Specs name what they learn from."""

from models.contract import Rendered
from models.linked_objects.plan import TASK, LinkedSettings, linked_jobs

SOURCE = Rendered(
    task=TASK,
    summary="Pictures of objects of many classes with keypoints and links, alone, beside and before each other.",
    prefix="linked_objects",
    settings=LinkedSettings,
    jobs=linked_jobs,
    version=2,
)
