from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.common.job import MANIFESTS
from benchmarks.perception.real_perception import BARRED, SCENES, Choice, bars, boxes_of, camera_for, choices
from data_manifest import load_camera
from pipeline.core.tables import TRACKS

PETS, JAMCAM = SCENES[0], SCENES[1]
needs_footage = pytest.mark.skipif(not PETS.labels.exists(), reason="no real footage on this machine")


def test_mmdet_is_measured_where_its_weights_are_given(tmp_path):
    weights = tmp_path / "net.pth"
    with pytest.raises(SystemExit, match=f"no such file: {weights}"):
        choices(False, None, weights)
    with pytest.raises(SystemExit, match="--mmdet-config: expected --mmdet-checkpoint"):
        choices(False, Path("rtmdet"), None)
    weights.touch()
    found = choices(False, Path("rtmdet"), weights)
    assert [choice.name for choice in found] == ["motion", BARRED, "yolo11n-seg", "mmdet"]
    assert found[-1].detector == {"backend": "mmdet", "checkpoint": str(weights), "config": "rtmdet"}
    assert [choice.name for choice in choices(True, None, weights)] == ["motion", "mmdet"]


@needs_footage
def test_a_camera_that_tests_have_is_used_and_others_keep_all_but_the_detector(tmp_path):
    assert camera_for(PETS, Choice("motion", {"backend": "motion"}), tmp_path) == ("pets-motion", MANIFESTS)
    assert camera_for(PETS, choices(False, None, None)[1], tmp_path) == ("pets-onnx", MANIFESTS)
    assert not list(tmp_path.iterdir())
    name, folder = camera_for(JAMCAM, Choice("motion", {"backend": "motion"}), tmp_path)
    assert (name, folder) == ("jamcam-motion", tmp_path)
    made, base = load_camera(name, folder), load_camera(JAMCAM.base, MANIFESTS)
    assert made.manifest.detector.backend == "motion" and not made.manifest.detector.options
    assert made.resolve(made.manifest.source.path) == base.resolve(base.manifest.source.path)
    assert (made.manifest.calibration, made.manifest.ignore) == (base.manifest.calibration, base.manifest.ignore)
    network = choices(False, None, None)[2]
    made = load_camera(*camera_for(PETS, network, tmp_path))
    assert made.resolve(Path(made.manifest.detector.options["model"])) == network.files[0]


def test_boxes_are_those_of_the_category_in_labelled_frames():
    rows = [
        dict.fromkeys(TRACKS.names) | {"frame_id": f, "category": c, "track_id": 5, "bbox_xywh": [1.0, 2.0, 3.0, 4.0]}
        for f, c in ((399, "person"), (400, "person"), (3, "vehicle"))
    ]
    found = boxes_of(pa.Table.from_pylist(rows, TRACKS), PETS)
    assert found[["frame", "track_id", "x", "y", "w", "h"]].values.tolist() == [[399, 5, 1, 2, 3, 4]]


def test_bars_take_the_better_tracker_of_the_one_detector():
    rows = [
        {"camera": PETS.name, "detector": d, "recall_seen": r, "MOTA": m}
        for d, r, m in (("motion", 0.99, 0.99), (BARRED, 0.95, 0.7), (BARRED, 0.95, 0.8))
    ]
    assert [(bar.value, bar.met) for bar in bars(rows)] == [(0.95, True), (0.8, True)]
    assert [bar.met for bar in bars(rows[:2])] == [True, False]
    assert bars(rows[:1]) == []
