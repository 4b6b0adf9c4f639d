"""Training without Luigi: every option of Train, networks of another library, and mistakes in one line."""

import dataclasses
import json

import pytest
from rendered_streets import write_coco

from models.contract import Given, OwnCamera, TrainOptions, find
from models.launch import given_of, main


def test_a_network_of_another_library_is_launched_alike(tmp_path, capsys):
    labels = write_coco(tmp_path / "frames", 20)
    asked = ["--preset", "tiny", "--steps", "1", "--batch", "1", "--workers", "0"]
    places = ["--labels", str(labels), "--images", str(labels.parent), "--folder", str(tmp_path / "run")]
    assert main(["detector", *asked, *places]) == 0
    assert (tmp_path / "run" / "weights.pth").is_file() and "loss" in capsys.readouterr().err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["source"] == {"labels": str(labels), "images": str(labels.parent)}
    assert (config["model"], config["train"]["batch"]) == ("detector", 1)


def test_every_option_of_train_is_one_of_the_launcher(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(f"--{option.name.replace('_', '-')} " in printed for option in dataclasses.fields(TrainOptions))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "network: expected one of detector, "),
        (["matting", "--preset", "huge"], "matting: expected --preset of tiny, base, got 'huge'"),
        (["matting"], "matting: expected data to learn from"),
        (["matting", "--data", "nowhere"], "--data: nowhere: no such folder"),
        (["matting", "--data", "EMPTY"], "matting: expected training samples, got none"),
        (["matting", "--labels", "a.csv"], "matting: has no use for --labels"),
        (["detector"], "detector: expected data to learn from, or --labels of your own"),
        (["detector", "--labels", "none.json"], "none.json: no such file; expected a COCO dataset"),
        (["detector", "--data", "EMPTY", "--masks", "both"], "expected --masks of visible, amodal, got 'both'"),
        (["matting", "--data", "EMPTY", "--lr", "-1"], "lr: expected more than 0, got -1"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty") if argument == "EMPTY" else argument for argument in arguments]
    assert main([*given, "--folder", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("launch: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "config.json").exists()


def test_what_is_given_goes_where_the_source_says(tmp_path):
    camera = OwnCamera(tmp_path / "cam07", "cam07", tmp_path)
    detector, matting = find("detector"), find("matting")
    assert given_of(detector, TrainOptions(), tmp_path) == Given(shards=tmp_path)
    assert given_of(matting, TrainOptions(), tmp_path, [camera]) == Given(data=tmp_path, cameras=(camera,))
    assert given_of(detector, TrainOptions(labels=str(tmp_path / "a"), masks="amodal")) == Given(
        labels=(tmp_path / "a").resolve(), masks="amodal"
    )
    with pytest.raises(ValueError, match="--cameras goes with the rendered data, not with --labels"):
        given_of(matting, TrainOptions(labels="a"), tmp_path, [camera])
