import numpy as np
import pytest

from pipeline.core.instances import Instance, subcategory_of
from pipeline.detection import DetectionSettings
from pipeline.detection.riders import riders_of, with_riders


def thing(box, category="vehicle", fine=None, score=0.8):
    x, y, w, h = box
    return Instance(category, score, np.ones((h, w), bool), (x, y), fine)


BIKE = thing((100, 60, 40, 30), fine="bicycle", score=0.6)  # its wheels stand on row 90
RIDER = thing((108, 20, 22, 60), "person", "person")  # feet on the pedals, row 80
PUSHER = thing((104, 25, 20, 66), "person", "person")  # feet on the ground beside it, row 91
WALKER = thing((200, 20, 20, 70), "person", "person")
CAR = thing((90, 40, 90, 50), fine="car")


def test_one_is_the_two_wheeler_with_who_rides_it():
    found = with_riders([WALKER, RIDER, CAR, BIKE], "one")
    assert [(one.category, one.subcategory) for one in found] == [
        ("person", "person"), ("vehicle", "car"), ("vehicle", "bicycle"),
    ]  # fmt: skip
    both = found[2]
    assert both.box_xywh == (100, 20, 40, 70) and both.score == 0.8
    assert np.count_nonzero(both.crop) == 40 * 30 + 22 * 60 - 22 * 20  # their pixels, the common ones once


def test_two_keeps_both_and_names_the_rider():
    found = with_riders([WALKER, RIDER, BIKE], "two")
    assert [one.subcategory for one in found] == ["person", "rider", "bicycle"]
    assert [one.box_xywh for one in found] == [one.box_xywh for one in (WALKER, RIDER, BIKE)]


@pytest.mark.parametrize("person", [PUSHER, WALKER])
def test_who_pushes_or_passes_does_not_ride(person):
    assert riders_of([person, BIKE, CAR]) == {}


def test_nobody_rides_a_car():
    assert riders_of([RIDER, CAR]) == {}


def test_a_passenger_rides_too():
    behind = thing((112, 22, 20, 58), "person", "person")
    (one,) = with_riders([RIDER, behind, BIKE], "one")
    assert one.subcategory == "bicycle"


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="riders: expected one or two, got 'three'"):
        DetectionSettings(riders="three")


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("Truck", "lorry"),
        ("motorcycle", "motorbike"),
        ("car", "car"),
        ("train", "train"),
        ("vehicle", None),
        ("", None),
    ],
)
def test_classes_have_one_name_whatever_a_network_calls_them(name, fine):
    assert subcategory_of(name) == fine
