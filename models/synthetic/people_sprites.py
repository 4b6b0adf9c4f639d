"""Dressed people rendered one at a time in any pose, segmented, with the SMPL parameters that made them.

A sprite's longer side is HEIGHT_PX whatever its size in the imagined camera; its pixel coordinates are COCO edges. Its
camera is the imagined one turned so that its axis goes through the sprite's middle. Points are SMPL's 24 joints, then
nose, eyes and ears.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.camera import edge_to_pixel
from models.body_model.rest import SMPL_FROM_PERSON, global_from_theta
from models.crops import crop_from_camera
from models.synthetic.sprites import SIDE_PX, Placed, render_sprite, sample_illumination, sample_place
from pipeline.simulate.people.person import Person, in_pose, rest_joints

HEIGHT_PX = 128
_REACH_M = 1.0


@dataclass(frozen=True)
class PersonSprite:
    """rgba (h, w, 4) uint8, premultiplied RGB; ground (G, G, 2) uint8 as vehicle sprites have it; theta (24, 3) with
    the orientation in the sprite's camera; body: which of the baked ones; points_3d (29, 3) metres from the pelvis, in
    that camera; points_2d (29, 2) edge px; focal_px and px_per_m of the sprite's own pixels; natural_px: its longer
    side in the imagined camera; sun and sky (3,)."""

    rgba: np.ndarray
    ground: np.ndarray
    theta: np.ndarray
    body: int
    points_3d: np.ndarray
    points_2d: np.ndarray
    focal_px: float
    natural_px: float
    px_per_m: float
    sun: np.ndarray
    sky: np.ndarray


def render_person(person: Person, theta: np.ndarray, rng: np.random.Generator) -> PersonSprite:
    """A person in a pose theta (24, 3) of an upright body, in a street camera's picture under some illumination."""
    G = global_from_theta(theta, rest_joints(person.body, person.baked))
    mesh, joints, keypoints = in_pose(person, G)
    place, illumination = sample_place(rng, _REACH_M), sample_illumination(rng)
    rendered = render_sprite("person", 0, mesh, np.zeros((0, 3)), place, illumination, rng)
    corners = place.project(mesh.vertices)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = HEIGHT_PX / rendered.natural_px
    R = _sprite_from_person(place, (low + high) / 2)
    points = np.vstack([joints, keypoints[:5]])
    turned = theta.astype(float)
    turned[0] = cv2.Rodrigues(R @ SMPL_FROM_PERSON.T @ cv2.Rodrigues(turned[0])[0])[0][:, 0]
    return PersonSprite(
        _shrunk(rendered.rgb, rendered.alpha), rendered.ground, turned, person.body,
        (points - points[0]) @ R.T, (place.project(points) - low) * scale,
        float(place.camera.K[0, 0]) * scale, rendered.natural_px, rendered.px_per_m * scale, rendered.sun, rendered.sky,
    )  # fmt: skip


def _sprite_from_person(place: Placed, middle: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of directions in the person's frame into the camera through an edge pixel (2,)."""
    ray = place.camera.rays(edge_to_pixel(middle[None]))
    return crop_from_camera(ray)[0] @ place.plane.R_cam_world @ place.R


def _shrunk(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(h, w, 4) premultiplied at HEIGHT_PX of a rendering at SIDE_PX."""
    rgba = np.dstack([rgb * alpha[..., None], alpha.astype(np.uint8) * np.uint8(255)])
    width, height = (max(1, round(n * HEIGHT_PX / SIDE_PX)) for n in alpha.shape[::-1])
    return np.asarray(cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA))
