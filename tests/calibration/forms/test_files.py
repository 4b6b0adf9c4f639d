"""Cameras as other programs write them: the same numbers come back; what is no camera is one line."""

import json

import cv2
import numpy as np
import pytest
from footage import REAL

from calibration.camera import GroundPlane
from calibration.forms.files import read_camera_file, read_kitti, read_plane, split_projection

K = np.array([[1100.5, 0, 951.25], [0, 1098.0, 540.75], [0, 0, 1]])
LENS = np.array([-0.31, 0.12, 0.001, -0.002, -0.02])
R, T = cv2.Rodrigues(np.array([1.9, 0.1, -0.2]))[0], np.array([1.0, -2.5, 7.75])


def opencvs(path, **more):
    """As cv2.FileStorage writes it; its name says the format."""
    store = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in {"camera_matrix": K, "distortion_coefficients": LENS.reshape(1, -1), **more}.items():
        store.write(name, value)
    store.release()
    return path


def ros(path):
    """ROS's camera_info."""
    path.write_text(
        f"image_width: 1920\nimage_height: 1080\ncamera_name: gate\ndistortion_model: plumb_bob\n"
        f"camera_matrix:\n  rows: 3\n  cols: 3\n  data: {K.ravel().tolist()}\n"
        f"distortion_coefficients: {{rows: 1, cols: 5, data: {LENS.tolist()}}}\n"
    )
    return path


def plain(path):
    """Lists in JSON, as people write them."""
    path.write_text(json.dumps({"K": K.tolist(), "dist": LENS.tolist(), "image_size": [1920, 1080]}))
    return path


@pytest.mark.parametrize(
    ("write", "name"),
    [*((opencvs, f"a.{kind}") for kind in ("yml", "yaml", "json", "xml")), (ros, "info.yaml"), (plain, "c.json")],
)
def test_k_and_lens_are_read_from_every_format(tmp_path, write, name):
    found = read_camera_file(write(tmp_path / name))
    np.testing.assert_allclose(found.K, K)
    np.testing.assert_allclose(found.distortion, LENS)
    assert not found.fisheye and found.R is None
    assert found.size_hw == (None if write is opencvs else (1080, 1920))


@pytest.mark.parametrize(
    "pose", [{"R": R, "t": T.reshape(3, 1)}, {"rvec": cv2.Rodrigues(R)[0], "tvec": T.reshape(1, 3)}]
)
def test_a_pose_is_read_as_matrix_or_vector(tmp_path, pose):
    found = read_camera_file(opencvs(tmp_path / "a.yml", image_width=1280, image_height=720, **pose))
    np.testing.assert_allclose(found.R, R, atol=1e-12)
    np.testing.assert_allclose(found.t, T)
    assert found.size_hw == (720, 1280)


@pytest.mark.parametrize("model", ["equidistant", "fisheye", "Kannala_Brandt4"])
def test_a_fisheye_is_one_where_the_file_says_so(tmp_path, model):
    assert read_camera_file(opencvs(tmp_path / "a.yml", distortion_model=model)).fisheye


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yml", "fps: 3", "no camera matrix: expected camera_matrix or K, it holds fps"),
        ("a.yml", "a: [", "not YAML"),
        ("a.yml", "- 1", "expected names with values"),
        ("a.yml", "K: [[1, 0, 2], [0, 1, 2]]", "camera_matrix: expected 3 x 3 numbers, got 6"),
        ("a.yml", "K: [[a, 0, 2], [0, 1, 2], [0, 0, 1]]", "camera_matrix: expected numbers, got"),
        ("a.yml", "K: [[1, 0, 2], [0, 1, 2], [0, 0, 1]]\nrvec: [1, 2]", "R: expected 3 x 3 numbers or .* got 2"),
        ("a.yml", "K: !!python/name:os.system {}", "not YAML"),
        ("a.json", "{", "not JSON"),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a><K>&b;</K></a>", "not plain XML"),
    ],
)
def test_what_is_no_camera_is_one_line_with_the_file(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_camera_file(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_projection_is_k_and_the_shift_of_its_frame(tmp_path):
    shift = np.array([-0.54, 0.01, 0.02])
    P = K @ np.column_stack([np.eye(3), shift])
    (tmp_path / "000000.txt").write_text("P0: 1\nP2: " + " ".join(map(repr, P.ravel().tolist())) + "\nTr: 1 2\n")
    found = read_kitti(tmp_path / "000000.txt", "P2")
    np.testing.assert_allclose(split_projection(found)[0], K)
    np.testing.assert_allclose(split_projection(found)[1], shift, atol=1e-12)
    with pytest.raises(ValueError, match="no line 'P7': it holds P0, P2, Tr; choose with kitti_camera"):
        read_kitti(tmp_path / "000000.txt", "P7")
    with pytest.raises(ValueError, match="P0: expected 12 numbers, got 1"):
        read_kitti(tmp_path / "000000.txt", "P0")


def test_a_projection_that_turns_is_refused():
    with pytest.raises(ValueError, match="one that turns, too: give its K, R and t"):
        split_projection(K @ np.column_stack([R, T]))


def test_planes_of_kitti_and_rope3d(tmp_path):
    (tmp_path / "kitti.txt").write_text("# Plane\nWidth 4\nHeight 1\n-7.0e-03 -9.9e-01 -5.0e-02 1.65e+00\n")
    assert read_plane(tmp_path / "kitti.txt").tolist() == [-0.007, -0.99, -0.05, 1.65]
    (tmp_path / "none.txt").write_text("nothing\n")
    with pytest.raises(ValueError, match=r"none\.txt: expected a line of four numbers"):
        read_plane(tmp_path / "none.txt")


@pytest.mark.skipif(not (REAL / "rope3d").exists(), reason="Rope3D is not here")
def test_the_cars_of_rope3d_stand_on_its_plane():
    (label,), (calib,), (denorm,) = ((REAL / "rope3d" / d).glob("*.txt") for d in ("label_2", "calib", "denorm"))
    fitted, shift = split_projection(read_kitti(calib, "P2"))
    assert fitted[0, 0] == pytest.approx(2763.2, abs=0.1) and not shift.any()
    a = read_plane(denorm)
    plane = GroundPlane(a[:3] / np.linalg.norm(a[:3]), a[3] / np.linalg.norm(a[:3]))
    rows = [line.split() for line in label.read_text().splitlines()]
    feet = np.array([list(map(float, row[11:14])) for row in rows if row[0] == "car"])
    assert np.median(np.abs(feet @ plane.n + plane.d)) < 0.3
