import json
import subprocess
import sys
from pathlib import Path

import pytest
from house import clean_environment

from tasks.learn.train import Train

FEW = {"vehicles": 2, "views": 2, "val_vehicles": 1, "per_shard": 1}


def luigi(folder, *arguments):
    """Run luigi's Train from an unrelated folder; (exit code, lines of stderr)."""
    few = [word for name, n in FEW.items() for word in (f"--RenderVehicleCrops-{name.replace('_', '-')}", str(n))]
    command = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks", "Train", *arguments, *few]
    done = subprocess.run(
        [*command, "--walt3d-engine", "serial", "--data-root", str(folder)],
        cwd=folder, env=clean_environment() | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()


def test_training_makes_its_data_first_and_leaves_a_whole_run(tmp_path):
    code, lines = luigi(tmp_path, "--steps", "2")
    assert code == 0, lines
    assert any("RenderVehicleCrops: 3 shards" in line for line in lines)
    assert any(line.startswith("Train vehicle_keypoints: train_loss") for line in lines)
    run = tmp_path / "runs/vehicle_keypoints-tiny"
    assert {"config.json", "metrics.json", "checkpoint.pt", "weights.safetensors", "tensorboard"} <= {
        path.name for path in run.iterdir()
    }
    assert json.loads((run / "config.json").read_text())["train"]["steps"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "nothing"}, "expected --model of vehicle_keypoints.*, got 'nothing'"),
        ({"preset": "huge"}, "expected --preset of tiny, base, got 'huge'"),
        ({"cameras": "cam07"}, "--cameras is read by occlusion_net alone, not by vehicle_keypoints"),
        ({"model": "occlusion_net", "cameras": "none7"}, "none7"),
        ({"model": "occlusion_net", "cameras": ","}, "expected ids with commas between, got ','"),
        ({"model": "occlusion_net", "cameras": "cam07", "labels": "carfusion"}, "not with --labels"),
    ],
)
def test_an_unknown_model_or_preset_is_told_before_anything_is_drawn(tmp_path, given, said):
    with pytest.raises(ValueError, match=said):
        Train(data_root=str(tmp_path), **given)


def test_mistakes_end_in_one_line_and_a_failed_run(tmp_path):
    code, lines = luigi(tmp_path, "--labels", "none.csv")
    assert code != 0
    assert [line for line in lines if line.startswith("error: ") and "none.csv: no such label file" in line], lines
