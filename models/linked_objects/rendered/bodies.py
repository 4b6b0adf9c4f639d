"""A body of every class from its number: vehicles and people of the simulated street, things beside them.

A body's number, class and split name it: the same name is the same body, and no two splits share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.body_model.rest import global_from_theta
from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.plan import SPLITS
from models.poses import sample_poses
from models.synthetic.people_shards import BODIES
from models.synthetic.sprites import SKIN_M
from pipeline.core.mesh import Mesh, scene_of
from pipeline.core.skeletons import COCO_17
from pipeline.simulate.people.person import body_count, dress, in_pose, rest_joints
from pipeline.simulate.things import make_thing
from pipeline.simulate.vehicles.fleets import fleet_named

VEHICLES = {
    "car": ("hatchback", "sedan", "suv", "wagon", "city_car", "mpv", "coupe", "offroader", "microcar", "pickup",
            "limousine"),
    "van": ("van", "small_van", "minibus", "camper", "box_van"),
    "bus": ("bus", "coach", "double_decker"),
    "lorry": ("lorry", "tanker", "articulated_lorry"),
}  # fmt: skip
_PERSON = CATALOGUE[CATALOGUE.index("person")]
_FIRST_SEED = 1 << 49  # above those of every other plan (`models.synthetic.plans`)
# Of things whose points lie inside posts, hubs and engines; else the least.
_SKIN_M = {"bicycle": 0.08, "motorbike": 0.15, "traffic light": 0.12, "street sign": 0.07, "bus shelter": 0.08}
_LEAST_SKIN_M = 0.03


@dataclass(frozen=True)
class Body:
    """mesh and points (N, 3), metres, in the body's frame; name: one number for it in every picture; skin_m: how deep
    below its surface a point may lie and still be seen."""

    class_id: int
    name: int
    mesh: Mesh
    points: np.ndarray
    skin_m: float

    @cached_property
    def scene(self):
        """Its ray casting scene."""
        return scene_of([self.mesh.geometry])

    @property
    def low(self) -> np.ndarray:
        """(3,) least corner of its extent."""
        return self.mesh.vertices.min(axis=0).astype(float)

    @property
    def high(self) -> np.ndarray:
        """(3,) largest corner."""
        return self.mesh.vertices.max(axis=0).astype(float)


def make_body(class_id: int, split: str, number: int, seed: int, pose: int = 0) -> Body:
    """A body of a class; the same arguments give the same bytes. pose: one of a person's; others have one alone."""
    name = CATALOGUE[class_id].name
    own = number + (SPLITS.index(split) << 14) + (seed << 17)
    if name in VEHICLES:
        kinds = VEHICLES[name]
        vehicle = fleet_named("wide").make(kinds[number % len(kinds)], _FIRST_SEED + own)
        made = vehicle.mesh, vehicle.keypoints, SKIN_M
    elif name == "person":
        made = _person(split, number, [_FIRST_SEED + own, class_id], pose)
    else:
        thing = make_thing(name, _FIRST_SEED + own)
        points = np.stack([thing.points[point] for point in CATALOGUE[class_id].names])
        made = thing.mesh, points, _SKIN_M.get(name, _LEAST_SKIN_M)
    return Body(class_id, (class_id << 40) + own, *made)


def people_of(split: str) -> np.ndarray:
    """Which of the baked bodies a split shows."""
    every = np.arange(body_count(BODIES))
    part = {len(SPLITS) + k: name for k, name in enumerate(SPLITS[1:])}  # three of seven are held out, one a split
    owner = np.array([part.get(int(k), SPLITS[0]) for k in every % (2 * len(SPLITS) - 1)])
    return every[owner == split]


def _person(split: str, number: int, key: list[int], pose: int) -> tuple[Mesh, np.ndarray, float]:
    """A dressed body of the split's, in a pose of its own for every number of a pose."""
    mine = people_of(split)
    person = dress(int(mine[number % len(mine)]), BODIES, np.random.default_rng(key))
    theta, _ = sample_poses(np.random.default_rng([*key, pose]), 1, "train" if split == SPLITS[0] else "held_out")
    G = global_from_theta(theta[0], rest_joints(person.body, person.baked))
    mesh, _, points = in_pose(person, G)
    return mesh, points[COCO_17.indices(_PERSON.names)], SKIN_M
