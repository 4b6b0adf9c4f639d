"""Read a folder of vehicle meshes with `keypoints.json` beside them, as docs/cad_folder.md describes it.

What comes out is in the vehicle frame, metres, x forward, y left, z up, whatever the files' unit and axes; the origin
is put on the ground under the centre. Every mistake ends in one ValueError that names the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.shape_basis.basis import GROUPS
from models.shape_basis.build import Example
from models.shape_basis.envelope import both_halves, envelope_triangles, halves
from models.shape_basis.topology import shared_topology
from pipeline.core.skeletons import VEHICLE_12
from readers.json_file import read_json
from readers.limits import TooLarge, check_file

INDEX = "keypoints.json"
UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
MESHES = (".obj", ".off", ".ply", ".stl")
# No vehicle of the group is shorter or longer, microcars and articulated buses included: else the unit is wrong.
_LENGTHS_M = {"car": (2.3, 6.6), "van": (3.0, 8.5), "heavy": (4.5, 20.0)}
_SYMMETRY_M = 0.03  # how far the two sides may differ on average
_OUTSIDE_M = 0.10  # how far a keypoint may lie outside its mesh's extents


@dataclass(frozen=True)
class Cad:
    """One mesh in the vehicle frame, metres: vertices (V, 3), triangles (T, 3), keypoints (12, 3) as annotated."""

    name: str
    group: str
    vertices: np.ndarray
    triangles: np.ndarray
    keypoints: np.ndarray


def read_cad_folder(folder: Path) -> dict[str, list[Cad]]:
    """The meshes of a folder by group, checked. Raises ValueError for anything that a basis should not learn from."""
    entries = _read_index(folder)
    listed = {(folder / name).resolve() for name in entries}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in MESHES and path.resolve() not in listed:
            raise ValueError(f"{path}: has no entry in {folder / INDEX}; annotate it or move it out of the folder")
    cads = [_read_cad(folder, name, entry) for name, entry in sorted(entries.items())]
    groups = {group: [cad for cad in cads if cad.group == group] for group in GROUPS}
    groups = {group: members for group, members in groups.items() if members}
    for group, members in groups.items():
        if len(members) < 2:
            raise ValueError(
                f"{folder}: group {group} has one model, {members[0].name}; a basis needs at least 2 models a group"
            )
    return groups


def cad_models(group: str, cads: list[Cad]) -> tuple[list[Example], np.ndarray]:
    """(models, triangles (T, 3)) to learn from: own vertices where all share one topology, else the envelope's.

    Raises ValueError for a vehicle whose two sides differ.
    """
    envelopes = [_envelope(cad) for cad in cads]
    shared = shared_topology([cad.vertices for cad in cads], [cad.triangles for cad in cads])
    dense, triangles = (envelopes, envelope_triangles()) if shared is None else shared
    dims = [np.ptp(cad.vertices, axis=0) for cad in cads]
    return [
        Example(cad.name, symmetric(cad.keypoints), size, vertices)
        for cad, size, vertices in zip(cads, dims, dense, strict=True)
    ], triangles


def symmetric(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints (12, 3) with right and left averaged, exactly mirrored."""
    left = 0.5 * (keypoints[1::2] + keypoints[0::2] * (1.0, -1.0, 1.0))
    both = np.repeat(left, 2, axis=0)
    both[0::2, 1] *= -1
    return both


def _envelope(cad: Cad) -> np.ndarray:
    left, right = halves(cad.group, cad.vertices, cad.triangles, symmetric(cad.keypoints))
    apart = float(np.linalg.norm(left - right, axis=1).mean())
    if apart > _SYMMETRY_M:
        raise ValueError(
            f"{cad.name}: left and right skin differ by {apart:.3f} m on average, expected at most {_SYMMETRY_M} m; "
            "repair the mesh or take it out"
        )
    return both_halves(0.5 * (left + right))


