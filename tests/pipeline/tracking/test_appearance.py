"""Painted boards and what their colours are worth."""

import cv2
import numpy as np
import pytest
from walkers import BLUE, GREEN, RED, board, frames_of

from pipeline.core import masks
from pipeline.tracking.appearance import COLOURS, colours, histogram


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(histogram(a, np.ones(a.shape[:2], bool)) @ histogram(b, np.ones(b.shape[:2], bool)))


def test_the_same_colours_at_another_size_are_alike_and_others_are_not():
    walker = board(RED, BLUE)
    assert likeness(walker, board(RED, BLUE, (120, 50))) == pytest.approx(1.0, abs=1e-6)
    assert likeness(walker, board(GREEN, BLUE)) < 0.75
    assert likeness(walker, board(BLUE, RED)) < 0.3, "the trousers of the one are the shirt of the other"


def test_a_shade_darker_is_nearer_than_another_colour():
    darker = (board(RED, BLUE) * 0.85).astype(np.uint8)
    assert likeness(board(RED, BLUE), darker) > 0.6 > 0.3 > likeness(board(RED, BLUE), board(GREEN, GREEN))


def test_pixels_outside_the_mask_do_not_count():
    mask = np.zeros((40, 30), bool)
    mask[:, :16] = True
    scenes = [np.concatenate([board(RED, BLUE), np.full((40, 14, 3), grey, np.uint8)], axis=1) for grey in (10, 240)]
    np.testing.assert_array_equal(*(histogram(scene, mask) for scene in scenes))
    np.testing.assert_array_equal(histogram(scenes[0], np.zeros((40, 30), bool)), np.zeros(COLOURS))


def test_rows_come_back_in_their_order_from_whatever_frames(tmp_path):
    frames = frames_of(3)
    for k, (upper, lower) in enumerate([(RED, BLUE), (GREEN, RED)]):
        image = np.full((720, 1280, 3), 128, np.uint8)
        image[100:140, 50:66] = board(upper, lower)
        cv2.imwrite(str(tmp_path / f"{k:06d}.jpg"), image)
    statuses = ["ok", "ok", "gone"]
    frames = frames.set_column(frames.schema.get_field_index("status"), "status", [statuses])
    there = masks.encode(np.ones((40, 16), bool), (50, 100), (720, 1280))
    nothing = masks.encode(np.zeros((1, 1), bool), (0, 0), (720, 1280))
    found = colours(np.array([1, 0, 2, 1, 0]), [there, there, there, there, nothing], frames, tmp_path)
    np.testing.assert_array_equal(found[0], found[3])
    assert not found[2].any() and not found[4].any()
    np.testing.assert_allclose(np.linalg.norm(found[[0, 1]], axis=1), 1.0)
    assert found[0] @ found[1] < 0.6
