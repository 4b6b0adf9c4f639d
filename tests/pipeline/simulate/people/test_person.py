from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.skeletons import SMPL_PARENTS
from pipeline.simulate.people import person as people
from pipeline.simulate.people import wardrobe
from pipeline.simulate.people.wardrobe import Region

CROWD = [people.make_person(seed) for seed in range(40)]
PHASES = np.arange(16) / 16
WALKERS = CROWD[:6]
PLAIN = {"upper": "shirt", "lower": "trousers", "fit": "straight", "hair_style": "short", "hat": "none", "bag": "none"}


def test_a_seed_makes_one_person_and_the_same_bytes():
    assert people.make_person(5) == people.make_person(5)
    first, again = (people.person_mesh(people.make_person(5), "walk", 0.3) for _ in range(2))
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert len({p.outfit.top for p in CROWD}) > 30


@pytest.mark.parametrize("motion", people.MOTIONS)
def test_everybody_stands_on_the_ground_at_every_phase(motion):
    for person in WALKERS:
        lows = [people.person_mesh(person, motion, p).vertices[:, 2].min() for p in PHASES]
        assert np.abs(lows).max() < 1e-3


def test_people_are_as_tall_as_they_say_and_differ():
    with np.load(Path(people.__file__).with_name("people.npz")) as baked:
        tall = baked["vertices"][..., 2].max(axis=1) * 1e-4
    assert 1.15 < tall.min() < 1.25 and 1.85 < tall.max() < 1.95
    assert len(np.unique(tall.round(3))) >= 16
    for person in CROWD:
        assert person.height_m == pytest.approx(tall[person.body], abs=1e-6)
        top = people.person_mesh(person, "stand", 0.0).vertices[:, 2].max()
        assert -0.01 < top - person.height_m < 0.06  # shoes, hair and hats


def _in_world(person, phases):
    """(P, V, 3) body vertices and (P, 24, 3) joints while the person advances by one stride a cycle."""
    x = people.stride_length_m(person) * phases[:, None]
    count = people._bodies().vertices.shape[1]
    vertices = np.stack([people.person_mesh(person, "walk", p).vertices[:count] for p in phases])
    joints = np.stack([people.person_joints(person, "walk", p) for p in phases])
    vertices[..., 0] += x
    joints[..., 0] += x
    return vertices, joints


def test_a_planted_foot_stays_where_it_is():
    """The standing foot must not advance with the person: it rolls over its ankle, then over its ball."""
    for person in WALKERS:
        phases = np.linspace(0.02, 0.48, 24)
        _, joints = _in_world(person, phases)
        slide = np.where(phases < 0.25, np.gradient(joints[:, 7, 0]), np.gradient(joints[:, 10, 0]))
        assert np.abs(slide).sum() < 0.06
        assert 0.6 < people.stride_length_m(person) / person.height_m < 0.9


def test_the_skin_that_touches_the_ground_does_not_slide():
    touched = people._bodies().touches[:, Region.FOOT]
    for person in WALKERS:
        vertices, _ = _in_world(person, np.linspace(0.1, 0.45, 36))
        feet = vertices[:, touched]
        contact = feet[:-1, :, 2].argmin(axis=1)
        at = np.arange(len(contact))
        assert np.abs(feet[at + 1, contact, 0] - feet[at, contact, 0]).sum() < 0.06


def test_the_leading_heel_meets_the_ground_and_one_foot_swings_clear():
    bodies = people._bodies()
    for person in WALKERS:
        left = bodies.touches[:, Region.FOOT] & (bodies.vertices[person.body][:, 1] > 0)
        low = np.array([people.person_mesh(person, "walk", p).vertices[: len(left)][left, 2].min() for p in PHASES])
        assert low[0] < 0.03 and low[2:8].max() < 0.02  # struck, then planted until the other one strikes
        assert low[11:13].max() > 0.03


def test_half_a_cycle_later_left_and_right_have_changed_places():
    """Rest bodies are symmetric to a few millimetres only, and so is this."""
    mirror = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
    person = next(p for p in CROWD if p.arms == (0.0, 0.0))
    for phase in PHASES[:8]:
        now, later = (people.person_joints(person, "walk", p) for p in (phase, phase + 0.5))
        assert np.abs(now[mirror] * [1, -1, 1] - later).max() < 0.02


