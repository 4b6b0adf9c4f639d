"""Export -> import is the identity on what a format holds, and others' files by hand give what one would draw."""

import json

import cv2
import drawn_shards
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scenes.objects import Scenes
from pipeline.core import masks
from pipeline.core.account import Account
from pipeline.importing.registry import ReadJob, reader_of, readers
from pipeline.importing.scenes import ReadObject, Shards, near_to_far, write_scenes

EVERY = ("category", "px_count_all", "px_count_visib", "mask_amodal_rle", "mask_visible_rle", "split", "category_id")
BY_NAME = (*EVERY, "object_id", "depth_order", "subcategory", "track_id", "occluder_ids", "bbox_amodal_xywh",
           "bbox_visible_xywh", "visible_fraction", "truncation")  # fmt: skip
PICTURE = ("width", "height", "split")


@pytest.fixture(scope="module")
def clipart(tmp_path_factory):
    return drawn_shards.write_clipart(tmp_path_factory.mktemp("data"))


def brought_back(name, source, out, images=None):
    """The two tables of what a reader finds, and its account."""
    reader = reader_of(name)
    account = Account(str(source), "objects")
    settings = reader.settings() if reader.settings else None
    job = ReadJob(source, images, "back", settings, account)
    write_scenes(Shards(out, "back", "mark"), reader.read(job))
    return pd.read_parquet(out / "images"), pd.read_parquet(out / "objects"), account


@pytest.fixture(scope="module")
def round_trip(clipart, tmp_path_factory):
    """Function from a format to both tables before and after."""
    made = {}

    def there_and_back(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("trip")
            drawn_shards.export(name, clipart, folder / name)
            before = pd.read_parquet(clipart / "images"), pd.read_parquet(clipart / "objects")
            made[name] = *before, *brought_back(name, folder / name, folder / "clipart")
        return made[name]

    return there_and_back


def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value]
    return None if value is None or (isinstance(value, float) and np.isnan(value)) else value


def same(first, second):
    first, second = plain(first), plain(second)
    if isinstance(first, float | list) and first and second is not None:
        return np.allclose(np.array(first, float), np.array(second, float), atol=1e-5)
    return first == second


def by_id(table, *keys):
    rows = table.to_dict("records")
    return {tuple(row[key] for key in keys): row for row in rows}


@pytest.mark.parametrize("name", ["coco", "kins", "cocoa"])
def test_there_and_back_is_the_identity_on_what_the_format_holds(round_trip, name):
    images, objects, images_back, objects_back, account = round_trip(name)
    assert not account.reasons and account.read == len(objects)
    before, after = by_id(images, "scene_id"), by_id(images_back, "scene_id")
    assert before.keys() == after.keys()
    for key, row in before.items():
        assert after[key]["image"]["bytes"] == row["image"]["bytes"]
        assert all(after[key][column] == row[column] for column in PICTURE)
        assert after[key]["timestamp"] == row["timestamp"]
        kept = ("ignore_rle",) if name == "cocoa" else ("ignore_rle", "ignore_reason", "ignore_category")
        assert all(list(after[key][column]) == list(row[column]) for column in kept)
    before, after = (by_id(table, "scene_id", "object_id") for table in (objects, objects_back))
    assert before.keys() == after.keys()
    for key, row in before.items():
        differing = [column for column in BY_NAME if not same(row[column], after[key][column])]
        assert not differing, (key, differing)


def test_keypoints_come_back_from_coco(round_trip):
    _, objects, _, back, _ = round_trip("coco")
    before, after = (by_id(table, "scene_id", "object_id") for table in (objects, back))
    merged = {"self_occluded": "occluded"}
    for key, row in before.items():
        if row["keypoints_2d"] is None:
            assert after[key]["keypoints_2d"] is None
            continue
        states = [merged.get(state, state) for state in row["keypoint_state"]]
        assert list(after[key]["keypoint_state"]) == states
        places = np.reshape(row["keypoints_2d"], (-1, 2))
        places[np.array(states) == "truncated"] = np.nan
        assert np.allclose(np.reshape(after[key]["keypoints_2d"], (-1, 2)), places, atol=1e-3, equal_nan=True)


def test_poses_come_back_from_bop(round_trip):
    images, objects, images_back, back, account = round_trip("bop")
    placed = objects[objects["R"].notna()]
    assert account.read == len(placed) == len(back) and not account.reasons
    picture = {row["image"]["bytes"]: row for row in images.to_dict("records")}
    assert len(picture) == len(images_back)
    for image in images_back.to_dict("records"):
        row = picture[image["image"]["bytes"]]
        assert image["split"] == row["split"]
        assert all(same(image[column], row[column]) for column in ("K", "ground_plane"))
        before = placed[placed["scene_id"] == row["scene_id"]].to_dict("records")
        found = back[back["scene_id"] == image["scene_id"]].to_dict("records")
        whole = {one["mask_amodal_rle"] + one["mask_visible_rle"]: one for one in found}
        assert len(found) == len(before)
        for one in before:
            other = whole[one["mask_amodal_rle"] + one["mask_visible_rle"]]
            assert all(same(one[column], other[column]) for column in (*EVERY, "R", "t", "dims_lwh_m"))
            # Who hides it follows from the masks, for those that BOP has.
            assert len(other["occluder_ids"]) <= len(one["occluder_ids"])


