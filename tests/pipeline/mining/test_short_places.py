"""People who walk behind a wall as high as their hips, and a child who does not: who of them is short for its sake."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from movers import CAMERA, MAN, PLANE, Mover, Pole, watch

from pipeline.mining.observations import from_tracks
from pipeline.mining.short_places import at_short_places

FAR_M, NEAR_M, SPEED = 20.0, 16.0, 1.5
FRAMES = 60
CHILD = (0.3, 0.3, 1.2)
# The wall hides the lowest 0.6 m of who walks at FAR_M, to the right of the middle.
FOOT, HIP = (float(CAMERA.project(PLANE.to_camera(np.array([[0.0, FAR_M, height]])))[0, 1]) for height in (0.0, 0.6))
WALL = Pole((320, round(HIP), 120, 80), FAR_M - 1)


def walkers(count: int, at_m: float, size: tuple[float, float, float] = MAN, first_id: int = 0) -> list[Mover]:
    """Each some metres behind the other, from left to right."""
    return [Mover(size, (-7.0 - 2.5 * k, at_m), (SPEED, 0.0), first_id + k) for k in range(count)]


def judged(movers: list[Mover], poles: list[Pole]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows are short for their place's sake; of each the visible fraction and the track."""
    table, visible = watch(movers, poles, FRAMES)
    people = pa.array(["person"] * len(table))
    table = table.set_column(table.schema.get_field_index("category"), "category", people)
    seen = from_tracks(table, CAMERA, PLANE)
    return at_short_places(seen, np.ones(len(seen), bool)), visible, seen.track_id


@pytest.mark.parametrize("count", [3, 5])
def test_who_walks_behind_a_wall_where_others_do_is_found_and_nobody_else(count: int) -> None:
    short, visible, _ = judged(walkers(count, FAR_M) + walkers(count, NEAR_M, first_id=50), [WALL])
    hidden = visible < 0.75
    assert hidden.sum() > 5 * count
    assert short[hidden].mean() > 0.9
    assert not short[visible > 0.95].any()


def test_one_child_among_adults_is_no_reason_and_neither_is_a_lone_short_walker() -> None:
    short, _, _ = judged([*walkers(4, FAR_M), Mover(CHILD, (-3.0, FAR_M), (SPEED, 0.0), 90)], [])
    assert not short.any()
    # Two tracks of a place are the least that say something of a third.
    short, visible, _ = judged([*walkers(2, FAR_M), *walkers(4, NEAR_M, first_id=50)], [WALL])
    assert (visible < 0.75).any()
    assert not short.any()


def test_who_passes_in_front_of_the_wall_stays_though_others_are_short_there() -> None:
    feet_m = float(np.hypot(*PLANE.to_world(PLANE.intersect(CAMERA, np.array([380.0, HIP])))[:2]))
    assert feet_m > FAR_M  # where the hidden seem to stand
    beyond = walkers(4, feet_m, first_id=50)
    short, visible, track = judged([*walkers(4, FAR_M), *beyond], [Pole((320, round(HIP), 120, 80), FAR_M - 1)])
    whole = (track >= 50) & (visible > 0.95)
    assert whole.any()
    assert not short[whole].any()


def test_nobody_known_says_nothing() -> None:
    table, _ = watch(walkers(1, FAR_M), [], 3)
    seen = from_tracks(table, CAMERA, PLANE)
    assert not at_short_places(seen, np.zeros(len(seen), bool)).any()
