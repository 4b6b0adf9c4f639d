"""BOP's models, placed by its poses and seen by its K, stand where the shards' solids stand."""

import json

import boxes
import cv2
import drawn_shards
import numpy as np
import pytest
import trimesh

from pipeline.composition.meshes import solid_of
from pipeline.core import masks


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Shards with depth."""
    return drawn_shards.write_clipart(tmp_path_factory.mktemp("deep"), geometry=True)


def scenes_of(folder):
    """(folder of a BOP scene, number of the picture, camera, poses, info) of every picture."""
    for path in sorted(folder.glob("*/0*")):
        camera, poses, info = (json.loads((path / f"scene_{n}.json").read_text()) for n in ("camera", "gt", "gt_info"))
        assert camera.keys() == poses.keys() == info.keys()
        for key in camera:
            yield path, int(key), camera[key], poses[key], info[key]


def by_picture(images, objects):
    """Placed objects of each picture's bytes."""
    placed = [row for row in objects.values() if row["R"] is not None]
    return {
        image["image"]["bytes"]: [row for row in placed if row["scene_id"] == image["scene_id"]]
        for image in images.values()
    }


def test_models_stand_where_the_solids_stand(exported, images, objects):
    folder, written = exported("bop")
    known, meshes, total = by_picture(images, objects), {}, 0
    for path, number, camera, poses, info in scenes_of(folder):
        rows = known[(path / f"rgb/{number:06d}.jpg").read_bytes()]
        assert len(poses) == len(info) == len(rows)
        K = np.reshape(camera["cam_K"], (3, 3))
        for k, (pose, about, row) in enumerate(zip(poses, info, rows, strict=True)):
            total += 1
            name = f"obj_{pose['obj_id']:06d}.ply"
            mesh = meshes.setdefault(name, trimesh.load(folder / "models" / name, process=False))
            R, t = np.reshape(pose["cam_R_m2c"], (3, 3)), np.array(pose["cam_t_m2c"])
            placed = mesh.vertices @ R.T + t
            assert np.allclose(placed, solid_of(row).vertices * 1000, atol=0.5)  # mm
            pixels = placed @ K.T
            assert np.allclose(pixels[:, :2] / pixels[:, 2:], boxes.CAMERA.project(solid_of(row).vertices), atol=0.1)
            for kind, where in (("amodal", "mask"), ("visible", "mask_visib")):
                mask = cv2.imread(str(path / where / f"{number:06d}_{k:06d}.png"), cv2.IMREAD_UNCHANGED)
                assert np.array_equal(mask > 0, masks.full(row[f"mask_{kind}_rle"], boxes.SIZE_HW))
            assert about["px_count_all"] == row["px_count_all"] and about["px_count_visib"] == row["px_count_visib"]
            assert abs(about["visib_fract"] - row["visible_fraction"]) < 1e-6
            hidden = row["bbox_visible_xywh"] is None
            assert about["bbox_visib"] == ([-1] * 4 if hidden else list(row["bbox_visible_xywh"]))
    assert total > 20 and f"{total} poses of {len(list(folder.glob('models/*.ply')))} models" in written.what


def test_models_are_upright_about_their_centre_in_millimetres(exported, objects):
    folder, _ = exported("bop")
    info = json.loads((folder / "models/models_info.json").read_text())
    assert set(info) == {str(int(path.stem[4:])) for path in folder.glob("models/*.ply")}
    for number, one in info.items():
        mesh = trimesh.load(folder / f"models/obj_{int(number):06d}.ply", process=False)
        assert np.allclose(mesh.bounds.mean(axis=0), 0, atol=0.01)
        assert np.allclose(mesh.bounds[0], [one["min_x"], one["min_y"], one["min_z"]], atol=0.01)
        spread = np.linalg.norm(mesh.vertices[:, None] - mesh.vertices[None], axis=2).max()
        assert one["diameter"] == pytest.approx(spread, abs=0.1)
    # Cars of one size and no fitted shape are one model.
    assert len(info) < sum(row["R"] is not None for row in objects.values())


def test_depth_is_in_millimetres_by_its_scale(deep, tmp_path):
    drawn_shards.export("bop", deep, tmp_path / "bop")
    for path, number, camera, _, info in scenes_of(tmp_path / "bop"):
        depth = cv2.imread(str(path / f"depth/{number:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16 and depth.shape == boxes.SIZE_HW
        # The ground below the picture's middle, by the plane alone, where no object can stand.
        ground_m = boxes.PLANE.intersect(boxes.CAMERA, np.array([0.0, 239.0]))[2]
        assert depth[239, 0] * camera["depth_scale"] == pytest.approx(1000 * ground_m, abs=6)
        assert all(0 < one["px_count_valid"] <= one["px_count_all"] for one in info)


def test_a_world_point_projects_by_its_matrices(exported):
    for _, _, camera, _, _ in scenes_of(exported("bop")[0]):
        R, t = np.reshape(camera["cam_R_w2c"], (3, 3)), np.array(camera["cam_t_w2c"])
        assert np.allclose(R @ [500, 9000, 0] + t, boxes.PLANE.to_camera(np.array([0.5, 9, 0])) * 1000)
