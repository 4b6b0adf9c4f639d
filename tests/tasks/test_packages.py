"""What other packages bring: a detector and a tracker of one file each, found by an entry point and by nothing else."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core import masks

DETECTOR = '''
"""A square that grows by a pixel a frame, as large as a file says at first."""
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.core.instances import Instance
from pipeline.detection.registry import Backend


@dataclass(frozen=True)
class Settings:
    category: str = field(default="person", metadata={"help": "what the square is"})
    left_px: float = field(default=2.0, metadata={"help": "its left edge, pixels"})
    sizes: str = field(default="", metadata={"help": "file with its side, pixels", "file": True})
    hurry: int = field(default=1, metadata={"help": "does nothing", "speed": True})


class Squares:
    def __init__(self, settings, inputs):
        self.settings, self.street = settings, inputs.backgrounds
        self.side = int(Path(settings.sizes).read_text())

    def __call__(self, image_bgr, bucket, frame_id):
        assert self.street[bucket].shape == image_bgr.shape
        side = self.side + frame_id
        return [Instance(self.settings.category, 0.5, np.ones((side, side), bool), (int(self.settings.left_px), 3))]


BACKEND = Backend("squares", Squares, Settings, needs=("backgrounds",))
'''

TRACKER = '''
"""Every box of a frame by its place in a list; tracks are numbered from a setting on."""
from dataclasses import dataclass, field

import numpy as np

from pipeline.tracking.registry import Tracker


@dataclass(frozen=True)
class Settings:
    first: int = field(default=0, metadata={"help": "number of the first track"})


class Listed:
    def __init__(self, settings, frame_rate):
        self.first = settings.options.first
        assert 0 < frame_rate < 100

    def update(self, detections, timestamp):
        detections.tracker_id = self.first + np.arange(len(detections))
        return detections[:1]


TRACKER = Tracker("listed", Listed, Settings)
'''


@pytest.fixture
def packages(house):
    house.package("toy_squares", "walt3d.detectors", "BACKEND", DETECTOR)
    environment = house.package("toy_listed", "walt3d.trackers", "TRACKER", TRACKER)
    (house.manifests / "side.txt").write_text("4")
    return environment


def boxes(house):
    found = pq.read_table(house.data / "gate/detections")
    assert set(found["score"].to_pylist()) == {0.5}
    for rle, box in zip(found["mask_rle"].to_pylist(), found["bbox_xywh"].to_pylist(), strict=True):
        crop, place = masks.decode(rle, (96, 128))
        assert crop.all() and list(place) == box
    return np.array(found["bbox_xywh"].to_pylist()), set(found["category"].to_pylist())


def test_a_detector_and_a_tracker_of_other_packages_are_chosen_by_name(house, packages):
    house.video(count=8, detector={"backend": "squares", "left_px": 7, "sizes": "side.txt"})
    line = ("TrackObjects", "--camera", "gate", "--tracker", "listed", "--listed-first", "3")
    code, _, lines = house.luigi(*line, engine="process", **packages)
    assert code == 0, lines
    found, categories = boxes(house)
    assert found.tolist() == [[7, 3, 4 + k, 4 + k] for k in range(8)] and categories == {"person"}
    assert set(pq.read_table(house.data / "gate/tracks.parquet")["track_id"].to_pylist()) == {0}
    # Its settings count as every stage's do, and so does the file that it reads.
    code, _, lines = house.luigi(*line, "--DetectObjects-squares-hurry", "2", **packages)
    assert code == 0 and not any("gate" in text for text in lines), lines
    (house.manifests / "side.txt").write_text("12")
    other = (*line, "--DetectObjects-squares-category", "vehicle")
    assert house.luigi(*other, **packages)[0] != 0 and boxes(house)[1] == {"person"}  # what is there stays
    assert house.luigi(*other, "--DetectObjects-redo", **packages)[0] == 0
    found, categories = boxes(house)
    assert found[0].tolist() == [7, 3, 12, 12] and categories == {"vehicle"}


def test_luigi_cfg_knows_a_packages_settings_and_results_of_others_stay_valid(house, packages):
    house.video(count=8)
    assert house.luigi("DetectObjects", "--camera", "gate")[0] == 0
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate", **packages)
    assert code == 0 and not any("gate" in text for text in lines), lines
    settings = house.folder / "mine.cfg"
    sizes = f"squares_sizes = {house.manifests / 'side.txt'}"
    settings.write_text(f"[DetectObjects]\ndetector = squares\n{sizes}\nsquares_category = vehicle\n")
    environment = packages | {"LUIGI_CONFIG_PATH": str(settings)}
    assert house.luigi("DetectObjects", "--camera", "gate", "--redo", **environment)[0] == 0
    assert boxes(house)[1] == {"vehicle"}
    record = json.loads((house.data / "gate/.stages/DetectObjects.json").read_text())
    assert record["state"] == "done"


def test_a_detector_that_is_not_installed_is_told_with_those_that_are(house):
    house.video(detector={"backend": "squares"})
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate")
    assert code != 0
    (error,) = [text for text in lines if text.startswith("error: ")]
    assert "gate.yaml: detector.backend: expected one of coco, mmdet, motion, onnx, walt3d, got 'squares'" in error


def test_a_package_that_cannot_be_loaded_is_named(house):
    house.video()
    environment = house.package("toy_broken", "walt3d.detectors", "BACKEND", "import nowhere_to_be_found")
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate", **environment)
    assert code != 0
    (error,) = [text for text in lines if text.startswith("error: ")]
    assert "toy_broken:BACKEND of walt3d.detectors: cannot be loaded" in error and "nowhere_to_be_found" in error
