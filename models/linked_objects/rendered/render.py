"""One picture of linked objects: every body cast alone, the nearest seen, its points' visibility by rays of their own.

Samples lie SAMPLES x SAMPLES to a pixel. Radiance is linear RGB until `tone`; images are RGB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from models.linked_objects.catalogue import CATALOGUE
from models.linked_objects.pictures import (
    NOBODY,
    OCCLUDED,
    SELF_OCCLUDED,
    TRUNCATED,
    VISIBLE,
    LinkedObject,
)
from models.linked_objects.plan import SIZE_PX, LinkedJob
from models.linked_objects.rendered.backdrops import backdrop, on_backdrop
from models.linked_objects.rendered.bodies import Body, make_body
from models.linked_objects.rendered.scenes import EVEN, OTHER, ROOM, Standing, sample_scene
from models.linked_objects.shards import object_columns, schema_of
from models.synthetic.canvas import GROUND_GAIN
from models.synthetic.photograph import encoded_jpeg, encoded_png, photographed
from models.synthetic.scenery import sample_occluder
from models.synthetic.sprites import sample_illumination, shaded, tone
from models.synthetic.vehicle_shards import encode_ground, write_shard
from pipeline.core.mesh import blocked, cast
from pipeline.simulate.world.illumination import Illumination

SAMPLES = 2
GROUND_CELLS = 144
_BODIES_AT_ONCE = 4  # of each class in one shard: a body is built once and seen several times
_LEAST_SEEN = 0.08  # of an object; what is hidden more is left out of the scene
_LEAST_POINTS = 0.5  # of an object's, inside the picture
_QUALITY = 92


@dataclass(frozen=True)
class Rendered:
    """image (S, S, 3) uint8; alpha (S, S) uint8, how much of a pixel the objects cover; ground (G, G, 2) uint8 as
    sprites have it, of the whole picture; sun and sky (3,) on open ground."""

    image: np.ndarray
    alpha: np.ndarray
    ground: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    objects: tuple[LinkedObject, ...]


@dataclass(frozen=True)
class _Cast:
    """What rays hit of one body: of samples (h, w), flat indices rows (M,) of the picture's samples, their rays (M, 3)
    in the body's frame and depths (M,)."""

    standing: Standing
    rows: np.ndarray
    rays: np.ndarray
    hits: dict[str, np.ndarray]


def render_linked(job: LinkedJob) -> int:
    """Render one shard of pictures and write it; its number of rows."""
    return write_shard(job, schema_of(CATALOGUE), lambda rng: _rows(job, rng))


def _rows(job: LinkedJob, rng: np.random.Generator) -> Iterator[dict]:
    kept = np.stack([rng.permutation(job.views)[:_BODIES_AT_ONCE] for _ in range(len(CATALOGUE))])
    body = lru_cache(maxsize=_BODIES_AT_ONCE * len(CATALOGUE))(
        lambda class_id, number: make_body(class_id, job.split, number, job.seed, job.index)
    )

    def body_of(class_id: int, rng: np.random.Generator) -> Body:
        return body(class_id, int(rng.choice(kept[class_id])))

    manner = OTHER if job.split == "other" else EVEN
    for number in range(job.count):
        picture = None
        while picture is None:
            picture = render_scene(sample_scene(manner, body_of, rng), job.split, rng)
        yield {
            "name": f"{job.split}-{job.index:05d}-{number:03d}", "width": SIZE_PX, "height": SIZE_PX,
            "image": encoded_jpeg(picture.image[..., ::-1], _QUALITY), "alpha": encoded_png(picture.alpha),
            "ground": encode_ground(picture.ground), "sun": picture.sun, "sky": picture.sky,
            **object_columns(picture.objects),
        }  # fmt: skip


