import numpy as np

from pipeline.tracking.subcategories import least_speed, voted


def test_a_track_has_the_class_with_the_most_score():
    own = np.array(["car", "van", "van", None, "person", "bus", None], object)
    ids = np.array([0, 0, 0, 0, 0, -1, 1])
    counted = np.array([True, True, True, True, False, True, True])
    found = voted(own, np.array([0.9, 0.5, 0.5, 0.9, 9.0, 0.3, 0.4]), ids, counted)
    assert found.tolist() == ["van"] * 5 + ["bus", None]


def test_speed_is_what_is_certain_of_it():
    ids, time_s = np.array([0, 1, 0, 1, -1]), np.array([0.0, 0.0, 2.0, 2.0, 2.0])
    foot = np.array([[0.0, 0.0], [0.0, 5.0], [12.0, 0.0], [2.0, 5.0], [9.0, 9.0]])
    slack = np.array([1.0, 2.0, 1.0, 2.0, 0.0])
    found = least_speed(ids, time_s, foot, slack)
    assert np.allclose(found[:4], [5.0, -1.0, 5.0, -1.0]) and np.isnan(found[4])
