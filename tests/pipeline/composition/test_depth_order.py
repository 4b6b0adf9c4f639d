from statistics import NormalDist

import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import GroundPlane
from pipeline.composition.depth_order import clearance, first_on_ray, footprints, in_front, nearer, order, ranked


def rectangle(x, y, length, width, yaw):
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2 * [length, width]
    cos, sin = np.cos(yaw), np.sin(yaw)
    return corners @ np.array([[cos, sin], [-sin, cos]]) + [x, y]


RECTANGLES = st.builds(
    rectangle,
    st.floats(-20, 20),
    st.floats(8, 60),
    st.floats(0.4, 12),
    st.floats(0.4, 3),
    st.floats(0, np.pi),
)


def clear_by(first, second, sigma_m=1.0, sigma_rad=0.0):
    """The clearance of two polygons whose places and headings are as unsure as each other."""
    quads = np.stack([first, second])
    covariance = np.diag([sigma_m**2, sigma_m**2, sigma_rad**2])
    return clearance(quads, quads.mean(axis=1), np.stack([covariance] * 2), np.array([[0, 1]]))[0]


def disjoint(quads):
    """The rectangles that cross none of those kept before them."""
    kept = []
    for quad in quads:
        if all(clear_by(quad, other) > 0 for other in kept):
            kept.append(quad)
    return np.stack(kept)


def hit(quad, angle):
    """Distance at which a ground ray meets a polygon, edge by edge; infinite if it misses."""
    ray = np.array([np.sin(angle), np.cos(angle)])
    best = np.inf
    for a, b in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        matrix = np.column_stack([ray, a - b])
        if abs(np.linalg.det(matrix)) > 1e-12:
            along, share = np.linalg.solve(matrix, a)
            if along > 0 and 0 <= share <= 1:
                best = min(best, along)
    return best


def test_a_box_at_4_m_is_in_front_of_one_at_6_m():
    quads = np.stack([rectangle(0, 6, 2, 1, 0), rectangle(0.5, 4, 2, 1, 0)])
    assert in_front(quads).tolist() == [[False, False], [True, False]]
    assert order(in_front(quads), np.array([0, 1]))[0].tolist() == [1, 0]


def test_a_car_beside_a_bus_is_in_front_though_its_centre_is_farther():
    bus, car = rectangle(2, 18, 12, 2.5, np.pi / 2), rectangle(-0.3, 19, 4.5, 1.8, np.pi / 2)
    # A ray to the left of both passes the car's corner before it reaches the bus's side.
    assert in_front(np.stack([bus, car])).tolist() == [[False, False], [True, False]]


def test_objects_without_a_shared_ray_come_by_z_then_id():
    quads = np.stack([rectangle(x, 10, 1, 1, 0) for x in (-6, 0, 6, 12)])
    assert not in_front(quads).any()
    ranks, cycles = order(in_front(quads), ranked(np.array([9.0, 8.0, 9.0, 7.0]), np.array([5, 6, 4, 7])))
    assert ranks.tolist() == [3, 1, 2, 0] and cycles == 0


def test_order_of_nothing():
    assert order(in_front(np.zeros((0, 4, 2))), ranked(np.zeros(0)))[0].tolist() == []


@given(st.lists(RECTANGLES, min_size=2, max_size=12))
@examples(150)
def test_disjoint_rectangles_never_cycle_and_agree_with_rays(quads):
    quads = disjoint(quads)
    ranks, cycles = order(in_front(quads), ranked(quads.mean(axis=1)[:, 1]))
    assert cycles == 0
    assert sorted(ranks) == list(range(len(quads)))
    for angle in np.linspace(-1.4, 1.4, 61):
        distances = np.array([hit(q, angle) for q in quads])
        met = np.flatnonzero(np.isfinite(distances))
        by_distance = met[np.argsort(distances[met])]
        assert ranks[by_distance].tolist() == sorted(ranks[by_distance].tolist())


