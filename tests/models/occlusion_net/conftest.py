"""A drawn car: the basis's mean shape driving past and turning before a camera at 6 m height. A few rendered ones."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from calibration.camera import Camera, GroundPlane, pixel_to_edge
from models.occlusion_net.car_views import draw_shard, read_views
from models.occlusion_net.data import RenderedViews
from models.occlusion_net.plan import CarViewSettings, plan_views
from models.occlusion_net.view_sets import Views, box_cameras, to_box
from models.shape_basis import ShapeBasis, load_bases
from pipeline.bodies import vehicle_states


@dataclass(frozen=True)
class Drive:
    """N moments of one car: poses, pixels (N, 12, 2), boxes (N, 4) and which keypoints its own body leaves visible."""

    camera: Camera
    basis: ShapeBasis
    shape: np.ndarray
    R: np.ndarray
    t: np.ndarray
    pixels: np.ndarray
    box_xywh: np.ndarray
    visible: np.ndarray

    def views(self) -> Views:
        n = len(self.t)
        cameras = box_cameras(self.R, self.t, self.camera.K, self.box_xywh)
        xy = to_box(self.pixels, self.box_xywh)
        return Views(np.zeros(n, int), cameras, xy, self.visible, ~self.visible, self.box_xywh, np.arange(n))


def drive(xy_m: np.ndarray, yaw: np.ndarray, shape: np.ndarray | None = None, lens: np.ndarray | None = None) -> Drive:
    """A car at places (N, 2) of the ground, camera at the origin looking along y, with headings (N,)."""
    K = np.array([[1400.0, 0, 640], [0, 1400, 360], [0, 0, 1]])
    camera = Camera(K, (720, 1280)) if lens is None else Camera(K, (720, 1280), lens)
    plane, basis = GroundPlane.from_tilt(12.0, 0.0, 6.0), load_bases()["car"]
    shape = np.zeros(basis.size) if shape is None else shape
    placed = [plane.pose(place, turn) for place, turn in zip(xy_m, yaw.tolist(), strict=True)]
    R, t = (np.stack(part) for part in zip(*placed, strict=True))
    points = basis.keypoints(shape)
    pixels = camera.project(points @ R.transpose(0, 2, 1) + t[:, None])
    edges = pixel_to_edge(pixels)
    size = np.ptp(edges, axis=1)
    boxes = np.concatenate([edges.min(axis=1) - 0.05 * size, 1.1 * size], axis=1)
    centres = -np.einsum("nji,nj->ni", R, t)
    visible = vehicle_states(np.tile(points, (len(t), 1, 1)), centres) == 0
    return Drive(camera, basis, shape, R, t, pixels, boxes, visible)


@pytest.fixture
def passing() -> Drive:
    """Past the camera from left to right, then turning away."""
    along = np.linspace(-9, 9, 7)
    return drive(np.column_stack([along, np.full(7, 22.0)]), np.linspace(0.0, 1.2, 7))


@pytest.fixture(scope="session")
def small():
    """Six vehicles in all, four views each."""
    return CarViewSettings(vehicles=2, val_vehicles=1, test_vehicles=2, unseen_vehicles=1, views=4, per_shard=5)


@pytest.fixture(scope="session")
def views_folder(small, tmp_path_factory):
    """Shards of every split."""
    folder = tmp_path_factory.mktemp("car_views")
    for job in plan_views(small, folder):
        draw_shard(job)
    return folder


@pytest.fixture(scope="session")
def car_views(views_folder):
    """The training split."""
    return read_views(views_folder / "train")


@pytest.fixture(scope="session")
def batch(car_views):
    """Six samples."""
    samples = RenderedViews(car_views, seed=3)
    return default_collate([samples[i] for i in range(6)])


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
