"""Others' labels become a data set that commands take, whole or not at all, with no camera's YAML."""

import json
import shutil
import subprocess

import drawn_shards
import pandas as pd
import pytest
from house import House

from models.scenes.objects import Scenes
from tasks.common.variants import DataSet, taken
from tasks.export import Export
from tasks.imports import Import


@pytest.fixture(scope="module")
def kins(tmp_path_factory):
    """A folder of KINS's labels and pictures."""
    folder = tmp_path_factory.mktemp("there")
    drawn_shards.export("kins", drawn_shards.write_clipart(folder), folder / "kins")
    return folder / "kins"


def task_of(kins, tmp_path, **more):
    given = {"camera": "theirs", "format": "kins", "source": str(kins), "data_root": str(tmp_path)}
    return Import(**(given | more))


def test_a_data_set_that_training_and_exports_take(kins, tmp_path, capsys):
    task = task_of(kins, tmp_path)
    assert not task.complete()
    task.run()
    said = capsys.readouterr()
    assert f"shards:  {tmp_path}/theirs/clipart/images" in said.out
    there = taken(tmp_path / "theirs")
    assert task.complete() and there.whole and there.manifest["scenes"] == drawn_shards.SCENES
    objects = pd.read_parquet(there.folder / "objects")
    assert f"read {len(objects)} objects, used {len(objects)}" in said.err
    assert len(Scenes([there.folder], "train")) + len(Scenes([there.folder], "val")) == drawn_shards.SCENES
    export = Export(camera="theirs", format="coco", data_root=str(tmp_path), manifests=str(tmp_path))
    assert export.requires() == [] and not export.complete()
    export.run()
    about = json.loads((tmp_path / "theirs/exports/coco/export.json").read_text())
    assert about["mode"] == "imported" and f"{len(objects)} whole" in about["written"]
    placed = Export(camera="theirs", format="kitti", data_root=str(tmp_path), manifests=str(tmp_path))
    with pytest.raises(ValueError, match="ground plane is not known, as of an imported picture"):
        placed.run()
    assert not (tmp_path / "theirs/exports/kitti").exists()


def test_another_one_in_its_place_is_refused_and_a_variant_stands_beside(kins, tmp_path):
    task_of(kins, tmp_path).run()
    before = DataSet(tmp_path / "theirs").manifest
    fewer = tmp_path / "fewer"
    shutil.copytree(kins, fewer)
    (fewer / "instances_val.json").unlink()
    with pytest.raises(ValueError, match=r"holds another data set; name this one with --variant, or remove") as error:
        task_of(fewer, tmp_path).complete()
    assert "\n" not in str(error.value)
    other = task_of(fewer, tmp_path, variant="fewer")
    assert not other.complete()
    other.run()
    assert DataSet(tmp_path / "theirs", "fewer").whole and DataSet(tmp_path / "theirs").manifest == before


def test_a_fault_leaves_nothing(kins, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(kins, broken)
    next((broken / "images").iterdir()).unlink()
    with pytest.raises(ValueError, match=r"no such picture; name the folder of the pictures with --images"):
        task_of(broken, tmp_path).run()
    assert not (tmp_path / "theirs").exists() or not list((tmp_path / "theirs").iterdir())


def test_mistakes_on_the_command_line_are_a_line_each(tmp_path):
    house = House(tmp_path)
    place = ("--data-root", str(house.data))
    for options, expected in (
        (("--format", "voc", "--source", str(tmp_path)), "--format: expected one of bop, coco, cocoa, kins, got 'voc'"),
        (("--format", "coco", "--source", str(tmp_path / "none")), "none: no such file or folder"),
    ):
        command = [*house.command()[:3], "Import", "--camera", "theirs", *options, *place]
        done = subprocess.run(command, capture_output=True, text=True, cwd=house.folder)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert done.returncode != 0 and len(errors) == 1 and expected in errors[0], done.stderr
