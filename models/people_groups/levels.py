"""How much people hide each other in a set: the levels of OPEC-Net's Table 1, joints' states, CrowdPose's index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from calibration.camera import pixel_to_edge
from models.people_groups.picture import OCCLUDED, SELF_OCCLUDED, UNKNOWN, VISIBLE, GroupPicture
from pipeline.core.boxes import box_iou

LEVELS = (0.3, 0.5, 0.75)
# CrowdPose, section 5.1: of the crowd index.
CROWDING = {"easy": (0.0, 0.1), "medium": (0.1, 0.8), "hard": (0.8, float("inf"))}


def largest_overlap(picture: GroupPicture) -> float:
    """The largest IoU of the boxes of two of a picture's people; 0 of one alone. Ignored ones count for nothing."""
    boxes = picture.boxes[[not person.ignored for person in picture.people]]
    if len(boxes) < 2:
        return 0.0
    overlap = box_iou(boxes[:, None], boxes)
    return float(overlap[np.triu_indices(len(boxes), 1)].max())


def crowd_index(picture: GroupPicture) -> float:
    """CrowdPose's (its section 3.2): of each person the others' labelled joints within their box over their own, and of
    a picture the mean; what its file says of it comes first. NaN where nobody has labelled joints."""
    if picture.crowd_index == picture.crowd_index:
        return picture.crowd_index
    people = [person for person in picture.people if not person.ignored and person.labelled.any()]
    joints = [pixel_to_edge(person.xy[person.labelled]) for person in people]
    ratios = []
    for number, person in enumerate(people):
        low, high = person.box_xywh[:2], person.box_xywh[:2] + person.box_xywh[2:]
        within = [int(((xy >= low) & (xy < high)).all(axis=1).sum()) for xy in joints]
        ratios.append((sum(within) - within[number]) / len(joints[number]))
    return _mean(np.array(ratios))


def of_crowding(pictures: Iterable[GroupPicture], name: str) -> list[int]:
    """Which pictures are of one of CROWDING."""
    low, high = CROWDING[name]
    return [number for number, picture in enumerate(pictures) if low <= crowd_index(picture) < high]


def level_row(name: str, pictures: Sequence[GroupPicture]) -> dict[str, float | str]:
    """A row of Table 1: pictures, people, fractions of pictures whose largest IoU is above each of LEVELS, and their
    mean; then of the labelled joints the fractions in each state, and of the occluded ones those whose occluder is one
    of the picture's people."""
    overlap = np.array([largest_overlap(picture) for picture in pictures])
    people = [person for picture in pictures for person in picture.people if not person.ignored]
    state = np.concatenate([person.state[person.labelled] for person in people]) if people else np.zeros(0, int)
    known = np.concatenate([person.hidden_by[person.labelled] for person in people]) if people else np.zeros(0, int)
    occluded = state == OCCLUDED
    row: dict[str, float | str] = {"set": name, "pictures": len(pictures), "people": len(people)}
    row |= {f"IoU > {level:g}": _mean(overlap > level) for level in LEVELS} | {"mean IoU": _mean(overlap)}
    names = {"visible": VISIBLE, "self-occluded": SELF_OCCLUDED, "occluded": OCCLUDED, "unknown": UNKNOWN}
    row |= {f"joints {label}": _mean(state == value) for label, value in names.items()}
    return row | {"of these by a person": _mean(known[occluded] >= 0)}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
