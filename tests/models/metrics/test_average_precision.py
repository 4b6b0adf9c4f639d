import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.metrics.average_precision import SIZES, TENTHS, Detected, Judged, Wanted, rows
from pipeline.core import masks

SIZE_HW = (200, 300)


def block(x, y, w, h):
    return masks.encode(np.ones((h, w), bool), (x, y), SIZE_HW)


def scattered(seed, pictures=12):
    """Objects of both categories and detections of most of them, a few pixels off, and of some nothing."""
    rng, wanted, found = np.random.default_rng(seed), [], []
    for _ in range(pictures):
        objects, seen = [], []
        for _ in range(rng.integers(1, 7)):
            w, h = rng.integers(8, 130), rng.integers(8, 130)
            x, y = rng.integers(0, 299 - w), rng.integers(0, 199 - h)
            category = ("person", "vehicle")[rng.integers(2)]
            objects.append(Wanted(category, block(x, y, w, h), float(rng.uniform())))
            if rng.random() < 0.8:
                dx, dy = np.clip(rng.integers(-6, 7, 2) + (x, y), 0, (299 - w, 199 - h))
                seen.append(Detected(category, block(dx, dy, w, h), float(rng.uniform())))
        seen.append(Detected("vehicle", block(5, 5, 40, 40), float(rng.uniform())))
        wanted.append(objects)
        found.append(seen)
    return Judged(wanted, found, [SIZE_HW] * pictures)


def of_pycocotools(judged, kind):
    """The twelve numbers of COCO's own summary, from its own JSON."""
    entries, results = [], []
    for number, (objects, seen) in enumerate(zip(judged.wanted, judged.found, strict=True), start=1):
        for one in (*objects, *seen):
            entry = {"image_id": number, "category_id": 1 if one.category == "person" else 2,
                     "segmentation": masks.as_coco([one.mask_rle], SIZE_HW)[0], "iscrowd": 0,
                     "bbox": list(map(float, masks.decode(one.mask_rle, SIZE_HW)[1])),
                     "area": masks.area(one.mask_rle, SIZE_HW)}  # fmt: skip
            entries.append(entry | {"id": len(entries) + 1}) if isinstance(one, Wanted) else results.append(
                entry | {"score": one.score}
            )
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": [{"id": n + 1, "height": 200, "width": 300} for n in range(len(judged.wanted))],
                         "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "vehicle"}],
                         "annotations": entries, "info": {}}  # fmt: skip
        truth.createIndex()
        plain = [{k: v for k, v in r.items() if k != ("segmentation" if kind == "bbox" else "bbox")} for r in results]
        run = COCOeval(truth, truth.loadRes(plain), kind)
        run.evaluate(), run.accumulate(), run.summarize()
    return run.stats


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_pycocotools_own_precision_of_all_objects_and_of_each_size(kind, seed):
    judged = scattered(seed)
    theirs, ours = of_pycocotools(judged, kind), judged.precision(kind)
    assert np.allclose([ours["AP"], ours["AP50"], ours["AP75"]], theirs[:3])
    if kind == "segm":  # of boxes, COCO takes the area of what is detected by its box, ours by its mask: the same here
        sizes = [judged.precision(kind, SIZES[name])["AP"] for name in ("small", "medium", "large")]
        assert np.allclose(np.nan_to_num(sizes, nan=-1), theirs[3:6])


def test_asking_about_a_part_changes_no_other_answer():
    judged = scattered(3)
    before = judged.precision()
    list(rows(judged))
    assert judged.precision() == before


@pytest.fixture
def pair():
    """A car before another that it hides by half; only the one before is found, and something at another place."""
    wanted = [[Wanted("vehicle", block(10, 10, 60, 40), 0.0), Wanted("vehicle", block(60, 10, 60, 40), 0.5)]]
    found = [[Detected("vehicle", block(10, 10, 60, 40), 0.9), Detected("vehicle", block(150, 100, 60, 40), 0.95)]]
    return Judged(wanted, found, [SIZE_HW])


def test_what_is_found_where_nothing_is_counts_in_ours_and_vanishes_in_walts(pair):
    whole = TENTHS["hidden 0 to 10 %"]
    assert pair.precision("segm", band=whole, protocol="ours")["AP50"] == pytest.approx(0.5, abs=0.01)
    assert pair.precision("segm", band=whole, protocol="walt")["AP50"] == pytest.approx(1.0)


def test_in_ours_what_is_hidden_otherwise_is_neither_right_nor_wrong(pair):
    half = TENTHS["hidden 50 to 60 %"]
    assert pair.precision("segm", band=half)["recall"] == 0 and pair.precision("segm", band=half)["count"] == 1
    found = [[*pair.found[0][:1], Detected("vehicle", block(60, 10, 60, 40), 0.3)]]
    seen = Judged(pair.wanted, found, [SIZE_HW])
    assert seen.precision("segm", band=half)["AP"] == pytest.approx(1.0)  # the other car is found, and no mistake
    assert np.isnan(seen.precision("segm", band=TENTHS["hidden 20 to 30 %"])["AP"])


def test_the_detection_of_who_hides_an_object_is_not_taken_for_the_hidden_one():
    """Two cars of nearly one outline; only the near one is found. COCO gives it to whichever is asked about."""
    wanted = [[Wanted("vehicle", block(10, 10, 60, 40), 0.0), Wanted("vehicle", block(16, 10, 60, 40), 0.85)]]
    judged = Judged(wanted, [[Detected("vehicle", block(10, 10, 60, 40), 0.9)]], [SIZE_HW])
    assert judged.precision(band=TENTHS["hidden 80 to 90 %"])["recall"] == 0
    assert judged.precision(band=TENTHS["hidden 0 to 10 %"])["AP"] == pytest.approx(1.0)


def test_walts_tenths_know_no_categories():
    wanted = [[Wanted("vehicle", block(10, 10, 60, 40), 0.0)]]
    found = [[Detected("person", block(10, 10, 60, 40), 0.9)]]
    judged = Judged(wanted, found, [SIZE_HW])
    assert judged.precision(protocol="walt", band=(0.0, 0.1))["AP"] == pytest.approx(1.0)
    assert judged.precision(protocol="ours", band=(0.0, 0.1))["AP"] == 0


def test_the_table_has_a_row_for_every_size_and_tenth():
    table = list(rows(scattered(4)))
    assert len(table) == 2 * (4 + 2 * 10)
    masks_of_ours = [r for r in table if r["of"] == "masks" and r["protocol"] == "ours" and "hidden" in r["objects"]]
    everything = next(r for r in table if r["objects"] == "all")
    assert sum(row["count"] for row in masks_of_ours) == everything["count"]


def test_what_is_ignored_is_neither_wanted_nor_wrong():
    wanted = [[Wanted("vehicle", block(10, 10, 60, 40), 0.0), Wanted("vehicle", block(200, 10, 60, 40), 0.0, True)]]
    found = [[Detected("vehicle", one.mask_rle, 0.9) for one in wanted[0]]]
    for seen in (found, [found[0][:1]]):
        found_all = dict.fromkeys(("count", "AP", "AP50", "AP75", "recall"), 1.0)
        assert Judged(wanted, seen, [SIZE_HW]).precision() == pytest.approx(found_all)
