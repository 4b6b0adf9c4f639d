"""A bare street to draw on: flat ground or nothing at all, and boxes for vehicles."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.core.mesh import Mesh, scene_of
from pipeline.simulate.camera.render import Renderer
from pipeline.simulate.traffic.actors import ActorState
from pipeline.simulate.vehicles.fleet import Vehicle
from pipeline.simulate.world.illumination import Illumination
from pipeline.simulate.world.layout import LAYOUTS
from pipeline.simulate.world.stage import StillLayers, WorldView

# Plan and world are one frame here: xy of a state are world metres.
PLAIN = replace(LAYOUTS["crossroads"], centre=(0.0, 0.0), yaw_deg=0.0)
BOX_FACES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def box_vehicle(length, width, height, *, keypoints=((0, 0, 0),) * 12, albedo=(0.5, 0.5, 0.5), lift=0.0):
    """A box that passes for a vehicle, standing on the ground or `lift` metres above it."""
    x, y, z = length / 2, width / 2, height
    corners = np.array([[a, b, c] for a in (-x, x) for b in (-y, y) for c in (lift, lift + z)])
    triangles = np.concatenate([BOX_FACES[:, [0, 1, 2]], BOX_FACES[:, [0, 2, 3]]])
    mesh = Mesh.build(corners, triangles, albedo)
    return Vehicle("box", mesh, np.array(keypoints, float), (length, width, height), 0.6 * length, 0.3)


def standing(actor_id, xy, vehicle, yaw=0.0):
    """The state of a box that stands at world xy."""
    return ActorState(actor_id, xy, yaw, vehicle, None, "drive", 0.0, True, False, 0)


def make_view(size_hw=(90, 160), focal=160.0, tilt_deg=20.0, roll_deg=0.0, height_m=6.0, distortion=(0.0,) * 5):
    """A small camera above the world's origin."""
    h, w = size_hw
    camera = Camera(
        np.array([[focal, 0, w / 2 - 0.5], [0, focal, h / 2 - 0.5], [0, 0, 1]]), size_hw, np.array(distortion)
    )
    return WorldView(camera, GroundPlane.from_tilt(tilt_deg, roll_deg, height_m))


def make_illumination(sun_dir=(0.0, 0.0, 1.0), sun=1.0, lamps=False):
    """White sun of a given strength, grey sky."""
    grey = np.full(3, 0.2)
    return Illumination(np.array(sun_dir, float), np.full(3, sun), grey, grey / 2, 1.0, np.ones(3), lamps, 0.0)


def make_stage(view, *, depth_m=np.inf):
    """Nothing but air when depth_m is inf; a wall right across the view when it is a depth; "ground" is flat ground."""
    h, w = view.camera.size_hw
    xs, ys = np.meshgrid(np.arange(w), np.arange(h))
    rays = view.directions(np.stack([xs, ys], axis=-1).astype(float))
    if depth_m == "ground":
        depth = np.where(rays[..., 2] < -1e-3, -view.eye[2] / np.minimum(rays[..., 2], -1e-3), 1e3)
    else:
        depth = np.full((h, w), depth_m, float)
    point = (view.eye + rays * np.minimum(depth, 400)[..., None]).astype(np.float32)
    layers = [np.full((h, w, 3), level, np.float32) for level in (0.5, 0.25, 0.5)]
    far = box_vehicle(0.1, 0.1, 0.1, lift=900.0).mesh
    return StillLayers(
        np.repeat(depth[..., None], 4, axis=2).astype(np.float32), point, *layers, scene_of([far.geometry])
    )


def make_renderer(view=None, *, depth_m=np.inf, illumination=None):
    """A renderer of that bare street."""
    view = view or make_view()
    return Renderer(PLAIN, view, make_stage(view, depth_m=depth_m), illumination or make_illumination(sun=0.0), 1)


@pytest.fixture(scope="session")
def street():
    """The helpers above, for tests to build their scenes with."""
    return SimpleNamespace(
        box=box_vehicle,
        standing=standing,
        view=make_view,
        illumination=make_illumination,
        stage=make_stage,
        renderer=make_renderer,
    )
