"""The whole job on a street of boxes, from the video to the gallery."""

import json

import pandas as pd
import pytest
from street import JOB, TEN


@pytest.fixture(scope="module")
def twin(street):
    """The same job with two workers in another data root."""
    code, _, lines = street.luigi(*JOB, *TEN, "--cpus", "2", data=street.folder / "twin", engine="process")
    assert code == 0, lines
    return street.folder / "twin"


def shards(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def test_the_job_ends_with_shards_a_manifest_and_a_gallery(street):
    clipart = street.data / "street/clipart"
    assert str(clipart / "gallery.html") in street.said
    assert str(clipart / "objects") in street.said
    images, objects = pd.read_parquet(clipart / "images"), pd.read_parquet(clipart / "objects")
    assert len(images) == 10
    assert set(objects["scene_id"]) == set(images["scene_id"])
    assert set(objects["category"]) == {"person", "vehicle"}
    assert len(sorted((clipart / "images").glob("part-*-of-00003.parquet"))) == 3
    manifest = json.loads((clipart / "clipart_manifest.json").read_text())
    assert manifest["scenes"] == 10
    assert (clipart / "gallery.html").stat().st_size > 50_000
    assert not [p for p in street.data.rglob("*.part")]


def test_a_second_run_says_where_and_writes_nothing(street):
    before = {p: p.stat().st_mtime_ns for p in street.data.rglob("*")}
    code, out, _ = street.luigi(*JOB, *TEN)
    assert code == 0
    assert out == street.said
    assert {p: p.stat().st_mtime_ns for p in street.data.rglob("*")} == before


def test_a_gallery_of_a_killed_run_is_finished(street):
    clipart = street.data / "street/clipart"
    before = {p.relative_to(clipart): p.read_bytes() for p in sorted(clipart.rglob("*")) if p.is_file()}
    (clipart / "gallery.html").unlink()
    part = clipart / "gallery/part-00001-of-00003"
    part.rename(part.with_name(f".{part.name}.part"))
    (part.with_name(f".{part.name}.part") / "00000.js").write_text("half")
    (clipart / "gallery/ground/.00.js.part").write_text("half")
    code, _, lines = street.luigi(*JOB, *TEN)
    assert code == 0, lines
    assert {p.relative_to(clipart): p.read_bytes() for p in sorted(clipart.rglob("*")) if p.is_file()} == before


def test_the_same_seed_gives_the_same_bytes_for_two_workers_in_another_place(street, twin):
    assert shards(twin) == shards(street.data)


def test_too_few_cutouts_name_the_page_that_shows_them(street, twin):
    code, _, lines = street.luigi(*JOB[:-2], "--variant", "few", "--ComposeShards-objects-min", "16", data=twin)
    errors = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and len(errors) == 1, lines
    sheet = twin / "street/cutouts.html"
    assert "too few cutouts" in errors[0] and f"{sheet} shows" in errors[0]
    assert "<article" in sheet.read_text()


def test_no_cutouts_is_one_clear_line(street, twin):
    code, _, lines = street.luigi(
        *JOB, "--variant", "none", "--MineUnoccluded-min-area-px", "1000000", "--redo", data=twin
    )
    assert code != 0
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, lines
    assert "no cutouts among" in errors[0]
    assert "too_small" in errors[0]
    assert "ShowCalibration" in errors[0]
    sheet = twin / "street/mining/refusals.html"
    assert f"pictures of them in {sheet}" in errors[0] and "too few pixels" in sheet.read_text()


EXPORT = ("Export", "--camera", "street", "--format")

TOY = '''
"""A list of the scenes."""
from dataclasses import dataclass, field

import pyarrow.parquet as pq

from pipeline.export.registry import Format, Written


@dataclass(frozen=True)
class Settings:
    ending: str = field(default="", metadata={"help": "what every line ends with"})
    fails: bool = field(default=False, metadata={"help": "give up half way"})


def write(job):
    scenes = pq.read_table(job.clipart / "images", columns=["scene_id"])["scene_id"].to_pylist()
    (job.out / "scenes.txt").write_text("".join(f"{scene}{job.settings.ending}\\n" for scene in scenes))
    if job.settings.fails:
        raise ValueError("no more room in scenes.txt")
    return Written(f"{len(scenes)} lines", "all pictures")


FORMAT = Format("toy", write, Settings)
'''


def test_shards_are_exported_whole_and_what_is_left_out_is_said(street):
    code, out, lines = street.luigi(*EXPORT, "coco")
    assert code == 0, lines
    folder = street.data / "street/exports/coco"
    (said,) = [line for line in out.splitlines() if line.startswith(str(folder))]
    about = json.loads((folder / "export.json").read_text())
    assert said == f"{folder}: {about['written']}; left out: {about['left_out']}."
    manifest = json.loads((street.data / "street/clipart/clipart_manifest.json").read_text())
    assert about["shards"] == manifest["hash"] and " pictures with " in about["written"]
    assert (folder / "instances_amodal_train.json").exists() and (folder / "instances_visible_train.json").exists()
    assert len(list(folder.glob("images/*.jpg"))) == 10 and about["files"] == len(list(folder.rglob("*.*"))) - 1
    before = {p: p.stat().st_mtime_ns for p in street.data.rglob("*")}
    code, again, _ = street.luigi(*EXPORT, "coco")
    assert code == 0 and said in again and {p: p.stat().st_mtime_ns for p in street.data.rglob("*")} == before


def test_a_packages_export_is_known_by_its_name_and_never_half_there(street):
    environment = street.package("toy_export", "walt3d.exports", "FORMAT", TOY)
    code, out, lines = street.luigi(*EXPORT, "toy", "--toy-ending", ".", **environment)
    assert code == 0, lines
    folder = street.data / "street/exports/toy"
    scenes = pd.read_parquet(street.data / "street/clipart/images")["scene_id"]
    assert (folder / "scenes.txt").read_text() == "".join(f"{scene}.\n" for scene in scenes)
    assert f"{folder}: 10 lines; left out: all pictures." in out
    assert json.loads((folder / "export.json").read_text())["settings"] == {"ending": ".", "fails": False}
    code, _, lines = street.luigi(*EXPORT, "toy", "--toy-fails", "true", "--redo", **environment)
    assert code != 0 and any("no more room in scenes.txt" in line for line in lines)
    assert not [path for path in (street.data / "street/exports").rglob("*") if path.is_file() and "toy" in str(path)]
    code, _, lines = street.luigi(*EXPORT, "toy")
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert code != 0 and "--format: expected one of bop, coco, " in error and "got 'toy'" in error
