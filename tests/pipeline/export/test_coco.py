"""The written folder is read by pycocotools, and by the readers of this project, as the shards say."""

import contextlib
import io

import boxes
import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from models.detector.pictures import ClipArt, CocoFrames
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import IGNORED, OBJECTS, to_table
from pipeline.empty_street.regions import FILE
from pipeline.export.registry import ExportJob, format_of


@pytest.fixture(scope="module")
def clipart(tmp_path_factory):
    """Two shards of five scenes; in one, the farthest of three objects or more is made to be wholly hidden."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    boxes.write_camera(folder, boxes.street(40))
    settings = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5)
    for shard in range(2):
        job = ShardJob(
            "drawn", folder, folder / "clipart", boxes.CAMERA, boxes.PLANE, 5, shard, 2, 5, settings=settings
        )
        compose_shard(job)
    rows = pq.read_table(job.paths[1]).to_pylist()
    hidden = max(rows, key=lambda row: row["depth_order"])
    empty = masks.encode(np.zeros((1, 1), bool), (0, 0), boxes.SIZE_HW)
    hidden |= {"bbox_visible_xywh": None, "mask_visible_rle": empty, "px_count_visib": 0, "visible_fraction": 0.0}
    pq.write_table(pa.Table.from_pylist(rows, schema=OBJECTS), job.paths[1])
    return folder / "clipart"


def export(clipart, out):
    out.mkdir()
    seen = []
    written = format_of("coco").write(ExportJob(clipart, out, "drawn", "walt3d", None, lambda *n: seen.append(n)))
    assert seen == [(k, 10) for k in range(1, 11)]
    return written


@pytest.fixture(scope="module")
def out(clipart, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "coco"
    export(clipart, folder)
    return folder


@pytest.fixture(scope="module")
def objects(clipart):
    return pd.read_parquet(clipart / "objects")


def read(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(("kind", "pixels"), [("amodal", "px_count_all"), ("visible", "px_count_visib")])
def test_pycocotools_reads_every_mask_where_the_shards_have_it(out, objects, kind, pixels, split):
    dataset = read(out / f"instances_{kind}_{split}.json")
    expected = objects[(objects[pixels] > 0) & (objects["split"] == split)]
    assert len(expected) > 2 and {one["split"] for one in dataset.imgs.values()} == {split}
    assert len(dataset.anns) == len(expected) and {c["id"]: c["name"] for c in dataset.cats.values()} == {
        1: "person",
        2: "vehicle",
    }
    for scene, rows in expected.groupby("scene_id"):
        (image,) = [one for one in dataset.imgs.values() if one["scene_id"] == scene]
        found = {one["depth_order"]: one for one in dataset.loadAnns(dataset.getAnnIds(imgIds=[image["id"]]))}
        assert set(found) == set(rows["depth_order"])
        for row in rows.to_dict("records"):
            one = found[row["depth_order"]]
            mask = dataset.annToMask(one).astype(bool)
            assert (mask == masks.full(row[f"mask_{kind}_rle"], boxes.SIZE_HW)).all()
            assert one["area"] == mask.sum() and one["bbox"] == list(row[f"bbox_{kind}_xywh"])
            assert dataset.cats[one["category_id"]]["name"] == row["category"] and one["iscrowd"] == 0
            occluders = {dataset.anns[i]["depth_order"] for i in one["occluder_ids"] if i in dataset.anns}
            of_scene = objects[objects["scene_id"] == scene].set_index("object_id")
            assert occluders == {int(of_scene.loc[i, "depth_order"]) for i in row["occluder_ids"]}


def test_an_object_has_one_id_in_both_and_the_wholly_hidden_are_told(out, objects, clipart, tmp_path):
    of = {(k, s): read(out / f"instances_{k}_{s}.json").anns for k in ("amodal", "visible") for s in ("train", "val")}
    for split in ("train", "val"):
        for number, one in of["visible", split].items():
            whole = of["amodal", split][number]
            assert {**whole, **{key: one[key] for key in ("bbox", "area", "segmentation")}} == one
    whole, seen = ([*of[kind, "train"], *of[kind, "val"]] for kind in ("amodal", "visible"))
    assert sorted(whole) == list(range(1, len(objects) + 1)) and len(set(whole) - set(seen)) == 1
    written = export(clipart, tmp_path / "again")
    train = pd.read_parquet(clipart / "images")["split"].eq("train").sum()
    pictures = f"{train} train and {10 - train} val pictures"
    assert written.what == f"{pictures} with {len(objects)} whole and {len(objects) - 1} visible masks"
    assert written.left_out.startswith("1 wholly hidden objects among the visible masks, how a hidden")


def test_pictures_are_the_scenes_own_bytes(out, clipart):
    images = pd.read_parquet(clipart / "images").set_index("scene_id")
    listed = [one for split in ("train", "val") for one in read(out / f"instances_visible_{split}.json").imgs.values()]
    assert len({one["id"] for one in listed}) == len(images) == len(list((out / "images").iterdir()))
    for one in listed:
        data = (out / "images" / one["file_name"]).read_bytes()
        assert (
            data == images.loc[one["scene_id"], "image"]["bytes"]
            and one["split"] == images.loc[one["scene_id"], "split"]
        )
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (one["height"], one["width"])


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_projects_own_reader_finds_in_it_what_it_finds_in_the_shards(out, clipart, split):
    shards = ClipArt(clipart, "amodal", split)
    exported = CocoFrames(out / f"instances_amodal_{split}.json", out / "images")
    assert len(exported) == len(shards) > 0
    for number in range(len(shards)):
        picture, shard = exported[number], shards[number]
        assert (picture.image_bgr == shard.image_bgr).all()
        described = [{(o.number, o.xy, o.crop.tobytes()) for o in one.labels} for one in (picture, shard)]
        assert described[0] >= described[1] and len(described[1]) > 1


def test_the_same_shards_give_the_same_bytes(out, clipart, tmp_path):
    export(clipart, tmp_path / "again")
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    assert len(files) == 14
    assert all((tmp_path / "again" / path).read_bytes() == (out / path).read_bytes() for path in files)


def test_regions_to_ignore_are_crowds_and_training_reads_them_back(tmp_path):
    folder = tmp_path / "drawn"
    boxes.write_camera(folder, boxes.street(40))
    region = {"reason": "standing", "category": "vehicle", "subcategory": "van", "score": 0.7}
    rle = masks.encode(np.ones((60, 90), bool), (100, 120), boxes.SIZE_HW)
    ghost = dict.fromkeys(region) | {"reason": "ghost"}
    corner = masks.encode(np.ones((9, 9), bool), (0, 0), boxes.SIZE_HW)
    known = [region | {"bucket": b, "mask_rle": rle} for b in ("noon", "dusk")]
    write_table(folder / FILE, to_table([*known, ghost | {"bucket": "noon", "mask_rle": corner}], IGNORED))
    settings = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5)
    compose_shard(
        ShardJob("drawn", folder, folder / "clipart", boxes.CAMERA, boxes.PLANE, 5, 0, 1, 10, settings=settings)
    )
    scenes = pd.read_parquet(folder / "clipart/images").set_index("scene_id")
    for _, scene in scenes.iterrows():
        noon = scene["background"] == "noon"
        assert list(scene["ignore_reason"]) == (["standing", "ghost"] if noon else ["standing"])
        assert list(scene["ignore_category"]) == (["vehicle", None] if noon else ["vehicle"])
        assert list(scene["ignore_rle"]) == ([rle, corner] if noon else [rle])
    export(folder / "clipart", tmp_path / "out")
    dataset = read(tmp_path / "out/instances_visible_train.json")
    shards = ClipArt(folder / "clipart")
    frames = CocoFrames(tmp_path / "out/instances_visible_train.json", tmp_path / "out/images")
    for index, (image_id, image) in enumerate(sorted(dataset.imgs.items())):
        crowds = dataset.loadAnns(dataset.getAnnIds(imgIds=[image_id], iscrowd=True))
        # A ghost's category is unknown: it is a crowd of each.
        noon = scenes.loc[image["scene_id"], "background"] == "noon"
        assert sorted(c["category_id"] for c in crowds) == ([1, 2, 2] if noon else [2])
        whole = np.zeros(boxes.SIZE_HW, bool)
        whole[120:180, 100:190] = True
        whole[:9, :9] |= noon
        for one in dataset.loadAnns(dataset.getAnnIds(imgIds=[image_id], iscrowd=False)):
            whole &= ~dataset.annToMask(one).astype(bool)
        assert shards.scenes[index] == image["scene_id"]
        assert np.array_equal(frames[index].ignore, whole) and (shards[index].ignore & ~whole).sum() < 300
        assert len(frames[index].labels) == len(dataset.getAnnIds(imgIds=[image_id], iscrowd=False))
