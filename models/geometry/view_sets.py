"""Views of rigid objects in the object's own frame, their mirror images, and for each view the others that help it.

Boxes are xywh in COCO's edges, pixels are centres, box coordinates run from -1 to 1 between a box's edges. The object's
frame is the shape basis's: x forward, y left, z up, metres, symmetric in y; keypoint 2i is the right one of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from calibration.camera import Camera, edge_to_pixel, pixel_to_edge
from models.shape_basis.basis import KEYPOINT_NAMES

POINTS = len(KEYPOINT_NAMES)
SWAPPED = np.arange(POINTS) ^ 1  # right and left
_FIRST_VIEW = 0.1  # what a first view of a point is worth, in squared sines of a second one's angle
_REFLECTED = np.array([1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Views:
    """N views: of (N,) the object each shows; cameras (N, 3, 4) from the object's frame, metres, to homogeneous box
    coordinates; xy (N, 12, 2) detected keypoints in box coordinates; visible and hidden (N, 12) bool, by the detector;
    box_xywh (N, 4); row (N,) what the view was made from: a cutout's id, a label's number.

    Raises ValueError where shapes differ, or for another set of keypoints than the basis has.
    """

    of: np.ndarray
    cameras: np.ndarray
    xy: np.ndarray
    visible: np.ndarray
    hidden: np.ndarray
    box_xywh: np.ndarray
    row: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.of)
        if self.xy.ndim == 3 and self.xy.shape[1] != POINTS:
            raise ValueError(f"views: expected the shape basis's {POINTS} keypoints ({', '.join(KEYPOINT_NAMES)}), "
                             f"got {self.xy.shape[1]}")  # fmt: skip
        points = (n, POINTS)
        wanted = [(n,), (n, 3, 4), (*points, 2), points, points, (n, 4), (n,)]
        for f, shape in zip(fields(self), wanted, strict=True):
            if getattr(self, f.name).shape != shape:
                raise ValueError(f"views: expected {f.name} {shape}, got {getattr(self, f.name).shape}")

    def __len__(self) -> int:
        return len(self.of)

    def at(self, rows: np.ndarray) -> Views:
        """The rows of an index or a bool mask."""
        return Views(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def directions(self) -> np.ndarray:
        """(N, 3) unit vectors from the object's origin to each camera's centre."""
        centres = -np.linalg.solve(self.cameras[..., :3], self.cameras[..., 3:])[..., 0]
        return centres / np.linalg.norm(centres, axis=-1, keepdims=True)

    def mirrored(self) -> Views:
        """What the views show of an object symmetric in y: the point seen on the left is where the right one would be
        seen by the reflected camera. No picture is flipped."""
        swapped = {name: getattr(self, name)[:, SWAPPED] for name in ("xy", "visible", "hidden")}
        return Views(self.of, self.cameras * _REFLECTED, **swapped, box_xywh=self.box_xywh, row=self.row)


@dataclass(frozen=True)
class ViewSets:
    """For N views the M others that help most, as `trifocal_loss` wants them: cameras (N, M + 1, 3, 4) with the view
    itself first and zeros where there are fewer, other_xy (N, M, 12, 2), other_visible (N, M, 12) bool."""

    cameras: np.ndarray
    other_xy: np.ndarray
    other_visible: np.ndarray


def view_sets(views: Views, most: int = 16, *, mirrors: bool = True) -> ViewSets:
    """Up to `most` other views of the same object for each view, those that see its hidden points from directions far
    apart; with mirrors, also of its mirror image, the view's own included.

    Raises ValueError where most < 2, or no view has two others or sees any point.
    """
    if most < 2:
        raise ValueError(f"other views: expected at least two, got most = {most}")
    if not views.visible.any():
        raise ValueError(f"views: no visible keypoint in any of {len(views)}; use another detector or a lower --score")
    n = len(views)
    sets = ViewSets(np.zeros((n, most + 1, 3, 4)), np.zeros((n, most, POINTS, 2)), np.zeros((n, most, POINTS), bool))
    sets.cameras[:, 0] = views.cameras
    pool = _joined(views, views.mirrored()) if mirrors else views
    directions, found = pool.directions, 0
    order = np.argsort(pool.of, kind="stable")
    first, last = (np.searchsorted(pool.of[order], views.of, side=side) for side in ("left", "right"))
    for i in range(n):
        others = order[first[i] : last[i]]
        others = others[others != i]
        chosen = _most_telling(directions[others], pool.visible[others][:, views.hidden[i]], most)
        found = max(found, len(chosen))
        rows = others[chosen]
        sets.cameras[i, 1 : 1 + len(rows)] = pool.cameras[rows]
        sets.other_xy[i, : len(rows)], sets.other_visible[i, : len(rows)] = pool.xy[rows], pool.visible[rows]
    if found < 2:
        raise ValueError(f"views: expected an object with two views beside the current one, got {found} at most; "
                         "follow objects for longer, or allow mirrors")  # fmt: skip
    return sets


def _joined(first: Views, second: Views) -> Views:
    return Views(*(np.concatenate([getattr(first, f.name), getattr(second, f.name)]) for f in fields(Views)))


def _most_telling(directions: np.ndarray, sees: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most `most` of O views with directions (O, 3) that see hidden points as sees (O, H) says: greedily
    those that give points their first view, or a second one from far beside the first."""
    if len(directions) <= most:
        return np.arange(len(directions))
    chosen, seen = np.zeros(len(directions), bool), np.zeros(sees.shape[1], bool)
    # Squared sines: (H,) the widest angle a point has, (O, H) the widest that it would have with each view added.
    widest, wider = np.zeros(sees.shape[1]), np.zeros(sees.shape)
    for _ in range(most):
        gain = np.where(seen, np.maximum(wider - widest, 0), _FIRST_VIEW) * sees
        best = int(np.argmax(np.where(chosen, -1.0, gain.sum(axis=1))))
        widest = np.maximum(widest, wider[best] * sees[best])
        chosen[best], seen = True, seen | sees[best]
        sine2 = 1 - (directions @ directions[best]) ** 2
        wider = np.maximum(wider, sine2[:, None] * sees[best])
    return np.flatnonzero(chosen)


