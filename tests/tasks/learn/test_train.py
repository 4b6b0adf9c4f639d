import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from house import clean_environment

from models.contract import Given, find
from tasks.compose import GenerateClipArt
from tasks.learn.evaluate import Evaluate
from tasks.learn.train import Train
from tasks.learn.training_data import task_of

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
        ({"model": "nothing"}, "network: expected one of detector, .*walt3d, got 'nothing'"),
        ({"preset": "huge"}, "expected --preset of tiny, base, got 'huge'"),
        ({"cameras": "cam07"}, "vehicle_keypoints: has no use for --cameras; it reads --labels, --images, --backdrops"),
        ({"masks": "amodal"}, "vehicle_keypoints: has no use for --masks"),
        ({"model": "detector", "masks": "both"}, "expected --masks of visible, amodal, got 'both'"),
        ({"batch_size": -1}, "batch: expected more than 0, got -1"),
        ({"model": "detector", "camera": "none7"}, "none7"),
    ],
)
def test_an_unknown_model_or_option_is_told_before_anything_is_rendered(tmp_path, given, said):
    for task in (Train, Evaluate):
        with pytest.raises(ValueError, match=said):
            task(data_root=str(tmp_path), **given)


def test_weights_to_start_from_are_looked_at_before_anything_is_rendered(tmp_path):
    picture, other = tmp_path / "a.safetensors", find("matting")
    picture.write_bytes(b"no weights")
    hmr = find("hmr").shipped
    for model, given, said in (
        ("walt3d", tmp_path / "none.safetensors", "no such weights file; `make train MODEL=walt3d` writes one"),
        ("walt3d", picture, "a.safetensors: not a safetensors file"),
        ("walt3d", hmr, "expected weights of walt3d"),
        (other.name, hmr, f"expected weights of {other.name}"),
        ("detector", tmp_path / "none.pth", "--init-from: .*none.pth: no such file"),
    ):
        here = {"data_root": str(tmp_path), "model": model, "init_from": str(given)}
        for task, more in ((Train, {}), (Evaluate, {"weights": "run"})):
            with pytest.raises(ValueError, match=said) as told:
                task(**here, **more)
            assert "\n" not in str(told.value)
    assert not (tmp_path / "cam07").exists()


def test_options_are_those_of_the_preset_where_they_are_given(tmp_path):
    asked = {"steps": 7, "lr": 0.5, "batch_size": 3, "seed": 0, "data_workers": 0}
    chosen = Train(data_root=str(tmp_path), **asked).chosen.train
    preset = find("vehicle_keypoints").presets["tiny"].train
    assert chosen == dataclasses.replace(preset, steps=7, lr=0.5, batch=3, seed=0, workers=0)
    assert Train(data_root=str(tmp_path)).chosen == find("vehicle_keypoints").presets["tiny"]


def test_a_run_lies_where_its_name_says(tmp_path):
    here = {"data_root": str(tmp_path)}
    assert Train(**here).folder == tmp_path / "runs/vehicle_keypoints-tiny"
    assert Train(**here, preset="base", run_name="mine").folder == tmp_path / "runs/mine"
    assert Train(**here, model="detector").output().path == str(tmp_path / "runs/detector-cam07-tiny/weights.pth")
    assert Train(**here, model="detector", masks="amodal").folder == tmp_path / "runs/detector-cam07-tiny-amodal"
    assert Train(**here, model="detector", labels="a.json").folder == tmp_path / "runs/detector-labels-tiny"


def test_labels_take_the_place_of_what_would_be_rendered(tmp_path):
    (rendered,) = Train(data_root=str(tmp_path)).requires()
    assert type(rendered) is task_of(find("vehicle_keypoints"))
    assert Train(data_root=str(tmp_path)).given() == Given(data=rendered.folder)
    task = Train(data_root=str(tmp_path), labels="clicks.csv", backdrops="streets")
    assert task.requires() == []
    assert task.given() == Given(labels=Path("clicks.csv").resolve(), backdrops=Path("streets").resolve())


def test_mistakes_end_in_one_line_and_a_failed_run(tmp_path):
    code, lines = luigi(tmp_path, "--labels", "none.csv")
    assert code != 0
    assert [line for line in lines if line.startswith("error: ") and "none.csv: no such label file" in line], lines


def test_what_ships_is_measured_unless_another_file_or_the_run_is_asked_for(tmp_path):
    here = {"data_root": str(tmp_path)}
    ships = Evaluate(**here)
    assert ships.path == find("vehicle_keypoints").weights and [type(t) for t in ships.requires()] != [Train]
    assert Path(ships.output().path).parent == tmp_path / "evaluations"
    (run, data) = Evaluate(**here, weights="run", steps=9, run_name="mine").requires()
    assert type(run) is Train and (run.options.steps, run.run_name) == (9, "mine") and data == ships.requires()[0]
    assert Evaluate(**here, weights="run").output().path == str(
        tmp_path / "runs/vehicle_keypoints-tiny/evaluation.json"
    )
    assert [type(task) for task in Evaluate(**here, model="detector").requires()] == [Train, GenerateClipArt]
    with pytest.raises(ValueError, match=r"vehicle_keypoints: --weights: .*none\.safetensors: no such file"):
        Evaluate(**here, weights="none.safetensors")
