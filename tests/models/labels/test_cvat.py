"""CVAT's own declarations: boxes that are turned, ellipses, tracks, labels, sizes, and pictures turned by EXIF."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from footage import write_video

from models.labels.cvat import Shape, read_cvat
from models.labels.occlusion import OBJECT, OCCLUDED, STORED_PX
from models.labels.occlusion_cvat import crops_of_cvat

CASES = Path(__file__).parents[2] / "cases" / "cvat"
SIZE = (240, 320)
STREET = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)


def case(tmp_path, name, image=STREET, file="a.jpg"):
    cv2.imwrite(str(tmp_path / file), image)
    return CASES / name, tmp_path


def objects(table):
    """(S, S) bool of each crop's object."""
    shape = STORED_PX, STORED_PX, 4
    return [np.frombuffer(crop, np.uint8).reshape(shape)[..., 3] == OBJECT for crop in table["crop"].to_pylist()]


def mask_of(kind, size_hw=SIZE, scale=1.0, **place):
    return Shape(kind, "car", False, {}, {k: str(v) for k, v in place.items()}, -1, "here").mask(size_hw, scale)


def with_exif(image, number):
    """A JPEG that says by EXIF how the camera was held."""
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(image), 95, "BGR", "444")
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, number, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_a_road_is_no_example_and_is_counted(tmp_path, capsys):
    table = crops_of_cvat(*case(tmp_path, "road_polygon.xml"))
    assert table["classes"].to_pylist() == [list(OCCLUDED)]
    assert "read 2 shapes, used 1, left out 1: 1 of label 'road', which is no person" in capsys.readouterr().err


def test_an_attribute_is_found_however_it_is_spelled(tmp_path):
    assert crops_of_cvat(*case(tmp_path, "othername.xml"))["classes"].to_pylist() == [list(OCCLUDED)]


def test_a_box_is_turned_about_its_centre(tmp_path):
    (picture,) = read_cvat(CASES / "rotated_box.xml")
    mask = picture.shapes[0].mask(SIZE).astype(bool)
    y, x = np.nonzero(mask)
    assert mask.sum() == pytest.approx(100 * 40, rel=0.02)
    assert (x.mean(), y.mean()) == pytest.approx((149.5, 119.5), abs=0.5)
    # The long side runs from upper left to lower right: turned clockwise, as one sees it.
    assert mask[120 - 30, 150 - 30] and mask[120 + 30, 150 + 30] and not mask[120 - 30, 150 + 30]
    assert len(crops_of_cvat(*case(tmp_path, "rotated_box.xml"))) == 1


def test_a_picture_of_half_the_declared_size_is_scaled(tmp_path):
    (half,) = objects(crops_of_cvat(*case(tmp_path, "size_differs.xml")))
    (picture,) = read_cvat(CASES / "size_differs.xml")
    mask = picture.shapes[0].mask(SIZE, 0.5)
    assert mask.sum() == 100 * 40 and mask[100:140, 100:200].all() and half.any()
    with pytest.raises(ValueError, match=r"image 'a\.jpg': labelled as 640x480, the picture is 320x320"):
        crops_of_cvat(*case(tmp_path, "size_differs.xml", np.zeros((320, 320, 3), np.uint8)))


@pytest.mark.parametrize("number", range(1, 9))
def test_exif_turns_a_picture_for_the_labels_as_for_everybody(tmp_path, number):
    upright = np.zeros((320, 240, 3), np.uint8)
    upright[100:200, 100:140] = (0, 0, 250)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[number]  # fmt: skip
    (tmp_path / "exif.jpg").write_bytes(with_exif(stored, number))
    table = crops_of_cvat(CASES / "exif.xml", tmp_path)
    crop = np.frombuffer(table["crop"][0].as_py(), np.uint8).reshape(STORED_PX, STORED_PX, 4)
    assert crop[..., 2][crop[..., 3] == OBJECT].mean() > 240


def test_an_ellipse_and_a_scaled_mask():
    ellipse = mask_of("ellipse", cx=100, cy=80, rx=40, ry=20)
    assert ellipse.sum() == pytest.approx(np.pi * 40 * 20, rel=0.01)
    turned = mask_of("ellipse", cx=100, cy=80, rx=40, ry=20, rotation=90)
    y, x = np.nonzero(turned)
    assert (np.ptp(x), np.ptp(y)) == pytest.approx((39, 79), abs=1)
    runs = mask_of("mask", left=100, top=60, width=40, height=20, rle="0,800", scale=0.5)
    assert runs.sum() == 20 * 10 and runs[30:40, 50:70].all()


TRACKS = """<annotations><version>1.1</version>
  <meta><job><original_size><width>64</width><height>48</height></original_size></job></meta>
  <track id="3" label="car">
    <box frame="4" outside="0" occluded="0" keyframe="1" xtl="10" ytl="10" xbr="30" ybr="30"/>
    <box frame="5" outside="0" occluded="1" keyframe="0" xtl="12" ytl="10" xbr="32" ybr="30"/>
    <box frame="6" outside="1" occluded="0" keyframe="1" xtl="14" ytl="10" xbr="34" ybr="30"/>
  </track>
  <track id="9" label="pedestrian"><ellipse frame="5" outside="0" occluded="0" cx="40" cy="20" rx="5" ry="9"/></track>
  <track id="10" label="car"><polyline frame="5" outside="0" occluded="0" points="1,1;9,9"/></track>
</annotations>"""


def test_tracks_of_a_video_are_read_with_the_video_or_its_frames(tmp_path, capsys):
    path = tmp_path / "tracks.xml"
    path.write_text(TRACKS)
    video = write_video(tmp_path / "v.avi", 12)
    table = crops_of_cvat(path, video)
    assert table["classes"].to_pylist() == [["unoccluded"], list(OCCLUDED), ["unoccluded"]]
    assert table["group"].to_pylist() == [0, 0, 1]
    assert "left out 1: 1 polyline, which has no area" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"frame 4: no frame_000004 below .*; name the video or the folder"):
        crops_of_cvat(path, tmp_path)
    capture = cv2.VideoCapture(str(video))
    frames = [capture.read()[1] for _ in range(6)]
    for number in (4, 5):
        cv2.imwrite(str(tmp_path / f"frame_{number:06d}.PNG"), frames[number])
    assert crops_of_cvat(path, tmp_path).equals(table)


def test_nothing_but_other_labels_is_refused(tmp_path):
    text = (CASES / "rotated_box.xml").read_text().replace("car", "lane")
    (tmp_path / "a.xml").write_text(text)
    cv2.imwrite(str(tmp_path / "a.jpg"), STREET)
    with pytest.raises(ValueError, match=r"a\.xml: none of its 1 shapes can be used: 1 of label 'lane'"):
        crops_of_cvat(tmp_path / "a.xml", tmp_path)
