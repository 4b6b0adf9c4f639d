import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.people_groups.couples.figure import Figure, below
from models.people_groups.couples.meetings import Chance, standing
from models.synthetic.people_shards import BODIES
from pipeline.core.skeletons import SMPL_24, SMPL_PARENTS
from pipeline.simulate.people.gait import ARMS
from pipeline.simulate.people.person import dress


def figure(seed=0, body=3, yaw=0.7, t=(1.0, -2.0, 0.0)):
    rng = np.random.default_rng(seed)
    return Figure.of(dress(body, BODIES, rng), standing(Chance(rng, (0.3, 0.3)), 0), yaw, np.array(t))


STANDING = figure()


def lengths(one):
    return np.linalg.norm(one.joints[1:] - one.joints[list(SMPL_PARENTS[1:])], axis=1)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 1),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.1),
    st.floats(0.15, 0.5),
)
def test_the_wrist_is_where_it_is_sent_and_bones_keep_their_lengths(side, direction, far):
    _, shoulder, elbow, wrist, _ = ARMS[side]
    target = STANDING.joints[shoulder] + far * np.array(direction) / np.linalg.norm(direction)
    hint = np.array([0.1, 0.3, -1.0])
    reached = STANDING.reaching(side, target, hint)
    assert np.allclose(reached.joints[wrist], target, atol=1e-6)
    assert np.allclose(lengths(reached), lengths(STANDING), atol=1e-9)
    # The elbow is on the hinted side of the line.
    line = (target - STANDING.joints[shoulder]) / far
    off = reached.joints[elbow] - STANDING.joints[shoulder]
    across = hint - (hint @ line) * line
    assert off @ across >= -1e-9
    # Nothing but that arm has moved.
    still = [j for j in range(len(SMPL_24)) if j not in below(shoulder)]
    assert np.allclose(reached.joints[still], STANDING.joints[still])


def test_what_is_out_of_reach_is_pointed_at():
    shoulder = STANDING.joints[16]
    reached = STANDING.reaching(0, shoulder + [0, 0, 3.0], np.array([1.0, 0, 0]))
    assert np.allclose(reached.joints[20][:2], shoulder[:2], atol=1e-6) and reached.joints[20][2] > shoulder[2] + 0.4


@pytest.mark.parametrize("side", [0, 1])
def test_a_palm_is_turned_to_what_it_is_laid_on(side):
    """A hand before the belly, laid on what is below it."""
    place = STANDING.to_world(np.array([0.35, 0.15 - 0.3 * side, 1.05]))
    reached = STANDING.reaching(side, place, STANDING.R @ np.array([-0.2, 0.5 - side, -0.8]))
    down = np.array([0, 0, -1.0])
    laid = reached.with_palm(side, down)
    assert laid.palm(side) @ down > max(reached.palm(side) @ down, 0.6)
    assert np.allclose(laid.joints[ARMS[side][3]], reached.joints[ARMS[side][3]], atol=1e-9)


def test_the_world_and_the_own_frame_are_inverse():
    points = np.random.default_rng(1).normal(size=(7, 3))
    assert np.allclose(STANDING.to_own(STANDING.to_world(points)), points)
    assert np.allclose(STANDING.moved(np.array([0.2, 0.1, 0])).joints - STANDING.joints, [0.2, 0.1, 0])


def test_the_skin_is_the_mesh_without_what_is_worn_over_it():
    mesh, joints, keypoints = STANDING.dressed()
    assert np.allclose(mesh.vertices[: len(STANDING.vertices)], STANDING.vertices, atol=1e-5)
    assert np.allclose(joints, STANDING.joints, atol=1e-9) and keypoints.shape == (17, 3)
