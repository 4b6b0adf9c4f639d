import numpy as np
import pytest

from models.people_groups.couples.contact import TOLERANCE_M, depth_between, gap, inside, parted, skin_scene
from models.people_groups.couples.figure import Figure
from models.people_groups.couples.meetings import Chance, standing
from models.synthetic.people_shards import BODIES
from pipeline.simulate.people.person import dress


@pytest.fixture(scope="module")
def two():
    """One who stands at the origin, and one of another body who can be put anywhere, arms hanging."""
    rng = np.random.default_rng(2)
    chance = Chance(rng, (0.2, 0.2))
    return [Figure.of(dress(body, BODIES, rng), standing(chance, 0), 0.0, np.zeros(3)) for body in (3, 8)]


def test_far_apart_nothing_is_deep_and_the_gap_is_the_way_between(two):
    first, second = two[0], two[1].moved(np.array([2.0, 0, 0]))
    assert depth_between(first, second) == 0
    assert len(inside(first, second, skin_scene(second)).rows) == 0
    nearer = second.moved(np.array([-0.5, 0, 0]))
    scene = skin_scene(first)
    assert gap(second, scene) - gap(nearer, scene) == pytest.approx(0.5, abs=0.03)


def test_depth_does_not_depend_on_who_is_first(two):
    first, second = two[0], two[1].moved(np.array([0.15, 0.02, 0]))
    assert depth_between(first, second) == depth_between(second, first) > 0.03


def test_vertices_inside_leave_by_the_way_that_is_told(two):
    """Moved by what `out` says, a vertex lies on the other's surface."""
    first, second = two[0], two[1].moved(np.array([0.18, 0, 0]))
    scene = skin_scene(second)
    found = inside(first, second, scene)
    assert len(found.rows) > 20
    from open3d.core import Tensor

    there = (first.vertices[found.rows] + found.out).astype(np.float32)
    assert scene.compute_distance(Tensor.from_numpy(there)).numpy().max() < 1e-4


@pytest.mark.parametrize("at", [(0.16, 0.03, 0.0), (0.05, 0.36, 0.0)])
def test_steps_part_the_two_and_keep_feet_on_the_ground(two, at):
    first, second = two[0], two[1].moved(np.array(at))
    before = depth_between(first, second)
    for _ in range(25):
        first, second, _ = parted(first, second, free=False)
    assert before > 0.03 and depth_between(first, second) <= TOLERANCE_M
    assert abs(second.vertices[:, 2].min()) < 1e-6
    assert gap(second, skin_scene(first)) < 0.03  # no further than needed
