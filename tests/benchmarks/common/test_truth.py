"""Who is clean, and whose an instance is."""

import pandas as pd
import pytest
from exact_truth import SIZE_HW, actor, cutout, rectangle, write_camera

from benchmarks.common.truth import is_clean, match, matched, truth_of

# Two cars in frame 0 that overlap; in frame 1 a third one stands where the first one stood.
ACTORS = [actor(0, 1, (20, 40, 40, 20)), actor(0, 2, (50, 42, 40, 20)), actor(1, 3, (20, 40, 40, 20))]
TRUTH = pd.DataFrame(ACTORS, index=[10, 11, 12])


@pytest.mark.parametrize(
    ("visible_fraction", "truncation", "clean"),
    [
        (1.0, 0.0, True),
        (0.98, 0.005, True),
        (0.97, 0.0, False),
        (0.5, 0.0, False),
        (1.0, 0.01, False),
        (0.0, 1.0, False),
    ],
)
def test_clean_is_wholly_seen_and_wholly_inside(visible_fraction, truncation, clean):
    row = pd.DataFrame([{"visible_fraction": visible_fraction, "truncation": truncation}])
    assert is_clean(row).tolist() == [clean]


def test_an_instance_is_whose_whole_mask_it_overlaps_most_in_its_own_frame():
    boxes = [
        (0, (20, 40, 40, 20)),
        (0, (45, 42, 40, 20)),
        (1, (20, 40, 40, 20)),
        (2, (20, 40, 40, 20)),
        (0, (0, 0, 9, 9)),
    ]
    rows = [{"frame_id": frame, "mask_rle": rectangle(*box)} for frame, box in boxes]
    found = match(pd.DataFrame(rows, index=list("abcde")), TRUTH, SIZE_HW)
    assert found["truth_row"].to_dict() == {"a": 10, "b": 11, "c": 12, "d": -1, "e": -1}
    assert found["iou"].tolist() == pytest.approx([1, 35 / 45, 1, 0, 0])


@pytest.mark.parametrize(("wide", "row"), [(11, -1), (12, 10)])
def test_less_than_three_tenths_in_common_is_nobodys(wide, row):
    part = pd.DataFrame([{"frame_id": 0, "mask_rle": rectangle(20, 40, wide, 20)}])
    found = match(part, TRUTH.loc[[10]], SIZE_HW)
    assert found["truth_row"].tolist() == [row] and (found["iou"][0] == 0) == (row < 0)


def test_cutouts_get_the_truth_of_their_category_that_is_near_enough(tmp_path):
    truth = [
        actor(0, 1, (20, 40, 40, 20), t=[3.0, 0.0, 40.0]),
        actor(0, 2, (80, 40, 40, 20), t=[30.0, 0.0, 41.0]),
        actor(0, 3, (20, 80, 10, 30), category="person"),
        actor(1, 4, (20, 40, 40, 20), t=[0.0, 0.0, 7.0]),
    ]
    boxes = [(70, 0, truth[0]), (71, 0, truth[1]), (72, 0, truth[2]), (73, 1, truth[3]), (74, 1, truth[1])]
    cutouts = [cutout(number, frame, [int(v) for v in row["bbox_amodal_xywh"]]) for number, frame, row in boxes]
    folder = write_camera(tmp_path / "hand", truth, [*cutouts, cutout(75, 0, (20, 80, 10, 30), "person")])
    rows, table = matched(folder, "vehicle", 50.0)
    # 71 is 51 m away, 72 a person, 74 in a frame without anybody there.
    assert rows["actor_id"].to_dict() == {70: 1, 73: 4} and len(table) == 6
    assert matched(folder, "person", 50.0)[0]["actor_id"].to_dict() == {75: 3}


def test_a_camera_without_truth_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"real: no exact truth; expected a camera whose source is of kind simulated"):
        truth_of(tmp_path / "real")
