"""Where the objects of a picture stand and what looks at them: some alone, some beside, some before others.

World frame of `calibration.camera.GroundPlane`: x right, y away from the camera, z up, metres, the camera above its
origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.camera import Camera, GroundPlane
from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.plan import SIZE_PX
from models.linked_objects.rendered.bodies import Body
from models.synthetic.sprites import Placed
from pipeline.core.boxes import box_iou

ROOM = ("chair", "table", "sofa", "monitor", "person")
STREET = tuple(name for name in CATALOGUE.names if name not in ROOM) + ("person",)
_TRIES = 30  # at a place beside the others, before one is given up


@dataclass(frozen=True)
class Manner:
    """How a split's pictures are composed. weights (C,): how often each class is a picture's first; counts: how often
    there are 1, 2, ... objects; focal: of SIZE_PX; elevation_deg: of the camera over the first object."""

    weights: tuple[float, ...]
    counts: tuple[float, ...] = (0.14, 0.40, 0.30, 0.16)
    focal: tuple[float, float] = (0.9, 2.4)
    elevation_deg: tuple[float, float] = (3.0, 34.0)
    same_class: float = 0.62
    before: float = 0.85  # how often a neighbour has to overlap somebody


EVEN = Manner((1.0,) * len(CATALOGUE))
# Classes in the proportions of a geometric series, in an order that is not the table's.
OTHER = Manner(
    tuple(0.85 ** ((5 * k + 3) % len(CATALOGUE)) for k in range(len(CATALOGUE))),
    (0.10, 0.30, 0.30, 0.20, 0.10), (0.7, 3.2), (1.0, 50.0),
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """A body and its place before the camera."""

    body: Body
    place: Placed

    def box(self) -> np.ndarray:
        """(4,) xywh, edge px, of its extent; it may leave the picture."""
        low, high = self.place.extent(self.body.mesh)
        return np.r_[low, high - low]

    def footprint(self) -> np.ndarray:
        """(4, 2) corners in the world's plane."""
        (x0, y0, _), (x1, y1, _) = self.body.low, self.body.high
        corners = np.array([[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]])
        return (corners @ self.place.R.T + self.place.t)[:, :2]


def sample_scene(
    manner: Manner, body_of: Callable[[int, np.random.Generator], Body], rng: np.random.Generator
) -> list[Standing]:
    """The objects of one picture, the nearest first; body_of: of a class a body of the split."""
    weights = np.array(manner.weights)
    class_id = int(rng.choice(len(CATALOGUE), p=weights / weights.sum()))
    count = 1 + int(rng.choice(len(manner.counts), p=np.array(manner.counts)))
    first = body_of(class_id, rng)
    standing = [_first(first, manner, count, rng)]
    group = ROOM if CATALOGUE[class_id].name in (ROOM if rng.random() < 0.5 else ROOM[:-1]) else STREET
    for _ in range(count - 1):
        body = body_of(class_id, rng) if rng.random() < manner.same_class else _neighbour(first, group, body_of, rng)
        placed = _beside(standing, body, manner, rng)
        if placed is not None:
            standing.append(placed)
    return sorted(standing, key=lambda one: float(np.linalg.norm(one.place.t)))


def _neighbour(first: Body, group: tuple[str, ...], body_of, rng: np.random.Generator) -> Body:
    """A body of the group's classes that is not lost beside the first, nor hides all of it."""
    size = np.linalg.norm(first.high - first.low)
    for _ in range(8):
        body = body_of(CATALOGUE.index(str(rng.choice(group))), rng)
        if 0.3 < np.linalg.norm(body.high - body.low) / size < 3.5:
            return body
    return body_of(first.class_id, rng)


