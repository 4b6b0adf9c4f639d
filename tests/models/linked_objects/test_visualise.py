"""A mast drawn into a black picture."""

from __future__ import annotations

import numpy as np

from models.linked_objects import ClassTable, LinkedObject, LinkedPicture, ObjectClass
from models.linked_objects.pictures import NOBODY, SELF_OCCLUDED, VISIBLE
from models.linked_objects.visualise import LINK_COLOURS, POINT_COLOURS, drawn, sheet

TABLE = ClassTable((ObjectClass.of_names("mast", ["top", "foot", "flag"], [("top", "foot"), ("top", "flag")]),))
MAST = LinkedObject(
    0, np.array([20, 10, 20, 60.0]), np.array([[30.5, 20.5], [30.5, 60.5], [np.nan, np.nan]]),
    np.array([VISIBLE, SELF_OCCLUDED, -1]), np.full(3, NOBODY),
)  # fmt: skip
PICTURE = LinkedPicture("m", (80, 80), (MAST,), lambda: np.zeros((80, 80, 3), np.uint8))


def test_links_run_between_points_coloured_by_state():
    image = drawn(PICTURE, TABLE, zoom=1)
    assert image.shape == (80, 80, 3)
    drawn_as = {(40, 30): LINK_COLOURS[0], (20, 30): POINT_COLOURS[VISIBLE], (60, 30): POINT_COLOURS[SELF_OCCLUDED]}
    for (y, x), colour in drawn_as.items():
        assert np.abs(image[y, x].astype(int) - colour).max() < 40  # lines are smoothed
    assert not image[75:, :].any()  # an unlabelled point is drawn nowhere


def test_rows_of_a_sheet_are_filled_up():
    image = sheet([[PICTURE, PICTURE], [PICTURE]], TABLE, 40)
    assert image.shape == (80, 80, 3) and image[:40, 40:].any() and not image[40:, 40:].any()
