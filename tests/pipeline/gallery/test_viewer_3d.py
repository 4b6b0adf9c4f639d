import io

import numpy as np
import pytest
import trimesh
from boxes import CAMERA, PLANE, rows

from models.body_model import load_body
from models.shape_basis import load_bases
from pipeline.gallery.viewer_3d import COLOURS, GRID_M, scene_glb

IMAGE = {
    "K": CAMERA.K.ravel().tolist(),
    "distortion": CAMERA.distortion.tolist(),
    "ground_plane": [*PLANE.n, PLANE.d],
    "height": CAMERA.size_hw[0],
    "width": CAMERA.size_hw[1],
}


def objects():
    placed = [rows(n, xy, yaw)[1] for n, (xy, yaw) in enumerate([((0, 14), 0.4), ((3, 22), 1.2), ((-4, 30), 2.0)])]
    placed[1] |= {"shape": [0.5] * 8, "shape_basis": "car"}
    return placed


def load(glb):
    return trimesh.load_scene(io.BytesIO(glb), file_type="glb")


def test_solids_stand_in_the_world_where_their_poses_say():
    scene = load(scene_glb(IMAGE, objects()))
    assert {"object-0", "object-1", "object-2", "ground", "camera"} <= set(scene.graph.nodes)
    for rank, xy in enumerate([(0, 14), (3, 22), (-4, 30)]):
        vertices = scene.geometry[f"object-{rank}"].vertices
        assert vertices[:, 1].min() == pytest.approx(0, abs=0.03)
        np.testing.assert_allclose((vertices.min(axis=0) + vertices.max(axis=0))[[0, 2]] / 2, [xy[0], -xy[1]], atol=0.2)
    assert len(scene.geometry["object-1"].vertices) == len(load_bases()["car"].mesh_mean)


def test_the_ground_is_a_grid_of_metres_and_the_camera_stands_at_its_height():
    scene = load(scene_glb(IMAGE, objects()))
    ground, camera = scene.geometry["ground"].vertices, scene.geometry["camera"].vertices
    assert np.ptp(ground[:, 1]) == 0
    np.testing.assert_allclose(ground / GRID_M, np.rint(ground / GRID_M), atol=1e-6)
    np.testing.assert_allclose(np.abs(camera - (0, PLANE.d, 0)).sum(axis=1).min(), 0, atol=0.01)
    everything = np.concatenate([scene.geometry[f"object-{i}"].vertices for i in range(3)])
    assert (everything[:, [0, 2]] >= ground[:, [0, 2]].min(axis=0)).all()
    assert (everything[:, [0, 2]] <= ground[:, [0, 2]].max(axis=0)).all()


def test_objects_have_the_hue_of_their_rank():
    scene = load(scene_glb(IMAGE, objects()))
    for rank in range(3):
        found = np.array(scene.geometry[f"object-{rank}"].visual.material.baseColorFactor[:3], float)
        expected = np.array([int(COLOURS[rank][i : i + 2], 16) for i in (1, 3, 5)], float)
        np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=0.02)


def test_the_same_scene_gives_the_same_bytes_and_an_unknown_place_no_solid():
    things = objects()
    assert scene_glb(IMAGE, things) == scene_glb(IMAGE, things)
    things[0] |= {"R": None}
    scene = load(scene_glb(IMAGE, things))
    assert "object-0" not in scene.geometry and "object-1" in scene.geometry
    assert scene_glb(IMAGE, [thing | {"t": None} for thing in things]) is None


def test_an_object_said_to_be_far_off_does_not_make_a_grid_without_end():
    things = objects()
    things[2] |= {"t": [0.0, 0.0, 1e6]}
    assert np.abs(load(scene_glb(IMAGE, things)).geometry["ground"].vertices).max() <= 160


def test_a_fitted_person_is_there_with_all_of_its_body():
    things = objects()
    pose = {"body_model": load_body().name, "smpl_theta": [0.0] * 72, "smpl_beta": [0.0] * 10}
    things[1] |= pose | {"category": "person", "smpl_transl": [0.0, 0.0, 20.0]}
    found = load(scene_glb(IMAGE, things)).geometry["object-1"].vertices
    assert len(found) == len(load_body().v_template)
    # At no orientation a body stands along the camera's y; the world's axes are turned and in glTF's order.
    height = PLANE.to_camera(np.stack([found[:, 0], -found[:, 2], found[:, 1]], axis=1))
    assert 1.4 < np.ptp(height[:, 1]) < 2.0
    np.testing.assert_allclose(np.median(height[:, 2]), 20.0, atol=0.3)
