"""`datasets` and mlcroissant read the folders as they are, and pandas always does."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.core.skeletons import COCO_17, VEHICLE_12
from pipeline.core.storage import sha256_of

SPLITS = {"train": "train", "val": "validation"}


def rows_of(table, split):
    return [row for row in table.values() if row["split"] == split]


@pytest.mark.parametrize("name", ["huggingface", "croissant"])
def test_each_file_is_of_one_split_with_the_shards_rows(exported, images, objects, name):
    folder, written = exported(name)
    for table, rows in (("images", images), ("objects", objects)):
        for ours, theirs in SPLITS.items():
            found = pd.concat(map(pd.read_parquet, sorted(folder.glob(f"data/{table}/{theirs}-*.parquet"))))
            expected = rows_of(rows, ours)
            assert found["scene_id"].tolist() == [row["scene_id"] for row in expected]
            assert set(found.columns) == set(expected[0])
    assert f"{len(images)} pictures" in written.what and f"{len(objects)} objects" in written.what


def test_keypoints_names_flips_and_links_are_in_the_metadata(exported):
    for path in exported("huggingface")[0].glob("data/objects/*.parquet"):
        known = json.loads(pq.read_schema(path).metadata[b"skeletons"])
        for category, skeleton in (("person", COCO_17), ("vehicle", VEHICLE_12)):
            assert known[category]["names"] == list(skeleton.names)
            assert known[category]["flip"] == list(skeleton.flip)
            assert [tuple(link) for link in known[category]["links"]] == list(skeleton.links)


def test_the_card_names_every_file_and_column(exported, images, objects):
    folder, _ = exported("huggingface")
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    configs = {one["config_name"]: one["data_files"] for one in yaml.safe_load(front)["configs"]}
    assert configs["images"] == [{"split": s, "path": f"data/images/{s}-*.parquet"} for s in SPLITS.values()]
    assert all(name in text for name in [*next(iter(images.values())), *next(iter(objects.values()))])
    assert f"{len(images)} pictures with {len(objects)} objects" in text


def test_load_dataset_works(exported, images, objects, tmp_path):
    datasets = pytest.importorskip("datasets")
    folder, _ = exported("huggingface")
    for name, rows in (("images", images), ("objects", objects)):
        loaded = datasets.load_dataset(str(folder), name, cache_dir=str(tmp_path))
        assert {split: len(one) for split, one in loaded.items()} == {
            theirs: len(rows_of(rows, ours)) for ours, theirs in SPLITS.items()
        }
    pictures = datasets.load_dataset(str(folder), "images", split="train", cache_dir=str(tmp_path))
    first = rows_of(images, "train")[0]
    assert pictures[0]["image"].size == (first["width"], first["height"])
    assert pictures[0]["scene_id"] == first["scene_id"]
    streamed = next(iter(datasets.load_dataset(str(folder), "objects", split="train", streaming=True)))
    assert streamed["mask_amodal_rle"] == rows_of(objects, "train")[0]["mask_amodal_rle"]


def test_croissant_lists_every_file_with_its_checksum(exported, images):
    folder, _ = exported("croissant")
    about = json.loads((folder / "croissant.json").read_text())
    listed = {one["contentUrl"]: one for one in about["distribution"] if one["@type"] == "cr:FileObject"}
    assert set(listed) == {p.relative_to(folder).as_posix() for p in folder.rglob("*.parquet")}
    assert all(one["sha256"] == sha256_of(folder / path) for path, one in listed.items())
    fields = {one["@id"]: one for table in about["recordSet"] for one in table["field"]}
    assert all(f"images/{name}" in fields for name in next(iter(images.values())))
    assert fields["objects/t"]["repeated"] and fields["objects/t"]["dataType"] == "sc:Float"


def test_mlcroissant_finds_no_fault_and_reads_the_records(exported, images, objects):
    mlcroissant = pytest.importorskip("mlcroissant")
    folder, _ = exported("croissant")
    data = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not data.metadata.ctx.issues.errors, data.metadata.ctx.issues.report()
    found = list(data.records("objects"))
    assert len(found) == len(objects)
    masks = sorted(str(one["objects/mask_amodal_rle"], "utf-8") for one in found)
    assert masks == sorted(row["mask_amodal_rle"] for row in objects.values())
    pictures = list(data.records("images"))
    assert len(pictures) == len(images) and np.asarray(pictures[0]["images/image"]).shape == (240, 320, 3)