def box_cameras(R: np.ndarray, t: np.ndarray, pixel_maps: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """(N, 3, 4) from the object's frame to box coordinates, of X_cam = R X + t (N, 3, 3), (N, 3), boxes (N, 4), and
    pixel_maps (3, 3) or (N, 3, 3): a camera's K, or `lens_at` where it has a lens."""
    box = np.zeros((len(t), 3, 3))
    scale = 2 / box_xywh[:, 2:]
    box[:, [0, 1], [0, 1]], box[:, 2, 2] = scale, 1
    box[:, :2, 2] = (pixel_to_edge(np.zeros(2)) - box_xywh[:, :2]) * scale - 1
    return box @ pixel_maps @ np.concatenate([R, t[..., None]], axis=-1)


def lens_at(camera: Camera, box_xywh: np.ndarray) -> np.ndarray:
    """(N, 3, 3) from normalised coordinates to pixels: K, with the lens as the affine map it is about each box."""
    middle = edge_to_pixel(box_xywh[:, :2] + box_xywh[:, 2:] / 2)
    normal, step = camera.undistort(middle), 1e-5
    about = normal[:, None] + step * np.array([[0.0, 0], [1, 0], [0, 1]])
    pixels = camera.project(np.concatenate([about, np.ones((*about.shape[:-1], 1))], axis=-1))
    maps = np.zeros((len(box_xywh), 3, 3))
    maps[:, 2, 2] = 1
    maps[:, :2, :2] = np.swapaxes(pixels[:, 1:] - pixels[:, :1], 1, 2) / step
    maps[:, :2, 2] = pixels[:, 0] - (maps[:, :2, :2] @ normal[..., None])[..., 0]
    return maps
