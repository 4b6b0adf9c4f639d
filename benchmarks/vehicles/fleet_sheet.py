"""Every body of both fleets on one sheet, with its keypoints, and what one vehicle costs to make and to render.

    python -m benchmarks.fleet_sheet [--check] [--quick]

benchmarks/out/vehicle_keypoints.jpg is the picture of docs/vehicle_keypoints.md: where the twelve points lie. The
sheet, benchmarks/out/fleet.jpg, shows each body from its left, from ahead, from behind and from above its right
front, to one scale; wheels red and green, headlights blue, back lights yellow, roof corners magenta and cyan, where
they are seen. CPU milliseconds, one thread; rendering is that of a training sprite, shadows on the ground included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common.report import OUT, Bar, Report, main
from models.synthetic.sprites import render_sprite, sample_illumination, sample_place
from pipeline.core.mesh import LIT_COLOURS, Mesh, cast, scene_of
from pipeline.simulate.vehicles.fleet import BODY_TYPES, Vehicle, make_vehicle
from pipeline.simulate.vehicles.wide.fleet import WIDE_BODIES, make_wide_vehicle
from pipeline.simulate.world.stage import fresnel, surface

SHEET, POINTS = OUT / "fleet.jpg", OUT / "vehicle_keypoints.jpg"
# Bodies that between them show what every point is, their seeds, and pixels a metre.
_EXPLAINED = (
    ("sedan", 3, 100), ("suv", 5, 100), ("van", 10, 75), ("pickup", 22, 85), ("articulated_lorry", 20, 32),
    ("tanker", 20, 58), ("tractor", 21, 75),
)  # fmt: skip
_VIEWS = ((0, -1, 0), (-1, 0, 0), (1, 0, 0), (-1, 0.8, -0.5))  # where one looks
_DOTS = ((0, 0, 255), (0, 255, 0), (255, 128, 0), (0, 255, 255), (255, 0, 255), (255, 255, 0))  # BGR, by kind
_SUN = np.array([0.42, 0.53, 0.79]) / np.linalg.norm([0.42, 0.53, 0.79])
_FAR_M = 60.0


def sheet(vehicles: Sequence[tuple[str, Vehicle]], px_per_m: float, columns: int) -> np.ndarray:
    """(H, W, 3) uint8 BGR: a strip for each vehicle under its name, in columns of about equal height."""
    piles: list[list[np.ndarray]] = [[] for _ in range(columns)]
    for name, vehicle in vehicles:
        least = min(piles, key=lambda pile: sum(len(strip) for strip in pile))
        least.append(_strip(name, vehicle, px_per_m))
    return _beside([np.concatenate(_padded(pile, axis=1)) for pile in piles if pile])


def _strip(name: str, vehicle: Vehicle, px_per_m: float) -> np.ndarray:
    strip = _beside([_view(vehicle.mesh, vehicle.keypoints, np.array(d, float), px_per_m) for d in _VIEWS])
    titled = cv2.copyMakeBorder(strip, 18, 4, 0, 0, cv2.BORDER_CONSTANT, value=(200, 200, 200))
    size = " x ".join(f"{metres:.2f}" for metres in vehicle.dims_lwh_m)
    cv2.putText(titled, f"{name}  {size} m", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return titled


def _beside(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(_padded(images, axis=0), axis=1)


def _padded(images: Sequence[np.ndarray], axis: int) -> list[np.ndarray]:
    """All as large as the largest along an axis, and six pixels apart along the other."""
    most = max(image.shape[axis] for image in images)
    grown = ((most - image.shape[axis], 6) if axis == 0 else (0, most - image.shape[axis]) for image in images)
    return [
        cv2.copyMakeBorder(image, top, 0, 0, right, cv2.BORDER_CONSTANT, value=(150, 150, 150))
        for image, (top, right) in zip(images, grown, strict=True)
    ]


def points_picture() -> np.ndarray:
    """(H, W, 3) uint8 BGR: some bodies from their left, from ahead and from behind, their keypoints numbered."""
    rows = []
    for body, seed, px in _EXPLAINED:
        vehicle = make_wide_vehicle(body, seed, bare=True)
        views = [_view(vehicle.mesh, vehicle.keypoints, np.array(d, float), px, numbered=True) for d in _VIEWS[:3]]
        rows.append(cv2.copyMakeBorder(_beside(views), 0, 6, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    return np.concatenate(_padded(rows, axis=1))


def _dot(picture: np.ndarray, at: tuple[int, int], index: int, *, numbered: bool) -> None:
    """A keypoint's dot, and its number beside it, in place."""
    if not numbered:
        cv2.circle(picture, at, 2, _DOTS[index // 2], -1, cv2.LINE_AA)
        return
    white, black = (255, 255, 255), (0, 0, 0)
    for radius, thickness, colour, ink in ((4, 3, white, white), (3, 1, _DOTS[index // 2], black)):
        cv2.circle(picture, at, radius, colour, -1, cv2.LINE_AA)
        beside = (at[0] + 5, at[1] - 5)
        cv2.putText(picture, str(index), beside, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, thickness, cv2.LINE_AA)


def _view(
    mesh: Mesh, keypoints: np.ndarray, towards: np.ndarray, px_per_m: float, *, numbered: bool = False
) -> np.ndarray:
    """An orthographic picture of a mesh, looking along `towards`, with the keypoints that are seen."""
    towards = towards / np.linalg.norm(towards)
    right = np.cross(towards, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, towards)], 1)  # (3, 2)
    flat = mesh.vertices @ axes
    margin = 24 / px_per_m if numbered else 0.1
    low, high = flat.min(axis=0) - margin, flat.max(axis=0) + margin
    size = np.maximum((2 * px_per_m * (high - low)).astype(int), 2)  # two samples a pixel
    x = low[0] + (np.arange(size[0]) + 0.5) / px_per_m / 2
    y = high[1] - (np.arange(size[1]) + 0.5) / px_per_m / 2
    plane = np.stack(np.meshgrid(x, y), -1) @ axes.T  # (h, w, 3)
    scene = scene_of([mesh.geometry])
    hits = cast(scene, (plane - _FAR_M * towards).reshape(-1, 3), np.broadcast_to(towards, plane.shape).reshape(-1, 3))
    picture = _shaded(mesh, hits, towards).reshape(size[1], size[0], 3)
    picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for index, point in enumerate(keypoints):
        if cast(scene, point - _FAR_M * towards, towards[None])["t_hit"][0] > _FAR_M - 0.1:
            u, v = px_per_m * (np.array([1, -1]) * (point @ axes) - [low[0], -high[1]])
            _dot(picture, (round(float(u)), round(float(v))), index, numbered=numbered)
    return picture


def _shaded(mesh: Mesh, hits: dict, towards: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 BGR under a high sun and an even sky."""
    seen = np.isfinite(hits["t_hit"])
    triangle, normal = surface(mesh, {name: values[seen] for name, values in hits.items()})
    normal = normal * np.where(normal @ towards > 0, -1, 1)[:, None]
    light = 0.45 + 0.25 * normal[:, 2:] + 0.75 * np.clip(normal @ _SUN, 0, None)[:, None]
    up = (towards - 2 * (normal @ towards)[:, None] * normal)[:, 2:]
    view = np.broadcast_to(towards, normal.shape)
    mirrored = (mesh.gloss[triangle] * fresnel(view, normal))[:, None] * np.where(up > 0.1, 0.7, 0.12)
    colour = mesh.albedo[triangle] * light + mirrored
    for lamp, lit in LIT_COLOURS.items():
        colour[mesh.lamp[triangle] == lamp] = lit
    picture = np.full((len(seen), 3), 0.6)
    picture[seen] = np.clip(colour, 0, 1) ** (1 / 2.2)
    return np.round(255 * picture[:, ::-1]).astype(np.uint8)


def _costs(fleet: str, body: str, make: Callable[[str, int], Vehicle], count: int) -> dict:
    begun = time.process_time()
    vehicles = [make(body, seed) for seed in range(count)]
    made = time.process_time()
    for seed, vehicle in enumerate(vehicles):
        rng = np.random.default_rng(seed)
        place, illumination = sample_place(rng, 0.6 * max(vehicle.dims_lwh_m)), sample_illumination(rng)
        render_sprite(body, seed, vehicle.mesh, vehicle.keypoints, place, illumination, rng)
    return {
        "fleet": fleet,
        "body": body,
        "make_ms": 1e3 * (made - begun) / count,
        "render_ms": 1e3 * (time.process_time() - made) / count,
        "triangles": float(np.mean([len(v.mesh.triangles) for v in vehicles])),
    }


def report(quick: bool, data: Path) -> Report:
    """Costs of both fleets and the sheet; `data` is not used."""
    make_vehicle("sedan", 0)  # what is imported on the way is not counted
    fleets = {"plain": (BODY_TYPES, make_vehicle), "wide": (WIDE_BODIES, make_wide_vehicle)}
    rows = [_costs(f, b, make, 2 if quick else 8) for f, (bodies, make) in fleets.items() for b in bodies]
    vehicles = [(f"{f} {b}", make(b, seed)) for f, (bodies, make) in fleets.items() for b in bodies
                for seed in range(1 if quick or f == "plain" else 2)]  # fmt: skip
    OUT.mkdir(exist_ok=True)
    cv2.imwrite(str(POINTS), points_picture(), [cv2.IMWRITE_JPEG_QUALITY, 85])
    cv2.imwrite(str(SHEET), sheet(vehicles, 28, 4), [cv2.IMWRITE_JPEG_QUALITY, 88])
    mean = {
        (f, key): np.mean([r[key] for r in rows if r["fleet"] == f]) for f in fleets for key in ("make_ms", "render_ms")
    }
    bars = [
        Bar(f"{key}: wide over plain", float(mean["wide", key] / mean["plain", key]), at_most=most)
        for key, most in (("make_ms", 2.0), ("render_ms", 1.5))
    ]
    return Report(rows, bars, {"sheet": SHEET.name})


if __name__ == "__main__":
    main("fleet_sheet", __doc__, report)
