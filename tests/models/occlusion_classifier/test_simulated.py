"""Crops of a camera whose truth is known, and the label that each gets."""

import numpy as np
import pandas as pd
import pytest
from cards import HW, track_rows, truth_rows

from models.occlusion_classifier.data import stored
from models.occlusion_classifier.simulated import classes_of, crops_of_camera, labelled_detections, thinned

WHOLE = {"visible_fraction": 1.0, "truncation": 0.0, "static_hidden_fraction": 0.0, "occluder_ids": []}
NAMES = {7: "person", 8: "vehicle"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"unoccluded"}),
        ({"visible_fraction": 0.985, "occluder_ids": [7]}, {"unoccluded"}),
        ({"visible_fraction": 0.8, "occluder_ids": [7]}, {"occluded_by_person"}),
        ({"visible_fraction": 0.8, "occluder_ids": [7, 8]}, {"occluded_by_person", "occluded_by_vehicle"}),
        ({"visible_fraction": 0.8, "occluder_ids": [-1], "static_hidden_fraction": 0.2}, {"occluded_by_static"}),
        ({"visible_fraction": 0.8, "occluder_ids": [-1, 8], "static_hidden_fraction": 0.01}, {"occluded_by_vehicle"}),
        ({"truncation": 0.1}, {"truncated"}),
        ({"truncation": 0.1, "visible_fraction": 0.5, "occluder_ids": [8]}, {"occluded_by_vehicle", "truncated"}),
    ],
)
def test_what_the_truth_says_is_the_label(changed, expected):
    assert set(classes_of(WHOLE | changed, NAMES, iou=0.9)) == expected


@pytest.mark.parametrize(
    ("iou", "expected"),
    [(0.95, {"unoccluded"}), (0.75, {"unoccluded", "no_object"}), (0.69, {"no_object"}), (0.35, {"no_object"})],
)
def test_a_whole_actor_whose_mask_is_another_thing_is_no_whole_object(iou, expected):
    """Somebody's legs alone, or two people in one mask: nothing hides the actor, and the cutout would be wrong."""
    assert set(classes_of(WHOLE, NAMES, iou)) == expected
    hidden = WHOLE | {"visible_fraction": 0.8, "occluder_ids": [7]}
    assert classes_of(hidden, NAMES, iou) == ("occluded_by_person",)


def test_every_card_gets_its_label_and_paving_is_no_object():
    labelled = labelled_detections(pd.DataFrame(track_rows(0)), pd.DataFrame(truth_rows(0)), HW)
    labels = ["unoccluded", "occluded_by_person", "unoccluded", "truncated", "no_object"]
    assert labelled["classes"].tolist() == labels
    assert labelled["group"].tolist() == [1, 2, 3, 4, -1]


def test_in_a_frame_without_actors_nothing_is_an_object():
    labelled = labelled_detections(pd.DataFrame(track_rows(5)), pd.DataFrame(truth_rows(0)), HW)
    assert set(labelled["classes"]) == {"no_object"}


def test_a_camera_gives_the_crops_of_its_detections_in_time_order(camera_dir):
    table = crops_of_camera(camera_dir, camera_dir / "tracks.parquet", per_actor=3)
    groups = table["group"].to_numpy()
    assert [(groups == actor).sum() for actor in (1, 2, 3, 4)] == [3, 3, 3, 3]
    assert (groups < 0).sum() == 12  # one of each frame
    blue = stored(table)[groups == 1]
    assert np.abs(blue[:, 48, 48, :3].astype(int).mean(0) - (200, 60, 40)).max() < 30


def test_of_each_object_and_label_a_few_are_kept_from_first_to_last():
    labelled = pd.DataFrame({"group": [5] * 6 + [9], "classes": ["a", "a", "a", "a", "a", "b", "a"]})
    assert thinned(labelled, 3).index.tolist() == [0, 2, 4, 5, 6]
    assert not len(thinned(labelled.iloc[:0], 3))
