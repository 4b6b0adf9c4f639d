"""The network that ships, as a detector, on a scene that the README shows."""

from pathlib import Path

import numpy as np
import pytest

import models
from models.frames import read_picture
from pipeline.core import masks
from pipeline.detection import Inputs, make_detector
from pipeline.detection.registry import backend_of
from pipeline.detection.walt3d import Walt3dDetectorSettings

SCENE = read_picture(Path(__file__).parents[3] / "docs" / "scene.jpg")[
    :, :800
]  # the picture, without its labels beside it
HW = SCENE.shape[:2]


def whole(one):
    mask = np.zeros(HW, bool)
    x, y, w, h = one.box_xywh
    mask[y : y + h, x : x + w] = one.crop
    return mask


def test_it_finds_what_is_seen_of_what_the_network_finds_and_nothing_where_nobody_looks():
    (predicted,) = models.load("walt3d")(SCENE)
    found = make_detector("walt3d", Walt3dDetectorSettings(min_score=0.5), Inputs())(SCENE, "noon", 0)
    likely = [k for k, score in enumerate(predicted["score"]) if score >= 0.5]
    assert {one.category for one in found} == {"person", "vehicle"} and len(found) > 5
    assert [(one.category, round(one.score, 4)) for one in found] == [
        (predicted["category"][k], round(float(predicted["score"][k]), 4)) for k in likely
    ]
    for one, k in zip(found, likely, strict=True):
        assert np.array_equal(whole(one), masks.full(predicted["mask_visible_rle"][k], HW))

    ignore = np.zeros(HW, bool)
    ignore[:, : HW[1] // 2] = True
    rest = make_detector("walt3d", Walt3dDetectorSettings(min_score=0.5), Inputs(ignore=ignore))(SCENE, "noon", 0)
    assert 0 < len(rest) < len(found) and not any((whole(one) & ignore).any() for one in rest)


def test_wrong_settings_are_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^detector walt3d: min_score: expected 0 to 1, got 3$"):
        Walt3dDetectorSettings(min_score=3)
    with pytest.raises((ValueError, FileNotFoundError), match=r"none\.safetensors"):
        make_detector("walt3d", Walt3dDetectorSettings(str(tmp_path / "none.safetensors")), Inputs())


def test_one_background_is_not_enough_to_believe_it():
    assert backend_of("walt3d").sure > 0 and backend_of("onnx").sure == 0
