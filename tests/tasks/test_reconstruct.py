"""Reconstruction on a street of boxes, by networks of mmpose that are named in the settings."""

import dots
import pandas as pd
import pytest
from house import House
from street import CALIBRATION, write_street

from tasks.learn.networks import pose_stamps

VEHICLES = ("ReconstructVehicles", "--camera", "street")
PEOPLE = ("ReconstructPeople", "--camera", "street")


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A house whose street's objects are cropped, tracked by their appearance as well."""
    house = House(tmp_path_factory.mktemp("street"))
    write_street(house.folder / "street.avi", seconds=14)
    source = {"kind": "video", "path": "../street.avi", "start": "2025-06-03T12:00:00"}
    house.camera("street", source, calibration=CALIBRATION)
    house.options = ("--TrackObjects-tracker", "botsort", "--TrackObjects-appearance", "true")
    code, _, lines = house.luigi("MineUnoccluded", "--camera", "street", *house.options)
    assert code == 0, lines
    return house


def test_vehicles_by_a_network_of_carfusions_points(street):
    config, checkpoint = dots.with_random_weights(dots.write_config(street.folder, 14), street.folder)
    job = (*VEHICLES, *street.options, "--keypoint-config", str(config), "--keypoint-checkpoint", str(checkpoint))
    code, _, lines = street.luigi(*job)
    assert code and "keypoint_map: the network has 14 points" in lines[-1]
    code, _, lines = street.luigi(*job, "--keypoint-map", "carfusion")
    assert code == 0, lines
    assert len(pd.read_parquet(street.data / "street/reconstructed/vehicles-00000.parquet"))


def test_people_by_a_network_of_cocos_points(street):
    config, checkpoint = dots.with_random_weights(dots.write_config(street.folder, 17), street.folder)
    files = "--pose-model", str(config), "--pose-checkpoint", str(checkpoint)
    code, _, lines = street.luigi(*PEOPLE, *street.options, *files)
    assert code == 0, lines
    assert len(pd.read_parquet(street.data / "street/reconstructed/people-00000.parquet"))


def test_another_config_or_another_checkpoint_makes_other_stamps(tmp_path):
    config, checkpoint = tmp_path / "net.py", tmp_path / "net.pth"
    seen = []
    for text, weights in (("a = 1", "w"), ("a = 2", "w"), ("a = 2", "longer")):
        config.write_text(text)
        checkpoint.write_text(weights)
        seen.append(str(pose_stamps("ReconstructPeople", str(config), str(checkpoint))))
    assert len(set(seen)) == 3 and pose_stamps("ReconstructPeople", "", "") == []


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ((*PEOPLE, "--pose-model", "rtmpose-t_8xb256-420e_coco-256x192"), "pose_checkpoint: expected the weights"),
        ((*PEOPLE, "--pose-model", "people.onnx"), "[ReconstructPeople] pose_model: people.onnx: no such file"),
        ((*PEOPLE, "--pose-model", "gone.py"), "[ReconstructPeople] pose_model: mmpose config 'gone.py': no such file"),
        ((*VEHICLES, "--keypoint-config", "gone.py"), "[ReconstructVehicles] keypoint_config: mmpose config 'gone.py'"),
        (
            (*VEHICLES, "--keypoint-config", "gone.py", "--keypoint-weights", "mine.safetensors"),
            "keypoint_weights and keypoint_config: expected one of them",
        ),
    ],
)
def test_mistakes_are_told_before_anything_runs(house, job, told):
    house.video("street")
    code, _, lines = house.luigi(*job)
    assert code and told in lines[-1]
    assert not house.data.exists()
