"""Outputs of a segmentation network made by hand: one square of prototype cells, boxes around it."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from models.exported import letterbox
from pipeline.detection import onnx
from pipeline.detection.onnx import BACKEND, OnnxDetector, OnnxSettings, box_mask
from pipeline.detection.onnx_outputs import OBJECTNESS, PLAIN, SUPPRESSED, Metadata, layout_of, split_outputs
from pipeline.detection.registry import Inputs

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


def export(path, columns, *, by_candidate, metadata=None):
    """A network file that always gives one candidate, whatever the picture: columns (4 + ... + 32,) of 640 x 640."""
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    onnx_files = pytest.importorskip("onnx", reason="needs the extra [train]")
    helper, of = onnx_files.helper, onnx_files.numpy_helper.from_array
    rows = np.zeros((300 if by_candidate else 8400, len(columns)), np.float32)
    rows[0] = columns
    maps = np.zeros((1, 32, 160, 160), np.float32)
    maps[:, 0] = 8
    constants = {"output0": (rows if by_candidate else rows.T)[None], "output1": maps}
    graph = helper.make_graph(
        [helper.make_node("Constant", [], [name], value=of(value)) for name, value in constants.items()],
        "always", [helper.make_tensor_value_info("images", 1, [1, 3, 640, 640])],
        [helper.make_tensor_value_info(name, 1, value.shape) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    helper.set_model_props(model, metadata or {})
    onnx_files.save(model, str(path))
    return OnnxSettings(model=str(path))


PICTURE = np.zeros((640, 640, 3), np.uint8)
MASK = [1] + [0] * 31


@pytest.mark.parametrize(
    "metadata", [{}, {"end2end": "True", "names": str({n: f"thing{n}" for n in range(80)} | {2: "car"})}]
)
def test_an_export_that_suppresses_says_so_by_its_shape(tmp_path, metadata):
    settings = export(tmp_path / "e.onnx", [220, 270, 420, 370, 0.9, 2, *MASK], by_candidate=True, metadata=metadata)
    (one,) = OnnxDetector(settings)(PICTURE, "day", 0)
    assert (one.category, one.subcategory, one.box_xywh) == ("vehicle", "car", (220, 270, 200, 100))
    assert one.score == pytest.approx(0.9)


def test_the_exports_own_names_say_what_a_class_is(tmp_path):
    names = {"names": "{0: 'car', 1: 'person'}", "task": "segment", "end2end": "False"}
    settings = export(tmp_path / "c.onnx", [320, 320, 200, 100, 0.9, 0.1, *MASK], by_candidate=False, metadata=names)
    (one,) = OnnxDetector(settings)(PICTURE, "day", 0)
    assert (one.category, one.subcategory, one.box_xywh) == ("vehicle", "car", (220, 270, 200, 100))
    assert BACKEND.told(settings, Inputs()) == [f"{settings.model}: person: person; vehicle: car (by its own names)"]
    swapped = OnnxSettings(model=settings.model, person_classes="car", vehicle_classes="1")
    assert [i.category for i in OnnxDetector(swapped)(PICTURE, "day", 0)] == ["person"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"names": "{0: 'cat', 1: 'dog'}"},
            "none of its classes is known as a person or a vehicle: cat, dog; say",
        ),
        ({}, "has 2 classes and names none; say person_classes and vehicle_classes"),
        ({"task": "detect"}, "is for detect; objects are cut out by their masks, so export a network that segments"),
        ({"names": "{0: 'car', 1: 'person', 2: 'bus', 3: 'x'}"}, "its metadata must name as many classes as it has"),
    ],
)
def test_an_export_that_cannot_be_read_surely_is_refused(tmp_path, metadata, message):
    settings = export(tmp_path / "c.onnx", [320, 320, 200, 100, 0.9, 0.1, *MASK], by_candidate=False, metadata=metadata)
    with pytest.raises(ValueError, match=message):
        OnnxDetector(settings)(PICTURE, "day", 0)


@pytest.mark.parametrize(
    ("shape", "metadata", "input_hw", "layout"),
    [
        ((84 + M, 8400), Metadata(), (640, 640), PLAIN),
        ((25200, 85 + M), Metadata(), (640, 640), OBJECTNESS),
        ((25200, 6 + M), Metadata(), (640, 640), OBJECTNESS),  # one class: as many candidates as three a cell
        ((300, 6 + M), Metadata(), (640, 640), SUPPRESSED),
        ((300, 6 + M), Metadata(end2end=True, names={0: "car"}), (640, 640), SUPPRESSED),
        ((8400, 6 + M), Metadata(), (640, 640), PLAIN),  # two classes, transposed
        ((6 + M, 8400), Metadata(names={0: "a", 1: "b"}), None, PLAIN),
        ((25200, 7 + M), Metadata(names={0: "a", 1: "b"}), None, OBJECTNESS),
        ((25200, 9 + M), Metadata(names={0: "a", 1: "b"}), None, None),
        ((84, 8400), Metadata(end2end=True), None, None),
    ],
)
def test_layouts_are_told_by_metadata_then_by_the_number_of_candidates(shape, metadata, input_hw, layout):
    assert layout_of(shape, M, metadata, input_hw) == layout


def test_a_free_axis_takes_the_size_of_training():
    said = {"imgsz": "[384, 672]", "names": "nonsense(", "end2end": "perhaps"}
    assert Metadata.of(said) == Metadata(size_hw=(384, 672))
    assert Metadata.of({"imgsz": "[1, 99999999]"}).size_hw is None


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