def _first(body: Body, manner: Manner, count: int, rng: np.random.Generator) -> Standing:
    """A camera somewhere around a body, at a distance at which it fills part of the picture."""
    focal = SIZE_PX * float(np.exp(rng.uniform(*np.log(manner.focal))))
    middle = (body.low + body.high) / 2
    size = float(np.linalg.norm(body.high - body.low))
    fills = rng.uniform(0.45, 0.95) if count == 1 else rng.uniform(0.32, 0.80)
    elevation = np.radians(rng.uniform(*manner.elevation_deg))
    distance = max(focal * size / (fills * SIZE_PX), 0.9 * size)
    height = max(middle[2] + distance * np.sin(elevation), 0.15 * size)
    away = distance * np.cos(elevation)
    aim = 0.22 if count > 1 else 0.12  # of the picture, how far from its middle the first stands
    aside, above = np.arctan(rng.uniform(-aim, aim, 2) * SIZE_PX / focal)
    tilt = np.degrees(np.arctan2(height - middle[2], away) + above)
    K = np.array([[focal, 0, SIZE_PX / 2 - 0.5], [0, focal, SIZE_PX / 2 - 0.5], [0, 0, 1]])
    plane = GroundPlane.from_tilt(tilt, rng.normal(0, 2.0), height)
    forward = plane.R_cam_world.T @ np.array([0.0, 0.0, 1.0])
    bearing = np.arctan2(forward[1], forward[0]) + aside
    R, t = _turned(rng.uniform(-np.pi, np.pi)), away * np.array([np.cos(bearing), np.sin(bearing), 0.0])
    return Standing(body, Placed(Camera(K, (SIZE_PX, SIZE_PX)), plane, R, t - R @ (middle * [1, 1, 0])))


def _turned(yaw: float) -> np.ndarray:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def _beside(standing: list[Standing], body: Body, manner: Manner, rng: np.random.Generator) -> Standing | None:
    """A place for one more beside, before or behind one of the others, where nobody stands; None where none is found.

    It looks the way its neighbour does every other time, as in a row of chairs or parked cars.
    """
    overlapping = rng.random() < manner.before
    for _ in range(_TRIES):
        host = standing[int(rng.integers(len(standing)))]
        reach = 0.5 * (_width(host.body) + _width(body))
        sight = host.place.t[:2] / np.linalg.norm(host.place.t[:2])
        deep = rng.choice([-1, 1]) * reach * rng.uniform(0.5, 2.0)
        wide = reach * rng.normal(0, 0.6 if overlapping else 1.4)
        t = np.r_[host.place.t[:2] + deep * sight + wide * np.array([-sight[1], sight[0]]), 0.0]
        same = rng.random() < 0.5
        R = host.place.R @ _turned(rng.normal(0, 0.12)) if same else _turned(rng.uniform(-np.pi, np.pi))
        one = Standing(body, Placed(host.place.camera, host.place.plane, R, t))
        if _stands_free(one, standing) and _well_seen(one, standing, overlapping):
            return one
    return None


def _width(body: Body) -> float:
    """About how much ground it takes."""
    return float(np.sqrt(np.prod((body.high - body.low)[:2])) + 0.3 * np.linalg.norm((body.high - body.low)[:2]))


def _stands_free(one: Standing, others: list[Standing]) -> bool:
    """Whether its footprint meets nobody's."""
    return all(_apart(one.footprint(), other.footprint()) for other in others)


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two convex outlines (4, 2) have a line between them."""
    for outline in (a, b):
        edges = np.roll(outline, -1, axis=0) - outline
        for normal in np.stack([edges[:, 1], -edges[:, 0]], axis=1):
            first, second = a @ normal, b @ normal
            if first.max() < second.min() or second.max() < first.min():
                return True
    return False


def _well_seen(one: Standing, others: list[Standing], overlapping: bool) -> bool:
    """Whether it is before the camera, mostly in the picture, large enough, and overlaps somebody where it has to."""
    camera = one.place.plane.to_camera(one.body.mesh.vertices[::7] @ one.place.R.T + one.place.t)
    if camera[:, 2].min() < 0.3:
        return False
    box = one.box()
    inside = np.clip(box[:2] + box[2:], 0, SIZE_PX) - np.clip(box[:2], 0, SIZE_PX)
    if inside.prod() < 0.6 * box[2:].prod() or not 30 < box[2:].max() < 1.1 * SIZE_PX:
        return False
    overlap = box_iou(box, np.stack([other.box() for other in others])).max()
    return bool(0.04 < overlap < 0.75) if overlapping else bool(overlap < 0.75)
