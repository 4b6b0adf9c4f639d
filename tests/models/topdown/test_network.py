"""Real networks of mmpose: the zoo's with random weights, and small ones that learnt to find dots."""

import dots
import numpy as np
import pytest
import torch

from models.mm.configs import resolve_config
from models.topdown.network import TopDown

TINY = "rtmpose-t_8xb256-420e_coco-256x192"
HEATMAP = "td-hm_res50_8xb64-210e_coco-256x192"


@pytest.fixture(scope="module", params=[("UDPHeatmap", True), ("MSRAHeatmap", False)], ids=["udp-flipped", "msra"])
def learnt(request, tmp_path_factory) -> TopDown:
    """By UDP and the flip test, and without. The flip test of MSRA's heatmaps moves points by a quarter of a cell, as
    mmpose ships it."""
    folder, (codec, flip) = tmp_path_factory.mktemp("dots"), request.param
    config = dots.write_config(folder, 4, codec, flip)
    return TopDown(config, dots.learn_dots(config, folder / "dots.pth"), "cpu")


@pytest.mark.parametrize("reach", [0.0, 14.0], ids=["inside", "partly outside"])
def test_points_fall_on_the_dots_in_pixels_of_the_image(learnt, reach):
    scenes = [dots.scene(np.random.default_rng([7, k]), reach=reach) for k in range(60)]
    images, boxes, truth = ([scene[i] for scene in scenes] for i in range(3))
    xy, score = learnt.predict(images, np.stack(boxes))
    error = xy - np.stack(truth)
    distance = np.linalg.norm(error, axis=-1)
    assert np.median(distance) < 0.7 and np.quantile(distance, 0.97) < 2.0
    # Half a pixel or more is what mixing up pixels' edges and centres would cost.
    assert np.abs(np.median(error.reshape(-1, 2), axis=0)).max() < 0.25
    assert np.median(score) > 0.7 and score.min() >= 0 and score.max() <= 1


def test_boxes_without_an_area_have_no_points_and_the_others_keep_their_rows(learnt):
    image, box, truth = dots.scene(np.random.default_rng(5))
    boxes = np.array([[5, 5, 0, 10], box, [np.nan, 0, 5, 5], [5, 5, 10, -1]])
    xy, score = learnt.predict([image] * 4, boxes)
    assert np.isnan(xy[[0, 2, 3]]).all() and not score[[0, 2, 3]].any()
    np.testing.assert_allclose(xy[1], truth, atol=2.5)
    xy, score = learnt.predict([], np.zeros((0, 4)))
    assert xy.shape == (0, 4, 2) and score.shape == (0, 4)
    with pytest.raises(ValueError, match="expected one image for each of 1 boxes"):
        learnt.predict([], boxes[:1])


def test_batches_do_not_change_what_is_found(learnt):
    scenes = [dots.scene(np.random.default_rng([9, k])) for k in range(35)]
    together, _ = learnt.predict([s[0] for s in scenes], np.stack([s[1] for s in scenes]))
    for k in (0, 31, 34):
        alone, _ = learnt.predict([scenes[k][0]], scenes[k][1][None])
        np.testing.assert_allclose(alone[0], together[k], atol=0.05)


@pytest.mark.parametrize("name", [TINY, HEATMAP])
def test_networks_of_the_zoo_run_by_their_names(tmp_path, name):
    network = TopDown(*dots.with_random_weights(name, tmp_path), device="cpu")
    assert network.points == 17 and network.about["flip_indices"][1] == 2, "left and right eye swap"
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    first, second = (network.predict([image], np.array([[30, 20, 40, 60.0]])) for _ in range(2))
    assert np.isfinite(first[0]).all() and first[1].shape == (1, 17)
    np.testing.assert_array_equal(first[0], second[0])
    # The crop of a box is the box grown by a quarter and to the input's shape: no point can lie beyond.
    assert (np.abs(first[0] - [50, 50]) <= 1.25 * 60 / 2 + 2).all()


def test_a_checkpoint_of_another_architecture_is_told_in_one_line(tmp_path):
    _, checkpoint = dots.with_random_weights(dots.write_config(tmp_path, 4), tmp_path)
    with pytest.raises(ValueError, match="weights of another architecture") as raised:
        TopDown(resolve_config(TINY, "mmpose"), checkpoint, "cpu")
    assert "\n" not in str(raised.value)


def test_configs_that_are_no_top_down_networks_are_told_in_one_line(tmp_path):
    weights = tmp_path / "any.pth"
    torch.save({"state_dict": {"x": torch.zeros(1)}}, weights)
    bottom_up = resolve_config("dekr_hrnet-w32_8xb10-140e_coco-512x512", "mmpose")
    with pytest.raises(ValueError, match=r"expected a top-down network \(TopdownPoseEstimator\), got Bottomup"):
        TopDown(bottom_up, weights, "cpu")
    config, checkpoint = dots.with_random_weights(dots.write_config(tmp_path, 4), tmp_path)
    untested = tmp_path / "untested.py"
    untested.write_text(config.read_text().replace("test_dataloader", "other"))
    with pytest.raises(ValueError, match="expected a test_dataloader whose dataset has a pipeline"):
        TopDown(untested, checkpoint, "cpu")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(config.read_text().replace('*crop, dict(type="PackPoseInputs")]))', "*crop]))"))
    with pytest.raises(ValueError, match=r"wrong\.py: expected a top-down network of mmpose") as raised:
        TopDown(wrong, checkpoint, "cpu")
    assert "\n" not in str(raised.value)
