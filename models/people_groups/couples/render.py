"""A couple before a street: pixels, and of each of the two the box, the keypoints and what hides them.

Radiance is linear RGB until `tone`; pictures are RGB; coordinates are COCO edges until a GroupPerson is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from calibration.camera import edge_to_pixel
from models.people_groups.couples.solve import Couple
from models.people_groups.couples.views import view_of
from models.people_groups.picture import NOBODY, OCCLUDED, SELF_OCCLUDED, TRUNCATED, VISIBLE, GroupPerson
from models.people_groups.store import STORED
from models.synthetic.canvas import Canvas, lay_street, resized, street_crop
from models.synthetic.photograph import photographed
from models.synthetic.sprites import Placed, ground_around, pixel_centres, sample_illumination, shaded, tone, traced
from pipeline.core.mesh import Mesh, cast, scene_of
from pipeline.core.skeletons import OPEC_12
from pipeline.simulate.people.person import crown

if TYPE_CHECKING:
    from open3d.t.geometry import RaycastingScene

SIDE_PX = 288  # longer side of a couple, before it is shrunk to its size in the picture
SIZE_PX = (140.0, 280.0)  # longer side of a couple in its picture
_ROOM = 1.9  # side of the canvas, in longer sides
# Metres of its own flesh and cloth through which a keypoint still counts as seen: how deep it lies in the body.
FLESH_M = {"shoulder": 0.13, "elbow": 0.09, "wrist": 0.07, "hip": 0.20, "knee": 0.11, "ankle": 0.10, "neck": 0.13,
           "head": 0.06, "nose": 0.05, "eye": 0.05, "ear": 0.05}  # fmt: skip
_VIEWS, _LEAST_SEEN = 4, 3  # views tried until so many of the twelve limb joints of each are seen
_LIMBS = STORED.indices(OPEC_12.names)
_FLESH = np.array([FLESH_M[name.split("_")[-1]] for name in STORED.names])
_BENCH_ALBEDO = ((0.16, 0.09, 0.04), (0.3, 0.3, 0.29), (0.05, 0.07, 0.05))


@dataclass(frozen=True)
class Dressed:
    """A couple ready to be seen from anywhere: both meshes, their keypoints (19, 3), bodies, and what they sit on; the
    origin on the ground between the two."""

    meshes: tuple[Mesh, Mesh]
    points: tuple[np.ndarray, np.ndarray]
    identities: tuple[str, str]
    bench: Mesh | None

    @property
    def parts(self) -> list[Mesh]:
        """The two and the bench."""
        return [*self.meshes, *([self.bench] if self.bench else [])]

    @cached_property
    def scenes(self) -> list[RaycastingScene]:
        """Each of the parts alone."""
        return [scene_of([part.geometry]) for part in self.parts]


@dataclass(frozen=True)
class _Sprite:
    """A rendered couple, as `models.synthetic.canvas.Illuminated` has it, and what is known of it: xy (2, 19, 2) edge
    px; state and hidden_by (2, 19)."""

    rgba: np.ndarray
    ground: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    boxes: np.ndarray  # (2, 4) x0 y0 x1 y1 edge px
    areas: np.ndarray  # (2,) px
    xy: np.ndarray
    state: np.ndarray
    hidden_by: np.ndarray


def dressed(couple: Couple, names: Sequence[str], rng: np.random.Generator) -> Dressed:
    """The couple's meshes; names of the two bodies."""
    parts = [figure.dressed() for figure in couple.figures]
    both = np.concatenate([mesh.vertices for mesh, _, _ in parts])
    middle = np.r_[(both.min(axis=0) + both.max(axis=0))[:2] / 2, 0]
    meshes, points = [], []
    for figure, (mesh, joints, keypoints) in zip(couple.figures, parts, strict=True):
        meshes.append(mesh.moved(np.eye(3), -middle))
        top = figure.R @ figure.G[15] @ (crown(figure.person.body, figure.person.baked) - figure.rest[15]) + joints[15]
        points.append(np.vstack([keypoints, top, joints[12]]) - middle)
    bench = None if couple.seat_m <= 0 else _bench(couple, rng).moved(np.eye(3), -middle)
    return Dressed((meshes[0], meshes[1]), (points[0], points[1]), (names[0], names[1]), bench)


