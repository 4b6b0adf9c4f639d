"""Outputs of a pose network made by hand, and the real one where it is at hand."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import footage
import numpy as np
import pytest

from models.topdown import OnnxPose, onnx
from models.topdown.onnx import candidates

S = 64
IMAGE = np.zeros((60, 80, 3), np.uint8)
BOX = np.array([[20.0, 20.0, 20.0, 20.0]])  # its crop is x 15..45, y 15..45: scale 64 / 30
SCALE = S / 30
WEIGHTS = Path(__file__).parents[4] / "shared" / "weights" / "yolo11n-pose.onnx"


def candidate(box_xywh, score, mark):
    """A row whose keypoints are all at the image's pixel edges `mark`, with visibility 0.75."""
    x, y, w, h = np.array(box_xywh) - [15, 15, 0, 0]
    point = [*(np.array(mark) - 15) * SCALE, 0.75]
    return np.array([*np.array([x + w / 2, y + h / 2, w, h]) * SCALE, score, *point * 17], np.float32)


def network(monkeypatch, *rows, shape=None):
    """The pose network that answers with these rows, as an export has them."""
    filler = np.zeros((100 - len(rows), 56), np.float32)
    output = np.concatenate([np.reshape(rows, (-1, 56)).astype(np.float32), filler]).T[None]
    session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="images", shape=[1, 3, S, S], type="tensor(float)")],
        get_outputs=lambda: [SimpleNamespace(shape=shape or list(output.shape))],
        run=lambda names, inputs: [output],
    )
    monkeypatch.setattr(onnx, "open_session", lambda *_: session)
    return OnnxPose("people.onnx")


def test_points_come_back_to_the_image_in_pixel_centres(monkeypatch):
    xy, score = network(monkeypatch, candidate(BOX[0], 0.9, (30.0, 26.0))).predict([IMAGE], BOX)
    np.testing.assert_allclose(xy[0], np.tile([29.5, 25.5], (17, 1)), atol=1e-4)
    np.testing.assert_allclose(score, 0.75)


def test_of_several_people_the_one_in_the_box_is_taken(monkeypatch):
    neighbour, own = candidate((36, 20, 20, 20), 0.95, (46, 30)), candidate((21, 20, 20, 20), 0.5, (31, 30))
    xy, _ = network(monkeypatch, neighbour, own).predict([IMAGE], BOX)
    np.testing.assert_allclose(xy[0, 0], [30.5, 29.5], atol=1e-4)


def test_where_nobody_is_there_are_no_points(monkeypatch):
    elsewhere = candidate((40, 40, 5, 5), 0.9, (42, 42))
    for rows in ([], [elsewhere], [candidate(BOX[0], 0.01, (30, 26))]):
        xy, score = network(monkeypatch, *rows).predict([IMAGE], BOX)
        assert np.isnan(xy).all() and (score == 0).all()


@pytest.mark.parametrize("box", [(200, 10, 5, 5), (-50, -50, 10, 10), (np.nan, 0, 5, 5)])
def test_boxes_outside_the_image_crash_nothing(monkeypatch, box):
    xy, _ = network(monkeypatch, candidate(BOX[0], 0.9, (30, 26))).predict([IMAGE], np.array([box], float))
    assert np.isnan(xy).all()


def test_no_box_no_people(monkeypatch):
    xy, score = network(monkeypatch).predict([], np.zeros((0, 4)))
    assert xy.shape == (0, 17, 2) and score.shape == (0, 17)


def test_both_orders_of_the_axes_say_the_same():
    rows = np.arange(56 * 90, dtype=np.float32).reshape(90, 56)
    assert np.array_equal(candidates([rows[None]], "m"), candidates([rows.T[None]], "m"))


@pytest.mark.parametrize("shape", [[1, 116, 8400], [1, 300, 6], [1, 1000]])
def test_other_networks_are_refused_with_their_shapes(monkeypatch, shape):
    with pytest.raises(ValueError, match=r"people.onnx: expected the output \[1, 56, N\] of a YOLO-pose export, got"):
        network(monkeypatch, shape=shape)


def test_a_missing_file_is_named():
    with pytest.raises(ValueError, match=r"pose onnx: model 'nowhere.onnx': no such file"):
        OnnxPose("nowhere.onnx")


def test_a_real_network_sees_people_upright():
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    video = footage.REAL / "pets_s2l1" / "vtest.avi"
    if not (WEIGHTS.exists() and video.exists()):
        pytest.skip("needs a pose network's export and footage of people beside the project")
    ok, image = cv2.VideoCapture(str(video)).read()
    assert ok
    boxes = np.array([[499.0, 157.0, 31.0, 75.0], [258.0, 218.0, 33.0, 89.0]])
    xy, score = OnnxPose(WEIGHTS).predict([image, image], boxes)
    shoulders, ankles = [5, 6], [15, 16]
    assert (score[:, shoulders + ankles] > 0.9).all()
    height = xy[:, ankles, 1].mean(axis=1) - xy[:, shoulders, 1].mean(axis=1)
    assert ((height > 0.6 * boxes[:, 3]) & (height < 0.9 * boxes[:, 3])).all()
    assert (np.abs(xy[..., 0].mean(axis=1) - boxes[:, 0] - boxes[:, 2] / 2) < 8).all()