def _read_index(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The entries of keypoints.json by file name."""
    path = folder / INDEX
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; --cad-dir names a folder of meshes with {INDEX} in it")
    try:
        entries = read_json(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: not there; docs/cad_folder.md describes it") from None
    if not isinstance(entries, dict) or not entries or not all(isinstance(e, dict) for e in entries.values()):
        raise ValueError(f"{path}: expected an object with an entry for each mesh file; see docs/cad_folder.md")
    return entries


def _read_cad(folder: Path, name: str, entry: Mapping[str, Any]) -> Cad:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder / INDEX}: {name!r} leaves the folder; expected the name of a file in it")
    group, unit = entry.get("group"), entry.get("unit")
    if not isinstance(group, str) or group not in GROUPS:
        raise ValueError(f"{path}: expected group {' or '.join(GROUPS)}, got {group!r} in {INDEX}")
    if not isinstance(unit, str) or unit not in UNITS_M:
        raise ValueError(f"{path}: expected unit {', '.join(UNITS_M)}, got {unit!r} in {INDEX}")
    extra = set(entry) - {"group", "unit", "forward", "up", "keypoints"}
    if extra:
        raise ValueError(f"{path}: {INDEX} has no key {sorted(extra)[0]!r}; see docs/cad_folder.md")
    R = _rotation(path, entry.get("forward", "+x"), entry.get("up", "+z")) * UNITS_M[unit]
    vertices, triangles = _read_mesh(path)
    cad = _placed(Cad(name, group, vertices @ R.T, triangles, _read_keypoints(path, entry.get("keypoints")) @ R.T))
    _check_size(path, cad, unit)
    _check_keypoints(path, cad)
    return cad


def _read_keypoints(path: Path, points: Any) -> np.ndarray:
    """(12, 3) in the file's unit and axes."""
    if not isinstance(points, dict):
        raise ValueError(f"{path}: expected keypoints as an object of {len(VEHICLE_12)} named points in {INDEX}")
    for name in VEHICLE_12.names:
        if name not in points:
            raise ValueError(f"{path}: keypoint {name!r} is missing in {INDEX}")
        if not _is_point(points[name]):
            raise ValueError(f"{path}: keypoint {name!r}: expected three finite numbers, got {points[name]!r}")
    for name in points:
        if name not in VEHICLE_12.names:
            raise ValueError(f"{path}: unknown keypoint {name!r} in {INDEX}; expected {', '.join(VEHICLE_12.names)}")
    return np.array([points[name] for name in VEHICLE_12.names], float)


def _is_point(value: Any) -> bool:
    numbers = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return numbers and len(value) == 3 and all(math.isfinite(v) for v in value)


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(vertices (V, 3), triangles (T, 3)) as the file has them; materials and textures are not followed."""
    import trimesh

    if path.suffix.lower() not in MESHES:
        raise ValueError(f"{path}: expected a mesh file ({', '.join(MESHES)})")
    try:
        check_file(path, "mesh_mb")
        with path.open("rb") as file:
            kind = path.suffix.lower()[1:]
            mesh = trimesh.load_mesh(file, file_type=kind, process=False, maintain_order=True, skip_materials=True)
    except TooLarge:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # trimesh's readers raise whatever the file provokes
        raise ValueError(f"{path}: not a readable {path.suffix[1:]} mesh ({type(error).__name__}: {error})") from None
    vertices, triangles = np.asarray(getattr(mesh, "vertices", ())), np.asarray(getattr(mesh, "faces", ()))
    if vertices.ndim != 2 or not len(triangles) or not np.isfinite(vertices).all():
        raise ValueError(f"{path}: holds no triangles, or vertices that are not finite")
    return vertices.astype(float), triangles.astype(np.int64)


def _rotation(path: Path, forward: Any, up: Any) -> np.ndarray:
    """(3, 3) from the file's axes to x forward, y left, z up."""
    axes = {f"{sign}{'xyz'[i]}": (1 if sign == "+" else -1) * np.eye(3)[i] for i in range(3) for sign in "+-"}
    if str(forward) not in axes or str(up) not in axes or forward[1] == up[1]:
        raise ValueError(f"{path}: expected forward and up as two of {', '.join(axes)}, got {forward!r} and {up!r}")
    return np.stack([axes[forward], np.cross(axes[up], axes[forward]), axes[up]])


def _placed(cad: Cad) -> Cad:
    """The vehicle with its origin on the ground under its centre, midway between its keypoints."""
    low, high = cad.vertices.min(axis=0), cad.vertices.max(axis=0)
    origin = np.array([0.5 * (low[0] + high[0]), cad.keypoints[:, 1].mean(), low[2]])
    return Cad(cad.name, cad.group, cad.vertices - origin, cad.triangles, cad.keypoints - origin)


def _check_size(path: Path, cad: Cad, unit: str) -> None:
    shortest, longest = _LENGTHS_M[cad.group]
    length = float(np.ptp(cad.vertices[:, 0]))
    if shortest <= length <= longest:
        return
    fitting = [u for u, scale in UNITS_M.items() if shortest <= length / UNITS_M[unit] * scale <= longest]
    guess = f"its unit may be {' or '.join(fitting)}" if fitting else "its unit, forward axis or group is wrong"
    raise ValueError(
        f"{path}: {length:.4g} m long with unit {unit!r}, a {cad.group} is {shortest} to {longest} m; "
        f"{guess} in {INDEX}"
    )


def _check_keypoints(path: Path, cad: Cad) -> None:
    """Raise ValueError for keypoints that cannot belong to the mesh."""
    low, high = cad.vertices.min(axis=0) - _OUTSIDE_M, cad.vertices.max(axis=0) + _OUTSIDE_M
    outside = np.flatnonzero(((cad.keypoints < low) | (cad.keypoints > high)).any(axis=1))
    if len(outside):
        raise ValueError(
            f"{path}: keypoint {VEHICLE_12.names[outside[0]]!r} lies outside its mesh; same unit and axes?"
        )
    if (cad.keypoints[1::2, 1] <= cad.keypoints[0::2, 1]).any() or (
        cad.keypoints[0:2, 0] <= cad.keypoints[2:4, 0]
    ).any():
        raise ValueError(f"{path}: keypoints are not left of right and front of back; check forward and up in {INDEX}")
    apart = np.linalg.norm(cad.keypoints[1::2] - cad.keypoints[0::2] * (1.0, -1.0, 1.0), axis=1)
    if apart.max() > 2 * _SYMMETRY_M:
        name = VEHICLE_12.names[2 * int(apart.argmax()) + 1]
        raise ValueError(
            f"{path}: keypoint {name!r} is {apart.max():.3f} m from its partner's mirror image, "
            f"expected at most {2 * _SYMMETRY_M} m"
        )
