"""Unseen cars: the keypoint network and the basis of cars on the CAD meshes of ApolloCar3D. Reports only, no bars.

    OMP_NUM_THREADS=1 python -m benchmarks.apollo_meshes [--check] [--quick]

Network: the meshes of which at least 8 of the twelve keypoints are known from clicks, glass, lamps and tyres painted on
by rule (their materials are lost), four views each, composed like the validation crops of its training, before those
crops' backdrops and among their vehicles and people. PCK@0.1: the fraction of points within a tenth of the box's longer
side of the clicked ones, which lie up to 0.2 m from ours on lamps and screens: their definitions differ.
Basis: all meshes, each fitted by its skin alone; distances of the skin, resampled as the basis's own, to the fitted
mesh. Nothing that ships was fitted to these meshes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common.report import Report, main
from benchmarks.vehicles.apollo_cars import FOLDER, meshes
from benchmarks.vehicles.apollo_shapes import clicked, grounded, residuals
from calibration.camera import edge_to_pixel
from models.metrics.keypoints import PCK_FRACTION
from models.synthetic.plans import CropSettings, plan_crops
from models.synthetic.sprites import Sprite, render_sprite, sample_illumination, sample_place
from models.synthetic.vehicle_crops import VehicleCrop, compose_vehicle
from models.synthetic.vehicle_shards import VehicleLibrary, read_library, render_vehicles
from models.topdown.keypoints import load_keypoints
from pipeline.core.mesh import Lamp, Mesh
from pipeline.core.tables import KEYPOINT_STATES

MIN_POINTS, VIEWS, REACH_M = 8, 4, 3.0
WHEEL_M = 0.32  # radius where no front hub was clicked
UNKNOWN = -1  # state of a keypoint that nobody clicked


class _OwnFirst(Sequence[Sprite]):
    """A library's vehicles, but the one asked for first, which is whom a crop is of, is given."""

    def __init__(self, own: Sprite, others: Sequence[Sprite]) -> None:
        self._own: Sprite | None = own
        self._others = others

    def __len__(self) -> int:
        return len(self._others)

    def __getitem__(self, index):
        own, self._own = self._own, None
        return own or self._others[index]


