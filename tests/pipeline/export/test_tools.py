"""Masks that CVAT and Label Studio show are the shards' own, as this project's own reader of CVAT finds them, too."""

import json

import boxes
import numpy as np
from defusedxml import ElementTree
from pycocotools import mask as coco

from models.labels.cvat import read_cvat
from pipeline.core import masks
from pipeline.core.skeletons import OF_CATEGORY


def by_scene(objects):
    scenes = {}
    for number, row in objects.items():
        scenes.setdefault(row["scene_id"], []).append((number, row))
    return scenes


def test_cvats_masks_are_the_shards_and_what_no_higher_one_covers_is_seen(exported, images, objects):
    folder, written = exported("cvat")
    pictures = read_cvat(folder / "annotations.xml")
    assert len(pictures) == len(images) and f"{len(objects)} masks" in written.what
    for picture, image in zip(pictures, images.values(), strict=True):
        assert picture.name == image["image"]["path"].split("/")[-1] and picture.size_hw == boxes.SIZE_HW
        assert (folder / "images" / picture.name).read_bytes() == image["image"]["bytes"]
        ignored = [shape for shape in picture.shapes if shape.label == "ignore"]
        regions = [masks.full(rle, boxes.SIZE_HW) for rle in image["ignore_rle"]]
        assert [shape.mask(boxes.SIZE_HW).astype(bool).tolist() for shape in ignored] == [r.tolist() for r in regions]
        shapes = [shape for shape in picture.shapes if shape.label != "ignore"]
        rows = by_scene(objects)[image["scene_id"]]
        assert len(shapes) == len(rows)
        covered = np.zeros(boxes.SIZE_HW, bool)
        stacked = sorted(zip(shapes, rows, strict=True), key=lambda one: -int(one[0].place["z_order"]))
        for shape, (number, row) in stacked:
            whole = shape.mask(boxes.SIZE_HW).astype(bool)
            assert np.array_equal(whole, masks.full(row["mask_amodal_rle"], boxes.SIZE_HW))
            seen = masks.full(row["mask_visible_rle"], boxes.SIZE_HW)
            assert not (seen & covered).any() and shape.label == row["category"]
            covered |= whole
            assert shape.occluded == (row["px_count_visib"] < row["px_count_all"])
            assert shape.attributes["object_id"] == str(number)
            assert shape.attributes["track_id"] == str(row["track_id"])


def test_cvats_skeletons_have_every_point_in_order(exported, images, objects):
    root = ElementTree.parse(exported("cvat")[0] / "annotations.xml").getroot()
    known = json.loads((exported("cvat")[0] / "labels.json").read_text())
    sublabels = {one["name"]: [point["name"] for point in one.get("sublabels", [])] for one in known}
    found = {int(one.get("group_id")): one for one in root.iter("skeleton")}
    expected = {number: row for number, row in objects.items() if row["keypoints_2d"] is not None}
    assert found.keys() == expected.keys()
    for number, row in expected.items():
        points = list(found[number])
        names = list(OF_CATEGORY[row["category"]].names)
        assert [point.get("label") for point in points] == names == sublabels[found[number].get("label")]
        places = np.array([list(map(float, point.get("points").split(","))) for point in points])
        assert np.allclose(places - 0.5, np.reshape(row["keypoints_2d"], (-1, 2)), atol=0.006)
        states = np.array(row["keypoint_state"])
        assert [point.get("outside") == "1" for point in points] == (states == "truncated").tolist()
        hidden = np.isin(states, ["occluded", "self_occluded"])
        assert [point.get("occluded") == "1" for point in points] == hidden.tolist()


def test_label_studios_parts_are_the_mask(exported, images, objects):
    folder, _ = exported("label_studio")
    tasks = json.loads((folder / "labels.json").read_text())
    assert [task["data"]["scene_id"] for task in tasks] == [row["scene_id"] for row in images.values()]
    interface = ElementTree.parse(folder / "label_config.xml").getroot()
    labels = {tag: [one.get("value") for one in interface.find(tag)] for tag in ("PolygonLabels", "KeyPointLabels")}
    size = np.array(boxes.SIZE_HW[::-1])
    for task in tasks:
        assert (folder / "images" / task["data"]["image"].split("/")[-1]).is_file()
        regions = task["predictions"][0]["result"]
        polygons, points = {}, {}
        for one in regions:
            value, (name, _, _) = one["value"], one["id"].replace("-", ".").partition(".")
            if one["type"] == "polygonlabels":
                assert value["polygonlabels"][0] in labels["PolygonLabels"]
                corners = (np.array(value["points"]) / 100 * size).round(9)
                polygons.setdefault(name, []).append(corners.ravel().tolist())
            else:
                assert value["keypointlabels"][0] in labels["KeyPointLabels"]
                points[one["id"]] = np.array([value["x"], value["y"]]) / 100 * size - 0.5
        for number, row in by_scene(objects)[task["data"]["scene_id"]]:
            mask = coco.decode(coco.merge(coco.frPyObjects(polygons[str(number)], *boxes.SIZE_HW)))
            assert np.array_equal(mask, masks.full(row["mask_amodal_rle"], boxes.SIZE_HW))
            if row["keypoints_2d"] is None:
                continue
            for k, (x, y) in enumerate(np.reshape(row["keypoints_2d"], (-1, 2))):
                key = f"{number}-{k}"
                assert (key in points) == (row["keypoint_state"][k] != "truncated")
                assert key not in points or np.allclose(points[key], [x, y])