def _bench(couple: Couple, rng: np.random.Generator) -> Mesh:
    """A seat below the two, half of them with a back; the boards are as wide as both and a little more."""
    seats = np.array([figure.joints[0] for figure in couple.figures])
    forward = couple.figures[0].R @ np.array([1.0, 0, 0])
    back = float((seats @ forward).min()) - 0.20
    side = np.array([-forward[1], forward[0], 0])
    low, high = float((seats @ side).min()) - rng.uniform(0.3, 0.7), float((seats @ side).max()) + rng.uniform(0.3, 0.7)
    top = couple.seat_m - 0.005
    boxes = [((back + 0.02, low, top - 0.05), (back + 0.44, high, top))]
    boxes += [((back + 0.06, y, 0.0), (back + 0.38, y + 0.06, top - 0.05)) for y in (low + 0.12, high - 0.18)]
    if rng.uniform() < 0.5:
        boxes.append(((back - 0.05, low, top + 0.12), (back - 0.01, high, top + 0.42)))
    albedo = _BENCH_ALBEDO[int(rng.integers(len(_BENCH_ALBEDO)))]
    made = Mesh.concat([_box(np.array(a), np.array(b), albedo) for a, b in boxes])
    return made.moved(np.stack([forward, side, [0, 0, 1.0]], axis=1), np.zeros(3))


def _box(low: np.ndarray, high: np.ndarray, albedo: tuple[float, float, float]) -> Mesh:
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    triangles = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    return Mesh.build(corners, triangles, albedo)


