"""CarFusion's two file forms of one projected car, and files that miss something."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.labels.carfusion import OURS, read_converted, read_raw
from models.labels.views import OCCLUDED, SELF_OCCLUDED, UNKNOWN, VISIBLE, objects_of

SPOTS = np.stack([np.arange(100, 240, 10), np.arange(14) * 7 + 200], axis=1)  # pixels of its fourteen points
FLAGS = [1, 2, 3, 1, 1, 2, 1, 1, 1, 1, 0, 1, 2, 1]  # 0: no line


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def root(tmp_path):
    """car_craig1 with two videos of one frame, the same object in both, and car_penn2 with another."""
    for sequence, names, of in (("car_craig1", ("1_0040", "2_0040"), 7), ("car_penn2", ("3_0001",), 2)):
        for name in names:
            lines = [f"{x},{y},{i + 1},{of},{f}" for i, ((x, y), f) in enumerate(zip(SPOTS, FLAGS, strict=True)) if f]
            path = tmp_path / sequence / "gt" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
            _picture(tmp_path / sequence / "images_jpg" / f"{name}.jpg")
    return tmp_path


def test_raw_lines_become_our_twelve_with_their_flags(root):
    first, second, penn = read_raw(root)
    assert (first.sequence, first.camera, first.frame, first.object_id) == ("car_craig1", "1", "0040", 7)
    assert [v.intersection for v in (first, second, penn)] == ["craig", "craig", "penn"]
    np.testing.assert_array_equal(objects_of([first, second, penn]), [0, 0, 1])
    np.testing.assert_array_equal(first.flag, np.array(FLAGS)[OURS])
    wanted = {0: UNKNOWN, 1: VISIBLE, 2: OCCLUDED, 3: SELF_OCCLUDED}
    assert first.state.tolist() == [wanted[FLAGS[i]] for i in OURS]
    labelled = first.state != UNKNOWN
    np.testing.assert_array_equal(first.xy[labelled], SPOTS[OURS][labelled])
    assert np.isnan(first.xy[~labelled]).all() and labelled.sum() == 11
    np.testing.assert_allclose(first.box_xywh, [100 - 13, 200 - 9.1, 1.25 * 130, 1.25 * 91])


def test_splits_are_by_intersection(root):
    assert {v.intersection for v in read_raw(root, "train")} == {"craig"}
    assert {v.intersection for v in read_raw(root, "test")} == {"penn"}
    with pytest.raises(ValueError, match="expected train or test, got 'val'"):
        read_raw(root, "val")


def _converted(root: Path, **changed) -> Path:
    keypoints = [[*xy, {0: 0, 1: 2, 2: 1, 3: 2}[f]] if f else [0, 0, 0] for xy, f in zip(SPOTS.tolist(), FLAGS)]  # noqa: B905
    annotation = {"id": 5, "image_id": 100104000, "category_id": 1, "bbox": [87, 190, 163, 113]}
    annotation |= {"keypoints": [number for point in keypoints for number in point]} | changed
    image = {"id": 100104000, "file_name": "car_craig1/images_jpg/1_0040.jpg"}
    path = root / "car_keypoints_train.json"
    path.write_text(json.dumps({"images": [image], "annotations": [annotation], "categories": []}))
    return path


def test_converted_files_hold_the_same_points_with_the_converters_visibility(root):
    (vehicle,) = read_converted(_converted(root), root)
    raw = read_raw(root)[0]
    np.testing.assert_array_equal(vehicle.xy, raw.xy)
    assert vehicle.image == raw.image and vehicle.intersection == "craig" and vehicle.object_id == -1
    # The converter calls flag 3 visible.
    np.testing.assert_array_equal(vehicle.state, np.where(raw.state == SELF_OCCLUDED, VISIBLE, raw.state))
    assert read_converted(_converted(root), root, "test") == []


def test_points_outside_the_frame_are_unlabelled(root):
    path = root / "car_penn2" / "gt" / "3_0001.txt"
    path.write_text("1950,300,1,2,1\n100,100,3,2,1\n200,150,4,2,1\n10,10,1,3,1\n")
    (vehicle,) = read_raw(root, "test")
    assert vehicle.state.tolist() == [UNKNOWN, UNKNOWN, VISIBLE, VISIBLE] + [UNKNOWN] * 8


def test_missing_frames_and_bad_lines_name_their_file(root):
    (root / "car_craig1" / "images_jpg" / "2_0040.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 of 2 labelled frames .* first is .*car_craig1/images_jpg/2_0040.jpg"):
        read_raw(root, "train")
    path = root / "car_penn2" / "gt" / "3_0001.txt"
    for line in ("5,5,15,0,1", "5,5,1,0", "a,5,1,0,1", "5,5,1,0,4", "nan,5,1,0,1"):
        path.write_text("1,1,1,0,1\n" + line)
        with pytest.raises(ValueError, match=r"3_0001.txt:2: expected x,y,keypoint"):
            read_raw(root, "test")
    path.rename(path.with_name("frame.txt"))
    with pytest.raises(ValueError, match=r"frame.txt: expected a name VIDEO_FRAME.txt"):
        read_raw(root, "test")
    with pytest.raises(ValueError, match="found none"):
        read_raw(root / "car_penn2")
    (root / "car_oakland1" / "gt").mkdir(parents=True)
    with pytest.raises(ValueError, match="'car_oakland1' is of no intersection"):
        read_raw(root)


def test_bad_converted_files_are_named(root):
    with pytest.raises(ValueError, match="annotation 5: expected 14 keypoints"):
        read_converted(_converted(root, keypoints=[1, 1, 2] * 12), root)
    with pytest.raises(ValueError, match="annotation 5: no image 3"):
        read_converted(_converted(root, image_id=3), root)
    with pytest.raises(ValueError, match="annotation 5: expected a box"):
        read_converted(_converted(root, bbox=[0, 0, 0, 0]), root)
    path = _converted(root)
    (root / "car_craig1" / "images_jpg" / "1_0040.jpg").unlink()
    with pytest.raises(ValueError, match=r"first is .*1_0040.jpg"):
        read_converted(path, root)
    path.write_text("[")
    with pytest.raises(ValueError, match="not JSON"):
        read_converted(path, root)
    path.write_text("[]")
    with pytest.raises(ValueError, match="images, annotations missing"):
        read_converted(path, root)
