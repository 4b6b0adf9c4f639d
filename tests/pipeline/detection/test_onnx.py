"""Outputs of a segmentation network made by hand: one square of prototype cells, boxes around it."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from models.exported import letterbox
from pipeline.detection import onnx
from pipeline.detection.onnx import OnnxDetector, OnnxSettings, box_mask, split_outputs

S, M, CELLS, CLASSES = 64, 4, 16, 80
FRAME = np.zeros((30, 60, 3), np.uint8)  # fills the width of the input: scale 64 / 60, grey above and below


def prototypes() -> np.ndarray:
    """The first is +8 in cells x 4..11, y 6..9 (input pixels 16..48, 24..40) and -8 elsewhere."""
    maps = np.zeros((M, CELLS, CELLS), np.float32)
    maps[0] = -8
    maps[0, 6:10, 4:12] = 8
    return maps


def candidate(box: tuple[float, ...], scores: dict[int, float], objectness: float | None = None) -> np.ndarray:
    classes = np.zeros(CLASSES, np.float32)
    for number, score in scores.items():
        classes[number] = score
    middle = [] if objectness is None else [objectness]
    return np.concatenate([box, middle, classes, [1, 0, 0, 0]]).astype(np.float32)


def rows(*candidates: np.ndarray) -> np.ndarray:
    """As many as an export has: candidates outnumber columns."""
    filler = np.zeros((300 - len(candidates), len(candidates[0])), np.float32)
    return np.concatenate([np.stack(candidates), filler])


BOX = (32.0, 32.0, 40.0, 24.0)  # cx cy w h of the input


def test_both_layouts_say_the_same():
    flat = split_outputs([rows(candidate(BOX, {2: 0.9}))[None].transpose(0, 2, 1), prototypes()[None]], "m")
    with_object = split_outputs([rows(candidate(BOX, {2: 1.0}, 0.9))[None], prototypes()[None]], "m")
    for one, other in zip(flat, with_object, strict=True):
        np.testing.assert_allclose(one, other)
    assert flat[1].shape == (300, CLASSES) and flat[2].shape == (300, M)


def test_detection_heads_beside_the_outputs_are_passed_over():
    heads = [np.zeros((1, 3, 8, 8, 117), np.float32)]
    boxes, *_ = split_outputs([*heads, rows(candidate(BOX, {2: 1.0}, 0.9))[None], prototypes()[None]], "m")
    np.testing.assert_allclose(boxes[0], BOX)


@pytest.mark.parametrize(
    "outputs",
    [[np.zeros((1, 84, 300))], [np.zeros((1, 300, 6)), np.zeros((1, 4, 16, 16))], [np.zeros((1, 1000))]],
)
def test_other_networks_are_refused_with_their_shapes(outputs):
    with pytest.raises(ValueError, match=r"cars.onnx: expected the outputs .* YOLO-seg export, got \[\("):
        split_outputs(outputs, "cars.onnx")


def test_the_frame_is_fitted_in_with_grey_around_it():
    tensor, fit = letterbox(np.full((30, 60, 3), (255, 0, 0), np.uint8), (S, S))
    assert tensor.shape == (1, 3, S, S) and fit.pad == (0, 16)
    assert (tensor[0, :, 15] == np.float32(114 / 255)).all() and (tensor[0, :, 16].T == [0, 0, 1]).all()


def test_a_mask_lies_where_the_prototype_says_to_a_pixel():
    _, fit = letterbox(FRAME, (S, S))
    mask, (x, y) = box_mask((0, 0, 60, 30), np.array([1, 0, 0, 0], np.float32), prototypes(), fit, (S, S))
    # Input edges 16..48 and 24..40; the frame's are (16 - 0) / 1.067 = 15 and (24 - 16) / 1.067 = 7.5.
    expected = np.zeros((30, 60), bool)
    expected[8:22, 15:45] = True
    assert (x, y) == (0, 0) and (mask ^ expected).sum() <= 2 * 30
    cut, corner = box_mask((20, 10, 30, 40), np.array([1, 0, 0, 0], np.float32), prototypes(), fit, (S, S))
    assert corner == (20, 10) and (cut[:20] == mask[10:30, 20:30]).all()


def detector(monkeypatch, output: np.ndarray, names: str = "", **settings) -> OnnxDetector:
    entry = SimpleNamespace(name="images", shape=[1, 3, S, S], type="tensor(float)")
    session = SimpleNamespace(
        get_inputs=lambda: [entry],
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={"names": names} if names else {}),
        run=lambda names, inputs: [output[None].transpose(0, 2, 1), prototypes()[None]],
    )
    monkeypatch.setattr(onnx, "_session", lambda settings: session)
    return OnnxDetector(OnnxSettings(**settings))


def test_car_bus_and_truck_of_one_vehicle_are_one(monkeypatch):
    shifted = (33.0, 32.0, 40.0, 24.0)
    found = detector(
        monkeypatch, rows(candidate(BOX, {2: 0.6}), candidate(shifted, {5: 0.8}), candidate(BOX, {7: 0.5}))
    )
    (vehicle,) = found(FRAME, "day", 0)
    assert vehicle.category == "vehicle" and vehicle.score == pytest.approx(0.8)


@pytest.mark.parametrize(("aside_px", "cars"), [(8, 1), (12, 2)])
def test_boxes_that_share_less_than_the_threshold_are_two(monkeypatch, aside_px, cars):
    """Aside by d, boxes 40 wide overlap by (40 - d) / (40 + d): 0.67 and 0.54 about the threshold's 0.6."""
    beside = (BOX[0] + aside_px, *BOX[1:])
    found = detector(monkeypatch, rows(candidate(BOX, {2: 0.9}), candidate(beside, {2: 0.8})))
    assert [i.score for i in found(FRAME, "day", 0)] == pytest.approx([0.9, 0.8][:cars])


