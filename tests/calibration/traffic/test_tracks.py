import numpy as np
from crossing import SIZE, crossing

from calibration.traffic.directions import main_directions
from calibration.traffic.outlines import CAR, PERSON
from calibration.traffic.tracks import tracks_of


def way(count=20, step=(20.0, 4.0), size=(60.0, 40.0), start=(100.0, 300.0)):
    """Boxes that go straight."""
    return np.array([[start[0] + k * step[0], start[1] + k * step[1], *size] for k in range(count)])


def test_standing_cars_are_left_out_and_standing_people_stay():
    box = np.concatenate([way(step=(0, 0)), way(), way(step=(0, 0), size=(20.0, 60.0))])
    kind, who = np.repeat([CAR, CAR, PERSON], 20), np.repeat([7, 8, 9], 20)
    tracks = tracks_of(box, kind, who, np.tile(np.arange(20.0), 3), SIZE)
    assert tracks.kind.tolist() == [CAR, PERSON]
    assert tracks.there.sum(axis=1).tolist()[1] == 1 and tracks.there[0].sum() >= 3
    assert tracks.straight.tolist() == [True, False]


def test_boxes_that_the_border_cuts_and_the_untracked_are_of_no_use():
    box = way(start=(-50.0, 300.0))
    whole = tracks_of(box, np.full(20, CAR), np.zeros(20, int), np.arange(20.0), SIZE)
    assert np.nanmin(whole.box_xywh[..., 0]) > 2
    none = tracks_of(box, np.full(20, CAR), np.full(20, -1), np.arange(20.0), SIZE)
    assert len(none.kind) == 0 and len(none.there) == 0


def test_a_bend_is_not_straight():
    turn = np.linspace(0, np.pi / 2, 20)
    box = np.column_stack([200 + 400 * np.sin(turn), 250 + 300 * (1 - np.cos(turn)), np.full(20, 60), np.full(20, 40)])
    assert not tracks_of(box, np.full(20, CAR), np.zeros(20, int), np.arange(20.0), SIZE).straight.any()


def test_ways_along_two_roads_are_two_directions():
    tracks = crossing()
    group, points = main_directions(tracks, np.random.default_rng(0))
    assert len(points) == 2
    sizes = np.bincount(group[group >= 0])
    assert sizes.min() >= 12 and (group < 0).sum() <= 4
