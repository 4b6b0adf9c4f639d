"""Keypoints and links of drawn kites by the command: in a box of a class, and where a network finds the objects."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drawn_kites import KITE, TABLE, frame
from small_klpnet import SMALL

from models import dpad, klpnet
from models.checkpoints import write_weights
from models.contract import load_object
from models.frames import Frame, read_picture
from models.predictor import load
from pipeline.core.instances import Instances
from tasks.predict.command import main


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "kites.png"
    cv2.imwrite(str(path), frame(0, overlap=False).image)
    return path


def weights_of(spec, settings, path):
    torch.manual_seed(0)
    network = load_object(spec.network)(settings)
    network.initialise(0)
    write_weights(path, network, spec.config(settings))
    return str(path)


def found(tmp_path, *arguments):
    assert main(["klpnet", *arguments, "--out", str(tmp_path / "out")]) == 0
    (only,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["pictures"]
    assert (tmp_path / "out" / only["picture"]).is_file()
    return only["objects"]


def test_a_box_of_a_class_gives_its_points_and_links(picture, tmp_path):
    weights = weights_of(klpnet.SPEC, SMALL, tmp_path / "klpnet.safetensors")
    box = ["--box", "10", "10", "60", "90"]
    (named,) = found(tmp_path, str(picture), "--weights", weights, *box, "--class", "kite")
    assert named["class"] == "kite" and len(named["keypoints_2d"]) == len(named["keypoint_score"]) == len(KITE)
    assert all(len(pair) == 2 for pair in named["keypoint_links"])
    assert len(named["keypoint_links"]) == len(named["link_score"])
    (unnamed,) = found(tmp_path, str(picture), "--weights", weights, *box)
    assert not any(unnamed["keypoint_inferred"])


def test_a_class_that_the_network_does_not_know_is_told_in_one_line_with_those_it_knows(picture, tmp_path, capsys):
    weights = weights_of(klpnet.SPEC, SMALL, tmp_path / "klpnet.safetensors")
    box = ["--box", "10", "10", "60", "90", "--class", "kit", "--out", str(tmp_path / "out")]
    assert main(["klpnet", str(picture), "--weights", weights, *box]) == 1
    said = capsys.readouterr().err
    assert said.startswith("predict: --class: unknown class 'kit'; expected kite, mast") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_picture_in_which_nothing_was_found_has_no_objects(tmp_path):
    """Nor does the network stumble over a batch of none."""
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), np.full((80, 100, 3), 128, np.uint8))
    weights = weights_of(klpnet.SPEC, SMALL, tmp_path / "klpnet.safetensors")
    boxes = Instances((80, 100), {"bbox_xywh": np.zeros((0, 4)), "class": []})
    (found_here,) = load(klpnet.SPEC, Path(weights)).of_frames([Frame(read_picture(path), boxes, "empty.png")])
    assert len(found_here) == 0 and set(klpnet.SPEC.gives) <= set(found_here)


def test_another_network_finds_the_objects(picture, tmp_path):
    settings = dpad.DpadSettings(classes=SMALL.classes, base_channels=8, groups=4, levels=4, channels=16, side_px=128)
    finder = weights_of(dpad.SPEC, settings, tmp_path / "dpad.safetensors")
    weights = weights_of(klpnet.SPEC, SMALL, tmp_path / "klpnet.safetensors")
    objects = found(tmp_path, str(picture), "--weights", weights, "--detector", "dpad", "--detector-weights", finder)
    assert all(one["class"] in TABLE.names and "keypoint_links" in one for one in objects)
