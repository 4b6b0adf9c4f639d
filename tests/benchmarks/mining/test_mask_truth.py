"""Boxes on a grey street with a beam, a shadow, a hole and a neighbour in their masks: each is called by its name."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from exact_truth import SIZE_HW, actor, cutout, write_camera

from benchmarks.mining.mask_truth import faults, filled, judged, lower_third_iou, rows_of
from pipeline.core.storage import write_table
from pipeline.core.tables import FRAMES, TRACKS, to_table

CAR, OTHER = (20, 40, 40, 20), (90, 40, 40, 20)


def boxes(*xywh, size_hw=(80, 100)):
    mask = np.zeros(size_hw, bool)
    for x, y, w, h in xywh:
        mask[y : y + h, x : x + w] = True
    return mask


def shares(mask, others=None, brighter=None):
    true, nothing = boxes((20, 40, 40, 20)), boxes()
    return faults(mask, true, nothing if others is None else others, nothing if brighter is None else brighter)


def test_a_mask_that_is_a_pixel_off_has_no_fault():
    for one in ((20, 40, 40, 20), (19, 39, 42, 22), (21, 41, 38, 18)):
        assert not any(shares(boxes(one)).values())


def test_each_fault_has_its_share_of_the_object():
    ahead, below = (60, 45, 11, 10), (20, 60, 40, 5)
    car = (20, 40, 40, 20)
    beam = shares(boxes(car, ahead), brighter=boxes((60, 0, 40, 80)))
    assert beam == {"beam": 100 / 800, "shadow": 0, "hole": 0, "other": 0, "lacking": 0}
    assert shares(boxes(car, below))["shadow"] == pytest.approx(40 * 4 / 800)
    assert shares(boxes(car, ahead), others=boxes(ahead)) == {
        "beam": 0, "shadow": 0, "hole": 0, "other": 100 / 800, "lacking": 0,
    }  # fmt: skip
    holed = boxes(car)
    holed[45:50, 30:40] = False
    assert shares(holed)["hole"] == 50 / 800 and shares(holed)["lacking"] == 0
    half = shares(boxes((20, 40, 20, 20)))
    assert half["lacking"] == pytest.approx(19 * 18 / 800) and half["hole"] == 0


def test_a_bay_is_no_hole():
    bay = boxes((20, 40, 40, 20))
    bay[50:60, 30:40] = False
    assert (filled(bay) == bay).all() and shares(bay)["hole"] == 0


def test_the_lower_third_is_compared_alone():
    true = boxes((20, 40, 40, 30))
    assert lower_third_iou(boxes((20, 60, 40, 10)), true) == 1, "what lacks above does not count"
    assert lower_third_iou(boxes((20, 40, 40, 20)), true) == 0
    assert lower_third_iou(boxes((20, 40, 40, 40)), true) == pytest.approx(0.5), "ten rows too deep"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One car with its beam, one with a dark strip below it; a cutout of nobody and one of a hidden car besides."""
    truth = [actor(0, 1, CAR), actor(0, 2, OTHER), actor(0, 3, (5, 90, 40, 20), visible_fraction=0.3)]
    cutouts = [
        cutout(0, 0, (20, 40, 52, 20)),
        cutout(1, 0, (90, 40, 40, 26)),
        cutout(2, 0, (60, 80, 20, 20)),
        cutout(3, 0, (5, 90, 40, 20)),
    ]
    folder = write_camera(tmp_path_factory.mktemp("masks") / "hand", truth, cutouts)
    street = np.full((*SIZE_HW, 3), 100, np.uint8)
    frame = street.copy()
    frame[40:60, 20:60], frame[40:60, 60:80], frame[40:60, 90:130], frame[60:70, 90:130] = 220, 160, 30, 60
    (folder / "background").mkdir()
    cv2.imwrite(str(folder / "background" / "noon.png"), street)
    cv2.imwrite(str(folder / "frames" / "0.png"), frame)
    about = dict.fromkeys(FRAMES.names) | {
        "frame_id": 0, "height": SIZE_HW[0], "width": SIZE_HW[1], "status": "ok", "source": "frames/0.png",
        "position": -1, "bucket": "noon",
    }  # fmt: skip
    write_table(folder / "frames" / "index.parquet", to_table([about], FRAMES))
    rows = [{name: one[name] for name in TRACKS.names if name in one} | {"detection_id": i, "bucket": "noon"}
            for i, one in enumerate(cutouts)]  # fmt: skip
    write_table(folder / "tracks.parquet", pa.Table.from_pylist(rows, schema=TRACKS))
    return judged(folder)


def test_a_beam_is_what_is_brighter_and_a_shadow_what_is_darker(found):
    first, second = found.set_index("cutout_id").loc[[0, 1]].to_dict("records")
    assert first["beam"] == pytest.approx(11 * 20 / 800) and first["shadow"] == 0
    assert second["shadow"] == pytest.approx(5 * 40 / 800) and second["beam"] == 0
    assert first["lower_third"] == pytest.approx(40 / 52) and second["lower_third"] == 0.5


def test_masks_of_nobody_and_of_the_hidden_are_not_judged(found):
    assert found["cutout_id"].tolist() == [0, 1]
    (bucket, every) = rows_of("hand", found)
    assert (bucket["bucket"], every["bucket"]) == ("noon", "all") and every["masks"] == 2
    assert every["faulty"] == 1 and every["beam"] == every["shadow"] == 0.5 and every["hole"] == 0
