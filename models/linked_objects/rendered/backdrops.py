"""What stands behind: albedo images of streets and rooms, plain ones, and for the second test set others again."""

from __future__ import annotations

import cv2
import numpy as np

from models.linked_objects.plan import SIZE_PX
from models.synthetic.canvas import lit_ground
from models.synthetic.scenery import sample_backdrop
from pipeline.simulate.world.texture import cell_noise, fractal


def backdrop(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(SIZE_PX, SIZE_PX, 3) uint8 albedo of a kind: street, room, plain or other."""
    made = {"street": _street, "room": _room, "plain": _plain, "other": _other}[kind](rng)
    return np.clip(made, 1, 235).astype(np.uint8)


def on_backdrop(albedo: np.ndarray, ground: np.ndarray, sun: np.ndarray, sky: np.ndarray, gain: float) -> np.ndarray:
    """Display values (S, S, 3) float32 of an albedo (S, S, 3) uint8 on which objects cast shadows, as the fractions
    (G, G, 2) uint8 of sun and sky say."""
    light = cv2.resize(ground.astype(np.float32) / 255, albedo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return lit_ground(albedo, light, sun, sky, gain)


def _colour(rng: np.random.Generator, low: float = 12, high: float = 190) -> np.ndarray:
    return np.clip(rng.uniform(low, high) * rng.uniform(0.75, 1.25, 3), 2, 230)


def _street(rng: np.random.Generator) -> np.ndarray:
    picture = sample_backdrop(rng)
    side = int(rng.integers(SIZE_PX // 2, picture.shape[0]))
    x, y = rng.integers(0, picture.shape[0] - side + 1, 2)
    return cv2.resize(picture[y : y + side, x : x + side], (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)


def _mottled(rng: np.random.Generator, contrast: float) -> np.ndarray:
    """(SIZE_PX, SIZE_PX, 1) factor about one."""
    field = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    for cells, weight in ((5, 1.0), (20, 0.6), (SIZE_PX, 0.4)):
        rough = rng.standard_normal((cells, cells), np.float32)
        field += weight * np.asarray(cv2.resize(rough, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC))
    return np.maximum(1 + contrast * field, 0.05)[..., None]


def _room(rng: np.random.Generator) -> np.ndarray:
    """A floor of boards, tiles or carpet below a wall with frames, a window or a dado."""
    picture = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    edge = int(rng.uniform(0.05, 0.55) * SIZE_PX)
    picture[:edge], picture[edge:] = _colour(rng, 60, 220), _colour(rng, 15, 170)
    for _ in range(int(rng.integers(0, 4))):
        spot, size = rng.integers(0, [SIZE_PX, max(edge, 2)]), rng.integers(20, 110, 2)
        corner = int(spot[0]), int(spot[1] - size[1])
        other = int(spot[0] + size[0]), int(spot[1])
        cv2.rectangle(picture, corner, other, _colour(rng).tolist(), -1)
        cv2.rectangle(picture, corner, other, _colour(rng).tolist(), int(rng.integers(1, 6)))
    picture[edge:] = _floor(picture[edge:], rng)
    if rng.random() < 0.7:
        cv2.rectangle(picture, (0, edge - int(rng.integers(3, 14))), (SIZE_PX, edge), _colour(rng).tolist(), -1)
    return picture * _mottled(rng, rng.uniform(0.01, 0.08))


def _floor(floor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Joints of boards or tiles that run towards a vanishing point, and across, nearer ones farther apart."""
    kind, height = rng.integers(3), floor.shape[0]
    shade = (floor[0, 0] * rng.uniform(0.5, 0.9)).tolist()
    middle = rng.uniform(0, SIZE_PX)
    floor = np.ascontiguousarray(floor)
    if kind < 2:
        for x in np.arange(-3, 4, rng.uniform(0.12, 0.4)) * SIZE_PX:
            cv2.line(floor, (int(middle + 0.3 * x), 0), (int(middle + x), height), shade, 1)
    if kind == 1:
        for step in np.cumsum(np.geomspace(4, 40, 12)):
            cv2.line(floor, (0, int(step)), (SIZE_PX, int(step)), shade, 1)
    return floor


def _plain(rng: np.random.Generator) -> np.ndarray:
    """Two colours that run into each other, as in a studio."""
    t = np.linspace(0, 1, SIZE_PX, dtype=np.float32)[:, None, None] ** rng.uniform(0.5, 2)
    return (_colour(rng, 20, 220) * (1 - t) + _colour(rng, 20, 220) * t) * _mottled(rng, rng.uniform(0, 0.15))


def _other(rng: np.random.Generator) -> np.ndarray:
    """Paving of rectangles in several colours under greenery or a sky of clouds: nothing that training shows."""
    ys, xs = np.mgrid[:SIZE_PX, :SIZE_PX].astype(np.float32)
    edge = rng.uniform(0, 0.5) * SIZE_PX
    depth = np.maximum(ys - edge, 1.0)
    plan = np.stack([(xs - rng.uniform(0, SIZE_PX)) / depth * 2, 200 / depth], -1).reshape(-1, 2)
    cells = cell_noise(plan, (rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)), int(rng.integers(1 << 20)))
    stones = np.stack([_colour(rng), _colour(rng), _colour(rng)])
    far = np.exp(-depth / (0.12 * SIZE_PX))[..., None]  # where stones are smaller than pixels, their mean is seen
    ground = stones[(cells * 2.999).astype(int)].reshape(SIZE_PX, SIZE_PX, 3)
    ground = ground * (1 - far) + stones.mean(axis=0) * far
    clouds = fractal(np.stack([xs, ys], -1).reshape(-1, 2), rng.uniform(10, 90), int(rng.integers(1 << 20)), 4)
    t = clouds.reshape(SIZE_PX, SIZE_PX, 1)
    above = _colour(rng) * t + _colour(rng) * (1 - t)
    return np.where((ys < edge)[..., None], above, ground) * _mottled(rng, 0.04)
