import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from rendered_streets import SIZE_HW, street, visible, write_coco, write_shards

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
        number = index + index // 9  # scenes 9 and 19 validate
        image, objects = street(number)
        assert np.array_equal(source[index].image_bgr, image)
        wanted = [m for _, m in objects] if which == "amodal" else visible(objects)
        kept = [(c, m) for (c, whole), m in zip(objects, wanted, strict=True) if m.any()]
        found = as_masks(source[index])
        assert [c for c, _ in found] == [c for c, _ in kept]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, kept, strict=True))


def test_scenes_that_validate_never_train(tmp_path):
    folder = write_shards(tmp_path, 20)
    train, val = ClipArt(folder), ClipArt(folder, split="val")
    assert len(val) == 2
    assert np.array_equal(val[0].image_bgr, street(9)[0])
    assert len(train.scenes) == 18 and not set(train.scenes) & set(val.scenes)
    seen = {train[k].image_bgr.tobytes() for k in range(len(train))}
    assert not seen & {val[k].image_bgr.tobytes() for k in range(2)}


def test_shards_without_a_split_or_with_none_of_it_are_told(tmp_path):
    few = write_shards(tmp_path / "few", 4)
    assert len(ClipArt(few)) == 4
    with pytest.raises(ValueError, match="expected scenes of split val, got none; compose more"):
        ClipArt(few, split="val")
    with pytest.raises(ValueError, match="masks: expected one of visible, amodal, got 'both'"):
        ClipArt(tmp_path, "both")
    part = few / "images" / "part-1.parquet"
    pq.write_table(pq.read_table(part).drop_columns("split"), part)
    with pytest.raises(ValueError, match=r"part-1\.parquet: expected a column split, got none; run .*GenerateClipArt"):
        ClipArt(few)


def test_the_last_tenth_of_labelled_frames_validates_unless_the_file_says_another(tmp_path):
    path = write_coco(tmp_path, 21)
    train, val = (CocoFrames(path, tmp_path, split) for split in ("train", "val"))
    assert val.names == ["019.png", "020.png"] and train.names == [f"{n:03d}.png" for n in range(19)]
    content = json.loads(path.read_text())
    for number, image in enumerate(content["images"]):
        image["split"] = "val" if number in (3, 8) else "train"
    path.write_text(json.dumps(content))
    train, val = (CocoFrames(path, tmp_path, split) for split in ("train", "val"))
    assert val.names == ["003.png", "008.png"] and len(train.names) == 19 and not set(train.names) & set(val.names)
    path.write_text(json.dumps(content | {"images": [{**image, "split": "train"} for image in content["images"]]}))
    with pytest.raises(ValueError, match="expected labelled pictures of split val, got none of 21"):
        CocoFrames(path, tmp_path, "val")


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
    with pytest.raises(ValueError, match=message) as raised:
        CocoFrames(path, tmp_path)
    assert "\n" not in str(raised.value)
