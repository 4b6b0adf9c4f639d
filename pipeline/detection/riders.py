"""Riders and their two-wheelers: one object or two.

Detectors give the person and the machine apart. Cut out alone, the person would stand on the road without what holds
him up; so the two become one vehicle, or the person is known as a rider, of whom nothing is composed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipeline.core.instances import RIDER, TWO_WHEELERS, Instance

ONE, TWO = "one", "two"
# Who rides is over the machine by so much of his width, and his feet stand on it: above the ground under its wheels by
# this fraction of both their height. Who pushes or passes one has his feet beside the wheels.
_OVER = 0.5
_FEET_UP = 0.04
_FEET_LOW = 1.15  # and yet no higher than so much of the machine's height above its wheels


def with_riders(found: Sequence[Instance], riders: str) -> list[Instance]:
    """A frame's instances in their order, riders as the setting says: "one" object with their two-wheelers, whose class
    it has, or "two", of which the person's subcategory is rider."""
    mounted = riders_of(found)
    if riders == TWO:
        return [dataclasses.replace(one, subcategory=RIDER) if n in mounted else one for n, one in enumerate(found)]
    of_machine: dict[int, list[int]] = {}
    for person, machine in mounted.items():
        of_machine.setdefault(machine, []).append(person)
    kept = []
    for number, one in enumerate(found):
        if number in of_machine:
            kept.append(_as_one([one, *(found[person] for person in of_machine[number])]))
        elif number not in mounted:
            kept.append(one)
    return kept


def riders_of(found: Sequence[Instance]) -> dict[int, int]:
    """Of each person on a two-wheeler the number of that machine, by the person's number among the instances."""
    machines = [n for n, one in enumerate(found) if one.subcategory in TWO_WHEELERS]
    mounted = {}
    for number, person in enumerate(found):
        if person.category != "person" or not machines:
            continue
        fit = [_seated(person, found[machine]) for machine in machines]
        if max(fit) > 0:
            mounted[number] = machines[int(np.argmax(fit))]
    return mounted


def _seated(person: Instance, machine: Instance) -> float:
    """How well a person sits on a machine, above 0 where he does at all."""
    (px, py, pw, ph), (mx, my, mw, mh) = person.box_xywh, machine.box_xywh
    over = (min(px + pw, mx + mw) - max(px, mx)) / pw
    up = (my + mh) - (py + ph)  # of the feet above the ground under the machine
    height = my + mh - min(py, my)
    sits = over >= _OVER and py < my + 0.5 * mh and _FEET_UP * height <= up <= _FEET_LOW * mh
    return over if sits else 0.0


def _as_one(parts: list[Instance]) -> Instance:
    """One instance of all pixels, with the category and class of the first."""
    boxes = np.array([one.box_xywh for one in parts])
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    crop = np.zeros((high - low)[::-1], bool)
    for one, (x, y, w, h) in zip(parts, boxes - [*low, 0, 0], strict=True):
        crop[y : y + h, x : x + w] |= one.crop
    score = max(one.score for one in parts)
    return dataclasses.replace(parts[0], score=score, crop=crop, xy=(int(low[0]), int(low[1])))
