"""Rendered vehicles, two to a frame, written in the form of each public data set and measured by the command itself."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

import models
from calibration.camera import edge_to_pixel
from models.checkpoints import write_weights
from models.frames import read_picture
from models.labels.carfusion import OURS
from models.labels.definitions import to_ours
from models.labels.kitti3d import read_kitti3d
from models.labels.pascal3d import ANCHORS
from models.labels.views import NAMES
from models.occlusion_net import SPEC, OcclusionNetSettings, evaluate
from models.occlusion_net.data import CAR_RENDER
from models.occlusion_net.evaluate import (
    load_network,
    main,
    read_labelled,
    samples_of,
    score_labelled,
    subset,
)
from models.occlusion_net.network import OcclusionNet
from models.synthetic.vehicle_crops import composed
from pipeline.core.instances import Instances

OFFSETS = np.array([[20, 30], [460, 30]])  # of the two crops of a frame


@dataclass(frozen=True)
class Street:
    """Eight vehicles in four frames: frame (8,), boxes (8, 4), xy (8, 12, 2) px and state (8, 12)."""

    pictures: list[np.ndarray]
    frame: np.ndarray
    boxes: np.ndarray
    xy: np.ndarray
    state: np.ndarray

    def found(self, boxes: np.ndarray):
        """What the shipped network says of a box of each vehicle: columns of 8."""
        by_frame = [boxes[self.frame == number] for number in range(len(self.pictures))]
        return Instances.joined(models.load("occlusion_net", device="cpu")(self.pictures, by_frame))

    def expected(self, boxes: np.ndarray, chosen: np.ndarray) -> list[str]:
        """PCK@0.1 of chosen keypoints (8, 12) by both graphs, as printed."""
        found, side = self.found(boxes), boxes[:, 2:].max(axis=1)[:, None]
        away = [np.linalg.norm(xy - self.xy, axis=2) / side for xy in (found["keypoints_2d"], found["wire_xy"])]
        return [f"{(errors[chosen] <= 0.1).mean():.3f}" for errors in away]


@pytest.fixture(scope="module")
def street(car_views):
    crops = [
        composed(view.sprite, car_views.library, CAR_RENDER, np.random.default_rng(i))
        for i, view in enumerate(car_views.views)
    ]
    pictures = [np.full((500, 900, 3), 90, np.uint8) for _ in range(len(crops) // 2)]
    offsets = OFFSETS[np.arange(len(crops)) % 2]
    for i, (crop, (x, y)) in enumerate(zip(crops, offsets, strict=True)):
        height, width = crop.image.shape[:2]
        assert height <= 470 and width <= 430
        pictures[i // 2][y : y + height, x : x + width] = crop.image[..., ::-1]
    boxes = np.stack([crop.box_xywh for crop in crops])
    boxes[:, :2] += offsets
    xy = np.stack([edge_to_pixel(crop.keypoints) for crop in crops]) + offsets[:, None]
    return Street(pictures, np.arange(len(crops)) // 2, boxes, xy, np.stack([crop.state for crop in crops]))


def write_pictures(street: Street, folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(names, street.pictures, strict=True):
        cv2.imwrite(str(folder / name), picture)
    return folder


@pytest.fixture
def kitti3d(street, tmp_path):
    """Options that name a file of visible keypoints."""
    write_pictures(street, tmp_path / "images", [f"{i}.png" for i in range(4)])
    lines = ["image left top right bottom " + " ".join(NAMES)]
    for i, (x, y, w, h) in enumerate(street.boxes):
        points = [f"{p[0]} {p[1]} 1" if s == 0 else "0 0 0" for p, s in zip(street.xy[i], street.state[i], strict=True)]
        lines.append(f"{i // 2}.png {x} {y} {x + w} {y + h} " + " ".join(points))
    (tmp_path / "kitti.txt").write_text("\n".join(lines))
    return ["--kitti3d", str(tmp_path / "kitti.txt"), "--images", str(tmp_path / "images")]


@pytest.fixture
def pascal3d(street, tmp_path):
    """Options that name a folder whose hidden anchors have a status and no location."""
    write_pictures(street, tmp_path / "images", [f"{i}.png" for i in range(4)])
    for frame in range(4):
        cars = []
        for i in np.flatnonzero(street.frame == frame):
            x, y, w, h = street.boxes[i]
            anchors = {
                name: {"location": (p + 1).tolist(), "status": 1} if s == 0 else {"location": [], "status": 2}
                for name, p, s in zip(ANCHORS, street.xy[i], street.state[i], strict=True)
            }
            cars.append({"class": "car", "bbox": [x + 1, y + 1, x + w, y + h], "anchors": anchors})
        (tmp_path / "mat").mkdir(exist_ok=True)
        record = {"filename": f"{frame}.png", "objects": np.array(cars, dtype=object)}
        savemat(tmp_path / "mat" / f"{frame}.mat", {"record": record})
    return ["--pascal3d", str(tmp_path / "mat"), "--images", str(tmp_path / "images")]


@pytest.fixture
def carfusion(street, tmp_path):
    """A root of one sequence in which every object is seen twice, and the converted file beside it."""
    sequence = tmp_path / "root" / "car_penn1"
    names = [f"{i}_0040.jpg" for i in range(4)]
    folder = write_pictures(street, sequence / "images_jpg", names)
    street = Street([cv2.imread(str(folder / name)) for name in names], *list(vars(street).values())[1:])
    (sequence / "gt").mkdir()
    images = [{"id": i, "file_name": f"car_penn1/images_jpg/{name}"} for i, name in enumerate(names)]
    annotations = []
    for frame in range(4):
        lines = []
        for i in np.flatnonzero(street.frame == frame):
            flags = np.where(street.state[i] == 0, 1, 3)
            lines += [f"{x},{y},{OURS[k] + 1},{i // 4 * 2 + i % 2},{flags[k]}" for k, (x, y) in enumerate(street.xy[i])]
            points = np.zeros((14, 3))
            points[OURS] = np.column_stack([street.xy[i], np.where(street.state[i] == 0, 2, 1)])
            annotation = {"id": int(i), "image_id": frame, "bbox": street.boxes[i].tolist()}
            annotations.append(annotation | {"keypoints": points.ravel().tolist()})
        (sequence / "gt" / f"{frame}_0040.txt").write_text("\n".join(lines))
    annotations = annotations[::2] + annotations[1::2]  # those of a frame apart
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return street


def table(options: list[str], capsys) -> dict[str, list[str]]:
    """Cells by the first of each printed line."""
    assert main(options) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    return {row[0]: row[1:] for row in rows}


def test_visible_keypoints_are_measured_and_hidden_ones_are_not_made_up(kitti3d, street, capsys, tmp_path):
    printed = table([*kitti3d, "--plots", str(tmp_path / "plots")], capsys)
    right = street.expected(street.boxes, street.state == 0)
    assert printed["visible"][2:] == printed["all"][2:] == right and float(right[0]) > 0.8
    assert printed["hidden"] == ["not labelled"]
    assert printed["occlusion AUC"] == ["not known, only one state is labelled"]
    assert not any(name.startswith(("yaw", "points that", "hidden, of")) for name in printed)
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["figure5_alpha_kitti3d.png"]


def test_states_without_places_give_the_auc_alone(pascal3d, street, capsys):
    printed = table(pascal3d, capsys)
    seen = np.where((street.state == 0)[..., None], street.xy, np.nan)
    moved = np.stack([to_ours("pascal3d", xy) for xy in seen])  # where its anchors are said to lie, ours are elsewhere
    assert printed["visible"][2:] == replace(street, xy=moved).expected(street.boxes, street.state == 0)
    assert printed["hidden"] == ["not labelled"]
    hidden = 1 - street.found(street.boxes)["keypoint_visible"]
    above = hidden[street.state > 0][:, None] - hidden[street.state == 0]
    assert float(printed["occlusion AUC"][2]) == pytest.approx((above > 0).mean(), abs=1e-3)


def test_objects_of_several_videos_correspond(carfusion, capsys, tmp_path):
    options = ["--carfusion", str(tmp_path / "root"), "--split", "test", "--plots", str(tmp_path / "plots")]
    printed = table(options, capsys)
    boxes = np.stack([vehicle.box_xywh for vehicle in read_labelled("carfusion", tmp_path / "root", None, None)])
    for name, chosen in {"visible": carfusion.state == 0, "hidden": carfusion.state > 0}.items():
        assert printed[name][2:] == carfusion.expected(boxes, chosen)
    side = boxes[:, 2:].max(axis=1)[:, None]
    right = np.linalg.norm(carfusion.found(boxes)["keypoints_2d"] - carfusion.xy, axis=2) / side <= 0.1
    both = [(right[i] & right[i + 2]).sum() for i in (0, 1, 4, 5)]
    assert printed["points that two of 2 views have right, of 12"][2] == f"{np.mean(both):.2f}"
    assert not any("of 4 views" in name for name in printed)
    assert len(list((tmp_path / "plots").iterdir())) == 4


def test_a_converted_file_has_its_own_boxes_and_no_objects(carfusion, capsys, tmp_path):
    options = ["--carfusion", str(tmp_path / "coco.json"), "--images", str(tmp_path / "root"), "--split", "test"]
    printed = table(options, capsys)
    for name, chosen in {"visible": carfusion.state == 0, "hidden": carfusion.state > 0}.items():
        assert printed[name][2:] == carfusion.expected(carfusion.boxes, chosen)
    for count in set((carfusion.state > 0).sum(axis=1)) & {3, 4, 5, 6, 7, 8, 9}:
        rows = (carfusion.state > 0) & ((carfusion.state > 0).sum(axis=1) == count)[:, None]
        assert printed[f"hidden, of crops that hide {count}"][2:] == carfusion.expected(carfusion.boxes, rows)
    assert not any(name.startswith("points that") for name in printed)


def test_a_picture_is_read_once_and_every_vehicle_is_scored(carfusion, tmp_path, monkeypatch):
    read, reported = [], []
    monkeypatch.setattr(evaluate, "read_picture", lambda path: read.append(path) or read_picture(path))
    monkeypatch.setattr(evaluate, "_AT_ONCE", 3)  # parts that end amid a frame
    vehicles = subset(read_labelled("carfusion", tmp_path / "coco.json", tmp_path / "root", None), None, 0)
    ours = load_network(SPEC.shipped)
    scored = score_labelled(ours, ours, vehicles, 0, lambda *step: reported.append(step))
    assert len(read) == len(set(read)) == 4 and reported == [(3, 8), (6, 8), (8, 8)]
    np.testing.assert_array_equal(scored.error["baseline"], scored.error["heatmap"])
    found, side = carfusion.found(carfusion.boxes), carfusion.boxes[:, 2:].max(axis=1)[:, None]
    away = np.linalg.norm(found["keypoints_2d"] - carfusion.xy, axis=2) / side
    order = np.argsort(scored.error["graph"][:, 0])  # the rows are shuffled
    np.testing.assert_allclose(scored.error["graph"][order], away[np.argsort(away[:, 0])], atol=1e-4)
    np.testing.assert_allclose(
        scored.hidden["graph"][order], 1 - found["keypoint_visible"][np.argsort(away[:, 0])], atol=1e-3
    )
    assert np.isnan(scored.yaw_deg).all() and sorted(scored.instance) == list(range(8))


def test_vehicles_are_sampled_with_all_views_of_their_object(carfusion, tmp_path):
    vehicles = read_labelled("carfusion", tmp_path / "root", None, "test")
    four = subset(vehicles, 4, 5)
    assert len(four) == 4 and len({v.object_id for v in four}) == 2
    assert [v.image for v in four] == sorted(v.image for v in four)
    assert subset(vehicles, 4, 5) == four and subset(vehicles, 99, 5) == subset(vehicles, None, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected one of --crops, --kitti3d, --pascal3d, --carfusion, got none"),
        (["--crops", "a", "--kitti3d", "b"], "got --crops and --kitti3d"),
        (["--crops", "nowhere"], "nowhere"),
        (["--crops", "nowhere", "--images", "a"], "--images and --split go with labelled pictures"),
        (["--kitti3d", "none.txt", "--images", "."], "--kitti3d none.txt: no such file or folder"),
        (["--kitti3d", "EMPTY"], "expected --images DIR"),
        (["--kitti3d", "EMPTY", "--images", "."], "no vehicle with a labelled keypoint"),
        (["--kitti3d", "EMPTY", "--images", ".", "--split", "test"], "--split goes with --carfusion alone"),
        (["--kitti3d", "EMPTY", "--images", ".", "--count", "0"], "--count: expected 1 or more, got 0"),
        (["--kitti3d", "EMPTY", "--images", ".", "--weights", "w"], "w: no weights there"),
        (["--pascal3d", "FOLDER", "--images", "."], "expected PASCAL3D+ annotations"),
        (["--carfusion", "FOLDER"], "expected CarFusion's sequences"),
        (["--carfusion", "FOLDER", "--images", "."], "CarFusion's folder holds its own pictures"),
        (["--carfusion", "EMPTY", "--images", "."], "not JSON"),
    ],
)
def test_what_cannot_be_measured_is_one_line(options, message, tmp_path, capsys):
    (empty := tmp_path / "empty.txt").write_text("image left top right bottom " + " ".join(NAMES) + "\n")
    (folder := tmp_path / "folder").mkdir()
    places = {"EMPTY": str(empty), "FOLDER": str(folder)}
    assert main([places.get(option, option) for option in options]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("evaluate: ") and error.count("\n") == 1


def test_a_split_without_vehicles_and_a_broken_picture_are_named(carfusion, tmp_path, capsys):
    with pytest.raises(ValueError, match="no vehicle with a labelled keypoint in split train"):
        read_labelled("carfusion", tmp_path / "coco.json", tmp_path / "root", "train")
    (broken := tmp_path / "root" / "car_penn1" / "images_jpg" / "0_0040.jpg").write_bytes(b"no picture")
    assert main(["--carfusion", str(tmp_path / "root"), "--weights", str(SPEC.weights)]) == 1
    assert f"{broken}: cannot be read as a picture" in capsys.readouterr().err


def test_samples_hold_unlabelled_keypoints_as_unknown(kitti3d, street):
    vehicles = read_kitti3d(Path(kitti3d[1]), Path(kitti3d[3]))
    for sample, state in zip(samples_of(vehicles), street.state, strict=True):
        unknown = sample["state"].numpy() == -1
        np.testing.assert_array_equal(unknown, state > 0)
        np.testing.assert_array_equal(unknown, sample["xy"].isnan().any(dim=1).numpy())


def test_tables_of_rendered_vehicles_are_printed_and_figures_plotted(tiny, views_folder, tmp_path, capsys):
    files = {}
    for name, settings in (("ours", tiny), ("baseline", OcclusionNetSettings(width=8, graph=False, lift=False))):
        files[name] = tmp_path / f"{name}.safetensors"
        write_weights(files[name], OcclusionNet(settings), SPEC.config(settings))
    options = ["--crops", views_folder, "--weights", files["ours"], "--baseline", files["baseline"]]
    assert main([*map(str, options), "--plots", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for text in ("test: 8 crops", "unseen: 4 crops", "composed: 8 crops", "occlusion AUC", "yaw error", "noise"):
        assert text in printed
    assert {path.name for path in tmp_path.glob("*.png")} >= {
        "figure3_occlusion_test.png", "figure5_alpha_unseen.png", "figure9_hidden_composed.png", "figure10_noise.png"
    }  # fmt: skip
