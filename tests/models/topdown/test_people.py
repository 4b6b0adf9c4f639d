"""mmpose's networks behind PersonPose, and which network a setting means."""

import subprocess
import sys

import dots
import numpy as np
import pytest

from models.topdown import load_pose
from models.topdown.network import TopDown

TINY = "rtmpose-t_8xb256-420e_coco-256x192"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The checkpoint of a network of the zoo."""
    return dots.with_random_weights(TINY, tmp_path_factory.mktemp("tiny"))


def test_a_config_of_the_zoo_finds_the_seventeen_points_that_its_network_says(tiny):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    boxes = np.array([[30, 20, 40, 60.0], [-20, -10, 60, 60], [10, 10, 0, 5]])
    pose = load_pose(TINY, str(tiny[1]))
    xy, score = pose.predict([image] * 3, boxes)
    assert xy.shape == (3, 17, 2) and score.shape == (3, 17)
    assert np.isfinite(xy[:2]).all() and np.isnan(xy[2]).all() and not score[2].any()
    np.testing.assert_array_equal(xy, TopDown(*tiny).predict([image] * 3, boxes)[0])


def test_a_network_of_other_points_is_refused(tmp_path):
    config, checkpoint = dots.with_random_weights(dots.write_config(tmp_path, 14), tmp_path)
    with pytest.raises(ValueError, match="expected a network of COCO's 17 keypoints, got one of 14"):
        load_pose(str(config), str(checkpoint))


def test_names_that_nothing_has_are_told_with_what_is_alike(tiny):
    assert load_pose("") is None
    with pytest.raises(ValueError, match=f"no config of the model zoo has this name; alike are .*{TINY}"):
        load_pose("rtmpose-t_8xb256-420e_coco-256x193", str(tiny[1]))
    with pytest.raises(ValueError, match=r"nothing\.pth: no such file"):
        load_pose(TINY, "nothing.pth")


def test_without_the_packages_the_command_that_installs_them_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmpose", None)  # as the interpreter marks what it cannot import
    monkeypatch.setattr("models.mm.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="mmpose is not installed; run `make setup-mm`"):
        load_pose(TINY, "any.pth")


def test_nothing_of_mmpose_is_loaded_before_it_is_asked_for():
    code = (
        "import sys, models.topdown, models.topdown.keypoints; print({'mmpose', 'mmcv', 'mmengine'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
