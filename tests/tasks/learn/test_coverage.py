"""A camera's folder of one drawn drive, as the command reads it, and folders that hold none."""

import pytest
from drives import drive_past, own_camera, write_drive

from tasks.learn.coverage import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--camera", "cam07"], "holds no reconstructed vehicles; run `luigi --module tasks ReconstructVehicles"),
        (["--camera", "nowhere"], "nowhere"),
        (["--camera", "drive", "--score", "1.1"], "no visible keypoint scored 1.1 or more in 7 vehicles"),
    ],
)
def test_what_cannot_be_covered_is_one_line(options, said, tmp_path, capsys):
    (tmp_path / "drive").mkdir()
    own_camera(write_drive(tmp_path / "drive", drive_past()), drive_past(), tmp_path / "cameras")
    assert main([*options, "--data-root", str(tmp_path), "--manifests", str(tmp_path / "cameras")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("coverage: ") and said in told and told.count("\n") == 1


def test_the_shipped_networks_keypoints_are_covered_by_motion(tmp_path, capsys):
    """White spots on black are no car to the network: whatever it says of them is put into the table."""
    (tmp_path / "drive").mkdir()
    own_camera(write_drive(tmp_path / "drive", drive_past()), drive_past(), tmp_path / "cameras")
    options = ["--camera", "drive", "--score", "0", "--data-root", str(tmp_path)]
    assert main([*options, "--manifests", str(tmp_path / "cameras")]) == 0
    head, total, *kinds = capsys.readouterr().out.splitlines()
    assert head.split() == ["motion", "vehicles", "hidden", "covered", "with", "mirrors"]
    assert total.split()[:2] == ["all", "7"] and sum(int(line.split()[1]) for line in kinds) == 7