def render_scene(scene: Sequence[Standing], split: str, rng: np.random.Generator) -> Rendered | None:
    """The picture of a scene under some light; None where nobody is well seen in it."""
    illumination = sample_illumination(rng)
    clutter, albedo = _clutter(rng)
    casts = [one for one in map(_cast, scene) if one is not None]
    while True:  # somebody wholly hidden goes home, and what stood behind is seen
        owner = _owners(casts)
        objects = [_object(k, casts, owner, clutter) for k in range(len(casts))]
        poor = [k for k, one in enumerate(objects) if one is None]
        if not poor:
            break
        casts = [one for k, one in enumerate(casts) if k not in poor]
    if not casts:
        return None
    white = illumination.exposure * illumination.white
    shown = np.zeros((owner.size, 3), np.uint8)
    for index, one in enumerate(casts):
        seen = owner[one.rows] == index
        others = [(c.standing.body.scene, c.standing.place) for k, c in enumerate(casts) if k != index]
        hits = {name: values[seen] for name, values in one.hits.items()}
        body, place = one.standing.body, one.standing.place
        linear = shaded(body.mesh, body.scene, place, illumination, one.rays[seen], hits, rng, others)
        shown[one.rows[seen]] = tone(linear * white)
    ground = _ground([one.standing for one in casts], illumination)
    sun, sky = illumination.sun * max(float(illumination.sun_dir[2]), 0.0) * white, illumination.sky * white
    names = [CATALOGUE[one.standing.body.class_id].name for one in casts]
    behind = on_backdrop(_backdrop(split, names, rng), ground, sun, sky, rng.uniform(*GROUND_GAIN))
    alpha = _reduced(255 * (owner >= 0).astype(np.uint8)[:, None]).astype(np.float32) / 255
    cover: np.ndarray = np.zeros_like(alpha)
    image: np.ndarray = _reduced(shown) + (1 - alpha) * behind
    if clutter.any():
        cover = cv2.GaussianBlur(clutter.astype(np.float32), (0, 0), 0.5)[..., None]
        image = image * (1 - cover) + cover * tone(albedo / np.float32(255) * (rng.uniform(0, 1) * sun + sky))
    image = photographed(np.clip(image, 0, 255).astype(np.uint8), float(rng.uniform(0.2, 1.0)), rng)
    covered = np.round(255 * np.maximum(alpha, cover)[..., 0]).astype(np.uint8)
    return Rendered(image, covered, ground, sun, sky, tuple(o for o in objects if o is not None))


