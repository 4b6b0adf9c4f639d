from pathlib import Path

import numpy as np
import pytest

from pipeline.simulate import people
from pipeline.simulate.gait import PARENTS

CROWD = [people.make_person(seed) for seed in range(40)]
PHASES = np.arange(16) / 16
WALKERS = CROWD[:6]


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
    heights = np.array([p.height_m for p in CROWD])
    assert heights.min() > 1.05 and heights.max() < 2.1
    assert len(np.unique(heights.round(3))) >= 12
    for person in WALKERS:
        top = people.person_mesh(person, "stand", 0.0).vertices[:, 2].max()
        assert top == pytest.approx(person.height_m, abs=0.06)  # hair and hats; knees that give a little


def test_a_planted_foot_stays_where_it_is():
    """In the world the person advances by one stride a cycle; the standing foot must not advance with them."""
    for person in WALKERS:
        stride = people.stride_length_m(person)
        phases = np.linspace(0.02, 0.48, 24)
        joints = np.stack([people.person_joints(person, "walk", p) for p in phases])
        x = joints[:, :, 0] + (stride * phases)[:, None]
        rolling = np.where(phases < 0.25, np.gradient(x[:, 7]), np.gradient(x[:, 10]))
        assert np.abs(rolling).sum() < 0.06
        assert 0.5 < stride / person.height_m < 0.95


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
        lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=2)
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
    meshes = [people.person_mesh(p, "walk", 0.2) for p in CROWD]
    counts = {len(m.triangles) for m in meshes}
    assert min(counts) > 2000 and max(counts) < 5000
    body = min(counts)
    for mesh in meshes:
        assert np.array_equal(mesh.triangles[:body], meshes[0].triangles[:body])
        assert np.abs(np.linalg.norm(mesh.normals, axis=2) - 1).max() < 1e-3


def test_the_baked_file_is_small():
    assert Path(people.__file__).with_name("people.npz").stat().st_size < 1.5e6


def test_an_unknown_motion_is_named():
    with pytest.raises(ValueError, match="expected walk, stand or turn, got 'fly'"):
        people.person_mesh(CROWD[0], "fly", 0)