@given(RECTANGLES, RECTANGLES, st.sampled_from([(7.0, 7.0), (7.0, 8.0), (8.0, 7.0)]), st.permutations([3, 4]))
@examples(150)
def test_of_two_the_nearer_is_the_one_that_comes_first_in_order(first, second, z_m, ids):
    quads = disjoint([first, second])
    front, rank = in_front(quads), ranked(np.array(z_m[: len(quads)]), np.array(ids[: len(quads)]))
    place, _ = order(front, rank)
    assert (nearer(front, rank) == (place[:, None] < place)).all()


@given(st.lists(RECTANGLES, min_size=2, max_size=8))
@examples(60)
def test_turning_the_ground_about_the_camera_changes_nothing(quads):
    quads = disjoint(quads)
    # Half a turn puts everything behind the camera, across the seam of the angles.
    assert (in_front(quads) == in_front(-quads)).all()


def test_the_gap_counts_in_standard_deviations_of_both_places_along_it():
    first, second = rectangle(0, 10, 2, 1, 0), rectangle(5, 10, 2, 1, 0)  # 3 m between them
    assert clear_by(first, second, 0.5) == pytest.approx(3 / np.hypot(0.5, 0.5))
    assert clear_by(second, first, 0.5) == pytest.approx(3 / np.hypot(0.5, 0.5))
    along = np.zeros((2, 3, 3))
    along[:, 0, 0], along[:, 1, 1] = 0.2**2, 4.0**2  # what is unsure along the gap counts, not what is across it
    quads = np.stack([first, second])
    sure = clearance(quads, quads.mean(axis=1), along, np.array([[0, 1]]))[0]
    assert sure == pytest.approx(3 / np.hypot(0.2, 0.2))


def test_a_bus_that_may_be_turned_asks_for_more_room_at_its_ends_than_a_car():
    bus, car, beside = rectangle(0, 20, 12, 2.5, 0), rectangle(0, 20, 4, 2.5, 0), rectangle(0, 23, 1, 1, 0)
    assert clear_by(bus, beside, 0.3, 0.1) < clear_by(car, beside, 0.3, 0.1) < clear_by(car, beside, 0.3, 0.0)


@given(RECTANGLES, RECTANGLES, st.floats(0.1, 2.0), st.floats(0.0, 0.05))
@examples(40)
def test_true_footprints_cross_no_oftener_than_the_clearance_says(first, second, sigma_m, sigma_rad):
    shapely = pytest.importorskip("shapely")
    told = clear_by(first, second, sigma_m, sigma_rad)
    if shapely.Polygon(first).distance(shapely.Polygon(second)) == 0:
        assert told < 1e-9 or shapely.Polygon(first).touches(shapely.Polygon(second))
    rng, tries, crossed = np.random.default_rng(0), 300, 0
    for _ in range(tries):
        moved = []
        for quad in (first, second):
            cos, sin = np.cos(turn := rng.normal(0, sigma_rad)), np.sin(turn)
            centre = quad.mean(axis=0)
            spun = (quad - centre) @ np.array([[cos, sin], [-sin, cos]])
            moved.append(shapely.Polygon(spun + centre + rng.normal(0, sigma_m, 2)))
        crossed += moved[0].intersects(moved[1])
    likely = NormalDist().cdf(-told)
    assert crossed / tries <= likely + 4 * np.sqrt(max(likely * (1 - likely), 0.003) / tries) + 0.02


@given(st.lists(RECTANGLES, min_size=2, max_size=6))
@examples(60)
def test_corners_that_are_given_twice_change_nothing(quads):
    quads = disjoint(quads)
    twice = np.concatenate([quads, quads[:, -1:], quads[:, -1:]], axis=1)
    pairs = np.argwhere(np.triu(np.ones((len(quads), len(quads))), 1))
    assert (first_on_ray(twice, pairs) == first_on_ray(quads, pairs)).all()


def test_footprint_of_a_pose_stands_at_its_place():
    plane = GroundPlane.from_tilt(20, 3, 7.5)
    R, t = plane.pose(np.array([2.0, 15.0]), 0.3)
    quads = footprints(R[None], t[None], np.array([[4.4, 1.9, 1.5]]), plane)
    np.testing.assert_allclose(quads[0], rectangle(2, 15, 4.4, 1.9, 0.3), atol=1e-9)
