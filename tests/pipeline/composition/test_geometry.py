"""Two boxes on a plane that a level camera sees, at 10 m and, beside and behind it, at 20 m."""

import cv2
import numpy as np
import pytest
import trimesh

from calibration.camera import Camera, GroundPlane
from pipeline.composition.meshes import SceneGeometry, Solid, depth_png, normals_png

SIZE_HW = (120, 160)
CAMERA = Camera(np.array([[100.0, 0, 79.5], [0, 100, 59.5], [0, 0, 1]]), SIZE_HW)
LEVEL = GroundPlane(np.array([0.0, -1.0, 0.0]), 1.5)


def upright(x, front_m, width=2.0, height=2.0, deep=3.0):
    """A box that faces the camera with its front at a depth; it stands on the ground of LEVEL."""
    cube = trimesh.creation.box(extents=(width, height, deep))
    centre = (x, LEVEL.d - height / 2, front_m + deep / 2)
    return Solid(cube.vertices + centre, cube.faces.astype(np.int32))


NEAR, FAR = upright(0.0, 10.0), upright(1.5, 20.0)


def pixel(x, y, z):
    column, row = np.rint(CAMERA.project(np.array([x, y, z]))).astype(int)
    return row, column


@pytest.fixture(scope="module")
def seen():
    return SceneGeometry(CAMERA, LEVEL).render([FAR, NEAR])


def test_fronts_have_their_depth_and_face_the_camera(seen):
    depth, normals = seen
    for place, expected in (((0.0, 0.5, 10.0), 10.0), ((2.2, 0.5, 20.0), 20.0)):
        assert depth[pixel(*place)] == pytest.approx(expected, abs=1e-4)
        np.testing.assert_allclose(normals[pixel(*place)], [0, 0, -1], atol=1e-5)


def test_the_nearer_box_hides_the_farther_one_in_whatever_order_they_come(seen):
    overlap = pixel(0.9, 0.5, 10.0)
    assert seen[0][overlap] == pytest.approx(10.0)
    for mine, swapped in zip(seen, SceneGeometry(CAMERA, LEVEL).render([NEAR, FAR]), strict=True):
        np.testing.assert_array_equal(mine, swapped)


def test_the_ground_has_the_planes_depth_and_normal():
    plane = GroundPlane.from_tilt(14, 3, 5.0)
    depth, normals = SceneGeometry(CAMERA, plane).render([])
    rows, columns = np.nonzero(depth)
    p = np.stack([columns, rows, np.ones(len(rows))])
    np.testing.assert_allclose(depth[rows, columns], -plane.d / (plane.n @ np.linalg.inv(CAMERA.K) @ p), rtol=1e-6)
    np.testing.assert_allclose(normals[rows, columns], np.broadcast_to(plane.n, (len(rows), 3)))
    slope = np.einsum("i,ij,jhw->hw", plane.n, np.linalg.inv(CAMERA.K), np.stack(_grid()))
    np.testing.assert_array_equal(depth > 0, slope < -1e-4)
    assert (normals.any(axis=-1) == (depth > 0)).all()


def _grid():
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return x, y, np.ones(SIZE_HW)


def test_every_surface_faces_the_camera(seen):
    depth, normals = seen
    x, y, one = _grid()
    rays = np.stack([x, y, one], axis=-1) @ np.linalg.inv(CAMERA.K).T
    there = depth > 0
    assert ((normals * rays).sum(axis=-1)[there] < 0).all()
    np.testing.assert_allclose(np.linalg.norm(normals[there], axis=-1), 1, atol=1e-5)


def test_the_nearest_of_ground_and_boxes_is_kept(seen):
    ground, _ = SceneGeometry(CAMERA, LEVEL).render([])
    both = (seen[0] > 0) & (ground > 0)
    assert (seen[0][both] <= ground[both] + 1e-3).all()
    buried = Solid(NEAR.vertices + (0, 5, 0), NEAR.triangles)
    np.testing.assert_array_equal(SceneGeometry(CAMERA, LEVEL).render([buried])[0], ground)


def test_the_lens_moves_the_geometry_as_it_moves_pixels():
    lens = Camera(CAMERA.K, SIZE_HW, np.array([-0.3, 0.05, 0.0, 0.0, 0.0]))
    depth, _ = SceneGeometry(lens, LEVEL).render([NEAR, FAR])
    column, row = np.rint(lens.project(np.array([2.2, 0.5, 20.0]))).astype(int)
    assert depth[row, column] == pytest.approx(20.0, abs=1e-4)


def test_pictures_keep_centimetres_and_directions(seen):
    depth, normals = seen
    centimetres = cv2.imdecode(np.frombuffer(depth_png(depth), np.uint8), cv2.IMREAD_UNCHANGED)
    assert centimetres.dtype == np.uint16
    kept = depth < 655
    assert np.abs(centimetres[kept] / 100 - depth[kept]).max() <= 0.005 + 1e-6
    assert (centimetres[~kept & (depth > 655.4)] == 0).all()
    rgb = cv2.imdecode(np.frombuffer(normals_png(normals), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(float)
    there = normals.any(axis=-1)
    assert np.abs(rgb[there] / 127.5 - 1 - normals[there]).max() <= 0.5 / 127.5 + 1e-6
    assert (rgb[~there] == 0).all() and (rgb[there].sum(axis=-1) > 0).all()
    np.testing.assert_array_equal(rgb[pixel(0.0, 0.5, 10.0)], [128, 128, 0])
