"""`make predict MODEL=opec_net` on poses that another program found."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from stick_couples import SMALL_OPEC_NET, couple

from models.checkpoints import write_weights
from models.contract import find
from models.opec_net.network import OpecNet
from pipeline.core.skeletons import OPEC_12
from tasks.predict.command import main

SPEC = find("opec_net")


@pytest.fixture
def drawn(tmp_path):
    """The people of a picture, in a file of which another picture shows nobody, and the network's weights."""
    picture, image = couple(3, "test")
    for name in ("street.png", "empty.png"):
        cv2.imwrite(str(tmp_path / name), image[..., ::-1])
    settings = replace(SMALL_OPEC_NET, graph=replace(SMALL_OPEC_NET.graph, couples=False))
    torch.manual_seed(0)
    write_weights(tmp_path / "opec.safetensors", OpecNet(settings), SPEC.config(settings))
    return picture.in_skeleton(OPEC_12).people


def predicted(folder, rows):
    """Exit code of the command on both pictures."""
    (file := folder / "poses.json").write_text(json.dumps(rows))
    asked = ["--weights", str(folder / "opec.safetensors"), "--poses", str(file), "--out", str(folder / "out")]
    return main(["opec_net", str(folder / "street.png"), str(folder / "empty.png"), *asked])


def row(person, count=12):
    points = np.column_stack([person.xy, np.full(12, 0.75)])[:count]
    return {"file_name": "street.png", "bbox": person.box_xywh.tolist(), "keypoints": points.ravel().tolist()}


def test_given_poses_are_what_is_corrected(drawn, tmp_path, capsys):
    """Untrained graphs leave them as they are."""
    assert predicted(tmp_path, [row(person) for person in drawn]) == 0
    told = capsys.readouterr()
    assert "read 2, predicted 2 objects, left out 0" in told.out and "only boxes are used" not in told.err
    street, empty = json.loads((tmp_path / "out" / "predictions.json").read_text())["pictures"]
    assert empty["objects"] == []
    for found, person in zip(street["objects"], drawn, strict=True):
        for name in ("keypoints_initial", "keypoints_2d"):
            assert np.array(found[name]) == pytest.approx(person.xy, abs=1e-2)
    again = json.loads((tmp_path / "out" / "coco_keypoints.json").read_text())
    assert predicted(tmp_path, again) == 0  # what it wrote is such a file itself


def test_poses_of_other_joints_are_one_line(drawn, tmp_path, capsys):
    assert predicted(tmp_path, [row(drawn[0]), row(drawn[1], 11)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("predict: ") and error.count("\n") == 1
    assert (
        "poses.json: expected 12 joints a person, from left_shoulder to" in error and "got 11; give poses of" in error
    )