def _backdrop(split: str, names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Rooms behind what stands in rooms, streets behind the rest, mostly."""
    if split == "other":
        return backdrop("other", rng)
    indoors = all(name in ROOM for name in names) and rng.random() < 0.8
    return backdrop("plain" if rng.random() < 0.12 else "room" if indoors else "street", rng)


def _cast(standing: Standing) -> _Cast | None:
    """The samples of the picture in which a body would be seen if it stood there alone."""
    place, side = standing.place, SAMPLES * SIZE_PX
    corners = place.project(standing.body.mesh.vertices) * SAMPLES
    low = np.clip(np.floor(corners.min(axis=0)), 0, side).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, side).astype(int)
    if (high <= low).any():
        return None
    hull = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull((corners - low).astype(np.float32)).astype(np.int32), 1)
    hull = cv2.dilate(hull, np.ones((5, 5), np.uint8))
    ys, xs = np.nonzero(hull)
    xs, ys = xs + low[0], ys + low[1]
    rays = place.rays(np.stack([xs + 0.5, ys + 0.5], axis=1) / SAMPLES)
    hits = cast(standing.body.scene, place.eye, rays)
    met = np.isfinite(hits["t_hit"])
    if not met.any():
        return None
    return _Cast(standing, (ys * side + xs)[met], rays[met], {name: values[met] for name, values in hits.items()})


def _owners(casts: Sequence[_Cast]) -> np.ndarray:
    """(samples,) index of who is nearest at each sample, NOBODY where nobody is."""
    count = (SAMPLES * SIZE_PX) ** 2
    depth, owner = np.full(count, np.inf, np.float32), np.full(count, NOBODY, np.int64)
    for index, one in enumerate(casts):
        near = one.hits["t_hit"] < depth[one.rows]
        depth[one.rows[near]] = one.hits["t_hit"][near]
        owner[one.rows[near]] = index
    return owner


def _object(index: int, casts: Sequence[_Cast], owner: np.ndarray, clutter: np.ndarray) -> LinkedObject | None:
    """The labels of one of the objects; None where too little of it is seen or lies in the picture."""
    one, side = casts[index], SAMPLES * SIZE_PX
    ys, xs = np.divmod(one.rows, side)
    free = ~clutter[ys // SAMPLES, xs // SAMPLES]
    hidden = 1 - float((free & (owner[one.rows] == index)).mean())
    standing = one.standing
    xy = standing.place.project(standing.body.points)
    outside = np.logical_or(xy < 0, xy >= SIZE_PX).any(axis=-1)
    if hidden > 1 - _LEAST_SEEN or outside.mean() > 1 - _LEAST_POINTS or len(one.rows) < 200 * SAMPLES**2 / 4:
        return None
    low, high = np.array([xs.min(), ys.min()]) / SAMPLES, np.array([xs.max() + 1, ys.max() + 1]) / SAMPLES
    state, occluder = _visibility(index, [c.standing for c in casts], xy, np.asarray(outside), clutter)
    return LinkedObject(standing.body.class_id, np.r_[low, high - low], xy, state, occluder, hidden, standing.body.name)


def _visibility(
    index: int, scene: Sequence[Standing], xy: np.ndarray, outside: np.ndarray, clutter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """State (N,) and occluder (N,) of the points, which project to xy (N, 2), of one of the objects.

    Outside the picture, else hidden by its own surface, else by what a ray from the camera meets first.
    """
    body, place = scene[index].body, scene[index].place
    towards = body.points - place.eye
    slack = 1 - body.skin_m / np.linalg.norm(towards, axis=1)
    own = cast(body.scene, place.eye, towards)["t_hit"] < slack
    nearest, occluder = np.full(len(xy), np.inf), np.full(len(xy), NOBODY)
    world = body.points @ place.R.T + place.t
    for k, other in enumerate(scene):
        if k == index:
            continue
        there = (world - other.place.t) @ other.place.R
        t = cast(other.body.scene, other.place.eye, there - other.place.eye)["t_hit"]
        nearer = (t < slack) & (t < nearest)
        nearest[nearer], occluder[nearer] = t[nearer], k
    cell = np.clip(np.floor(np.nan_to_num(xy)), 0, SIZE_PX - 1).astype(int)
    cluttered = clutter[cell[:, 1], cell[:, 0]]
    occluder[cluttered] = NOBODY  # nearer than any object
    state = np.where(cluttered | (occluder != NOBODY), OCCLUDED, VISIBLE)
    state = np.where(own, SELF_OCCLUDED, state)
    state = np.where(outside, TRUNCATED, state)
    return state, np.where(state == OCCLUDED, occluder, NOBODY)


def _clutter(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mask (S, S) bool and albedo (S, S, 3) of a pole, a wall's edge or foliage before everything; mostly nothing."""
    if rng.random() < 0.8:
        return np.zeros((SIZE_PX, SIZE_PX), bool), np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    mask, albedo = sample_occluder((SIZE_PX, SIZE_PX), rng)
    return mask & (mask.mean() < 0.3), albedo


def _ground(scene: Sequence[Standing], illumination: Illumination) -> np.ndarray:
    """(G, G, 2) uint8: fraction of the sun, and of the sky, that reaches the ground seen in the picture."""
    step = (np.arange(GROUND_CELLS) + 0.5) * SIZE_PX / GROUND_CELLS
    edge = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
    place = replace(scene[0].place, R=np.eye(3), t=np.zeros(3))  # rays in the world
    rays, eye = place.rays(edge), place.eye
    below = rays[:, 2] < -1e-3
    points = eye + rays * np.where(below, -eye[2] / np.minimum(rays[:, 2], -1e-3), 0)[:, None]
    free, sky = np.ones(len(points)), np.ones(len(points))
    for one in scene:
        there = (points - one.place.t) @ one.place.R
        if illumination.sun.any():
            sun_dir = illumination.sun_dir @ one.place.R
            free[below] *= ~blocked(one.body.scene, there[below] + [0, 0, 0.01], sun_dir, 1)
        low, high = one.body.low, one.body.high
        beside = np.maximum(np.maximum(low - there, there - high)[:, :2], 0)
        reach = 0.12 * float((high - low)[:2].max())
        sky *= 1 - 0.5 * below * np.exp(-((np.hypot(*beside.T) / reach) ** 1.2))
    layers = np.stack([free, sky], axis=1).reshape(GROUND_CELLS, GROUND_CELLS, 2)
    return np.round(255 * layers).astype(np.uint8)


def _reduced(samples: np.ndarray) -> np.ndarray:
    """(S, S, C) uint8 means of the samples (S * S * SAMPLES^2, C) uint8 of each pixel."""
    side = SAMPLES * SIZE_PX
    picture = cv2.resize(samples.reshape(side, side, -1), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(picture).reshape(SIZE_PX, SIZE_PX, -1)
