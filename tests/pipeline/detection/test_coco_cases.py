"""Files as Label Studio, Roboflow and others export them, against the street that they are of."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.account import Account
from pipeline.detection.coco import BACKEND, CocoDetector, CocoSettings
from pipeline.detection.registry import Inputs

CASES = Path(__file__).parents[2] / "cases" / "coco"
PICTURES = sorted((CASES / "street").iterdir())
IMAGE = np.zeros((240, 320, 3), np.uint8)
TRUTH = {name: tuple(box) for name, box in json.loads((CASES / "truth.json").read_text()).items()}
FRAMES = pa.table({
    "source": [str(p) for p in PICTURES],
    "frame_id": range(20),
    "position": [-1] * 20,
    "width": [320] * 20,
    "height": [240] * 20,
})  # fmt: skip


def found_by(settings, frames=FRAMES):
    """The boxes that are found, by the pictures' names."""
    detector = CocoDetector(settings, frames)
    found = {p.name: [i.box_xywh for i in detector(IMAGE, "", n)] for n, p in enumerate(PICTURES)}
    return {name: boxes[0] for name, boxes in found.items() if len(boxes) == 1}


def told(settings, frames=FRAMES):
    (line,) = BACKEND.told(settings, Inputs(frames=frames))
    return line


def changed(tmp_path, change, name="labelstudio.json"):
    """A case with something else in it."""
    content = json.loads((CASES / name).read_text())
    change(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return CocoSettings(file=str(path))


@pytest.mark.parametrize("name", ["labelstudio.json", "roboflow.json", "stretch.json"])
def test_every_detection_is_found_at_its_frame_and_its_place(name):
    settings = CocoSettings(file=str(CASES / name))
    assert found_by(settings) == TRUTH
    assert f"{name}: read 20 detections, used 20; 20 images are" in told(settings)


def test_a_converted_copy_is_known_by_its_stem_and_a_quoted_name_by_what_it_was(tmp_path):
    def respell(content):
        for number, image in enumerate(content["images"]):
            plain = image["file_name"].partition("-")[2]
            image["file_name"] = plain.replace(".jpg", ".png") if number % 2 else f"x/{plain.replace('_', '%5F')}"

    assert found_by(changed(tmp_path, respell)) == TRUTH


def test_names_that_fit_no_frame_are_never_numbers(tmp_path):
    def rename(content):
        for image in content["images"]:
            image["file_name"] = f"other-{image['id']}.jpg"

    with pytest.raises(ValueError, match=r"none of its 20 images is a frame: .*'other-0.jpg', .* as 'street_2025"):
        found_by(changed(tmp_path, rename))


def test_what_fits_nothing_is_left_out_and_counted(tmp_path):
    def spoil(content):
        content["images"][0]["file_name"] = "other.jpg"
        content["annotations"][1]["category_id"] = 7
        content["categories"].append({"id": 8, "name": "Sedan"})
        content["annotations"][2]["category_id"] = 8
        content["annotations"][3]["segmentation"] = []

    settings = changed(tmp_path, spoil)
    assert len(found_by(settings)) == 16
    line = told(settings)
    assert "read 20 detections, used 16, left out 4: " in line and "1 of class 'Sedan', which neither" in line
    assert "1 of class 'number 7'" in line and "1 of pictures that are none of the frames" in line
    assert "1 with a box alone" in line and "1 of 20 images are none of the frames, the first 'other.jpg'" in line


def test_classes_of_neither_kind_are_listed_with_the_setting_that_maps_them():
    file = str(CASES / "cats.json")
    with pytest.raises(ValueError, match=r"none of its 20 .*: 20 of class 'Sedan', which neither person_names nor"):
        CocoDetector(CocoSettings(file=file), FRAMES)
    assert found_by(CocoSettings(file=file, vehicle_names="sedan")) == TRUTH


def test_boxes_alone_are_refused_by_what_is_needed():
    with pytest.raises(ValueError, match=r"20 with a box alone: objects are cut out by their masks"):
        CocoDetector(CocoSettings(file=str(CASES / "boxes.json")), FRAMES)


def test_copies_of_one_frame_are_refused(tmp_path):
    def augment(content):
        first, second = content["images"][:2]
        second["file_name"] = first["file_name"].replace("fc474c02", "00000000")

    with pytest.raises(ValueError, match="are of one frame; export it without augmentation"):
        found_by(changed(tmp_path, augment))


def test_pictures_of_another_size_are_told_or_refused(tmp_path):
    def undeclared(content):
        for image in content["images"]:
            del image["width"], image["height"]

    with pytest.raises(ValueError, match=r"20 of 20 outlines leave their frames of 320x240, as far as .* `scale`"):
        found_by(changed(tmp_path, undeclared, "stretch.json"))

    def turned(content):
        for image in content["images"]:
            image["width"], image["height"] = image["height"], image["width"]

    with pytest.raises(ValueError, match=r"is 240x320, its frame 320x240: it is turned"):
        found_by(changed(tmp_path, turned))


def test_frames_of_a_video_are_found_by_their_numbers(tmp_path):
    video = FRAMES.set_column(0, "source", pa.array(["/x/gate.mp4"] * 20)).set_column(
        2, "position", pa.array(range(20))
    )

    def renumber(pattern):
        def change(content):
            for image in content["images"]:
                stem = Path(image["file_name"]).stem.partition("-")[2]
                image["file_name"] = pattern.format([p.stem for p in PICTURES].index(stem))

        return change

    for pattern in ("frame_{:06d}.PNG", "gate_{:06d}.jpg"):
        assert found_by(changed(tmp_path, renumber(pattern)), video) == TRUTH
    with pytest.raises(ValueError, match=r"are named as 'street.*, the frames as 'gate_000000'"):
        found_by(changed(tmp_path, renumber("street{:06d}.jpg")), video)


def test_an_account_counts_what_is_left_out():
    account = Account("cars.json", "boxes", 7)
    account.leave_out("of class dog", 2)
    account.leave_out("without a label")
    assert str(account) == "cars.json: read 7 boxes, used 4, left out 3: 2 of class dog; 1 without a label"
