import numpy as np
from crossing import CAMERA, PLANE, SIZE

from calibration.traffic.evidence import YAWS, Seen
from calibration.traffic.lanes import lane_residuals, lanes_of
from calibration.traffic.tracks import POINT, tracks_of


def on_lanes(places, seed=0):
    """Cars as points that drive away at places (C,) across the road, metres."""
    rng, rows = np.random.default_rng(seed), []
    for car, x in enumerate(places):
        y = np.linspace(12, 60, 25)
        pixel = CAMERA.project(PLANE.to_camera(np.column_stack([np.full(25, x + rng.normal(0, 0.2)), y, 0 * y]))) + 0.5
        rows.append(np.column_stack([pixel, np.zeros((25, 2)), np.full(25, car), y / 20]))
    t = np.concatenate(rows)
    tracks = tracks_of(t[:, :4], np.full(len(t), POINT), t[:, 4].astype(int), t[:, 5], SIZE)
    return Seen(tracks, np.zeros(len(places), int))


TRUE = np.array([np.log(1100), np.radians(17), np.radians(1), np.log(7.5), 0, 0, 0, 0, 0, 0, np.pi / 2])


def test_three_lanes_are_found_and_are_as_wide_as_they_are():
    seen = on_lanes(np.tile([-3.5, 0.0, 3.5], 10))
    (lanes,) = lanes_of(TRUE, seen)
    assert lanes.gaps == 2 and len(lanes.first) == len(lanes.last) == 10
    assert abs(lane_residuals(TRUE, seen, (lanes,))[0]) < 1
    higher = TRUE.copy()
    higher[3] += np.log(1.2)
    assert lane_residuals(higher, seen, (lanes,))[0] > 2
    assert len(TRUE) == YAWS + 1


def test_one_lane_and_cars_all_over_the_road_are_no_lanes():
    assert lanes_of(TRUE, on_lanes(np.zeros(20))) == ()
    assert lanes_of(TRUE, on_lanes(np.linspace(-5, 5, 40))) == ()
