import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.perception.real_truth import vehicle_boxes, visible_parts, with_visible_parts

CVAT = """<annotations>
  <track id="4" label="vehicle">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="10.5" ytl="20" xbr="30.5" ybr="50">
      <attribute name="parked">{parked}</attribute><attribute name="stopped">false</attribute>
    </box>
    <box frame="1" outside="0" occluded="0" keyframe="0" xtl="12.5" ytl="20" xbr="32.5" ybr="50">
      <attribute name="parked">false</attribute><attribute name="stopped">true</attribute>
    </box>
    <box frame="2" outside="1" occluded="0" keyframe="1" xtl="14.5" ytl="20" xbr="34.5" ybr="50"/>
  </track>
</annotations>"""


def annotated(*boxes, frame=0):
    rows = [(frame, k, *box) for k, box in enumerate(boxes)]
    return pd.DataFrame(rows, columns=["frame", "person", "x", "y", "w", "h"])


def export(folder, text):
    path = folder / "clip.xml"
    path.write_text(text)
    return path


def test_two_nearer_boxes_hide_their_union_and_nothing_hides_the_nearest():
    # The one behind is 10 x 10; the others cover its left half and its lower half, overlapping in a quarter.
    boxes = annotated((0, 0, 10, 10), (-5, 0, 10, 20), (0, 5, 30, 10))
    np.testing.assert_allclose(visible_parts(boxes), [0.25, 1.0, 1 - 5 * 10 / 300])


def test_a_box_behind_and_one_that_stands_as_low_hide_nothing():
    np.testing.assert_array_equal(visible_parts(annotated((0, 0, 10, 10), (5, 0, 10, 10), (2, -5, 10, 10)))[:2], [1, 1])


def test_frames_do_not_hide_each_other():
    boxes = pd.concat([annotated((0, 0, 10, 10), frame=0), annotated((0, 1, 10, 10), frame=1)], ignore_index=True)
    assert with_visible_parts(boxes)["visible"].tolist() == [1, 1]


corners = st.integers(0, 12)
sides = st.integers(1, 12)


@given(st.lists(st.tuples(corners, corners, sides, sides), min_size=1, max_size=6))
def test_visible_parts_are_those_of_a_raster(boxes):
    owner = np.full((24, 24), -1)
    feet = [y + h for _, y, _, h in boxes]
    parts = []
    for k, (x, y, w, h) in enumerate(boxes):
        owner[:] = -1
        owner[y : y + h, x : x + w] = k
        for other, (ox, oy, ow, oh) in enumerate(boxes):
            if feet[other] > feet[k]:
                owner[oy : oy + oh, ox : ox + ow] = other
        parts.append((owner == k).sum() / (w * h))
    np.testing.assert_allclose(visible_parts(annotated(*boxes)), parts, atol=1e-9)


def test_boxes_of_a_cvat_track_until_it_leaves(tmp_path):
    boxes = vehicle_boxes(export(tmp_path, CVAT.format(parked="false")))
    assert boxes.to_dict("records") == [
        {"frame": 0, "person": 4, "x": 10.5, "y": 20, "w": 20, "h": 30, "moving": True},
        {"frame": 1, "person": 4, "x": 12.5, "y": 20, "w": 20, "h": 30, "moving": False},
    ]


def test_parked_vehicles_do_not_move(tmp_path):
    assert not vehicle_boxes(export(tmp_path, CVAT.format(parked="true")))["moving"].any()


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotations><track id="1">&c;</track></annotations>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>',
        "<annotations><track",
        '<annotations><track id="one"><box outside="0"/></track></annotations>',
        '<annotations><track id="1"><box frame="0" outside="0" xtl="left"/></track></annotations>',
    ],
)
def test_a_hostile_or_broken_export_is_refused_in_one_line(tmp_path, text):
    with pytest.raises(ValueError, match=r"clip\.xml: expected a CVAT export") as refusal:
        vehicle_boxes(export(tmp_path, text))
    assert "\n" not in str(refusal.value)
