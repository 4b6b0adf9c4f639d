"""Make the 3D view of the gallery's scenes: solids on a ground grid, and the camera, as small binary glTF.

World frame of the ground plane, metres; glTF's axes are x right, y up, z towards the viewer. Parts are named
`object-<rank>` with rank 0 the nearest, `ground` and `camera`. The page that shows one is trimesh's viewer, which
holds all of three.js.
"""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.camera import Camera, GroundPlane
from pipeline.composition.meshes import Solid, solid_of
from pipeline.gallery.template import PAGES

# An object's colour is that of its rank, in the picture as in the 3D view.
COLOURS = (
    "#ff6b4a", "#19b5c4", "#f4b62f", "#8577f7", "#58c566", "#f062aa", "#4590ff", "#b4cf35", "#c97dff", "#ff9d42",
)  # fmt: skip
GRID_M = 5.0
_FARTHEST_M = 150.0  # the grid is no larger, wherever an object is said to stand
_FRUSTUM_M = 2.5
_GREY, _DARK = (176, 170, 160, 255), (29, 28, 26, 255)
# The viewer's light doubles what it shines on; surfaces that face it keep their colour.
_SHADE = 0.62
# Beside what trimesh's viewer does: the page's paper behind it, a ground, messages that hide and light objects by rank.
_ADDED = PAGES / "viewer.js"


def viewer() -> str:
    """Base64 of the gzipped HTML page that shows a scene: in it, `$B64GLTF` is where the scene's
    base64 goes and `$NONCE` where the page's nonce does."""
    from trimesh import resources

    with zipfile.ZipFile(io.BytesIO(resources.get_bytes("templates/viewer.zip"))) as archive:
        page = archive.read("viewer.html.template").decode("utf-8")
    head, body = page.rsplit("</body>", 1)
    page = f"{head}<script>{_ADDED.read_text(encoding='utf-8')}</script></body>{body}"
    for tag in ("<script>", "<style>"):
        page = page.replace(tag, f'{tag[:-1]} nonce="$NONCE">')
    return base64.b64encode(gzip.compress(page.encode(), mtime=0)).decode("ascii")


def scene_glb(
    image: Mapping[str, Any], nearest_first: Sequence[Mapping[str, Any]], body_file: Path | None = None
) -> bytes | None:
    """Binary glTF of a row of IMAGES and its rows of OBJECTS, people's bodies those that ship or of body_file; None
    where no object's place is known."""
    bodies = {rank: solid_of(row, body_file) for rank, row in enumerate(nearest_first)}
    placed = {rank: body for rank, body in bodies.items() if body is not None}
    if not placed:
        return None
    return _export(placed, *seen_by(image))


def ground_camera(image: Mapping[str, Any]) -> dict[str, Any]:
    """How glTF points are seen in the picture of a row of IMAGES.

    `T_cam_gltf` (3, 4) maps them into the camera frame, row by row; `reach` is the largest x^2 + y^2 at z = 1 of the
    picture's rays: farther off the axis the lens polynomial may fold points back into it.
    """
    camera, plane = seen_by(image)
    T_world_gltf = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    height, width = camera.size_hw
    x, y = np.linspace(-0.5, width - 0.5, 33), np.linspace(-0.5, height - 0.5, 33)
    edge = [(u, v) for u in x for v in y[[0, -1]]] + [(u, v) for u in x[[0, -1]] for v in y]
    reach = float(np.nanmax((camera.undistort(np.array(edge)) ** 2).sum(axis=1)))
    return {"T_cam_gltf": (plane.T_cam_world @ T_world_gltf)[:3].ravel().tolist(), "reach": reach}


def seen_by(image: Mapping[str, Any]) -> tuple[Camera, GroundPlane]:
    """Camera and ground plane of a row of IMAGES."""
    camera = Camera(np.reshape(image["K"], (3, 3)), (image["height"], image["width"]), np.array(image["distortion"]))
    return camera, GroundPlane(np.array(image["ground_plane"][:3]), image["ground_plane"][3])