@pytest.mark.parametrize("motion", people.MOTIONS)
def test_bones_keep_their_length_and_knees_never_bend_backwards(motion):
    for person in WALKERS:
        joints = np.stack([people.person_joints(person, motion, p) for p in PHASES])
        lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(SMPL_PARENTS[1:])], axis=2)
        assert np.ptp(lengths, axis=0).max() < 1e-6
        for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
            thigh, shank = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
            flexion = np.arctan2(thigh[:, 0], -thigh[:, 2]) - np.arctan2(shank[:, 0], -shank[:, 2])
            assert flexion.min() > -0.01


def test_joints_and_keypoints_lie_inside_the_body():
    for person in WALKERS:
        mesh = people.person_mesh(person, "walk", 0.1)
        low, high = mesh.vertices.min(axis=0) - 0.02, mesh.vertices.max(axis=0) + 0.02
        for points in (people.person_joints(person, "walk", 0.1), people.coco17_keypoints(person, "walk", 0.1)):
            assert ((points >= low) & (points <= high)).all()
    nose, *_, left_ankle, right_ankle = people.coco17_keypoints(CROWD[0], "stand", 0.0)
    assert nose[2] > 0.85 * CROWD[0].height_m and left_ankle[1] > right_ankle[1]


def test_meshes_are_sound_and_bodies_share_their_topology():
    body = len(people._bodies().triangles)
    meshes = [people.person_mesh(p, "walk", 0.2) for p in CROWD]
    for mesh in meshes:
        assert 3000 < len(mesh.triangles) < 5000
        assert np.array_equal(mesh.triangles[:body], meshes[0].triangles[:body])
        assert np.abs(np.linalg.norm(mesh.normals, axis=2) - 1).max() < 1e-3
        assert 0 <= mesh.albedo.min() and mesh.albedo.max() <= 1


def test_bodies_are_closed_and_what_is_worn_faces_outwards():
    triangles = people._bodies().triangles
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    for mesh in (people.person_mesh(replace(CROWD[0], body=b), "stand", 0.0) for b in (0, 16)):
        a, b, c = (mesh.vertices[mesh.triangles[: len(triangles), i]] for i in range(3))
        assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0
    ball = wardrobe._lump(np.ones(3), (0.5, 0.5, 0.5), 1.0)
    assert (np.einsum("tci,tci->tc", ball.normals, ball.vertices[ball.triangles]) > 0).all()


def test_a_region_covers_the_part_it_is_named_after():
    bodies = people._bodies()
    part = {Region.CROWN: (15,), Region.SHANK: (1, 2, 4, 5, 7, 8), Region.HAND: tuple(range(16, 24))}
    for region, joints in part.items():
        corners = np.unique(bodies.triangles[bodies.region == region])
        mine = np.isin(bodies.weight_joints[corners], joints) * bodies.weights[corners]
        assert mine.sum(axis=1).min() > 0.9
    assert set(np.unique(bodies.region)) == set(Region)


def test_clothes_change_the_outline():
    """A coat is wider at the thigh than trousers, a backpack deeper than none, a brim wider than a head."""
    bare = replace(CROWD[0], body=0, arms=(0.0, 0.0), outfit=replace(CROWD[0].outfit, **PLAIN))

    def extent(axis, low, high, **worn):
        mesh = people.person_mesh(replace(bare, outfit=replace(bare.outfit, **worn)), "stand", 0.0)
        z = mesh.vertices[:, 2] / bare.height_m
        return np.ptp(mesh.vertices[(z > low) & (z < high), axis])

    assert extent(0, 0.30, 0.42, upper="coat") > extent(0, 0.30, 0.42) + 0.03
    assert extent(0, 0.60, 0.80, bag="backpack") > extent(0, 0.60, 0.80) + 0.08
    assert extent(1, 0.92, 1.10, hat="brim") > extent(1, 0.92, 1.10) + 0.1
    assert extent(1, 0.05, 0.10, fit="wide") > extent(1, 0.05, 0.10, fit="slim") + 0.02


def test_the_baked_file_is_small():
    assert Path(people.__file__).with_name("people.npz").stat().st_size < 1.5e6


def test_an_unknown_motion_is_named():
    with pytest.raises(ValueError, match="expected walk, stand or turn, got 'fly'"):
        people.person_mesh(CROWD[0], "fly", 0)
