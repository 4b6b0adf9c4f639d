"""A box on grey ground throws a shadow; who stands in it is darkened as far up as rays to the sun say."""

import boxes
import cv2
import numpy as np
import pytest

from pipeline.composition.depth_order import footprints
from pipeline.composition.paint import decode_sprite, paint
from pipeline.composition.shadows import Upright, shades
from pipeline.core import masks

GREY = np.full((*boxes.SIZE_HW, 3), 100, np.uint8)
LONG_M = 5.0  # of a shadow beyond its box
NEAR_M = 13.0


def shadow_layer(pair, direction, length_m=LONG_M):
    """The pair with the shadow of its box on the ground: 128 of 255 where the sun is hidden."""
    cutout, place = pair
    quad = quad_of(place)
    fallen = np.concatenate([quad, quad + length_m * np.asarray(direction, float)])
    on_ground = boxes.PLANE.to_camera(np.column_stack([fallen, np.zeros(len(fallen))]))
    light = np.where(boxes.hull_mask(on_ground), np.uint8(128), np.uint8(255))
    return cutout | {"shadow": boxes.png(light), "shadow_xy": [0, 0]}, place


def quad_of(place):
    R, t = np.reshape(place["R"], (1, 3, 3)), np.reshape(place["t"], (1, 3))
    return footprints(R, t, np.reshape(place["dims_lwh_m"], (1, 3)), boxes.PLANE)[0]


def upright(pair):
    cutout, place = pair
    sprite = decode_sprite(cutout, boxes.SIZE_HW)
    return Upright(sprite, quad_of(place), place["dims_lwh_m"][2], boxes.CAMERA, boxes.PLANE)


def in_frame(shade):
    """(H, W) of the whole frame, 255 outside of the shade's place."""
    whole = np.full(boxes.SIZE_HW, 255, np.uint8)
    whole[shade[1]] = shade[0]
    return whole


def full(pair):
    return masks.full(pair[0]["mask_rle"], boxes.SIZE_HW)


def front_points(place):
    """(N, 3) world points of the face that looks at the camera, and their pixels (N, 2)."""
    quad, height = quad_of(place), place["dims_lwh_m"][2]
    near = quad[np.argsort(quad[:, 1])[:2]]
    across, up = np.meshgrid(np.linspace(0.05, 0.95, 40), np.linspace(0.02, 0.98, 40) * height)
    ground = near[0] + across.reshape(-1, 1) * (near[1] - near[0])
    points = np.column_stack([ground, up.reshape(-1)])
    return points, boxes.CAMERA.project(boxes.PLANE.to_camera(points))


def hidden_from_sun(points, place, direction):
    """(N,) bool: the ray to a sun that throws a box's shadow LONG_M far meets the box, tried at many steps."""
    to_sun = np.array([*(-LONG_M * np.asarray(direction, float)), place["dims_lwh_m"][2]])
    steps = boxes.PLANE.to_camera(points[:, None] + np.linspace(0, 2, 400)[:, None] * to_sun)
    own = (steps - place["t"]) @ np.reshape(place["R"], (3, 3))
    half = np.array(place["dims_lwh_m"]) / [2, 2, 1]
    return ((np.abs(own[..., :2]) < half[:2]).all(axis=-1) & (own[..., 2] < half[2])).any(axis=1)


@pytest.mark.parametrize("along_m", [1.0, 2.0, 3.0])
def test_a_shadow_climbs_as_far_as_rays_to_the_sun_are_blocked(along_m):
    angle = np.radians(40)
    slant = np.array([np.cos(angle), np.sin(angle)])
    caster = shadow_layer(boxes.rows(0, (-3.5, NEAR_M), angle, dims=(2.0, 3.0, 1.5)), slant)
    stands = np.array([-3.5, NEAR_M]) + (1.0 + along_m) * slant + (0.9, 0.9)
    behind = boxes.rows(1, stands, dims=(2.4, 0.8, 2.4))
    shade = shades([upright(caster), upright(behind)])
    assert shade[0] is None
    points, pixels = front_points(behind[1])
    whole = in_frame(shade[1])
    column, row = np.rint(pixels).astype(int).T
    darkest = int(whole.min())
    found = whole[row, column] < (255 + darkest) / 2
    # The foot of what the caster itself hides is not seen to be in its shadow.
    foot = np.rint(boxes.CAMERA.project(boxes.PLANE.to_camera(points * [1, 1, 0]))).astype(int)
    seen = ~full(caster)[foot[:, 1] + 1, foot[:, 0]]
    wanted = hidden_from_sun(points, caster[1], slant)
    assert 0.1 < wanted[seen].mean() < 0.9
    assert (found == wanted)[seen].mean() > 0.9
    cosine = slant @ stands / np.linalg.norm(stands)
    assert darkest == pytest.approx(255 - 127 * (1 + cosine) / 2, abs=4)


