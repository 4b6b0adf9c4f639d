from dataclasses import replace

import numpy as np
import pytest
from stick_couples import couple

from models.checkpoints import write_weights
from models.contract import find
from models.frames import frame_of
from models.opec_net.predict import PeoplePredictor, load
from pipeline.core.skeletons import OPEC_12
from pipeline.core.tables import KEYPOINT_STATES

SPEC = find("opec_net")


@pytest.fixture
def drawn():
    picture, image = couple(5, "test")
    return picture.in_skeleton(OPEC_12), np.ascontiguousarray(image[..., ::-1])


@pytest.fixture
def predictor(made, small):
    return PeoplePredictor(SPEC, made(small))


def test_every_joint_has_a_place_a_score_a_state_and_where_it_was_before(predictor, drawn):
    picture, image = drawn
    (found,) = predictor(image, picture.boxes)
    assert found["keypoints_2d"].shape == found["keypoints_initial"].shape == (2, 12, 2)
    assert ((found["keypoint_score"] > 0) & (found["keypoint_score"] < 1)).all()
    assert found["pose_score"] == pytest.approx(found["keypoint_score"].mean(1))
    assert {state for row in found["keypoint_state"] for state in row} <= set(KEYPOINT_STATES)
    assert found["coupled"].tolist() == [True, True]


def test_one_alone_and_one_far_off_are_no_couple(predictor, drawn):
    picture, image = drawn
    (one,) = predictor(image, picture.boxes[:1])
    assert one["coupled"].tolist() == [False]
    far = np.array([picture.boxes[0], [0.0, 0, 12, 20]])
    (both,) = predictor(image, far)
    assert both["coupled"].tolist() == [False, False]
    assert both["keypoints_2d"][0] == pytest.approx(one["keypoints_2d"][0], abs=1e-2)


def test_no_person_is_an_empty_frame(predictor, drawn):
    _, image = drawn
    (none,) = predictor(image, np.zeros((0, 4)))
    assert len(none) == 0 and set(SPEC.gives) <= set(none.columns)


def test_a_box_outside_the_picture_is_one_line(predictor, drawn):
    picture, image = drawn
    boxes = np.array([picture.boxes[0], [400.0, 10, 50, 80]])
    with pytest.raises(ValueError, match=r"picture \?: box 1 \[400.0, .* lies outside the picture, 170 x 150 px"):
        predictor(image, boxes)


def test_a_couple_of_whom_one_is_outside_the_picture_is_one_line(predictor, drawn):
    """Their boxes overlap by more than half, so that without the other one they would be two."""
    _, image = drawn
    with pytest.raises(ValueError, match=r"picture \?: box 1 \[-30.0, .* lies outside the picture, 170 x 150 px; give"):
        predictor(image, np.array([[-25.0, 20, 30, 60], [-30.0, 20, 30, 60]]))


def test_a_pose_from_outside_is_what_the_correction_begins_with(made, small, drawn):
    picture, image = drawn
    network = made(replace(small, initial="given"))
    for name, weight in network.named_parameters():
        if ".heads." in name:
            weight.data.zero_()
    frame = frame_of(image, picture.boxes)
    poses = np.stack([one.xy for one in picture.people])
    given = replace(frame, objects=frame.objects.with_columns({"keypoints_initial": poses}))
    (found,) = PeoplePredictor(SPEC, network)([given])
    assert found["keypoints_initial"] == pytest.approx(poses, abs=1e-3)
    assert found["keypoints_2d"] == pytest.approx(poses, abs=1e-3)
    with pytest.raises(ValueError, match="expected keypoints_initial, the poses to correct, of its objects"):
        PeoplePredictor(SPEC, network)([frame])
    other = replace(frame, objects=frame.objects.with_columns({"keypoints_initial": np.zeros((2, 17, 2))}))
    with pytest.raises(ValueError, match="initial: expected 12 joints of opec_12, got 17; give poses of these"):
        PeoplePredictor(SPEC, network)([other])


def test_weights_that_find_poses_correct_given_ones_too_and_find_those_that_lack(predictor, drawn):
    """Of one joint nothing is known, and of another picture of the same batch nothing at all."""
    picture, image = drawn
    frame = frame_of(image, picture.boxes)
    (own,) = predictor([frame])
    poses = np.stack([one.xy for one in picture.people])
    poses[1, 4] = np.nan
    columns = {"keypoints_initial": poses, "keypoint_score": np.full((2, 12), 0.7)}
    given = replace(frame, objects=frame.objects.with_columns(columns))
    found, beside = predictor([given, frame])
    known = np.isfinite(poses).all(-1)
    assert found["keypoints_initial"][known] == pytest.approx(poses[known], abs=1e-3)
    assert np.isfinite(found["keypoints_initial"]).all() and np.isfinite(found["keypoints_2d"]).all()
    assert np.abs(found["keypoints_2d"] - own["keypoints_2d"]).max() > 1
    for name in ("keypoints_2d", "keypoints_initial", "keypoint_score"):
        assert beside[name] == pytest.approx(own[name], abs=1e-3)


def test_a_base_alone_has_no_use_for_poses(made, small, tmp_path):
    for corrected in (True, False):
        path, network = tmp_path / f"{corrected}.safetensors", made(replace(small, corrected=corrected))
        write_weights(path, network, SPEC.config(network.settings))
        assert ("keypoints_initial" in load(SPEC, path, "cpu").spec.gives) is corrected