@pytest.mark.parametrize("name", ["coco", "kins", "cocoa", "bop"])
def test_networks_train_on_what_came_back(round_trip, name, tmp_path):
    images, _, images_back, objects_back, _ = round_trip(name)
    for kind, table in (("images", images_back), ("objects", objects_back)):
        (tmp_path / kind).mkdir()
        table.to_parquet(tmp_path / kind / "part-00000.parquet")
    train = Scenes([tmp_path], "train")
    assert len(train) == (images["split"] == "train").sum()
    assert all(len(train[k].things) for k in range(len(train)))


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30, 3), 90, np.uint8))


SQUARES = {"near": [4, 4, 14, 4, 14, 14, 4, 14], "far": [10, 6, 22, 6, 22, 12, 10, 12]}


def kins_by_hand(folder, fields, names=("car", "pedestrian")):
    """A car before a person, in the order far, near, as KINS's own files have them."""
    picture(folder / "images/000001.png")
    seen = np.zeros((20, 30), bool)
    seen[6:12, 14:22] = True
    rle = {"size": [20, 30], "counts": masks.encode(seen, (0, 0), (20, 30))}
    near = np.zeros((20, 30), bool)
    near[4:14, 4:14] = True
    rle_near = {"size": [20, 30], "counts": masks.encode(near, (0, 0), (20, 30))}
    content = {
        "images": [{"id": 7, "file_name": "000001.png", "width": 30, "height": 20}],
        "categories": [{"id": 4, "name": names[0]}, {"id": 2, "name": names[1]}, {"id": 8, "name": "misc"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 2, fields[0]: [SQUARES["far"]], fields[1]: rle},
            {"id": 2, "image_id": 7, "category_id": 4, fields[0]: [SQUARES["near"]], fields[1]: rle_near},
            {"id": 3, "image_id": 7, "category_id": 8, fields[0]: [SQUARES["near"]], fields[1]: rle_near},
        ],
    }
    (folder / "instances_train.json").write_text(json.dumps(content))


@pytest.mark.parametrize("fields", [("segmentation", "inmodal_seg"), ("a_segm", "i_segm")])
def test_who_hides_whom_follows_from_masks_where_a_file_does_not_say(tmp_path, fields):
    kins_by_hand(tmp_path / "kins", fields)
    images, objects, account = brought_back("kins", tmp_path / "kins", tmp_path / "out")
    assert objects["category"].tolist() == ["vehicle", "person"] and objects["subcategory"].tolist() == [
        "car",
        "person",
    ]
    assert [list(one) for one in objects["occluder_ids"]] == [[], [0]] and objects["depth_order"].tolist() == [0, 1]
    assert objects["px_count_all"].tolist() == [100, 72] and objects["px_count_visib"].tolist() == [100, 48]
    assert objects["bbox_amodal_xywh"][1].tolist() == [10, 6, 12, 6]
    assert "1 of class 'misc'" in str(account) and account.used == 2
    assert images["scene_id"].tolist() == ["back/00000/00000"] and images["K"][0] is None


def test_one_mask_stands_for_both_and_the_account_says_so(tmp_path):
    kins_by_hand(tmp_path / "coco", ("segmentation", "inmodal_seg"))
    _, objects, account = brought_back("coco", tmp_path / "coco", tmp_path / "out")
    assert (objects["visible_fraction"] == 1).all() and not any(map(len, objects["occluder_ids"]))
    assert "stands for the whole and for what is seen" in str(account)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(images=3), "images: expected a list of objects, got int"),
        (lambda c: c["images"][0].update(file_name="../x.png"), "file_name: expected a name below the folder"),
        (lambda c: c["images"][0].update(file_name="none.png"), "no such picture; name the folder"),
        (lambda c: c["images"][0].pop("width"), "image 7: width: expected a whole number, got 'None'"),
        (lambda c: c["annotations"][0].update(segmentation=[[1, 2]]), "polygon: expected x, y of 3 points or more"),
        (lambda c: c["annotations"][0].pop("id"), "id: expected a whole number"),
    ],
)
def test_a_fault_in_a_file_is_one_clear_line(tmp_path, change, message):
    kins_by_hand(tmp_path / "kins", ("segmentation", "inmodal_seg"))
    path = tmp_path / "kins/instances_train.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as error:
        brought_back("kins", tmp_path / "kins", tmp_path / "out")
    assert message in str(error.value) and "\n" not in str(error.value) and str(tmp_path) in str(error.value)


def test_nothing_to_read_says_what_was_expected(tmp_path):
    for name in readers():
        with pytest.raises(ValueError, match=r"expected .*, got none"):
            brought_back(name, tmp_path, tmp_path / "out")


def one(name, place=None):
    return ReadObject(name, "vehicle", "", "", place=place)


@given(st.permutations(range(6)), st.data())
def test_whoever_hides_another_comes_first(order, data):
    # Numbers in `order` may be hidden by those before them alone: no circle.
    hiding = [data.draw(st.lists(st.sampled_from(order[: order.index(k)]), unique=True)) if order.index(k) else []
              for k in range(6)]  # fmt: skip
    found = near_to_far([one(k) for k in range(6)], hiding)
    assert sorted(found) == list(range(6))
    assert all(found.index(near) < found.index(k) for k in range(6) for near in hiding[k])


def test_a_circle_stays_as_it_stands_and_a_place_is_a_place():
    assert near_to_far([one(5), one(6)], [[6], [5]]) == [0, 1]
    assert near_to_far([one(5, 2), one(6, 1)], [[], [5]]) == [1, 0]
