import numpy as np
import pytest

from models.detector.evaluate import average_precision, evaluate_on
from models.detector.pictures import Label, Picture
from models.metrics.average_precision import Detected, Wanted
from pipeline.core import masks
from pipeline.core.instances import Instance

SIZE_HW = (120, 160)


def square(x: int, y: int, side: int) -> str:
    return masks.encode(np.ones((side, side), bool), (x, y), SIZE_HW)


def row(rows: list[dict], name: str) -> dict:
    return next(r for r in rows if r["objects of"] == name)


WANTED = [
    [Wanted("vehicle", square(10, 10, 40), 0.0), Wanted("person", square(80, 10, 10), 0.5)],
    [Wanted("vehicle", square(20, 20, 40), 0.2), Wanted("person", square(90, 50, 10), 0.0)],
]


def test_what_is_found_as_it_is_counts_in_full():
    found = [[Detected(w.category, w.mask_rle, 0.9) for w in picture] for picture in WANTED]
    rows = average_precision(WANTED, found, SIZE_HW)
    assert row(rows, "all") == {"objects of": "all", "count": 4, "AP50": 1.0, "AP": 1.0, "recall": 1.0}
    assert row(rows, "small")["count"] == 2 and row(rows, "medium")["count"] == 2 and row(rows, "large")["count"] == 0
    assert np.isnan(row(rows, "large")["AP50"])
    assert [row(rows, f"hidden {n}")["count"] for n in ("whole", "to 30 %", "to 70 %", "more")] == [2, 1, 1, 0]


def test_half_found_is_half_the_recall():
    found = [[Detected(w.category, w.mask_rle, 0.9) for w in WANTED[0]], []]
    rows = average_precision(WANTED, found, SIZE_HW)
    assert row(rows, "all")["recall"] == 0.5
    assert row(rows, "all")["AP50"] == pytest.approx(0.5, abs=0.01)


def test_a_more_confident_mistake_costs_precision_and_a_less_confident_one_does_not():
    right = [[Detected(w.category, w.mask_rle, 0.5) for w in picture] for picture in WANTED]
    wrong = [Detected(c, square(40, 70, 20), s) for c in ("person", "vehicle") for s in (0.9,)]
    assert row(average_precision(WANTED, [[*right[0], *wrong], right[1]], SIZE_HW), "all")["AP50"] < 0.8
    late = [Detected(w.category, w.mask_rle, 0.1) for w in wrong]
    assert row(average_precision(WANTED, [[*right[0], *late], right[1]], SIZE_HW), "all")["AP50"] == 1.0


def test_what_is_ignored_is_neither_wanted_nor_wrong():
    parked = Wanted("vehicle", square(60, 60, 40), 0.0, ignored=True)
    wanted = [[*WANTED[0], parked], WANTED[1]]
    found = [[Detected(w.category, w.mask_rle, 0.9) for w in picture] for picture in wanted]
    for seen in (found, [found[0][:2], found[1]]):
        assert row(average_precision(wanted, seen, SIZE_HW), "all") | {"AP": 1} == {
            "objects of": "all", "count": 4, "AP50": 1.0, "AP": 1, "recall": 1.0,
        }  # fmt: skip


def test_a_mask_that_is_half_off_is_right_at_50_and_wrong_above():
    wanted = [[Wanted("vehicle", square(10, 10, 40), 0.0)]]
    found = [[Detected("vehicle", masks.encode(np.ones((40, 60), bool), (10, 10), SIZE_HW), 0.9)]]  # IoU 2/3
    result = row(average_precision(wanted, found, SIZE_HW), "all")
    assert result["AP50"] == pytest.approx(1.0) and result["AP"] == pytest.approx(0.4, abs=0.01)


def test_a_detector_is_evaluated_on_every_picture():
    crop = np.ones((40, 40), bool)
    pictures = [
        Picture(np.full((*SIZE_HW, 3), n, np.uint8), [Label(1, crop, (n, 5), (n, 5, 40, 40), 0.0)]) for n in (0, 9)
    ]

    def detector(image, bucket, frame_id):
        return [Instance("vehicle", 0.9, crop, (int(image[0, 0, 0]), 5))]

    assert row(evaluate_on(detector, pictures), "all")["AP50"] == 1.0
    pictures.append(Picture(np.zeros((10, 10, 3), np.uint8), []))
    with pytest.raises(ValueError, match="picture 2: expected"):
        evaluate_on(detector, pictures)


def test_what_is_found_in_a_region_to_ignore_is_not_wrong():
    crop, ignore = np.ones((40, 40), bool), np.zeros(SIZE_HW, bool)
    ignore[:, 60:] = True
    blank, label = np.zeros((*SIZE_HW, 3), np.uint8), Label(1, crop, (5, 5), (5, 5, 40, 40), 0.0)

    def detector(image, bucket, frame_id):
        return [Instance("vehicle", 0.95, crop, (65, 5)), Instance("vehicle", 0.9, crop, (5, 5))]

    precision = [
        row(evaluate_on(detector, [Picture(blank, [label], region)]), "all")["AP50"] for region in (None, ignore)
    ]
    assert precision[0] < 0.6 and precision[1] == pytest.approx(1.0)
