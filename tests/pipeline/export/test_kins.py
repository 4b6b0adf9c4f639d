"""pycocotools reads KINS's whole masks, and both versions of its fields say the same."""

import contextlib
import io

import boxes
import networkx
import numpy as np
from pycocotools import mask as coco
from pycocotools.coco import COCO

from pipeline.core import masks


def read(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def annotations(folder):
    return {k: one for split in ("train", "val") for k, one in read(folder / f"instances_{split}.json").anns.items()}


def test_both_masks_are_the_shards_own(exported, objects, number_of):
    folder, written = exported("kins")
    found = {k: one for k, one in annotations(folder).items() if not one["iscrowd"]}
    assert found.keys() == objects.keys() and f"{len(objects)} objects" in written.what
    for number, row in objects.items():
        one = found[number]
        rles = coco.frPyObjects(one["segmentation"], *boxes.SIZE_HW)
        assert (coco.decode(coco.merge(rles)) == masks.full(row["mask_amodal_rle"], boxes.SIZE_HW)).all()
        assert (coco.decode(one["inmodal_seg"]) == masks.full(row["mask_visible_rle"], boxes.SIZE_HW)).all()
        assert (one["area"], one["inmodal_area"]) == (row["px_count_all"], row["px_count_visib"])
        assert one["image_id"] == number_of[row["scene_id"]] and one["bbox"] == list(row["bbox_amodal_xywh"])
        same = {"a_segm": "segmentation", "a_bbox": "bbox", "a_area": "area", "i_segm": "inmodal_seg"}
        same |= {"i_bbox": "inmodal_bbox", "i_area": "inmodal_area"}
        assert all(one[new] == one[old] for new, old in same.items())


def test_groups_are_the_objects_that_hide_each_other_in_order(exported, objects):
    found = annotations(exported("kins")[0])
    scenes = {}
    for number, row in objects.items():
        scenes.setdefault(row["scene_id"], []).append((number, row))
    for rows in scenes.values():
        graph = networkx.Graph()
        graph.add_nodes_from(row["object_id"] for _, row in rows)
        graph.add_edges_from((row["object_id"], other) for _, row in rows for other in row["occluder_ids"])
        number_of = {row["object_id"]: number for number, row in rows}
        expected = [[number_of[one] for one in sorted(group)] for group in networkx.connected_components(graph)]
        groups = {}
        for number, _ in rows:
            groups.setdefault(found[number]["oco_id"], []).append((found[number]["ico_id"], number))
        # Objects are nearest first, and so are the places in a group.
        assert sorted([number for _, number in sorted(group)] for group in groups.values()) == sorted(expected)
        assert all([place for place, _ in sorted(group)] == list(range(len(group))) for group in groups.values())


def test_regions_to_ignore_are_crowds_of_whatever_they_may_hide(exported, images):
    found = [one for one in annotations(exported("kins")[0]).values() if one["iscrowd"]]
    for number, row in images.items():
        here = [one for one in found if one["image_id"] == number]
        # The ghost's category is not known: one crowd of each.
        assert len(here) == len(row["ignore_rle"]) + sum(one is None for one in row["ignore_category"])
        regions = [masks.full(rle, boxes.SIZE_HW) for rle in row["ignore_rle"]]
        assert all(any((coco.decode(one["segmentation"]) == region).all() for region in regions) for one in here)
    assert found and not np.isin([one["id"] for one in found], [0]).any()
