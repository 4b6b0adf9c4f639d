"""Corners computed as KITTI's development kit does, and projected with P2, fall where the object's own box projects."""

import boxes
import cv2
import numpy as np
import pytest

from calibration.camera import Camera
from pipeline.export.kitti import KittiSettings
from pipeline.export.shared.cuboids import Cuboid, cuboid_of, heading_rad, levelled, observed_rad, row_of


def kit_corners(h, w, l, x, y, z, heading):
    """(8, 3), as computeBox3D of the kit: x along the length, y down from the bottom's centre, turned about y."""
    corners = [[l / 2, l / 2, -l / 2, -l / 2] * 2, [0] * 4 + [-h] * 4, [w / 2, -w / 2, -w / 2, w / 2] * 2]
    c, s = np.cos(heading), np.sin(heading)
    return (np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ corners).T + [x, y, z]


def project(P, points):
    pixels = np.column_stack([points, np.ones(len(points))]) @ P.T
    return pixels[:, :2] / pixels[:, 2:]


def labels(folder, number):
    lines = (folder / f"training/label_2/{number:06d}.txt").read_text().splitlines()
    return [(line.split()[0], np.array(line.split()[1:], float)) for line in lines]


def projection(folder, number):
    rows = dict(line.split(": ") for line in (folder / f"training/calib/{number:06d}.txt").read_text().splitlines())
    assert rows["R0_rect"].split() == ["1", "0", "0", "0", "1", "0", "0", "0", "1"]
    return np.array(rows["P2"].split(), float).reshape(3, 4)


def seen(objects, image):
    return [row for row in objects.values() if row["scene_id"] == image["scene_id"] and row["px_count_visib"]]


def test_every_corner_projects_to_its_pixel(exported, images, objects):
    folder, written = exported("kitti")
    placed, worst = 0, 0.0
    for number, image in images.items():
        found = [one for one in labels(folder, number) if one[0] != "DontCare"]
        rows = seen(objects, image)
        assert len(found) == len(rows)
        P = projection(folder, number)
        for (kind, values), row in zip(found, rows, strict=True):
            wanted = {"van": "Van", "bus": "Truck", "bicycle": "Cyclist"}.get(row["subcategory"], "Car")
            assert kind == ("Pedestrian" if row["category"] == "person" else wanted)
            x, y, w, h = row["bbox_amodal_xywh"]
            assert np.allclose(values[3:7], [x, y, x + w - 1, y + h - 1], atol=0.01)
            if row["R"] is None:
                assert values[7:].tolist() == [-1, -1, -1, -1000, -1000, -1000, -10]
                continue
            placed += 1
            # Corner by corner: no order is agreed, so each finds its nearest.
            expected = boxes.CAMERA.project(cuboid_of(row).corners_m)
            apart = np.linalg.norm(project(P, kit_corners(*values[7:]))[:, None] - expected[None], axis=2)
            worst = max(worst, apart.min(axis=1).max(), apart.min(axis=0).max())
            assert abs(values[2] - observed_rad(values[13], values[10:13])) < 1e-5
    assert placed > 20 and worst < 0.01
    assert f"{placed} boxes in space" in written.what


def test_the_heading_is_where_the_object_faces(exported, images, objects):
    folder, _ = exported("kitti")
    for number, image in images.items():
        for (kind, values), row in zip(labels(folder, number), seen(objects, image), strict=False):
            if kind != "DontCare" and row["R"] is not None:
                forward = levelled(boxes.PLANE) @ np.reshape(row["R"], (3, 3))[:, 0]
                assert np.allclose([np.cos(values[13]), 0, -np.sin(values[13])], forward, atol=1e-5)


def test_pictures_splits_and_regions(exported, images):
    folder, _ = exported("kitti")
    for number, image in images.items():
        picture = cv2.imread(str(folder / f"training/image_2/{number:06d}.png"))
        jpeg = cv2.imdecode(np.frombuffer(image["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(picture, jpeg)
        ignored = [values for kind, values in labels(folder, number) if kind == "DontCare"]
        assert len(ignored) == len(image["ignore_rle"])
        if len(ignored) == 2:
            assert ignored[0][3:7].tolist() == [100, 120, 189, 179] and ignored[1][3:7].tolist() == [0, 0, 8, 8]
    for split in ("train", "val"):
        names = (folder / f"ImageSets/{split}.txt").read_text().split()
        assert names == [f"{k:06d}" for k, image in images.items() if image["split"] == split]


def test_the_cameras_own_axes_have_its_K_and_the_ground_beside(exported, images, objects):
    folder, written = exported("kitti", KittiSettings(frame="camera"))
    assert "tilt" in written.left_out
    for number, image in images.items():
        assert np.allclose(projection(folder, number), np.column_stack([boxes.CAMERA.K, np.zeros(3)]))
        plane = np.array((folder / f"training/denorm/{number:06d}.txt").read_text().split(), float)
        assert np.allclose(plane, [*boxes.PLANE.n, boxes.PLANE.d], atol=1e-8)
        for (_, values), row in zip(labels(folder, number), seen(objects, image), strict=False):
            if row["R"] is not None:
                assert np.allclose(values[10:13], row["t"], atol=1e-5)


def test_a_lens_is_told_where_it_is_left_out():
    bent = Camera(boxes.CAMERA.K, boxes.SIZE_HW, np.array([-0.2, 0.02, 0, 0, 0]))
    straight = bent.rays(np.zeros((1, 2))) @ bent.K.T
    assert np.abs(straight[:, :2]).max() > 5
    with pytest.raises(ValueError, match="--kitti-frame: expected one of level, camera, got 'world'"):
        KittiSettings(frame="world")


def test_a_box_there_and_back(objects):
    for row in objects.values():
        if row["R"] is not None:
            back = row_of(cuboid_of(row))
            assert all(np.allclose(back[name], row[name]) for name in ("R", "t", "dims_lwh_m"))


def test_a_car_drawn_by_hand():
    # 4 m ahead and 1 m right of a level camera 1.5 m up, facing away: KITTI says -pi / 2.
    R = np.array([[0, -1.0, 0], [0, 0, -1], [1, 0, 0]])
    car = cuboid_of({"R": R.ravel(), "t": [1, 1.5, 4], "dims_lwh_m": [4.0, 2.0, 1.0]})
    assert isinstance(car, Cuboid)
    assert heading_rad(car.forward) == pytest.approx(-np.pi / 2)
    assert car.bottom_m == pytest.approx([1, 1.5, 4]) and car.centre_m == pytest.approx([1, 1.0, 4])
    assert car.corners_m.min(axis=0) == pytest.approx([0, 0.5, 2])
    assert car.corners_m.max(axis=0) == pytest.approx([2, 1.5, 6])
    assert observed_rad(-np.pi / 2, np.array([1, 1.5, 4])) == pytest.approx(-np.pi / 2 - np.arctan2(1, 4))
