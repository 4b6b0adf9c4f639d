"""What holds for every format: the same bytes again, pictures and regions all there or counted, mistakes in a line."""

import json

import drawn_shards
import pyarrow.parquet as pq
import pytest

from pipeline.export.registry import ExportJob, format_of, formats
from pipeline.export.shared.json_lists import JsonLists
from pipeline.export.shared.scenes import FLAT, scenes

NAMES = sorted(formats())


def test_every_format_is_there():
    assert set(NAMES) == {
        "bop", "coco", "cocoa", "croissant", "cvat", "huggingface", "kins", "kitti", "label_studio", "mot", "omni3d",
        "webdataset", "yolo", "yolo_pose",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_same_shards_give_the_same_bytes(exported, clipart, tmp_path, name):
    first, said = exported(name)
    again = drawn_shards.export(name, clipart, tmp_path / name)
    assert again == said
    folders = first, tmp_path / name
    files, others = ([p.relative_to(one) for p in sorted(one.rglob("*")) if p.is_file()] for one in folders)
    assert files == others
    assert not [path for path in files if (first / path).read_bytes() != (tmp_path / name / path).read_bytes()]
    assert not [path for path in files if path.name.startswith(".")]


@pytest.mark.parametrize("name", NAMES)
def test_progress_ends_with_every_scene(clipart, tmp_path, name):
    seen, kind = [], format_of(name)
    (tmp_path / name).mkdir()
    settings = kind.settings() if kind.settings else None
    kind.write(ExportJob(clipart, tmp_path / name, "drawn", "walt3d", settings, lambda *n: seen.append(n)))
    assert seen[-1] == (drawn_shards.SCENES, drawn_shards.SCENES) and seen == sorted(seen)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_format_has_no_room_for_is_said(exported, name):
    written = exported(name)[1]
    lossless = name in ("huggingface", "croissant", "webdataset")
    assert (written.left_out == "nothing") == lossless
    assert lossless or "bodies" in written.left_out or "posed" in written.left_out


def test_a_shard_that_lacks_a_column_is_one_clear_line(clipart, tmp_path):
    for kind in ("images", "objects"):
        for part in sorted((clipart / kind).glob("*.parquet")):
            table = pq.read_table(part)
            (tmp_path / kind).mkdir(exist_ok=True)
            pq.write_table(
                table.drop_columns(["truncation"]) if kind == "objects" else table, tmp_path / kind / part.name
            )
    with pytest.raises(ValueError, match=r"objects/part-00000-of-00002\.parquet: expected columns truncation") as error:
        list(scenes(ExportJob(tmp_path, tmp_path, "drawn", "walt3d"), FLAT))
    assert "\n" not in str(error.value) and "GenerateClipArt" in str(error.value)
    next((tmp_path / "objects").glob("*00001-of*")).unlink()
    with pytest.raises(ValueError, match="no such file, beside the pictures of part-00001-of-00002"):
        list(scenes(ExportJob(tmp_path, tmp_path, "drawn", "walt3d"), FLAT))
    with pytest.raises(ValueError, match=r"no shards in images/; run GenerateClipArt"):
        list(scenes(ExportJob(tmp_path / "none", tmp_path, "drawn", "walt3d"), FLAT))


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ValueError, match=r"--format: expected one of bop, coco, .*, got 'voc'"):
        format_of("voc")


def test_lists_on_disk_are_the_json_that_memory_would_give(tmp_path):
    with JsonLists(tmp_path, ("a", "b"), lambda name: {"name": name}) as files:
        files.open("empty.json")
        for number in range(3):
            files.add("full.json", "b", {"n": number})
    assert json.loads((tmp_path / "empty.json").read_text()) == {"name": "empty.json", "a": [], "b": []}
    expected = {"name": "full.json", "a": [], "b": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert json.loads((tmp_path / "full.json").read_text()) == expected
    with pytest.raises(ValueError, match="not JSON compliant"), JsonLists(tmp_path, ("a",), lambda name: {}) as files:
        files.add("nan.json", "a", float("nan"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.json", "full.json"]
