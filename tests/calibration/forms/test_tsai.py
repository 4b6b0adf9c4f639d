from xml.etree import ElementTree

import numpy as np
import pytest
from footage import REAL

from calibration.camera import GroundPlane, edge_to_pixel
from calibration.forms.tsai import from_tsai, read_tsai

PETS = REAL / "pets_s2l1"
needs_pets = pytest.mark.skipif(not PETS.exists(), reason="PETS 2009 S2L1 is not here")

TSAI = """<Camera name="View_001">
  <Geometry width="768" height="576" ncx="795" nfx="752" dx="4.85e-3" dy="4.65e-3" dpx="5.127e-3" dpy="4.65e-3"/>
  <Intrinsic focal="5.555" kappa1="{kappa1}" cx="324.2" cy="282.6" sx="1.0938"/>
  <Extrinsic tx="0" ty="{ty}" tz="{tz}" rx="{rx}" ry="0" rz="0"/>
</Camera>"""
TILT = np.radians(20)


def tsai_file(folder, kappa1=5.1e-3, height_mm=7000.0):
    """Looking 20 degrees down from the height: world x right, y away, z up."""
    rx = np.pi / 2 + TILT  # turns z up into y down, then tilts
    text = TSAI.format(kappa1=kappa1, rx=rx, ty=height_mm * np.cos(TILT), tz=height_mm * np.sin(TILT))
    path = folder / "camera.xml"
    path.write_text(text)
    return path


def tsais_own(tsai, pixels):
    """Tsai's equations as they stand: normalised undistorted coordinates of pixels."""
    sensor_mm = (pixels - [tsai.cx, tsai.cy]) * [tsai.dpx / tsai.sx, tsai.dpy]
    return sensor_mm * (1 + tsai.kappa1 * (sensor_mm**2).sum(1, keepdims=True)) / tsai.focal


@pytest.mark.parametrize("kappa1", [0.0, 5.1e-3, -5e-3, 1.5e-2])
def test_tsais_lens_is_opencvs_to_a_twentieth_of_a_pixel(tmp_path, kappa1):
    tsai = read_tsai(tsai_file(tmp_path, kappa1))
    camera, _ = from_tsai(tsai)
    pixels = np.random.default_rng(0).uniform([0, 0], [768, 576], (500, 2))
    own = tsais_own(tsai, pixels)
    assert np.abs(camera.project(np.c_[own, np.ones(500)]) - pixels).max() < 0.05
    assert np.abs(camera.undistort(pixels) - own).max() * camera.K[0, 0] < 0.05


def test_tsais_pose_is_the_tilted_cameras(tmp_path):
    camera, plane = from_tsai(read_tsai(tsai_file(tmp_path)))
    expected = GroundPlane.from_tilt(20, 0, 7.0)
    assert plane.n == pytest.approx(expected.n, abs=1e-9)
    assert plane.d == pytest.approx(7.0)
    assert camera.size_hw == (576, 768)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no xml", "not plain XML"),
        ("<Camera><Geometry width='x'/></Camera>", 'a positive number in Geometry width="..."'),
        ("<Camera/>", "Geometry width"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Camera>&b;</Camera>', "not plain XML"),
    ],
)
def test_a_wrong_xml_is_named(tmp_path, text, message):
    path = tmp_path / "camera.xml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_tsai(path)
    assert "camera.xml" in str(error.value)


def test_a_lens_that_folds_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folds the image"):
        from_tsai(read_tsai(tsai_file(tmp_path, kappa1=-0.1)))


@needs_pets
def test_the_people_of_pets_are_as_tall_as_people():
    camera, plane = from_tsai(read_tsai(PETS / "View_001.xml"))
    assert plane.d == pytest.approx(7.07, abs=0.01)
    boxes = ElementTree.parse(PETS / "PETS2009-S2L1_frames0000-0399.xml").iter("box")
    x, y, h = np.array([[float(b.get(k)) for k in ("xc", "yc", "h")] for b in boxes]).T
    inside = (y + h / 2 < 560) & (y - h / 2 > 10)
    foot = plane.intersect(camera, edge_to_pixel(np.stack([x, y + h / 2], 1)[inside]))
    head = camera.rays(edge_to_pixel(np.stack([x, y - h / 2], 1)[inside]))
    # The head's ray where it is as far along the horizontal viewing direction as the foot.
    away = plane.R_cam_world[:, 1]
    top = head * ((foot @ away) / (head @ away))[:, None]
    assert np.median((top - foot) @ plane.n) == pytest.approx(1.75, abs=0.05)
