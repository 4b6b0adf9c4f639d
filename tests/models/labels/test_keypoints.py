import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.labels.keypoints import NAMES, read_coco, read_deeplabcut
from models.vehicle_keypoints.data import LabelledCrops

XY = np.column_stack([np.linspace(20.5, 75.25, 12), np.linspace(60, 31.5, 12)])


def write_dlc(path, rows, *, people=False, names=NAMES, state=True):
    """A DeepLabCut file of (picture, {individual: (xy, states)}) rows."""
    axes = ["x", "y", "state"] if state else ["x", "y"]
    who = sorted({name for _, vehicles in rows for name in vehicles})
    columns = [(w, part, axis) for w in who for part in names for axis in axes]
    lines = [["scorer", "", "", *["anna"] * len(columns)]]
    if people:
        lines.append(["individuals", "", "", *[w for w, _, _ in columns]])
    lines += [["bodyparts", "", "", *[p for _, p, _ in columns]], ["coords", "", "", *[a for _, _, a in columns]]]
    for picture, vehicles in rows:
        cells = []
        for w, part, axis in columns:
            xy, states = vehicles.get(w, (np.full((12, 2), np.nan), [""] * 12))
            index = names.index(part)
            value = states[index] if axis == "state" else xy[index, "xy".index(axis)]
            cells.append("" if isinstance(value, float) and np.isnan(value) else value)
        lines.append([*picture.split("/"), *cells])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)


def coco(**change):
    v = [2, 1, 3, 0, 2, 2, 2, 2, 1, 2, 2, 3]
    annotation = {
        "id": 7, "image_id": 1, "category_id": 1, "bbox": [18, 28, 60, 35],
        "keypoints": np.column_stack([XY, v]).reshape(-1).tolist(),
    }  # fmt: skip
    return {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [annotation | change],
        "categories": [{"id": 1, "name": "car", "keypoints": list(NAMES)}, {"id": 2, "name": "tree"}],
    }


def write_coco(path, content):
    path.write_text(json.dumps(content))
    return path


def test_deeplabcut_comes_back_as_it_was_written(tmp_path):
    xy, states = XY.copy(), ["visible", "self_occluded", "occluded", ""] * 3
    xy[3] = np.nan
    write_dlc(tmp_path / "a.csv", [("labeled-data/gate/img1.png", {"": (xy, states)})])
    (crop,) = read_deeplabcut(tmp_path / "a.csv")
    assert crop.image == tmp_path / "labeled-data/gate/img1.png"
    assert np.allclose(crop.xy, xy, equal_nan=True)
    assert crop.state.tolist() == [0, 1, 2, -1] * 3
    low, size = crop.box_xywh[:2], crop.box_xywh[2:]
    known = xy[~np.isnan(xy[:, 0])] + 0.5
    assert (known > low).all() and (known < low + size).all()
    assert size == pytest.approx(1.1 * np.ptp(known, axis=0))


def test_deeplabcut_of_several_vehicles_gives_each(tmp_path):
    rows = [
        ("d/g/1.png", {"one": (XY, [""] * 12), "two": (XY + 9, [""] * 12)}),
        ("d/g/2.png", {"two": (XY, [""] * 12)}),
    ]
    write_dlc(tmp_path / "a.csv", rows, people=True, state=False)
    crops = read_deeplabcut(tmp_path / "a.csv", tmp_path / "pictures")
    assert [c.image.name for c in crops] == ["1.png", "1.png", "2.png"]
    assert crops[1].xy == pytest.approx(XY + 9) and (crops[1].state == -1).all()
    assert crops[0].image.parent == tmp_path / "pictures/d/g"


def test_deeplabcuts_mistakes_are_told_in_one_line(tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(FileNotFoundError, match="no such label file"):
        read_deeplabcut(path)
    path.write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"a\.csv: expected a DeepLabCut header row 'bodyparts'"):
        read_deeplabcut(path)
    write_dlc(path, [("d/g/1.png", {"": (XY, ["visible"] * 12)})], names=("nose", *NAMES[1:]))
    with pytest.raises(ValueError, match="unknown body part 'nose'; expected right_front_wheel"):
        read_deeplabcut(path)
    write_dlc(path, [("d/g/1.png", {"": (XY[:11], ["visible"] * 11)})], names=NAMES[:11])
    with pytest.raises(ValueError, match="no columns for body part left_back_roof"):
        read_deeplabcut(path)
    write_dlc(path, [("d/g/1.png", {"": (XY, ["hidden"] * 12)})])
    with pytest.raises(ValueError, match=r"a\.csv:4: right_front_wheel: expected visible, .*got 'hidden'"):
        read_deeplabcut(path)
    path.write_text(path.read_text().replace("20.5", "here"))
    with pytest.raises(ValueError, match=r"a\.csv:4: right_front_wheel: expected two numbers"):
        read_deeplabcut(path)


