"""supervision reads the outlines, and the keypoints stand where the shards have them."""

import boxes
import cv2
import numpy as np
import pytest
import yaml

from pipeline.core import masks
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.export.yolo import YoloPoseSettings, YoloSettings

HEIGHT, WIDTH = boxes.SIZE_HW


def labels_of(folder, image):
    name = image["image"]["path"].split("/")[-1].removesuffix(".jpg")
    return [line.split() for line in (folder / f"labels/{image['split']}/{name}.txt").read_text().splitlines()]


def rows_of(objects, image):
    return [row for row in objects.values() if row["scene_id"] == image["scene_id"]]


@pytest.mark.parametrize(("kind", "count"), [("amodal", "px_count_all"), ("visible", "px_count_visib")])
def test_an_outline_filled_at_eight_times_the_size_is_the_mask(exported, images, objects, kind, count):
    folder, _ = exported("yolo", YoloSettings(masks=kind))
    about = yaml.safe_load((folder / "data.yaml").read_text())
    assert about == {"train": "images/train", "val": "images/val", "names": {0: "person", 1: "vehicle"}}
    for image in images.values():
        rows = [row for row in rows_of(objects, image) if row[count]]
        lines = labels_of(folder, image)
        assert [about["names"][int(line[0])] for line in lines] == [row["category"] for row in rows]
        for line, row in zip(lines, rows, strict=True):
            corners = np.array(line[1:], float).reshape(-1, 2) * [WIDTH, HEIGHT]
            large = np.zeros((8 * HEIGHT, 8 * WIDTH), np.uint8)
            cv2.fillPoly(large, [np.rint(8 * corners).astype(np.int32)], 1)
            # Its own border counts as filled: pixel centres do not see that.
            assert (large[4::8, 4::8] == masks.full(row[f"mask_{kind}_rle"], boxes.SIZE_HW)).all()


def test_supervision_reads_as_many_masks_of_the_same_shapes(exported, images, objects):
    supervision = pytest.importorskip("supervision")
    folder, _ = exported("yolo", YoloSettings())
    for split in ("train", "val"):
        found = supervision.DetectionDataset.from_yolo(
            str(folder / "images" / split), str(folder / "labels" / split), str(folder / "data.yaml"), force_masks=True
        )
        here = {row["image"]["path"].split("/")[-1]: row for row in images.values() if row["split"] == split}
        assert len(found) == len(here)
        for path, picture, detections in found:
            rows = rows_of(objects, here[path.split("/")[-1]])
            assert picture.shape[:2] == boxes.SIZE_HW and len(detections) == len(rows)
            for mask, row in zip(detections.mask, rows, strict=True):
                expected = masks.full(row["mask_amodal_rle"], boxes.SIZE_HW)
                # It fills the pixels that an edge touches, too.
                assert mask[expected].mean() > 0.98 and (mask & expected).sum() / (mask | expected).sum() > 0.8


@pytest.mark.parametrize("category", ["person", "vehicle"])
def test_keypoints_are_where_the_shards_have_them(exported, images, objects, category):
    folder, written = exported("yolo_pose", YoloPoseSettings(category=category))
    skeleton = OF_CATEGORY[category]
    about = yaml.safe_load((folder / "data.yaml").read_text())
    assert about["kpt_shape"] == [len(skeleton), 3] and about["flip_idx"] == list(skeleton.flip)
    total = 0
    for image in images.values():
        rows = [r for r in rows_of(objects, image) if r["category"] == category and r["keypoints_2d"] is not None]
        lines = labels_of(folder, image)
        total += len(lines)
        assert len(lines) == len(rows)
        for line, row in zip(lines, rows, strict=True):
            values = np.array(line, float)
            assert values[0] == 0 and len(values) == 5 + 3 * len(skeleton)
            x, y, w, h = values[1:5] * [WIDTH, HEIGHT, WIDTH, HEIGHT]
            assert np.allclose([x - w / 2, y - h / 2, w, h], row["bbox_amodal_xywh"], atol=2e-3)
            points = values[5:].reshape(-1, 3)
            state = np.array(row["keypoint_state"])
            assert (points[:, 2] == np.select([state == "visible", state == "truncated"], [2, 0], 1)).all()
            known = points[:, 2] > 0
            place = points[known, :2] * [WIDTH, HEIGHT] - 0.5
            assert np.allclose(place, np.reshape(row["keypoints_2d"], (-1, 2))[known], atol=2e-3)
            assert not points[~known].any()
    assert total and f"keypoints of {total} objects" in written.what


def test_a_setting_of_another_name_is_refused():
    with pytest.raises(ValueError, match="--yolo-masks: expected one of amodal, visible, got 'whole'"):
        YoloSettings(masks="whole")
    with pytest.raises(ValueError, match="--yolo-pose-category: expected one of person, vehicle, got 'car'"):
        YoloPoseSettings(category="car")
