"""A camera from control points, by the command: found where the points are true, told at once where they are none."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from calibration.camera import Camera, GroundPlane
from data_manifest import load_camera

TRUE = Camera(np.array([[150.0, 0, 63.5], [0, 150.0, 47.5], [0, 0, 1]]), (96, 128))
PLANE = GroundPlane.from_tilt(18, 1.5, 7.0)
PLACES_M = np.array([[-4.0, 14], [3, 13], [0, 18], [-7, 24], [6, 26], [1, 34], [-3, 45], [9, 40]])


def written(house, off_px=0.0):
    """The CSV of points on the road as the true camera sees them, each off by as much, from side to side."""
    pixels = TRUE.project(PLANE.to_camera(np.c_[PLACES_M, np.zeros(len(PLACES_M))]))
    pixels[:, 0] += off_px * (-1.0) ** np.arange(len(pixels))
    path = house.folder / "points.csv"
    rows = [",".join(f"{v:.6f}" for v in (*pixel, *place)) for pixel, place in zip(pixels, PLACES_M, strict=True)]
    path.write_text("\n".join(["pixel_x,pixel_y,east_m,north_m", *rows]) + "\n")
    return path


def test_true_points_give_the_camera_and_the_line_for_the_manifest(house):
    house.video()
    run = house.luigi("CalibrateFromPoints", "--camera", "gate", "--points", str(written(house)))
    code, _, lines = run
    assert code == 0, lines
    found = house.data / "gate/calibration_from_points.yaml"
    assert any(f"calibration: {{calibration_file: {found}}}" in line for line in lines)
    manifest = house.manifests / "gate.yaml"
    content = yaml.safe_load(manifest.read_text()) | {"calibration": {"calibration_file": str(found)}}
    manifest.write_text(yaml.safe_dump(content))
    camera, plane = load_camera("gate", house.manifests).calibrated((96, 128))
    assert camera.K[0, 0] == pytest.approx(150, rel=1e-3)
    assert np.allclose(plane.n, PLANE.n, atol=1e-3) and plane.d == pytest.approx(7.0, abs=0.01)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file; expected a CSV of control points"),
        ("hello\n", "points.csv"),
        (b"\xff\xd8\xff", "points.csv"),
    ],
)
def test_what_are_no_points_is_told_before_a_frame_is_ingested(house, content, said):
    house.video()
    path = house.folder / "points.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, _, lines = house.luigi("CalibrateFromPoints", "--camera", "gate", "--points", str(path))
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and said in error, lines
    assert not (house.data / "gate").exists()


def test_points_that_no_camera_sees_so_are_refused(house):
    house.video()
    code, _, lines = house.luigi("CalibrateFromPoints", "--camera", "gate", "--points", str(written(house, off_px=9)))
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and "points.csv" in error, lines
    assert not (house.data / "gate/calibration_from_points.yaml").exists()
