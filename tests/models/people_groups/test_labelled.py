import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from footage import REAL

from models.people_groups.labelled import read_coco_people, read_ochuman, read_ocpose
from models.people_groups.levels import crowd_index, largest_overlap, level_row, of_crowding
from models.people_groups.picture import BOX_FILLED, OCCLUDED, SELF_OCCLUDED, UNKNOWN, VISIBLE
from pipeline.core.skeletons import COCO_17, CROWDPOSE_14, OPEC_12, PEOPLE_19


def keypoints(count, values=(0, 1, 2)):
    """Keypoint k at (k, 2 k), its visibility the next of the values."""
    return [number for k in range(count) for number in (float(k), 2.0 * k, values[k % len(values)])]


def coco(names, count=2, **image):
    """Pictures of `count` people and one of nobody; boxes that overlap by a third."""
    boxes = [[10.0 * k, 0, 20, 40] for k in range(count)]
    return {
        "images": [{"id": 7, "file_name": "a.png", "height": 50, "width": 80, **image},
                   {"id": 8, "file_name": "b.png", "height": 50, "width": 80}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
        "annotations": [{"id": k, "image_id": 7, "category_id": 1, "bbox": box, "keypoints": keypoints(len(names))}
                        for k, box in enumerate(boxes)],
    }  # fmt: skip


def written(folder, content):
    cv2.imwrite(str(folder / "a.png"), np.full((50, 80, 3), (0, 0, 200), np.uint8))
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("skeleton", [COCO_17, CROWDPOSE_14, OPEC_12])
def test_cocos_three_visibilities(tmp_path, skeleton):
    path = written(tmp_path, coco(skeleton.names, crowdIndex=0.5))
    (picture,) = read_coco_people(path, tmp_path)
    assert picture.skeleton == skeleton and picture.size_hw == (50, 80) and len(picture.people) == 2
    one = picture.people[0]
    assert one.state[:3].tolist() == [UNKNOWN, OCCLUDED, VISIBLE]
    assert np.isnan(one.xy[0]).all() and one.xy[2].tolist() == [2, 4]
    assert one.area_px == pytest.approx(BOX_FILLED * 800)
    assert picture.image()[0, 0].tolist() == [200, 0, 0]
    assert largest_overlap(picture) == pytest.approx(1 / 3)
    assert of_crowding([picture], "medium") == [0] and not of_crowding([picture], "hard")


def test_the_order_of_a_file_is_its_own(tmp_path):
    """Names backwards: every keypoint is still found by its name."""
    path = written(tmp_path, coco(COCO_17.names[::-1]))
    picture = read_coco_people(path, tmp_path)[0].in_skeleton(COCO_17)
    assert picture.people[0].xy[16 - 2].tolist() == [2, 4]
    assert picture.people[0].state[16] == UNKNOWN


def test_crowds_are_ignored_ones(tmp_path):
    content = coco(COCO_17.names)
    content["annotations"][1]["iscrowd"] = 1
    (picture,) = read_coco_people(written(tmp_path, content), tmp_path)
    assert [person.ignored for person in picture.people] == [False, True]
    assert largest_overlap(picture) == 0 and level_row("x", [picture])["people"] == 1


def test_ochumans_own_file_says_what_hides(tmp_path):
    """Boxes are corners; somebody without keypoints is ignored."""
    names = list(PEOPLE_19.names[::-1])
    person = {"bbox": [10, 5, 40, 45], "keypoints": keypoints(19, (0, 1, 2, 3))}
    content = {
        "keypoint_names": names,
        "images": [{"file_name": "a.png", "height": 50, "width": 80,
                    "annotations": [person, {"bbox": [0, 0, 10, 10], "keypoints": None}]}],
    }  # fmt: skip
    (picture,) = read_ochuman(written(tmp_path, content), tmp_path)
    one = picture.people[0]
    assert picture.skeleton == PEOPLE_19 and one.box_xywh.tolist() == [10, 5, 30, 40]
    states = [one.state[PEOPLE_19.names.index(name)] for name in names[:4]]
    assert states == [UNKNOWN, VISIBLE, SELF_OCCLUDED, OCCLUDED]
    assert picture.people[1].ignored and not picture.people[1].labelled.any()


def test_ocposes_pairs(tmp_path):
    person = {"yolo_bbox": [0, 0, 20, 40], "gt": np.reshape(keypoints(12), (12, 3)).tolist(), "dt": [], "score": 1.0}
    other = person | {"yolo_bbox": [10, 0, 30, 40]}
    (picture,) = read_ocpose(written(tmp_path, [{"img_name": "a.png", "pair": [person, other]}]), tmp_path)
    assert picture.size_hw == (50, 80) and picture.skeleton == OPEC_12
    assert picture.people[1].box_xywh.tolist() == [10, 0, 20, 40]
    assert picture.people[0].state[:3].tolist() == [UNKNOWN, OCCLUDED, VISIBLE]
    assert largest_overlap(picture) == pytest.approx(1 / 3)


BROKEN = {
    "no categories": (lambda c: c.pop("categories"), "not a COCO file: no categories"),
    "another joint count": (lambda c: c["annotations"][0].update(keypoints=keypoints(5)),
                            "annotation 0: keypoints: expected a list of 51 finite numbers, got 15 values"),
    "another skeleton": (lambda c: c["categories"][0].update(keypoints=["nose", "tail"]), "expected the keypoints of"),
    "visibility": (lambda c: c["annotations"][0].update(keypoints=keypoints(17, (3,))),
                   "keypoints: expected visibilities of .0, 1, 2., got 3"),
    "a box": (lambda c: c["annotations"][1].update(bbox=[1, 2, 3]), "annotation 1: bbox: expected a list of 4"),
    "a lost picture": (lambda c: c["images"].pop(0), "annotations of image 7, which its images lack"),
    "a category that is a list": (lambda c: c["annotations"][0].update(category_id=[1]), "category_id: expected"),
    "an escape": (lambda c: c["images"][0].update(file_name="../a.png"), "leaves its folder"),
    "no name": (lambda c: c["images"][0].pop("file_name"), "expected the name of its picture"),
    "a size": (lambda c: c["images"][0].update(height="tall"), "image 7: height: expected a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, name):
    breaks, message = BROKEN[name]
    content = coco(COCO_17.names)
    breaks(content)
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        read_coco_people(path, tmp_path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_who_has_no_box_is_left_out(tmp_path):
    content = coco(OPEC_12.names)
    content["annotations"][0]["bbox"] = [10, 10, 0, 0]
    (picture,) = read_coco_people(written(tmp_path, content), tmp_path)
    assert len(picture.people) == 1


@pytest.mark.parametrize("read", [read_ochuman, read_ocpose, read_coco_people])
@pytest.mark.parametrize("content", [None, 3, {}, [1], {"images": 1}, [{"pair": 1}]])
def test_other_files_are_refused(tmp_path, read, content):
    with pytest.raises(ValueError, match=r"labels\.json"):
        read(written(tmp_path, content), tmp_path)


@pytest.mark.skipif(not (REAL / "pose_samples").exists(), reason="the real samples are not here")
@pytest.mark.parametrize(
    "name, skeleton, pictures, people",
    [("coco", COCO_17, 4, 14), ("crowdpose", CROWDPOSE_14, 2, 5), ("ochuman", COCO_17, 3, 5)],
)
def test_real_files_are_read(name, skeleton, pictures, people):
    """Every labelled joint lies in its picture, whose size is what the file says."""
    folder = REAL / "pose_samples" / name
    read = read_coco_people(folder / f"test_{name}.json", folder)
    assert len(read) == pictures and sum(len(picture.people) for picture in read) == people
    for picture in read:
        assert picture.skeleton == skeleton and picture.image().shape == (*picture.size_hw, 3)
        if name == "crowdpose":  # which says the index to two digits
            counted = crowd_index(replace(picture, crowd_index=np.nan))
            assert counted == pytest.approx(picture.crowd_index, abs=0.005)
        for person in picture.people:
            xy = person.xy[person.labelled]
            assert (xy >= 0).all() and (xy <= picture.size_hw[::-1]).all()
    states = np.concatenate([person.state for picture in read for person in picture.people])
    assert {VISIBLE, OCCLUDED} <= set(states.tolist())
