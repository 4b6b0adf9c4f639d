import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from pipeline.core import masks

FRAME_HW = (9, 11)


@st.composite
def placed_crops(draw):
    h, w = draw(st.integers(1, FRAME_HW[0])), draw(st.integers(1, FRAME_HW[1]))
    x, y = draw(st.integers(0, FRAME_HW[1] - w)), draw(st.integers(0, FRAME_HW[0] - h))
    return draw(hnp.arrays(bool, (h, w))), (x, y)


def pasted(crop, xy):
    frame = np.zeros(FRAME_HW, bool)
    frame[xy[1] : xy[1] + crop.shape[0], xy[0] : xy[0] + crop.shape[1]] = crop
    return frame


@given(placed_crops())
def test_encode_gives_the_bytes_of_pycocotools(placed):
    crop, xy = placed
    expected = coco.encode(np.asfortranarray(pasted(crop, xy).astype(np.uint8)))["counts"].decode()
    assert masks.encode(crop, xy, FRAME_HW) == expected


@given(st.lists(placed_crops(), max_size=5))
def test_many_masks_encode_at_once_as_one_by_one(placed):
    alone = [masks.encode(*one, FRAME_HW) for one in placed]
    edges = [masks.run_edges(rle, FRAME_HW) for rle in alone]
    edges = [one[one[:, 1] > one[:, 0]] for one in edges]
    runs = np.array([len(one) for one in edges], int)
    assert masks.encode_runs(np.concatenate([np.zeros((0, 2), int), *edges]), runs, FRAME_HW) == alone


def test_long_counts_have_as_many_characters_as_pycocotools_gives_them():
    frame = np.zeros((4000, 6000), np.uint8, order="F")
    frame[1:3, 5], frame[7:3000, 5800], frame[3, 5999] = 1, 1, 1
    expected = coco.encode(frame)["counts"].decode()
    edges = masks.run_edges(expected, frame.shape)
    assert masks.encode_runs(edges, np.array([len(edges)]), frame.shape) == [expected]


@given(placed_crops())
def test_decode_is_tight_and_inverts_encode(placed):
    frame = pasted(*placed)
    rle = masks.encode(*placed, FRAME_HW)
    crop, (x, y, w, h) = masks.decode(rle, FRAME_HW)
    assert np.array_equal(masks.full(rle, FRAME_HW), frame)
    assert masks.area(rle, FRAME_HW) == frame.sum()
    if frame.any():
        assert crop[0].any() and crop[-1].any() and crop[:, 0].any() and crop[:, -1].any()
        assert (x, y, w, h) == tuple(coco.toBbox(masks.as_coco([rle], FRAME_HW)[0]))


def test_long_runs_decode_like_pycocotools():
    rng = np.random.default_rng(0)
    frame = rng.random((720, 1280)) < np.linspace(0, 1, 1280)
    rle = coco.encode(np.asfortranarray(frame.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(masks.full(rle, frame.shape), frame)


def test_a_crop_outside_its_frame_is_refused():
    with pytest.raises(ValueError, match="leaves its frame 11x9"):
        masks.encode(np.ones((3, 3), bool), (9, 0), FRAME_HW)


def test_iou_of_two_halves():
    left, right = np.zeros(FRAME_HW, bool), np.zeros(FRAME_HW, bool)
    left[:, :6], right[:, 5:] = True, True
    rles = [masks.encode(m, (0, 0), FRAME_HW) for m in (left, right)]
    assert masks.iou(rles, rles, FRAME_HW)[0, 1] == pytest.approx(1 / 11)


@pytest.mark.parametrize(
    "rle",
    ["o" * 13 + "0", "o" * 70 + "0", "oooooooo", "é", "\udce9", "\x00", "~", "P<:0_T2oooooo", "", "0" * 99 + "nn0"],
)
def test_run_lengths_that_are_none_are_refused_and_never_wrap(rle):
    with pytest.raises(ValueError, match=r"^mask: expected"):
        masks.full(rle, FRAME_HW)


@given(st.text(st.characters(max_codepoint=200), max_size=40))
def test_any_text_is_a_mask_or_one_line(rle):
    try:
        assert masks.full(rle, FRAME_HW).shape == FRAME_HW
    except ValueError as error:
        assert str(error).startswith("mask: expected") and "\n" not in str(error)