def painted(vertices: np.ndarray, triangles: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A mesh, vertices (V, 3) in the vehicle frame, in some paint; keypoints (12, 3), NaN where unknown, tell where
    glass, tyres and lamps are."""
    paint = rng.uniform(0.03, 0.6) * rng.uniform(0.7, 1.0, 3)
    mesh = Mesh.build(vertices, triangles, paint, gloss=0.4)
    albedo, gloss, lamp = mesh.albedo.copy(), mesh.gloss.copy(), mesh.lamp.copy()
    corners = vertices[triangles]
    middle = corners.mean(axis=1)
    glass = _glass(corners, middle, points)
    albedo[glass], gloss[glass] = 0.013, 0.85
    radius = points[0, 2] if np.isfinite(points[0, 2]) else WHEEL_M
    for hub in points[:4]:
        off = np.where(np.abs(middle[:, 1] - hub[1]) < 0.3, np.hypot(*(middle - hub)[:, [0, 2]].T), np.nan)
        tyre = off < 1.02 * radius
        albedo[tyre], gloss[tyre] = 0.018, 0.02
        albedo[off < 0.62 * radius] = 0.4
    for number, spot in enumerate(points[4:8]):
        near = np.linalg.norm((middle - spot) * (1, 1, 1.6), axis=1) < 0.2
        albedo[near] = (0.34, 0.36, 0.39) if number < 2 else (0.3, 0.01, 0.012)
        gloss[near], lamp[near] = 0.8, Lamp.HEADLIGHT if number < 2 else Lamp.TAIL_LIGHT
    return replace(mesh, albedo=albedo, gloss=gloss, lamp=lamp)


def _glass(corners: np.ndarray, middle: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T,) what lies between belt and roof and does not face upwards; nothing where no lamp or no roof is known."""
    lamps, roofs = (z[np.isfinite(z)] for z in (points[4:8, 2], points[8:, 2]))
    if not (len(lamps) and len(roofs)):
        return np.zeros(len(middle), bool)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    upright = np.abs(normal[:, 2]) < 0.9 * np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    roof = roofs.max()
    belt = lamps.mean() + 0.45 * (roof - lamps.mean())
    return (middle[:, 2] > belt) & (middle[:, 2] < roof - 0.06) & upright


def views(every: int) -> Iterator[tuple[str, Sprite, np.ndarray]]:
    """Name, sprite and which keypoints (12,) are known, right and left alike: some views of every so-manieth mesh."""
    rng = np.random.default_rng(0)
    points = {name: clicked()[name] for name in meshes() if name in clicked()}
    enough = [name for name, p in points.items() if np.isfinite(p).all(axis=1).sum() >= MIN_POINTS]
    for name in enough[::every]:
        vertices, triangles = meshes()[name]
        mesh = painted(vertices + grounded(vertices), triangles, points[name], rng)
        known = np.isfinite(points[name]).all(axis=1)
        for _ in range(VIEWS):
            place, illumination = sample_place(rng, REACH_M), sample_illumination(rng)
            yield name, render_sprite("sedan", 0, mesh, np.nan_to_num(points[name]), place, illumination, rng), known


def validation(shards: int | None) -> VehicleLibrary:
    """The sprites and backdrops that the network's validation crops are composed of, or the first shards of them."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [job for job in plan_crops(CropSettings(fleet="plain"), Path(folder)) if job.split == "val"]
        for job in jobs[:shards]:
            render_vehicles(job)
        return read_library(Path(folder) / "val")


def errors(crops: Sequence[VehicleCrop]) -> np.ndarray:
    """(N, 12) distances of the network's keypoints from the true ones, as fractions of the box's longer side."""
    boxes = np.stack([crop.box_xywh for crop in crops])
    images = [np.ascontiguousarray(crop.image[..., ::-1]) for crop in crops]
    true = np.stack([edge_to_pixel(crop.keypoints) for crop in crops])
    return (
        np.linalg.norm(load_keypoints(device="cpu").predict(images, boxes).xy - true, axis=-1)
        / boxes[:, 2:].max(1)[:, None]
    )


def network_rows(quick: bool) -> list[dict]:
    """PCK@0.1 of points that are seen and of those that the car itself hides, and the median error of both."""
    library = validation(1 if quick else None)
    names, sprites, known = zip(*views(4 if quick else 1), strict=True)
    crops = [
        compose_vehicle(
            replace(library, vehicles=_OwnFirst(sprite, library.vehicles)), np.random.default_rng([9, number])
        )
        for number, sprite in enumerate(sprites)
    ]
    state = np.where(known, np.stack([crop.state for crop in crops]), UNKNOWN)
    error, shown = errors(crops), state != UNKNOWN
    about = {"meshes": len(set(names)), "crops": len(crops)}
    rows = []
    for index, name in enumerate(KEYPOINT_STATES[:2]):
        of = error[state == index]
        rows.append(
            {"what": f"keypoint network, {name}: PCK@0.1", **about, "points": len(of),
             "value": float((of <= PCK_FRACTION).mean())}
        )  # fmt: skip
    both = error[shown & (state < 2)]
    what = "keypoint network, both: median error, fraction of the box"
    return [*rows, {"what": what, **about, "points": len(both), "value": float(np.median(both))}]


def basis_rows() -> list[dict]:
    """Distances of the skins to the basis, over all meshes."""
    length, middle, rms, off = np.array(list(residuals().values())).T
    values = {
        "median distance, mm, median over meshes": 1000 * np.median(middle),
        "RMS distance, mm, median over meshes": 1000 * np.median(rms),
        "RMS distance, fraction of length, median over meshes": np.median(rms / length),
        "RMS distance, mm, 90th percentile of meshes": 1000 * np.quantile(rms, 0.9),
        "RMS distance, mm, worst mesh": 1000 * rms.max(),
        "absolute error of length, mm, median over meshes": 1000 * np.median(np.abs(off)),
    }
    about = {"meshes": len(length), "crops": "-", "points": "-"}
    return [{"what": f"basis of cars, skin: {what}", **about, "value": float(v)} for what, v in values.items()]


def report(quick: bool, data: Path) -> Report:
    """Network, then basis; `data` is not used. Quick: every fourth mesh for the network, a sixth of the library."""
    if not FOLDER.is_dir():
        sys.exit(f"benchmarks.apollo_meshes: nothing measured: {FOLDER} is absent; it holds ApolloCar3D's CAD meshes")
    return Report([*network_rows(quick), *basis_rows()])


if __name__ == "__main__":
    main("apollo_meshes", __doc__, report)
