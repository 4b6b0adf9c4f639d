import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.composition.pool import NEITHER, TRAIN, VAL, split_cutouts, validates


def split(times, buckets=None, tracks=None):
    count = len(times)
    buckets = ["noon"] * count if buckets is None else buckets
    tracks = range(count) if tracks is None else tracks
    return split_cutouts(np.array(times, float), np.array(buckets, object), np.array(list(tracks))).tolist()


def test_the_last_fifth_of_the_time_validates_not_the_last_fifth_of_the_cutouts():
    assert split([0, 1, 2, 3, 79, 81, 100]) == [TRAIN] * 5 + [VAL] * 2


def test_every_bucket_is_cut_by_itself():
    assert split([0, 9, 10, 100, 109, 110], ["dawn"] * 3 + ["noon"] * 3) == [TRAIN, VAL, VAL] * 2


def test_a_track_that_crosses_the_cut_is_left_out_of_the_later_part():
    assert split([0, 70, 90, 100], tracks=[1, 2, 2, 3]) == [TRAIN, TRAIN, NEITHER, VAL]
    # it goes on in another bucket, where it is early
    assert split([0, 100, 101, 200], ["a", "a", "b", "b"], [1, 2, 2, 3]) == [TRAIN, NEITHER, TRAIN, VAL]


def test_the_untracked_are_nobody_together():
    assert split([0, 100], tracks=[-1, -1]) == [TRAIN, VAL]


def test_one_moment_alone_trains():
    assert split([5]) == [TRAIN] and split([5, 5]) == [TRAIN, TRAIN]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.sampled_from("ab"), st.integers(-1, 6)), min_size=1, max_size=40))
def test_no_track_and_no_moment_stands_in_both(rows):
    times, buckets, tracks = map(list, zip(*rows, strict=True))
    names = np.array(split(times, buckets, tracks))
    tracks, moments = np.array(tracks), np.array([f"{b}{t}" for t, b in zip(times, buckets, strict=True)])
    tracked = tracks >= 0
    assert not set(tracks[(names == TRAIN) & tracked]) & set(tracks[(names == VAL) & tracked])
    assert not set(moments[names == TRAIN]) & set(moments[names == VAL])
    assert (names[~tracked] != NEITHER).all()


def test_a_fifth_of_the_scenes_validates_evenly_spread():
    turns = [n for n in range(100) if validates(n)]
    assert len(turns) == 20 and set(np.diff(turns)) == {5}
