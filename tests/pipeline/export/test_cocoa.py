"""COCOA's regions give the shards' masks under COCO's rules, and its pairs say who hides whom."""

import json

import boxes
from pycocotools import mask as coco

from pipeline.core import masks


def regions(folder):
    """(annotation, its regions by our number) of every picture."""
    for split in ("train", "val"):
        for one in json.loads((folder / f"COCO_amodal_{split}.json").read_text())["annotations"]:
            yield one, {region["id"]: region for region in one["regions"] if not region["isStuff"]}


def test_a_regions_polygon_and_masks_are_the_shards_own(exported, objects):
    found = {number: region for _, named in regions(exported("cocoa")[0]) for number, region in named.items()}
    assert found.keys() == objects.keys()
    for number, row in objects.items():
        one = found[number]
        # A region of COCOA is one polygon.
        whole = coco.decode(coco.frPyObjects([one["segmentation"]], *boxes.SIZE_HW))[..., 0]
        assert (whole == masks.full(row["mask_amodal_rle"], boxes.SIZE_HW)).all()
        hidden = row["px_count_all"] > row["px_count_visib"]
        assert ("visible_mask" in one) == ("invisible_mask" in one) == hidden
        if hidden:
            seen, unseen = coco.decode(one["visible_mask"]), coco.decode(one["invisible_mask"])
            assert (seen == masks.full(row["mask_visible_rle"], boxes.SIZE_HW)).all()
            assert (seen + unseen == whole).all()
        assert abs(one["occlude_rate"] - (1 - row["visible_fraction"])) < 1e-6


def test_the_pairs_are_who_hides_whom(exported, objects):
    for one, named in regions(exported("cocoa")[0]):
        order = {region["order"]: objects[number] for number, region in named.items()}
        pairs = {tuple(map(int, pair.split("-"))) for pair in one["depth_constraint"].split(",") if pair}
        assert all(near < far for near, far in pairs)
        for place, row in order.items():
            hiding = {order[near]["object_id"] for near, far in pairs if far == place}
            assert hiding == set(row["occluder_ids"])
            assert place == row["depth_order"] + 1


def test_regions_to_ignore_are_stuff_behind_all(exported, images):
    for one, named in regions(exported("cocoa")[0]):
        stuff = [region for region in one["regions"] if region["isStuff"]]
        expected = images[one["image_id"]]["ignore_rle"]
        assert [region["name"] for region in stuff] == ["ignore"] * len(expected)
        for region, rle in zip(stuff, expected, strict=True):
            mask = coco.decode(coco.frPyObjects([region["segmentation"]], *boxes.SIZE_HW))[..., 0]
            assert (mask == masks.full(rle, boxes.SIZE_HW)).all() and region["order"] > len(named)
        assert one["size"] == len(one["regions"])
