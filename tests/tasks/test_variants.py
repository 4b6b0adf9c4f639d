"""Data sets of a camera side by side, on a street of boxes: what is finished stays, whatever is typed next."""

import json
import shutil
import subprocess

import pandas as pd
import pyarrow.parquet as pq
import pytest
from house import House, clean_environment
from street import JOB, TEN

from pipeline.core.storage import data_set_of
from tasks.common.variants import DataSet, checked_name, chosen_name, data_sets, name_of, taken
from tasks.learn.train import Train

FEW = ("--scenes", "2", "--scenes-per-shard", "1")


@pytest.fixture
def beside(street, tmp_path):
    """The street's house with a copy of all that was made, to change."""
    house = House(tmp_path)
    shutil.copytree(street.data, house.data)
    house.manifests = street.manifests
    return house


def refused(result, *expected):
    """A failure of one line that holds all of `expected`."""
    code, _, lines = result
    errors = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and len(errors) == 1, lines
    for text in expected:
        assert text in errors[0]


def contents(folder):
    """Name, bytes and time of every file of a data set."""
    return {p.relative_to(folder): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def right(one, seed, scenes):
    """A data set is whole, and every part of it is of one seed."""
    images = [pq.read_table(path, columns=["seed", "scene_id"]) for path in sorted(one.folder.glob("images/*.parquet"))]
    seeds = {number for table in images for number in table["seed"].to_pylist()}
    assert one.whole and seeds == {seed} and sum(map(len, images)) == scenes
    assert data_set_of(one.folder) == one.manifest["hash"]
    assert f'"seeds":[{seed}]' in (one.folder / "gallery.html").read_text()


def test_a_sequence_of_commands_leaves_every_earlier_data_set_as_it_was(beside):
    camera = beside.data / "street"
    made = [DataSet(camera)]
    for name, options in {
        "seed1": ("--seed", "1"),
        "walt2d_ordered": ("--mode", "walt2d_ordered"),
        "night": ("--variant", "night", "--ComposeShards-objects-max", "3"),
    }.items():
        before = {one.name: contents(one.folder) for one in made}
        code, _, lines = beside.luigi(*JOB, *FEW, *options)
        assert code == 0, lines
        assert not any("MineUnoccluded" in line for line in lines)
        made.append(DataSet(camera, name))
        assert {one.name: contents(one.folder) for one in made[:-1]} == before
    for one, seed, scenes in zip(made, (0, 1, 0, 0), (10, 2, 2, 2), strict=True):
        right(one, seed, scenes)
    # What pandas does to several data sets: one table, joined by scene_id.
    images, objects = (
        pd.concat([pd.read_parquet(one.folder / kind) for one in made]) for kind in ("images", "objects")
    )
    assert images["scene_id"].is_unique and len(images) == 16
    joined = objects.merge(images[["scene_id", "n_objects"]], on="scene_id", validate="many_to_one")
    assert joined.groupby("scene_id").size().to_dict() == images.set_index("scene_id")["n_objects"].to_dict()
    before = {p: p.stat().st_mtime_ns for p in beside.data.rglob("*") if p.suffix != ".lock"}
    remove = "luigi --module tasks Remove --camera street --variant "
    refused(
        beside.luigi(*JOB),
        f"{camera}/clipart holds",
        "scenes: found 10, asked for 240",
        "--variant",
        f"{remove}default",
    )
    refused(beside.luigi(*JOB, *FEW, "--variant", "night"), "ComposeShards objects_max: found 3", f"{remove}night")
    mined = "--MineUnoccluded-min-area-px", "300"
    refused(beside.luigi(*JOB, *TEN, *mined), "MineUnoccluded min_area_px: found ", "asked for 300", "street.yaml")
    refused(beside.luigi(*JOB, *FEW, *mined, "--variant", "mine"), "MineUnoccluded is done", "--MineUnoccluded-redo")
    refused(beside.luigi("Export", "--camera", "street", "--format", "coco"),
            "several data sets: default, night, seed1, walt2d_ordered; say which with --variant")  # fmt: skip
    assert beside.luigi("Export", "--camera", "street", "--format", "coco", "--variant", "night")[0] == 0
    after = {p: p.stat().st_mtime_ns for p in beside.data.rglob("*") if p.suffix != ".lock"}
    assert {p: t for p, t in after.items() if p in before and p.is_file()} == {
        p: t for p, t in before.items() if p.is_file()
    }
    about = json.loads((camera / "exports/coco_night/export.json").read_text())
    assert about["variant"] == "night" and about["shards"] == made[-1].manifest["hash"]


def test_commands_take_the_data_set_that_is_there(beside):
    """Its settings need not be given again, and nothing is composed."""
    before, here = contents(beside.data / "street/clipart"), {"data_root": str(beside.data)}
    code, _, lines = beside.luigi("Export", "--camera", "street", "--format", "coco")
    assert code == 0, lines
    assert not any("Compose" in line for line in lines)
    (beside.data / "street/.stages/Export-coco.json").unlink()  # as one of an earlier version
    refused(beside.luigi("Export", "--camera", "street", "--format", "coco"), "Export is done", "add --Export-redo")
    train = Train(model="detector", camera="street", manifests=str(beside.manifests), **here)
    assert train.requires() == [] and train.given().shards == beside.data / "street/clipart"
    assert contents(beside.data / "street/clipart") == before
    (beside.data / "street/clipart").rename(beside.data / "street/clipart_dusk")
    dusk = Train(model="detector", camera="street", manifests=str(beside.manifests), variant="dusk", **here)
    assert dusk.given().shards.name == "clipart_dusk" and dusk.folder.name == "detector-street-dusk-tiny"
    with pytest.raises(ValueError, match=r"street: has no whole data set noon; there are: dusk\. Make it: luigi"):
        Train(model="detector", camera="street", manifests=str(beside.manifests), variant="noon", **here)


def both(house, *lines):
    """Two luigi lines at once: exit codes and what each said."""
    running = [
        subprocess.Popen(house.command(*line), cwd=house.folder, env=clean_environment(), text=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in lines
    ]  # fmt: skip
    said = [process.communicate(timeout=300)[1] for process in running]
    return [process.returncode for process in running], said


def test_two_seeds_at_once_are_both_whole(beside):
    before = contents(beside.data / "street/clipart")
    codes, said = both(beside, *((*JOB, *FEW, "--seed", str(seed)) for seed in (1, 5)))
    assert codes == [0, 0], said
    for seed in (1, 5):
        right(DataSet(beside.data / "street", f"seed{seed}"), seed, 2)
    assert contents(beside.data / "street/clipart") == before


def test_of_two_seeds_at_once_under_one_name_one_is_made_and_the_other_refused(beside):
    codes, said = both(beside, *((*JOB, *FEW, "--variant", "mine", "--seed", str(seed)) for seed in (1, 5)))
    assert sorted(map(bool, codes)) == [False, True], said
    won = codes.index(0)
    right(DataSet(beside.data / "street", "mine"), (1, 5)[won], 2)
    (error,) = [line for line in said[1 - won].splitlines() if line.startswith("error: ")]
    assert "clipart_mine" in error, said


def test_shards_of_two_data_sets_do_not_mix(beside):
    assert beside.luigi(*JOB, *TEN, "--seed", "1")[0] == 0
    first, second = (DataSet(beside.data / "street", name) for name in ("default", "seed1"))
    assert first.manifest["hash"] != second.manifest["hash"]
    export = ("Export", "--camera", "street", "--format", "coco", "--variant")
    assert beside.luigi(*export, "default")[0] == 0
    foreign = second.folder / "objects/part-00001-of-00003.parquet"
    for one in (first, second):  # of the one there is an export already, of the other there is none
        if one is second:
            foreign = first.folder / "objects/part-00000-of-00003.parquet"
        shutil.copy(foreign, one.folder / "objects" / foreign.name)
        # Its size or its place is not what was written down: the data set is not whole any more.
        refused(beside.luigi(*export, one.name), f"street: has no whole data set {one.name}", foreign.name)
    with pytest.raises(ValueError, match="do not mix"):
        data_set_of(first.folder)


def test_data_sets_are_listed_and_one_is_removed(beside):
    assert beside.luigi(*JOB, *FEW, "--seed", "1")[0] == 0
    (beside.data / "street/clipart_seed1/images/part-00000-of-00002.parquet").unlink()
    code, out, lines = beside.of_data("Datasets")
    assert code == 0, lines
    first, second = [line.split() for line in out.splitlines()[-2:]]
    assert first[:2] == ["street", "default"] and first[-1] == "yes" and "ComposeShards objects_min 2" in out
    assert second[:2] == ["street", "seed1"] and second[-1] == "no" and "seed 1" in out
    other = contents(beside.data / "street/clipart")
    camera = DataSet(beside.data / "street", "seed1")
    with camera.read():
        refused(beside.of_data("Remove", "--camera", "street", "--variant", "seed1"), "another run makes or reads it")
    code, out, lines = beside.of_data("Remove", "--camera", "street", "--variant", "seed1")
    assert code == 0 and str(camera.folder) in out and "2 scenes" in out
    assert not camera.folder.exists() and contents(beside.data / "street/clipart") == other
    assert [one.name for one in data_sets(beside.data / "street")] == ["default"]
    refused(
        beside.of_data("Remove", "--camera", "street", "--variant", "seed1"), "no data set seed1; there are: default"
    )


def test_nothing_outside_the_data_root_is_removed(beside):
    outside = beside.folder / "outside"
    (beside.data / "street/clipart").rename(outside)
    (beside.data / "street/clipart").symlink_to(outside)
    before = contents(outside)
    cases = {
        ("street", "default"): "leads out of the data root; nothing is removed",
        ("street", "../../outside"): "--variant: expected a name of a-z",
        ("../outside", "default"): "--camera: expected an id as Datasets lists it, got '../outside'",
        ("..", "default"): "--camera: expected an id as Datasets lists it, got '..'",
        ("", "default"): "--camera",
    }
    for (camera, variant), said in cases.items():
        refused(beside.of_data("Remove", f"--camera={camera}", f"--variant={variant}"), said)
    assert contents(outside) == before


@pytest.mark.parametrize("name", ["a/b", "../x", "/etc", "a.b", ".", "Night", "a b", "x" * 65, "nacht\n", "ö"])
def test_a_name_that_could_reach_a_path_is_refused(name):
    with pytest.raises(ValueError, match=r"--variant: expected a name of a-z, 0-9, _ and - only, 64 at most, got"):
        checked_name(name)
    with pytest.raises(ValueError, match="--variant"):
        chosen_name(name, "walt3d", 0)


@pytest.mark.parametrize(
    ("mode", "seed", "name"),
    [
        ("walt3d", 0, "default"),
        ("walt3d", 3, "seed3"),
        ("walt2d_ordered", 0, "walt2d_ordered"),
        ("walt2d_released", 12, "walt2d_released_seed12"),
    ],
)
def test_mode_and_seed_make_a_name_that_no_other_takes(mode, seed, name):
    assert name_of(mode, seed) == chosen_name("", mode, seed) == chosen_name(name, mode, seed) == name
    assert chosen_name("seedlings", mode, seed) == "seedlings"
    for other in {"default", "seed3", "walt2d_ordered", "walt2d_released_seed12"} - {name}:
        with pytest.raises(ValueError, match=f"--variant {other}: is the name of another mode or seed"):
            chosen_name(other, mode, seed)


def test_where_nothing_is_whole_there_is_nothing_to_take(tmp_path):
    assert taken(tmp_path / "street") is None
    (tmp_path / "street/clipart/images").mkdir(parents=True)
    assert taken(tmp_path / "street") is None
    with pytest.raises(ValueError, match="no whole data set default; there are: none"):
        taken(tmp_path / "street", "default")
