"""Compose one training crop: a person before a street, others behind and before them, the camera's faults, a box.

Canvas coordinates are COCO edges; colours are display values, 0 to 255, premultiplied where they have alpha.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.body_model.points import FLIP_ORDER
from models.crops import GROWN, PERSON_ASPECT, crop_from_camera
from models.poses import mirror
from models.synthetic.canvas import Canvas, lay_street, resized, resized_wh, street_crop
from models.synthetic.people_shards import PeopleLibrary
from models.synthetic.people_sprites import HEIGHT_PX, PersonSprite
from models.synthetic.sprites import SIDE_PX, Sprite

SIZE_PX = (24.0, 200.0)  # longer side of a person in the imagined picture
_LARGEST_PX = 112  # someone larger is composed at this size: the network sees no more of them
_ROOM = 1.9  # side of the canvas, in sides of the person
_MIRROR = np.array([-1.0, 1, 1])


@dataclass(frozen=True)
class PersonCrop:
    """image (H, W, 3) uint8 RGB; box_xywh (4,); theta (24, 3) and points_3d (29, 3) in the camera through the box's
    middle; points_2d (29, 2) edge px; body: which baked one; size_px: their longer side in the imagined picture."""

    image: np.ndarray
    box_xywh: np.ndarray
    theta: np.ndarray
    body: int
    points_3d: np.ndarray
    points_2d: np.ndarray
    size_px: float


def flip_person(sprite: PersonSprite) -> PersonSprite:
    """The mirror image, in which left and right limbs have changed places."""
    width = sprite.rgba.shape[1]
    return replace(
        sprite,
        rgba=sprite.rgba[:, ::-1],
        ground=sprite.ground[:, ::-1],
        theta=mirror(sprite.theta),
        points_3d=sprite.points_3d[FLIP_ORDER] * _MIRROR,
        points_2d=np.array([width, 0]) + sprite.points_2d[FLIP_ORDER] * _MIRROR[:2],
    )


def compose_person(library: PeopleLibrary, rng: np.random.Generator) -> PersonCrop:
    """One crop; the same generator state gives the same bytes."""
    sprite = _any_person(library.people, rng)
    size = float(np.exp(rng.uniform(*np.log(SIZE_PX))))
    street = street_crop(library.backdrops, 48, rng)
    canvas = lay_street(sprite, HEIGHT_PX, _ROOM, min(size, _LARGEST_PX) / HEIGHT_PX, street, rng)
    for _ in range(rng.choice(3, p=[0.6, 0.25, 0.15])):
        _paste_beside(canvas, sprite, library, rng, behind=True)
    canvas.paste(*resized(sprite.rgba, canvas.size_wh), canvas.corner, canvas.own)
    if rng.uniform() < 0.35:
        _occlude_person(canvas, sprite, library, rng)
    frame = _border(canvas, rng)
    return _developed(canvas, sprite, frame, canvas.box(frame, 0.03, 0.08, rng), size, rng)


def _any_person(people, rng: np.random.Generator) -> PersonSprite:
    """One of the people, mirrored every other time."""
    sprite = people[int(rng.integers(len(people)))]
    return flip_person(sprite) if rng.uniform() < 0.5 else sprite


def _other(library: PeopleLibrary, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """RGBA (h, w, 4), premultiplied, of another person or a vehicle, and its pixels per metre."""
    if rng.uniform() < 0.65:
        person = _any_person(library.people, rng)
        return person.rgba, person.px_per_m
    vehicle: Sprite = library.vehicles[int(rng.integers(len(library.vehicles)))]
    rgba = vehicle.rgba[:, ::-1] if rng.uniform() < 0.5 else vehicle.rgba
    return rgba, vehicle.px_per_m * SIDE_PX / vehicle.natural_px


def _paste_beside(canvas: Canvas, sprite: PersonSprite, library: PeopleLibrary, rng, *, behind: bool) -> None:
    """Another person or a vehicle at about the same scale, standing farther away or nearer."""
    rgba, px_per_m = _other(library, rng)
    zoom = canvas.zoom * sprite.px_per_m / px_per_m * rng.uniform(0.8, 1.25)
    zoom = min(zoom, 2.5 * canvas.picture.shape[0] / max(rgba.shape))
    size = resized_wh(rgba, zoom)
    (width, height), (x, y) = canvas.size_wh, canvas.corner
    # By where the two stand: the bottom of who is behind is higher in the picture.
    rise = height * rng.uniform(0.03, 0.5)
    bottom = y + height - rise if behind else y + height + 1.3 * rise
    middle = x + width / 2 + rng.uniform(-1, 1) * 0.5 * (width + size[0])
    corner = np.round([middle - size[0] / 2, bottom - size[1]]).astype(int)
    canvas.paste(*resized(rgba, size), corner, None if behind else canvas.front)


def _occlude_person(canvas: Canvas, sprite: PersonSprite, library: PeopleLibrary, rng: np.random.Generator) -> None:
    """Put something before the person, unless little would be left of them."""
    with canvas.unless_hidden(0.4):
        if rng.uniform() < 0.65:
            _paste_beside(canvas, sprite, library, rng, behind=False)
        else:
            canvas.put_before(sprite, 1, rng)


def _border(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """(4,) x0 y0 x1 y1 of the picture's border in the canvas: mostly far off, else through the person."""
    side = canvas.picture.shape[0]
    frame = np.array([-9 * side, -9 * side, 10 * side, 10 * side])
    if rng.uniform() < 0.12:
        edge, truncation = int(rng.integers(4)), rng.uniform(-0.1, 0.5)
        axis, far = edge % 2, edge >= 2
        frame[edge] = round(canvas.corner[axis] + canvas.size_wh[axis] * (1 - truncation if far else truncation))
    return frame


def _developed(
    canvas: Canvas, sprite: PersonSprite, frame: np.ndarray, box: np.ndarray, size: float, rng: np.random.Generator
) -> PersonCrop:
    """The part of the canvas that the crop needs, as a camera would deliver it, with the labels in its camera."""
    middle, reach = box[:2] + box[2:] / 2, GROWN * max(box[3], box[2] / PERSON_ASPECT) / 2 + 3
    image, low = canvas.developed(frame, middle, reach, min(1.0, _LARGEST_PX / size), rng)
    R = _turn(sprite, canvas, middle)
    theta = sprite.theta.copy()
    theta[0] = cv2.Rodrigues(R @ cv2.Rodrigues(theta[0])[0])[0][:, 0]
    scale = canvas.size_wh / sprite.rgba.shape[1::-1]
    points_2d = sprite.points_2d * scale + canvas.corner - low
    return PersonCrop(image, np.r_[box[:2] - low, box[2:]], theta, sprite.body, sprite.points_3d @ R.T, points_2d, size)


def _turn(sprite: PersonSprite, canvas: Canvas, middle: np.ndarray) -> np.ndarray:
    """(3, 3) from the sprite's camera, through the sprite's middle, to the one through another point of the canvas."""
    away = (middle - canvas.corner - canvas.size_wh / 2) / (canvas.zoom * sprite.focal_px)
    return crop_from_camera(np.r_[away, 1.0][None])[0]
