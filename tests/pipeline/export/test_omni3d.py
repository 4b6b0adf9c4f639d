"""Omni3D's corners follow from its centre, dimensions and rotation, and project where its 2D box says."""

import json

import boxes
import numpy as np

from pipeline.core import masks
from pipeline.export.shared.cuboids import cuboid_of


def omni3d_corners(centre, dimensions, R):
    """(8, 3) as Omni3D's readers make them: length along x, height along y, width along z."""
    width, height, length = dimensions
    corners = np.zeros((3, 8))
    corners[0, [0, 3, 4, 7]], corners[0, [1, 2, 5, 6]] = -length / 2, length / 2
    corners[1, [0, 1, 4, 5]], corners[1, [2, 3, 6, 7]] = -height / 2, height / 2
    corners[2, :4], corners[2, 4:] = -width / 2, width / 2
    return (np.array(R) @ corners).T + centre


def read(folder):
    contents = [json.loads((folder / f"drawn_{split}.json").read_text()) for split in ("train", "val")]
    return contents, {one["id"]: one for content in contents for one in content["annotations"]}


def test_the_box_in_space_is_the_shards_own(exported, objects, number_of):
    folder, written = exported("omni3d")
    _, found = read(folder)
    placed = 0
    for number, row in objects.items():
        one = found[number]
        assert one["image_id"] == number_of[row["scene_id"]] and one["category_name"] == row["category"]
        assert one["valid3D"] == (row["R"] is not None)
        if not one["valid3D"]:
            continue
        placed += 1
        corners = omni3d_corners(one["center_cam"], one["dimensions"], one["R_cam"])
        assert np.linalg.det(one["R_cam"]) > 0.999 and np.allclose(one["bbox3D_cam"], corners)
        assert np.allclose(corners, cuboid_of(row).corners_m)
        # The object's own box: along its axes, from the ground up.
        own = (corners - row["t"]) @ np.reshape(row["R"], (3, 3))
        l, w, h = row["dims_lwh_m"]
        assert np.allclose([own.min(axis=0), own.max(axis=0)], [[-l / 2, -w / 2, 0], [l / 2, w / 2, h]])
        pixels = boxes.CAMERA.project(corners) + 0.5
        assert np.allclose(one["bbox2D_proj"], [*pixels.min(axis=0), *pixels.max(axis=0)])
    assert placed > 20 and f"{placed} boxes in space" in written.what


def test_tight_boxes_are_of_what_is_seen(exported, objects):
    _, found = read(exported("omni3d")[0])
    for number, row in objects.items():
        x0, y0, x1, y1 = found[number]["bbox2D_tight"]
        if row["bbox_visible_xywh"] is None:
            assert (x0, y0, x1, y1) == (-1, -1, -1, -1)
        else:
            assert [x0, y0, x1 - x0, y1 - y0] == list(row["bbox_visible_xywh"])


def test_what_is_ignored_has_no_place_and_training_passes_over_it(exported, images, objects):
    contents, found = read(exported("omni3d")[0])
    ignored = [one for number, one in found.items() if number not in objects]
    for image in (one for content in contents for one in content["images"]):
        row = images[image["id"]]
        assert np.allclose(image["K"], boxes.CAMERA.K) and image["scene_id"] == row["scene_id"]
        here = [one for one in ignored if one["image_id"] == image["id"]]
        assert len(here) == len(row["ignore_rle"]) + sum(one is None for one in row["ignore_category"])
        corners = {tuple(one["bbox2D_tight"]) for one in here}
        regions = [masks.decode(rle, boxes.SIZE_HW)[1] for rle in row["ignore_rle"]]
        assert corners == {(x, y, x + w, y + h) for x, y, w, h in regions}
        assert not any(one["valid3D"] for one in here)
