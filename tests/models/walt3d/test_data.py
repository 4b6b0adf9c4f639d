import dataclasses

import cv2
import numpy as np
import pytest
import torch
from chance import examples
from composed_streets import CAMERA, composed, write_composed
from hypothesis import given
from hypothesis import strategies as st

from calibration.camera import edge_to_pixel
from models.contract import Given, OwnCamera
from models.scenes import WindowSettings
from models.scenes.objects import CLASSES, Scenes
from models.shape_basis import load_bases
from models.walt3d import Walt3dSettings
from models.walt3d.data import RASTER, Windows, splits
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.tables import KEYPOINT_STATES

VEHICLE = CLASSES.index("vehicle")
SIDE = 96


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return Scenes([write_composed(tmp_path_factory.mktemp("clipart"), 20)], "train")


def windows(scenes, masks="amodal", *, augment=True, **changed):
    window = WindowSettings(side_px=SIDE, illumination=0.0, noise=0.0, **changed)
    return Windows(scenes, Walt3dSettings(window=window), 0, masks, augment=augment)


def drawn(sample, k, which):
    """An object's raster as a mask of the window, (96, 96) bool."""
    left, top, right, bottom = sample["whole"][k].tolist()
    scale = np.array([(right - left) / RASTER, (bottom - top) / RASTER])
    matrix = np.array([[scale[0], 0, left + scale[0] / 2 - 0.5], [0, scale[1], top + scale[1] / 2 - 0.5]])
    return cv2.warpAffine(sample["masks"][k, which].numpy(), matrix, (SIDE, SIDE)) >= 128


@examples(25)
@given(number=st.integers(0, 5000))
def test_masks_lie_on_what_they_are_of_mirrored_or_not(scenes, number):
    """The street is grey; cars, people and what is drawn on them are not."""
    sample = windows(scenes)[number]
    image = sample["image"].numpy().astype(int)
    for k in range(int((sample["labels"] >= 0).sum())):
        seen = cv2.erode(drawn(sample, k, 1).astype(np.uint8), np.ones((3, 3))) > 0
        assert seen.sum() < 15 or (image[:, seen].max(axis=0) > 140).mean() > 0.9


@examples(25)
@given(number=st.integers(0, 5000))
def test_whole_boxes_hold_visible_ones_and_keep_their_shape_beyond_the_window(scenes, number):
    sample = windows(scenes)[number]
    for k in range(int((sample["labels"] >= 0).sum())):
        whole, seen = sample["whole"][k], sample["visible"][k]
        assert (seen[:2] >= whole[:2] - 1e-3).all() and (seen[2:] <= whole[2:] + 1e-3).all()
        assert (seen > -1.5).all() and (seen < SIDE + 1.5).all()
        rows, columns = sample["masks"][k, 0].numpy().max(axis=1) > 127, sample["masks"][k, 0].numpy().max(axis=0) > 127
        assert rows[[0, -1]].all() and columns[[0, -1]].all()  # a whole mask touches all sides of its box


def test_some_whole_box_leaves_its_window_and_what_lies_beyond_is_truncated(scenes):
    truncated = KEYPOINT_STATES.index("truncated")
    beyond = 0
    for number in range(40):
        sample = windows(scenes)[number]
        xy, states = sample["keypoints"], sample["states"]
        outside = ((xy < 0) | (xy > SIDE)).any(-1) & (states >= 0)
        assert torch.equal(outside, states == truncated)
        beyond += int((sample["whole"] > SIDE + 3).any())
    assert beyond > 5


@examples(25)
@given(number=st.integers(0, 5000))
def test_keypoints_lead_back_to_the_camera_that_saw_them(scenes, number):
    """Projected shapes of their poses, through the window and back, mirrored or not."""
    sample = windows(scenes)[number]
    order = sample["to_frame"][0, 0] < 0
    for k in torch.nonzero(sample["labels"] == VEHICLE).flatten().tolist():
        xy = sample["keypoints"][k, : len(VEHICLE_12)]
        xy = xy[list(VEHICLE_12.flip)] if order else xy
        frame = edge_to_pixel((xy @ sample["to_frame"][:, :2].T + sample["to_frame"][:, 2]).numpy())
        shape, R, t = (sample[name][k].double().numpy() for name in ("shape", "R", "t"))
        points = load_bases()["car"].keypoints(shape) @ R.T + t
        assert np.abs(CAMERA.project(points) - frame).max() < 0.05


def test_who_labels_what_is_seen_knows_nothing_of_the_rest(scenes):
    hidden = {KEYPOINT_STATES.index(name) for name in ("occluded", "truncated")}
    for number in range(20):
        sample = windows(scenes, "visible")[number]
        count = int((sample["labels"] >= 0).sum())
        assert torch.equal(sample["whole"][:count], sample["visible"][:count])
        assert torch.equal(sample["masks"][:, 0], sample["masks"][:, 1])
        assert not hidden & set(sample["states"].flatten().tolist())


def test_what_is_not_told_weighs_nothing(scenes):
    """An object that a window shows too little of, and the places that the camera ignores."""
    scene = scenes[0]
    ignore = np.zeros(scene.size_hw, bool)
    ignore[:40, :60] = True
    plain = windows(scenes, augment=False, smallest=1.0, largest=1.0, at_object=0.0)
    sample = plain.window(dataclasses.replace(scene, ignore=ignore), np.random.default_rng(0))
    corner = sample["to_frame"][:, 2].numpy()
    x, y = np.meshgrid(*[corner[i] + 4 * np.arange(SIDE // 4) + 2 for i in (0, 1)])
    assert (sample["ignore"].numpy() == ((x < 60) & (y < 40))).mean() > 0.97 and sample["ignore"].any()


def test_both_splits_are_read_and_a_camera_beside_mixes_in(tmp_path):
    one, two = (write_composed(tmp_path / name / "clipart", 20, first=k) for k, name in enumerate(("a", "b")))
    mixed = Given(shards=one, cameras=(OwnCamera(two.parent, "b", tmp_path),))
    both = splits(Walt3dSettings(), mixed, 0)
    assert len(both.train) == 36 and len(both.val) == 4
    assert {name.split("/")[0] for name in both.train.scenes} == {"a", "b"}
    assert len(composed(0)[1]) == 3
    with pytest.raises(ValueError, match="expected a camera's clip-art, got none"):
        splits(Walt3dSettings(), Given(), 0)