def picture_of_couple(
    couple: Dressed, backdrops: Sequence[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[GroupPerson, ...]]:
    """(H, W, 3) uint8 RGB and the two people, from a sampled view under a sampled illumination.

    Of each some limbs are seen: nobody labels a person who is not there to be seen.
    """
    for _ in range(_VIEWS):
        place = view_of((couple.meshes[0].vertices, couple.meshes[1].vertices), rng)
        state, hidden_by = _states(couple, place)
        if (state[:, _LIMBS] == VISIBLE).sum(axis=1).min() >= _LEAST_SEEN:
            break
    sprite = _rendered(couple, place, state, hidden_by, rng)
    zoom = float(np.exp(rng.uniform(*np.log(SIZE_PX)))) / SIDE_PX
    canvas = lay_street(sprite, SIDE_PX, _ROOM, zoom, street_crop(backdrops, 128, rng), rng)
    canvas.paste(*resized(sprite.rgba, canvas.size_wh), canvas.corner, canvas.own)
    if rng.uniform() < 0.2:
        with canvas.unless_hidden(0.65):
            canvas.put_before(sprite, 1, rng)
    low, high = _frame(canvas, rng)
    part = canvas.picture[low[1] : high[1], low[0] : high[0]]
    image = photographed(np.clip(part, 0, 255).astype(np.uint8), min(1.0, 140 / max(canvas.size_wh)), rng)
    return image, _people(couple, sprite, canvas, low, high)


def _frame(canvas: Canvas, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corner (2,) of the picture in the canvas; one in eight cuts off a part of the couple."""
    side, size = canvas.picture.shape[0], canvas.size_wh
    longer = int(size.max())
    margins = rng.uniform(0.06, 0.42, (2, 2)) * longer
    if rng.uniform() < 0.125:
        edge = int(rng.choice([1, 3, 3, 0, 2]))  # left top right bottom: mostly the feet
        margins[edge // 2, edge % 2] = -rng.uniform(0.03, 0.3) * size[edge % 2]
    low = np.clip(np.round(canvas.corner - margins[0]).astype(int), 0, side - 16)
    high = np.clip(np.round(canvas.corner + size + margins[1]).astype(int), low + 16, side)
    return low, high


def _people(
    couple: Dressed, sprite: _Sprite, canvas: Canvas, low: np.ndarray, high: np.ndarray
) -> tuple[GroupPerson, ...]:
    """What is known of the two in the picture that lies from low to high in the canvas."""
    scale = canvas.size_wh / np.array(sprite.rgba.shape[1::-1])
    shift = canvas.corner - low
    people = []
    for who, identity in enumerate(couple.identities):
        xy = sprite.xy[who] * scale + shift
        state, hidden_by = sprite.state[who].copy(), sprite.hidden_by[who].copy()
        inside = ((xy >= 0) & (xy < high - low)).all(axis=1)
        spot = np.clip(np.floor(xy + low), 0, canvas.front.shape[0] - 1).astype(int)
        covered = (canvas.front[spot[:, 1], spot[:, 0]] >= 0.5) & ((state == VISIBLE) | (state == OCCLUDED))
        state[covered], hidden_by[covered] = OCCLUDED, NOBODY
        state[~inside], hidden_by[~inside] = TRUNCATED, NOBODY
        box = np.clip((sprite.boxes[who].reshape(2, 2) * scale + shift), 0, high - low)
        area = float(sprite.areas[who] * scale.prod())
        people.append(GroupPerson(np.r_[box[0], box[1] - box[0]], edge_to_pixel(xy), state, hidden_by, area, identity))
    return tuple(people)


def _rendered(
    couple: Dressed, place: Placed, state: np.ndarray, hidden_by: np.ndarray, rng: np.random.Generator
) -> _Sprite:
    """The couple from a place, its longer side SIDE_PX."""
    illumination, parts = sample_illumination(rng), couple.parts
    both = Mesh.concat(parts)
    seen = traced(both, place, SIDE_PX)
    scene, alpha, low, zoom, (width, height) = seen.scene, seen.alpha, seen.low, seen.zoom, seen.size_wh
    ends = np.cumsum([len(part.triangles) for part in parts])
    owner = np.where(alpha, np.searchsorted(ends, seen.hits["primitive_ids"], side="right"), -1)
    linear = np.zeros((width * height, 3), np.float32)
    sun_dir = illumination.sun_dir @ place.R
    for number in range(len(parts)):  # each in cloth and dirt of its own
        mine = owner == number
        if mine.any():
            of = {name: values[mine] for name, values in seen.hits.items()}
            linear[mine] = shaded(both, scene, place, illumination, seen.rays[mine], of, rng)
    white = illumination.exposure * illumination.white
    rgb = tone(linear * white).reshape(height, width, 3)
    ground = ground_around(both, scene, place, illumination, sun_dir, low, zoom, (width, height), SIDE_PX)
    xy = np.stack([zoom * (place.project(points) - low) for points in couple.points])
    corners = [place.extent(mesh) for mesh in couple.meshes]
    boxes = np.array([np.r_[a - low, b - low] * zoom for a, b in corners])
    areas = zoom**2 * np.array([_area(scene, place, *of) for scene, of in zip(couple.scenes[:2], corners, strict=True)])
    return _Sprite(
        np.dstack([rgb, alpha.reshape(height, width).astype(np.uint8) * np.uint8(255)]), ground,
        illumination.sun * max(float(illumination.sun_dir[2]), 0.0) * white, illumination.sky * white,
        boxes, areas, xy, state, hidden_by,
    )  # fmt: skip


def _area(scene: RaycastingScene, place: Placed, low: np.ndarray, high: np.ndarray) -> float:
    """Pixels of a person alone, whatever hides it, from rays to 64 x 64 places in its box."""
    size = high - low
    rays = place.rays(low + pixel_centres(64, 64) / 64 * size)
    hit = np.isfinite(cast(scene, place.eye, rays, wanted=("t_hit",))["t_hit"])
    return float(hit.mean() * size.prod())


def _states(couple: Dressed, place: Placed) -> tuple[np.ndarray, np.ndarray]:
    """States and who hides, each (2, 19), before anything is pasted over the two.

    Along the ray to a keypoint: self-occluded where the own surface lies further before it than it is deep in the
    body, else occluded where anything else's does.
    """
    state, hidden_by = (np.full((2, len(STORED)), value) for value in (VISIBLE, NOBODY))
    scenes = couple.scenes
    for who, points in enumerate(couple.points):
        towards = points - place.eye
        far = np.linalg.norm(towards, axis=1)
        first = np.stack([cast(scene, place.eye, towards, wanted=("t_hit",))["t_hit"] for scene in scenes])
        # Where the ray passes beside its own skin the keypoint itself is what could be seen.
        skin = np.minimum(first[who], 1.0)
        others = np.delete(np.arange(len(scenes)), who)
        nearest = others[first[others].argmin(axis=0)]
        behind = first[others].min(axis=0) < skin
        hidden_by[who] = np.where(behind & (nearest < 2), nearest, NOBODY)
        state[who] = np.where(behind, OCCLUDED, VISIBLE)
        by_self = first[who] < 1 - _FLESH / far
        state[who][by_self], hidden_by[who][by_self] = SELF_OCCLUDED, NOBODY
    return state, hidden_by