def test_who_stands_beside_a_shadow_keeps_its_colours_however_much_of_it_is_seen_before_the_shadow():
    caster = shadow_layer(boxes.rows(0, (-5.0, 16.0)), (1.0, 0.0), 9.0)
    before = boxes.rows(1, (1.0, 13.5), dims=(4.4, 1.9, 2.6), colour=(200, 210, 220))
    light = decode_sprite(caster[0], boxes.SIZE_HW).light[0]
    assert (light[full(before)] == 128).mean() > 0.1, "the shadow does not lie behind the box"
    things = [upright(before), upright(caster)]
    assert all(shade is None for shade in shades(things))
    picture, _ = paint(GREY, [thing.sprite for thing in things[::-1]], shades(things)[::-1])
    assert (picture[full(before)] == (200, 210, 220)).all()
    ground = ~full(before) & ~full(caster)
    assert (picture[ground] == np.where(light[ground] == 128, 50, 100)[:, None]).all()


def test_a_face_that_the_sun_does_not_light_is_no_darker_in_a_shadow():
    towards = (0.0, -1.0)
    caster = shadow_layer(boxes.rows(0, (0.0, 20.0), dims=(3.0, 3.0, 2.5)), towards)
    nearer = boxes.rows(1, (0.0, 15.5), dims=(2.0, 1.0, 1.2))
    shade = shades([upright(nearer), upright(caster)])[0]
    assert shade is None or shade[0].min() >= 253


def test_the_dark_beside_an_object_darkens_nobody_else():
    caster = shadow_layer(boxes.rows(0, (0.0, NEAR_M)), (0.0, 1.0), 0.3)
    close = boxes.rows(1, (1.5, NEAR_M + 2.0), np.pi / 2)
    assert upright(caster).cast is None
    assert all(shade is None for shade in shades([upright(caster), upright(close)]))


def test_where_two_shadows_fall_the_sun_is_taken_away_once():
    first = shadow_layer(boxes.rows(0, (-3.0, 16.0)), (1.0, 0.0))
    second = shadow_layer(boxes.rows(1, (0.5, 20.0), np.pi / 2), (0.0, -1.0))
    both = [cv2.imdecode(np.frombuffer(c["shadow"], np.uint8), 0) == 128 for c, _ in (first, second)]
    picture, label = paint(GREY, [upright(second).sprite, upright(first).sprite])
    ground = label == 0
    assert (both[0] & both[1] & ground).sum() > 50
    assert (picture[ground & (both[0] | both[1])] == 50).all()
    assert (picture[ground & ~(both[0] | both[1])] == 100).all()


def test_a_shadows_direction_and_reach_are_those_of_the_sun():
    slant = np.array([0.8, 0.6])
    cast = upright(shadow_layer(boxes.rows(0, (-1.0, 16.0), dims=(2.0, 2.0, 1.5)), slant)).cast
    assert cast.direction @ slant > 0.98
    assert cast.tip_m - cast.edge_m == pytest.approx(LONG_M, rel=0.12)
    at = quad_of(boxes.rows(0, (-1.0, 16.0), dims=(2.0, 2.0, 1.5))[1]).mean(axis=0) + 2 * slant
    assert 0 < cast.height_at(at[None])[0] < 1.5
    assert cast.height_at(at[None] + 100 * slant)[0] == 0
