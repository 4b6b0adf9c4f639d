"""Every form of calibration builds the same camera, and a wrong one says what it looks like."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calibration.camera import Camera, GroundPlane
from data_manifest import ManifestError, load_camera
from data_manifest.calibration.found import read_found, text_of

CASES = Path(__file__).parents[1] / "cases" / "calibration"
SIZE = (1080, 1920)
K = np.array([[1100, 0, 959.5], [0, 1100, 539.5], [0, 0, 1]])
PLANE = GroundPlane.from_tilt(22, 3, 7.5)
R = PLANE.R_cam_world @ cv2.Rodrigues(np.array([0, 0, 0.7]))[0]
T = PLANE.to_camera(np.array([30.0, -12, 0]))
LENS = [-0.2, 0.05, 0.001, 0.0005, -0.01]
OPENGL = np.diag([1.0, -1, -1])


@pytest.fixture
def load(tmp_path):
    (tmp_path / "gate.mp4").touch()
    source = {"kind": "video", "path": "gate.mp4", "start": "2025-06-03T07:00:00", "time_zone": "Europe/Berlin"}

    def write_and_load(calibration):
        (tmp_path / "gate.yaml").write_text(yaml.safe_dump({"source": source, "calibration": calibration}))
        return load_camera("gate", tmp_path)

    return write_and_load


def homography():
    """From pixels to a map whose units are feet."""
    return (np.diag([1 / 0.3048, 1 / 0.3048, 1]) @ np.linalg.inv(K @ np.column_stack([R[:, :2], T]))).tolist()


def vanishing():
    points = (K @ R[:, :2]).T
    return (points[:, :2] / points[:, 2:]).tolist()


def apart():
    ends = np.array([[400.0, 1000], [1500, 900]])
    a, b = PLANE.intersect(Camera(K, SIZE), ends)
    return {"start_px": ends[0].tolist(), "end_px": ends[1].tolist(), "metres": float(np.linalg.norm(a - b))}


GROUND = {"ground_plane": [*PLANE.n.tolist(), 7.5]}
CENTRE = (-R.T @ T).tolist()
SAME = {
    "tilt": {"focal_px": 1100, "tilt_deg": 22, "roll_deg": 3, "height_m": 7.5},
    "tilt with K": {"K": K.tolist(), "tilt_deg": 22, "roll_deg": 3, "height_m": 7.5},
    "plane": {"K": K.tolist(), **GROUND},
    "plane in cm": {"K": K.tolist(), "ground_plane": [*PLANE.n.tolist(), 750], "units": "cm"},
    "plane, OpenGL": {"focal_px": 1100, "ground_plane": [*(OPENGL @ PLANE.n).tolist(), 7.5], "axes": "opengl"},
    "projection": {"projection": (K @ np.column_stack([np.eye(3), [0.5, 0, 0]])).tolist(),
                   "ground_plane": [*PLANE.n.tolist(), 7.5 + 0.5 * float(PLANE.n[0])]},
    "world": {"K": K.tolist(), "R": R.tolist(), "t": T.tolist()},
    "camera to world": {"K": K.tolist(), "R": R.T.tolist(), "t": CENTRE, "pose": "camera_to_world"},
    "OpenGL": {"K": K.tolist(), "R": (OPENGL @ R).tolist(), "t": (OPENGL @ T).tolist(), "axes": "opengl"},
    "y up in mm": {"K": K.tolist(), "R": (R @ [[0, 0, 1], [1, 0, 0], [0, 1, 0]]).tolist(), "t": (1000 * T).tolist(),
                   "up": "y", "units": "mm"},
    "homography": {"homography": homography(), "maps": "pixels_to_ground", "scale_m": 0.3048},
    "the other way": {"homography": np.linalg.inv(homography()).tolist(), "maps": "ground_to_pixels",
                      "scale_m": 0.3048, "image_size_wh": [1920, 1080]},
    "vanishing points": {"vanishing_points": vanishing(), "distance": apart()},
    "vanishing points, height": {"vanishing_points": vanishing(), "height_m": 7.5},
}  # fmt: skip


@pytest.mark.parametrize("form", SAME)
def test_every_form_says_the_same_camera(load, form):
    entry = load(SAME[form])
    camera, plane = entry.calibrated(SIZE)
    np.testing.assert_allclose(camera.K, K, rtol=1e-6)
    np.testing.assert_allclose([*plane.n, plane.d], [*PLANE.n, 7.5], atol=1e-6)
    assert camera.size_hw == SIZE and entry.doubts(SIZE) == []


@pytest.mark.parametrize(
    ("lens", "terms"),
    [
        ({}, [0] * 5),
        ({"distortion": LENS[:2]}, [*LENS[:2], 0, 0, 0]),
        ({"distortion": LENS}, LENS),
        ({"distortion": [*LENS, 0.01, 0, 0]}, [*LENS, 0.01, 0, 0]),
        ({"distortion": [*LENS, *[0] * 7, 0.001, 0.002]}, [*LENS, *[0] * 7, 0.001, 0.002]),
        ({"distortion": [0.12, -0.03, 0.01, -0.002], "lens": "fisheye"}, [0.12, -0.03, 0.01, -0.002]),
    ],
)
def test_lenses_of_every_number_of_terms(load, lens, terms):
    camera, _ = load({"K": K.tolist(), **GROUND, **lens}).calibrated(SIZE)
    assert camera.distortion.tolist() == terms
    assert camera.fisheye == ("lens" in lens)


def opencvs(folder, **more):
    store = cv2.FileStorage(str(folder / "camera.yml"), cv2.FILE_STORAGE_WRITE)
    more = {"camera_matrix": K, "distortion_coefficients": np.array([LENS]), "image_width": 1920, **more}
    for name, value in {**more, "image_height": 1080}.items():
        store.write(name, value)
    store.release()


def test_opencvs_file_gives_camera_lens_and_size(load, tmp_path):
    opencvs(tmp_path)
    camera, plane = load({"opencv_file": "camera.yml", **GROUND}).calibrated((540, 960))
    assert camera.distortion == pytest.approx(LENS) and camera.size_hw == (540, 960)
    assert camera.K[0, 0] == pytest.approx(550) and plane.d == pytest.approx(7.5)
    with pytest.raises(ManifestError, match=r"camera\.yml: no pose R and t in it; write ground_plane, R and t, or"):
        load({"opencv_file": "camera.yml"}).calibrated(SIZE)


def test_opencvs_file_may_hold_the_pose_and_say_its_axes(load, tmp_path):
    opencvs(tmp_path, rvec=cv2.Rodrigues(R.T)[0], tvec=np.array(CENTRE).reshape(3, 1))
    form = {"opencv_file": "camera.yml"}
    _, plane = load(form | {"pose": "camera_to_world"}).calibrated(SIZE)
    assert np.r_[plane.n, plane.d] == pytest.approx(np.r_[PLANE.n, 7.5], abs=1e-6)
    with pytest.raises(ManifestError, match=r"looks like a camera-to-world matrix \(pose: camera_to_world\)"):
        load(form)


def test_kittis_files(load, tmp_path):
    P = K @ np.column_stack([np.eye(3), [-0.06, 0, 0]])
    (tmp_path / "calib.txt").write_text("P2: " + " ".join(map(repr, P.ravel().tolist())))
    (tmp_path / "plane.txt").write_text(" ".join(map(str, GROUND["ground_plane"])))
    form = {"kitti_file": "calib.txt", "plane_file": "plane.txt"}
    camera, plane = load(form).calibrated(SIZE)
    assert camera.K == pytest.approx(K)
    assert plane.d == pytest.approx(7.5 + 0.06 * PLANE.n[0])
    with pytest.raises(ManifestError, match=r"calib\.txt: no line 'P0'"):
        load(form | {"kitti_camera": "P0"})


def test_results_depend_on_what_the_files_hold_and_old_forms_are_written_as_they_were(load, tmp_path):
    opencvs(tmp_path)
    entry = load({"opencv_file": "camera.yml", **GROUND})
    before = entry.calibration_identity()
    opencvs(tmp_path, note=1)
    assert entry.calibration_identity() != before
    old = {"focal_px", "tilt_deg", "roll_deg", "height_m", "principal_point", "image_size_wh", "distortion"}
    assert set(load(SAME["tilt"]).calibration_identity()) == old
    assert set(load(SAME["plane"]).calibration_identity()) == {"K", "ground_plane", "image_size_wh", "distortion"}
    assert set(load(SAME["world"]).calibration_identity()) == {"K", "R", "t", "image_size_wh", "distortion"}


LOOKS_LIKE = {
    "camera-to-world": r"a camera-to-world matrix \(pose: camera_to_world\), which would be 7.5 m up and tilted by 22 ",
    "fisheye": "they look like a fisheye lens's k1 k2 k3 k4, say `lens: fisheye`",
    "k-normalised": "it looks normalised by the picture's size",
    "k-transposed": "it looks transposed",
    "millimetres": r"7500 m above the ground; it looks like millimetres \(units: mm\)",
    "opengl-camera": r"a camera with OpenGL's axes \(axes: opengl\)",
    "plane-down": "a plane whose normal points down",
}


@pytest.mark.parametrize("name", LOOKS_LIKE)
def test_a_wrong_form_is_refused_in_one_line_that_says_what_it_looks_like(load, name):
    calibration = yaml.safe_load((CASES / f"{name}.yaml").read_text())["calibration"]
    with pytest.raises(ManifestError, match=LOOKS_LIKE[name]) as error:
        load(calibration)
    assert "\n" not in str(error.value) and "ShowCalibration --camera gate" in str(error.value)
    assert "gate.yaml: calibration: " in str(error.value)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"focal_px": 11, "tilt_deg": 22, "height_m": 7.5}, "it looks like millimetres; pixels ="),
        ({"focal_px": 1100, "tilt_deg": -40, "height_m": 7.5}, "nothing of the picture .* a tilt counted upwards"),
        (SAME["world"] | {"R": (R @ [[0, 0, 1], [1, 0, 0], [0, 1, 0]]).tolist()}, "a world whose y axis points up"),
        ({"homography": homography(), "maps": "ground_to_pixels", "scale_m": 0.3048}, "the other way round"),
        (SAME["plane"] | {"image_size_wh": [640, 360]}, "principal point .* image_size_wh: .1920, 1080."),
    ],
)
def test_what_the_pictures_size_shows_is_refused_before_anything_runs(load, form, message):
    with pytest.raises(ManifestError, match=message):
        load(form).calibrated(SIZE)


def test_frames_need_no_calibration_and_what_does_says_how_to_find_one(load):
    entry = load(None)
    for ask in (lambda: entry.calibrated(SIZE), entry.calibration_identity):
        with pytest.raises(
            ManifestError, match=r"calibration: missing.*docs/calibration\.md.*CalibrateFromPoints --camera"
        ):
            ask()


def test_a_found_calibration_is_read_back(load, tmp_path):
    camera, covariance = Camera(K, SIZE, np.array(LENS)), np.diag([400.0, 0.1, 0.1, 0.04])
    (tmp_path / "found.yaml").write_text(text_of(camera, PLANE, covariance, "12 control points"))
    found, plane = load({"calibration_file": "found.yaml"}).calibrated(SIZE)
    assert found.K == pytest.approx(K) and found.distortion == pytest.approx(LENS)
    assert np.r_[plane.n, plane.d] == pytest.approx(np.r_[PLANE.n, 7.5])
    assert np.array(read_found(tmp_path / "found.yaml").covariance) == pytest.approx(covariance)
    for text, message in (("K: 1", "found.yaml: made_from: Field required"), ("[", "found.yaml: not YAML")):
        (tmp_path / "found.yaml").write_text(text)
        with pytest.raises(ManifestError, match=message):
            load({"calibration_file": "found.yaml"})


def test_what_is_odd_is_told(load):
    entry = load({"focal_px": 1100, "tilt_deg": -10, "height_m": 7.5})
    assert "would look up, 10.0 degrees above the horizon" in entry.doubts(SIZE)[0]
    assert "a tilt counted upwards (tilt_deg: 10)" in entry.doubts(SIZE)[0]
    assert entry.calibrated(SIZE)[1].d == pytest.approx(7.5)
