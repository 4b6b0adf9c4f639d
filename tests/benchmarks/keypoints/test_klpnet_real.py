"""Overlays and counts of real pictures, tried on drawn ones: rows say what the files hold, what lacks has a reason."""

import json

import pytest
import torch
from drawn_kites import frame
from small_klpnet import SMALL

from benchmarks.keypoints import klpnet_real
from models.checkpoints import write_weights
from models.klpnet import SPEC
from models.klpnet.network import KlpNet
from models.predictor import Predictor
from tasks.predict.inputs import LeftOut, Read
from tasks.predict.run import predicted


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return KlpNet(SMALL).eval()


def test_a_row_counts_what_predictions_hold(network, tmp_path):
    reads = [Read(k, frame(k, overlap=bool(k))) for k in range(2)]
    found = [*predicted(reads, SPEC, Predictor(SPEC, network), None), LeftOut("broken.png", "no picture")]
    row = klpnet_real.written(tmp_path, "drawn", network, tmp_path / "weights", found)
    pictures = json.loads((tmp_path / "predictions.json").read_text())["pictures"]
    objects = [one for picture in pictures for one in picture["objects"]]
    assert (row["frames"], row["objects"]) == (2, len(objects)) == (2, 4)
    guessed = [flag for one in objects for flag in one["keypoint_inferred"]]
    assert (row["points found"], row["points inferred"]) == (guessed.count(False), guessed.count(True))
    assert row["links"] == sum(len(one["keypoint_links"]) for one in objects)
    assert row["classes"] == "3 kite, 1 mast" and all((tmp_path / p["picture"]).is_file() for p in pictures)


def test_what_this_machine_lacks_is_skipped_with_a_reason(network, tmp_path, monkeypatch):
    monkeypatch.setattr(klpnet_real, "REAL", tmp_path / "real")
    monkeypatch.setattr(klpnet_real, "detector_file", lambda: tmp_path / "none.onnx")
    weights = tmp_path / "weights.safetensors"
    write_weights(weights, network, SPEC.config(SMALL))
    report = klpnet_real.report(False, tmp_path, weights, None)
    assert not report.rows and report.notes["clips skipped"].startswith("no none.onnx on this machine")
    assert {"crowdpose skipped", "ochuman skipped", "coco skipped"} <= set(report.notes)
    with pytest.raises(FileNotFoundError, match="--detector: no such file"):
        klpnet_real.report(False, tmp_path, weights, tmp_path / "mine.onnx")
