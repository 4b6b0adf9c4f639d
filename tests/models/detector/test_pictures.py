import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from drawn_streets import SIZE_HW, street, visible, write_coco, write_shards

from models.detector.pictures import CLASSES, ClipArt, CocoFrames


def as_masks(picture):
    """The labels' masks in the frame, by class."""
    found = []
    for label in picture.labels:
        mask = np.zeros(SIZE_HW, bool)
        (x, y), (h, w) = label.xy, label.crop.shape
        mask[y : y + h, x : x + w] = label.crop
        found.append((CLASSES[label.number], mask))
    return found


@pytest.mark.parametrize("which", ["visible", "amodal"])
def test_a_shards_scenes_come_with_the_masks_that_are_asked_for(tmp_path, which):
    source = ClipArt(write_shards(tmp_path, 20), which)
    assert len(source) == 18
    for index in (0, 9, 17):
        number = index + index // 9  # scenes 9 and 19 are kept back
        image, objects = street(number)
        assert np.array_equal(source[index].image_bgr, image)
        wanted = [m for _, m in objects] if which == "amodal" else visible(objects)
        kept = [(c, m) for (c, whole), m in zip(objects, wanted, strict=True) if m.any()]
        found = as_masks(source[index])
        assert [c for c, _ in found] == [c for c, _ in kept]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, kept, strict=True))


def test_scenes_of_the_other_split_validate_and_never_train(tmp_path):
    folder = write_shards(tmp_path, 20)
    train, judge = ClipArt(folder), ClipArt(folder, kept_back=True)
    assert len(judge) == 2
    assert np.array_equal(judge[0].image_bgr, street(9)[0])
    seen = {train[k].image_bgr.tobytes() for k in range(len(train))}
    assert not seen & {judge[k].image_bgr.tobytes() for k in range(2)}


def test_too_few_scenes_are_told(tmp_path):
    with pytest.raises(ValueError, match="no scene whose split is val; a longer recording"):
        ClipArt(write_shards(tmp_path, 4), kept_back=True)
    with pytest.raises(ValueError, match="masks: expected one of visible, amodal, got 'both'"):
        ClipArt(tmp_path, "both")


def test_shards_of_before_the_splits_are_told(tmp_path):
    folder = write_shards(tmp_path, 4)
    for part in (folder / "images").glob("*.parquet"):
        pq.write_table(pq.read_table(part).drop_columns("split"), part)
    with pytest.raises(ValueError, match="has no column split; run GenerateClipArt again"):
        ClipArt(folder)


def test_coco_labels_are_read_by_their_names(tmp_path):
    source = CocoFrames(write_coco(tmp_path, 3), tmp_path)
    image, objects = street(1)
    found = as_masks(source[1])
    assert np.array_equal(source[1].image_bgr, image)
    assert [c for c, _ in found] == [c for c, _ in objects]
    assert all(np.array_equal(m, seen) for (_, m), seen in zip(found, visible(objects), strict=True))
    assert all(np.isnan(label.hidden) for label in source[1].labels)


def test_a_picture_outside_the_folder_is_never_opened(tmp_path):
    path = write_coco(tmp_path / "in", 1)
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = "../out.png"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="leaves its folder"):
        CocoFrames(path, tmp_path / "in")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON"), ("[]", "expected a COCO dataset"), ('{"images": []}', "annotations"),
     ('{"images": [], "annotations": [], "categories": []}', "expected labelled pictures")],
)  # fmt: skip
def test_labels_that_are_none_are_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as told:
        CocoFrames(path, tmp_path)
    assert "\n" not in str(told.value)
