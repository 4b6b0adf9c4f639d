import subprocess

import numpy as np
import pyarrow.parquet as pq
import pytest
from contract_cases import CASES

from models.contract import Given, find, load_object
from tasks import evaluate
from tasks.evaluate import asks_for_own, main


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ([], False),
        (["--weights", "run", "--batch-size=4", "--seed", "-1"], False),
        (["--RenderVehicleCrops-vehicles", "4", "--scheduler-url", "http://a"], False),
        (["--crops", "folder"], True),
        (["--weights", "a", "--kitti3d=labels.txt"], True),
        (["--help"], True),
    ],
)
def test_options_that_are_not_the_tasks_ask_for_a_networks_own_tables(options, own, monkeypatch):
    asked = []
    monkeypatch.setattr(evaluate, "load_object", lambda name: lambda options: asked.append((name, options)))
    monkeypatch.setattr(subprocess, "call", lambda command: asked.append(command[3:]) or 0)
    assert asks_for_own(options, find("vehicle_keypoints")) == own
    assert main(["vehicle_keypoints", *options]) == 0
    assert main(["matting", *options]) == 0
    task = ["Evaluate", "--model", "vehicle_keypoints", *options]
    assert asked[0] == (("models.vehicle_keypoints.evaluate:main", options) if own else task)
    assert asked[1] == ["Evaluate", "--model", "matting", *options]  # which has no tables of its own


def test_labels_that_a_network_does_not_learn_from_are_for_its_own_tables():
    """OPEC-Net learns from rendered couples alone, and is judged on what people labelled."""
    options = ["--labels", "people.json", "--images", "pictures"]
    assert asks_for_own(options, find("opec_net"))
    assert not asks_for_own(options, find("occlusion_classifier"))


def test_without_a_network_and_for_an_unknown_one_it_says_which_there_are(capsys):
    for arguments in ([], ["mating"]):
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith("evaluate: network: expected one of detector, ") and error.count("\n") == 1
        assert "try `make evaluate MODEL=" in error


def test_what_ships_is_measured_on_validation_samples_alone(tmp_path_factory):
    """The shipped file is the better mask; other training data change nothing, other validation data do."""
    folder = CASES["matting"](tmp_path_factory).given.data
    rows = measured(folder)
    found = {row["metric"]: row["value"] for row in rows}
    assert found["iou"] > 0.88 > found["iou_rough"] > 0 and {row["samples"] for row in rows} == {480}
    table = pq.read_table(folder / "a.parquet")
    actors = table["actor_id"].to_numpy()
    pq.write_table(table.filter(np.isin(actors, (0, 3, 10))), folder / "a.parquet")
    assert measured(folder) == rows
    pq.write_table(table.filter(actors > 0), folder / "a.parquet")
    assert measured(folder) != rows


def measured(folder):
    """Rows of what ships with the matting network."""
    spec = find("matting")
    measure = load_object(spec.measure)
    return measure(spec, spec.presets["tiny"], Given(data=folder), spec.shipped, device="cpu")