def test_a_person_in_front_of_a_car_stays(monkeypatch):
    found = detector(monkeypatch, rows(candidate(BOX, {2: 0.6}), candidate(BOX, {0: 0.7}), candidate(BOX, {16: 0.9})))
    assert [i.category for i in found(FRAME, "day", 0)] == ["person", "vehicle"]


@pytest.mark.parametrize(("names", "fine"), [("", None), ("{2: 'Truck', 3: 'x'}", "lorry"), ("__import__('os')", None)])
def test_the_exports_names_say_the_subcategory(monkeypatch, names, fine):
    (one,) = detector(monkeypatch, rows(candidate(BOX, {2: 0.9})), names)(FRAME, "day", 0)
    assert one.subcategory == (fine or "car")  # without names, COCO's


def test_classes_are_settings(monkeypatch):
    found = detector(monkeypatch, rows(candidate(BOX, {16: 0.9})), vehicle_classes="16", person_classes="")
    assert [i.category for i in found(FRAME, "day", 0)] == ["vehicle"]


def test_a_mask_ends_at_its_box(monkeypatch):
    small = (32.0, 32.0, 16.0, 24.0)
    (instance,) = detector(monkeypatch, rows(candidate(small, {2: 0.9})))(FRAME, "day", 0)
    x, _, w, _ = instance.box_xywh
    assert (x, x + w) == (22, 38) or (x, x + w) == (23, 37)  # 24 / 1.067 = 22.5, 40 / 1.067 = 37.5


def test_a_missing_model_names_the_setting():
    with pytest.raises(ValueError, match="set `model` to a YOLO-seg export"):
        OnnxDetector(OnnxSettings(model="nowhere.onnx"))


def test_a_missing_library_names_the_commands(monkeypatch, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r'pip install "walt3d\[onnx\]"` or `make setup EXTRAS=onnx`'):
        OnnxDetector(OnnxSettings(model=str(path)))


def test_a_file_that_is_no_network_is_named(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"m\.onnx: not a network that onnxruntime loads"):
        OnnxDetector(OnnxSettings(model=str(path)))
