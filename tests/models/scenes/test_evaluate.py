import numpy as np
import pytest
from composed_streets import SIZE_HW, composed, write_composed

from models.scenes.evaluate import evaluate_scenes, frame_of_scene
from models.scenes.objects import Scenes
from pipeline.core.instances import Instances


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return Scenes([write_composed(tmp_path_factory.mktemp("clipart"), 10)], "train")


def told(rows, scores):
    """What the labels say, as a network that knows them would."""
    return Instances(SIZE_HW, {
        "category": [row["category"] for row in rows], "score": np.array(scores[: len(rows)]),
        "bbox_amodal_xywh": np.array([row["bbox_amodal_xywh"] for row in rows], float).reshape(-1, 4),
        **{f"mask_{name}_rle": [row[f"mask_{name}_rle"] for row in rows] for name in ("amodal", "visible")},
        "keypoints_2d": [np.array(row["keypoints_2d"]).reshape(-1, 2) for row in rows],
        "keypoint_state": [row["keypoint_state"] for row in rows],
        "R": np.array([np.full(9, np.nan) if row["R"] is None else row["R"] for row in rows]).reshape(-1, 3, 3),
        "t": np.array([row["t"] for row in rows], float).reshape(-1, 3),
    })  # fmt: skip


class Knowing:
    """Predicts the labels of the scenes in their order, changed as told."""

    def __init__(self, change=lambda rows: rows):
        self.number, self.change = -1, change

    def __call__(self, frames):
        self.number += 1
        return [told(self.change([row for row in composed(self.number)[1]]), [0.9, 0.8, 0.7])]


def of(rows, what, which="all"):
    return next(row for row in rows if row["of"] == what and row.get("objects", "all") == which)


def seen_rows(rows):
    return [row for row in rows if row["visible_fraction"] > 0]


def test_who_knows_everything_is_right_about_everything(scenes):
    rows = evaluate_scenes(Knowing(), scenes)
    for kind in ("masks", "boxes"):
        assert of(rows, kind)["AP"] == pytest.approx(1.0) and of(rows, kind)["recall"] == pytest.approx(1.0)
        assert of(rows, kind)["count"] == 27
    means = next(row for row in rows if row["of"] == "masks of what is found")
    assert means["count"] == 27 and [means[f"mIoU {n}"] for n in ("whole", "visible", "hidden")] == [1, 1, 1]
    for category in ("person", "vehicle"):
        points = of(rows, f"keypoints of {category}")
        assert points["PCK@0.1"] == 1 and points["OKS AP"] == pytest.approx(1.0) and points["states right"] == 1
    hidden = of(rows, "keypoints of vehicle", "occluded")  # of a few vehicles: finding the others is no mistake
    assert hidden["count"] > 0 and hidden["OKS AP"] == pytest.approx(1.0)
    poses = next(row for row in rows if row["of"] == "poses")
    assert poses["count"] == 18 and poses["Acc(pi/18)"] == 1 and poses["ADD_m"] < 1e-6


def test_who_sees_only_what_is_visible_is_right_where_nothing_is_hidden_alone(scenes):
    """The modal baseline: visible masks for whole ones."""

    def modal(rows):
        return [row | {"mask_amodal_rle": row["mask_visible_rle"]} for row in seen_rows(rows)]

    rows = evaluate_scenes(Knowing(modal), scenes)
    assert of(rows, "masks", "hidden 0 to 10 %")["AP"] > 0.9
    hidden = [row for row in rows if row["of"] == "masks" and row["protocol"] == "ours" and row["count"]]
    worst = [row["AP"] for row in hidden if row["objects"] in ("hidden 60 to 70 %", "hidden 90 to 100 %")]
    assert worst and max(worst) < 0.1
    means = next(row for row in rows if row["of"] == "masks of what is found")
    assert means["mIoU visible"] == pytest.approx(1.0) and means["mIoU hidden"] == 0


def test_what_is_missed_costs_recall_and_no_mean(scenes):
    rows = evaluate_scenes(Knowing(lambda rows: rows[:1]), scenes)
    assert of(rows, "masks")["recall"] < 0.7
    means = next(row for row in rows if row["of"] == "masks of what is found")
    assert means["count"] == 9 and means["mIoU whole"] == 1


def test_a_scene_gives_its_camera(scenes):
    frame = frame_of_scene(scenes[0])
    assert np.allclose(frame.camera.K, scenes[0].K) and frame.plane.d == pytest.approx(5.0)