@pytest.mark.parametrize(("option", "hidden"), [(False, 2), (True, 1)])
def test_coco_comes_back_as_it_was_written(tmp_path, option, hidden):
    (crop,) = read_coco(write_coco(tmp_path / "a.json", coco()), tmp_path, v1_self_occluded=option)
    known = np.arange(12) != 3
    assert crop.xy[known] == pytest.approx(XY[known]) and np.isnan(crop.xy[3]).all()
    assert crop.state.tolist() == [0, hidden, 1, -1, 0, 0, 0, 0, hidden, 0, 0, 1]
    assert crop.box_xywh.tolist() == [18, 28, 60, 35] and crop.image == tmp_path / "a.png"


def test_coco_in_another_order_of_keypoints_is_the_same(tmp_path):
    content = coco()
    turned = coco(keypoints=np.array(content["annotations"][0]["keypoints"]).reshape(12, 3)[::-1].reshape(-1).tolist())
    turned["categories"][0]["keypoints"] = list(NAMES[::-1])
    (one,) = read_coco(write_coco(tmp_path / "a.json", content), tmp_path)
    (other,) = read_coco(write_coco(tmp_path / "b.json", turned), tmp_path)
    assert np.allclose(one.xy, other.xy, equal_nan=True) and (one.state == other.state).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"images": []}, "not a COCO file: no annotations, categories"),
        (coco(image_id=5), "annotation 7: no image 5"),
        (coco(keypoints=[1, 2, 2]), "annotation 7: expected 3 numbers for each"),
        (coco(keypoints=[1, 2, 9] * 12), "annotation 7: expected v of 0, 1, 2 or 3, got"),
        (
            coco() | {"categories": [{"id": 1, "name": "car", "keypoints": ["nose"]}]},
            "'car' lacks keypoint right_front",
        ),
    ],
)
def test_cocos_mistakes_are_told_in_one_line(tmp_path, content, said):
    with pytest.raises(ValueError, match=said) as error:
        read_coco(write_coco(tmp_path / "a.json", content), tmp_path)
    assert "\n" not in str(error.value)


def test_labelled_crops_are_shown_as_they_are_or_varied(tmp_path):
    image = np.full((100, 120, 3), 30, np.uint8)
    image[60:63, 20:23] = (0, 0, 255)  # a red spot, BGR, under the first keypoint
    cv2.imwrite(str(tmp_path / "a.png"), image)
    crops = read_coco(write_coco(tmp_path / "a.json", coco()), tmp_path)
    plain = LabelledCrops(crops, 0, plain=True)[0]
    x, y = ((plain["cells"][0] + 0.5 - 4) * 4).long()
    assert plain["image"][0, y, x] > 200 and plain["image"][2, y, x] < 60
    varied = LabelledCrops(crops, 0)
    assert (varied[3]["image"] == varied[3]["image"]).all()
    unknown = {int(i) for n in range(20) for i in np.flatnonzero(np.isnan(varied[n]["cells"][:, 0].numpy()))}
    assert unknown == {2, 3}  # the left back wheel, and by mirroring the right one
    with pytest.raises(ValueError, match="expected at least one labelled vehicle"):
        LabelledCrops([], 0)


CASES = Path(__file__).parents[2] / "cases" / "labels"


def test_a_byte_order_mark_is_no_label():
    (crop,) = read_deeplabcut(CASES / "bom.csv")
    assert crop.xy[0].tolist() == [100, 50] and crop.image.name == "img0001.png"


def test_a_missing_field_is_named_or_not_needed(tmp_path):
    with pytest.raises(ValueError, match=r"no_bbox\.json: annotation 1: bbox: missing"):
        read_coco(CASES / "no_bbox.json", tmp_path)
    (crop,) = read_coco(CASES / "no_id.json", tmp_path)
    assert crop.xy[0].tolist() == [100, 50]


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_whatever_field_is_missing_or_nonsense_the_file_is_named(tmp_path, part):
    for field in coco()[part][0]:
        for wrong in (None, "x", {"deep": []}):
            content = coco()
            content[part][0] = {k: v for k, v in content[part][0].items() if k != field}
            if wrong is not None:
                content[part][0][field] = wrong
            try:
                read_coco(write_coco(tmp_path / "a.json", content), tmp_path)
            except ValueError as error:
                assert "a.json" in str(error) and "\n" not in str(error)