def _export(placed: Mapping[int, Solid], camera: Camera, plane: GroundPlane) -> bytes:
    import trimesh

    parts = {rank: _gltf_axes(plane.to_world(body.vertices)) for rank, body in placed.items()}
    scene = trimesh.Scene()
    for rank, vertices in parts.items():
        mesh = trimesh.Trimesh(vertices, placed[rank].triangles, process=False)
        mesh.visual = trimesh.visual.TextureVisuals(material=_material(COLOURS[rank % len(COLOURS)]))
        scene.add_geometry(mesh, node_name=f"object-{rank}", geom_name=f"object-{rank}")
    everything = np.concatenate([*parts.values(), _gltf_axes(plane.to_world(np.zeros((1, 3))))])
    for name, segments, colour in (
        ("ground", _ground_grid(everything), _GREY),
        ("camera", _gltf_axes(plane.to_world(_stand(camera, plane))), _DARK),
    ):
        lines = trimesh.load_path(segments)
        lines.colors = np.tile(np.array(colour, np.uint8), (len(lines.entities), 1))
        scene.add_geometry(lines, node_name=name, geom_name=name)
    scene.camera, scene.camera_transform = _viewpoint(everything)
    return scene.export(file_type="glb")


def _gltf_axes(world: np.ndarray) -> np.ndarray:
    """glTF points (..., 3) of world points (..., 3), to the centimetre, which makes the page smaller."""
    return np.round(np.stack([world[..., 0], world[..., 2], -world[..., 1]], axis=-1), 2)


def _material(colour: str) -> Any:
    from trimesh.visual.material import PBRMaterial

    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return PBRMaterial(
        baseColorFactor=[*(rgb * _SHADE), 1.0], metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )


def _ground_grid(points: np.ndarray) -> np.ndarray:
    """(N, 2, 3) lines every GRID_M metres on the ground under glTF points (P, 3), and a square beyond."""
    inside = np.clip(points[:, [0, 2]], -_FARTHEST_M, _FARTHEST_M)
    (x0, z0), (x1, z1) = (np.floor(inside.min(0) / GRID_M) - 1) * GRID_M, (np.ceil(inside.max(0) / GRID_M) + 1) * GRID_M
    xs, zs = np.arange(x0, x1 + 1, GRID_M), np.arange(z0, z1 + 1, GRID_M)
    return np.array([[(x, 0, z0), (x, 0, z1)] for x in xs] + [[(x0, 0, z), (x1, 0, z)] for z in zs])


def _stand(camera: Camera, plane: GroundPlane) -> np.ndarray:
    """(9, 2, 3) lines, camera frame: a pyramid from the camera's centre through the corners of its picture, and down
    to the ground."""
    height, width = camera.size_hw
    edge = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = camera.rays(edge) * _FRUSTUM_M
    sides = [(np.zeros(3), corner) for corner in corners]
    picture = [(corners[i], corners[(i + 1) % 4]) for i in range(4)]
    return np.array([*sides, *picture, (np.zeros(3), -plane.d * plane.n)])


def _viewpoint(points: np.ndarray) -> tuple[Any, np.ndarray]:
    """trimesh's camera and its pose, which sees all glTF points (P, 3) from behind and above the real camera."""
    from trimesh.scene import Camera as View

    inside = np.clip(points, -_FARTHEST_M, _FARTHEST_M)
    centre = (inside.min(axis=0) + inside.max(axis=0)) / 2
    radius = max(float(np.linalg.norm(inside - centre, axis=1).max()), 5.0)
    backward = np.array([0.45, 0.75, 1.2])
    backward /= np.linalg.norm(backward)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack([right, np.cross(backward, right), backward, centre + 1.75 * radius * backward])
    return View(name="view", resolution=(1280, 720), fov=(60, 36), z_near=0.5, z_far=20 * radius), pose
