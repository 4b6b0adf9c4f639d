"""Two masts and a kite in a picture 100 wide: overlaps, mirror images, and the way through a row of a shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.linked_objects import ClassTable, LinkedObject, LinkedPicture, ObjectClass
from models.linked_objects.pictures import NOBODY, OCCLUDED, TRUNCATED, VISIBLE, mirrored
from models.linked_objects.shards import object_columns, occluded_by, read_linked, schema_of
from models.synthetic.photograph import encoded_jpeg
from pipeline.core.storage import write_table

KITE = ObjectClass.of_names("kite", ["head", "left tip", "right tip", "tail"], [("head", "tail")])
MAST = ObjectClass.of_names("mast", ["top", "foot"], [("top", "foot")])
TABLE = ClassTable((KITE, MAST))


def mast(x: float, state: int = VISIBLE, occluder: int = NOBODY) -> LinkedObject:
    """A mast 20 wide and 40 high at x."""
    xy = np.array([[x + 10, 10], [x + 10, 50.0]])
    return LinkedObject(1, np.array([x, 10, 20, 40.0]), xy, np.array([VISIBLE, state]), np.array([NOBODY, occluder]))


def kite() -> LinkedObject:
    xy = np.array([[90, 5], [80, 20], [104, 20], [90, 40.0]])
    state = np.array([VISIBLE, VISIBLE, TRUNCATED, VISIBLE])
    return LinkedObject(0, np.array([80, 5, 20, 35.0]), xy, state, np.full(4, NOBODY), 0.25, 7)


IMAGE = np.arange(60 * 100 * 3, dtype=np.uint8).reshape(60, 100, 3)
PICTURE = LinkedPicture("p", (60, 100), (mast(0), mast(15, OCCLUDED, 0), kite()), lambda: IMAGE)


def test_same_class_objects_overlap_where_their_boxes_do():
    assert PICTURE.overlaps().tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert not PICTURE.overlaps(0.5).any()


def test_who_hides_whom():
    assert [occluded_by(one) for one in PICTURE.objects] == [set(), {0}, set()]


def test_what_is_in_the_picture():
    assert PICTURE.objects[2].inside.tolist() == [True, True, False, True]


def test_mirroring_twice_changes_nothing_and_once_swaps_the_tips():
    flips = [one.flip for one in TABLE.classes]
    once = mirrored(PICTURE, flips)
    assert once.objects[2].xy.tolist() == [[10, 5], [-4, 20], [20, 20], [10, 40]]
    assert (once.image == IMAGE[:, ::-1]).all()
    twice = mirrored(once, flips)
    for one, other in zip(PICTURE.objects, twice.objects, strict=True):
        assert (one.xy == other.xy).all() and (one.box_xywh == other.box_xywh).all()
        assert (one.state == other.state).all() and (one.occluder == other.occluder).all()


def shard(folder: Path, pictures: list[LinkedPicture]) -> Path:
    rows = [
        {
            "name": p.name, "width": p.size_hw[1], "height": p.size_hw[0],
            "image": encoded_jpeg(p.image[..., ::-1], 95), **object_columns(p.objects),
        }
        for p in pictures
    ]  # fmt: skip
    (folder / "train").mkdir()
    write_table(folder / "train" / "part-00000.parquet", pa.Table.from_pylist(rows, schema=schema_of(TABLE)))
    return folder


def test_a_shard_gives_back_pictures_objects_and_classes(tmp_path):
    empty = LinkedPicture("q", (60, 100), (), lambda: IMAGE)
    read = read_linked(shard(tmp_path, [PICTURE, empty]), "train")
    assert read.table == TABLE
    assert [p.name for p in read] == ["p", "q"]
    for one, other in zip(PICTURE.objects, read[0].objects, strict=True):
        assert one.class_id == other.class_id and one.body == other.body
        assert np.allclose(one.xy, other.xy) and np.allclose(one.box_xywh, other.box_xywh)
        assert (one.state == other.state).all() and (one.occluder == other.occluder).all()
        assert one.hidden_fraction == pytest.approx(other.hidden_fraction, nan_ok=True)
    assert read[0].image.shape == (60, 100, 3)
    assert read[1].objects == ()


def test_a_class_can_be_held_out(tmp_path):
    masts = LinkedPicture("m", (60, 100), (mast(3),), lambda: IMAGE)
    read = read_linked(shard(tmp_path, [PICTURE, masts]), "train")
    assert [p.name for p in read.without(["kite"])] == ["m"]
    assert [p.name for p in read.only(["kite"])] == ["p"]
    assert read.without(["kite"]).table == TABLE
    with pytest.raises(ValueError, match="unknown class 'ship'"):
        read.without(["ship"])


def test_an_empty_folder_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="luigi --module tasks RenderLinkedObjects"):
        read_linked(tmp_path, "train")


@pytest.mark.parametrize("box", [[0, 0, 0, 5], [0, 0, np.nan, 5]])
def test_a_box_without_an_inside_is_refused(box):
    with pytest.raises(ValueError, match="expected a box x y w h with an inside"):
        LinkedObject(1, np.array(box, float), np.zeros((2, 2)), np.zeros(2, int), np.zeros(2, int))
