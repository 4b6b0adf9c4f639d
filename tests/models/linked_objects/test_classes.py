"""A kite of four points and a mast of two: what a class table knows, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from models.linked_objects import ClassTable, ObjectClass
from models.linked_objects.catalogue import CATALOGUE
from pipeline.core.skeletons import VEHICLE_12

KITE = ObjectClass.of_names(
    "kite",
    ["head", "left tip", "right tip", "tail"],
    [("head", "left tip"), ("head", "right tip"), ("left tip", "tail"), ("right tip", "tail")],
    aliases=["dragon"],
    point_aliases={"tail": ["end"]},
)
MAST = ObjectClass.of_names("mast", ["top", "foot"], [("top", "foot")])


def test_left_and_right_change_places_in_the_mirror():
    assert KITE.flip == (0, 2, 1, 3)
    assert MAST.flip == (0, 1)


def test_given_pairs_take_the_place_of_names():
    assert ObjectClass.of_names("rod", ["a", "b", "c"], [], [("c", "a")]).flip == (2, 1, 0)


def test_links_are_symmetric_and_padded():
    table = ClassTable((KITE, MAST))
    linked = table.adjacency()
    assert linked.shape == (2, 4, 4)
    assert (linked == linked.transpose(0, 2, 1)).all()
    assert linked.sum(axis=(1, 2)).tolist() == [8, 2]
    assert table.counts.tolist() == [4, 2]


def test_classes_and_points_are_found_by_every_name():
    table = ClassTable((KITE, MAST))
    assert table.find("Dragon") == table.find("KITE") == 0
    assert table.find("ship") is None
    assert KITE.point_named("Left_Tip") == 1
    assert KITE.point_named("end") == 3
    with pytest.raises(ValueError, match=r"unknown class 'ship'; expected kite, mast"):
        table.index("ship")
    assert table.without(["dragon"]).names == ("mast",)


@pytest.mark.parametrize(
    ("points", "links", "said"),
    [
        (["a"], [("a", "b")], r"class x: link \[a, b\] names the point 'b', which the class does not have"),
        ([], [], r"class x: has no points"),
        (["a", "b"], [("a", "a")], r"class x: link \[a, a\] joins a point to itself"),
        (["a", "b"], [("a", "b"), ("b", "a")], r"class x: link \[b, a\] stands twice"),
        (["a", "A"], [], r"class x: point 'A' stands twice"),
    ],
)
def test_a_class_that_cannot_be_is_named(points, links, said):
    with pytest.raises(ValueError, match=said):
        ObjectClass.of_names("x", points, links)


def test_two_classes_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'kite' and 'Dragon' both go by the name 'dragon'"):
        ClassTable((KITE, ObjectClass.of_names("Dragon", ["a"], [])))


def test_the_catalogue_is_as_wide_as_it_claims():
    assert len(CATALOGUE) == 16
    assert CATALOGUE.counts.min() >= 4 and CATALOGUE.counts.max() <= 14
    assert CATALOGUE[CATALOGUE.index("car")].flip == VEHICLE_12.flip
    for one in CATALOGUE.classes:
        linked = one.adjacency()
        mirrored = linked[np.ix_(one.flip, one.flip)]
        assert (mirrored == linked).all(), f"{one.name}: the mirror image is linked otherwise"
        reached = np.linalg.matrix_power(linked.astype(int) + np.eye(len(one), dtype=int), len(one)) > 0
        assert reached.all(), f"{one.name}: falls into parts"
