import pickle

import numpy as np
import pyarrow as pa
import pytest

from models.people_groups import read_pictures
from models.people_groups.picture import GroupPerson, GroupPicture
from models.people_groups.store import SCHEMA, STORED, row_of
from models.synthetic.photograph import encoded_jpeg
from pipeline.core.skeletons import OPEC_12
from pipeline.core.storage import write_table


@pytest.fixture
def folder(tmp_path):
    """Three pictures of one, two and three people; the pixels get redder."""
    rng, rows = np.random.default_rng(0), []
    for number in (1, 2, 3):
        people = tuple(
            GroupPerson(
                rng.uniform(0, 50, 4), rng.uniform(0, 60, (len(STORED), 2)), rng.integers(0, 4, len(STORED)),
                rng.integers(-1, 2, len(STORED)), 100.0 * number, f"body{number}",
            )
            for _ in range(number)
        )  # fmt: skip
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 0] = 60 * number
        one = GroupPicture(f"p{number}", (48, 64), people, STORED, image.copy, "val", "hug")
        rows.append((one, row_of(one, encoded_jpeg(image[..., ::-1], 95), number, 4.0)))
    write_table(tmp_path / "val" / "part-00000.parquet", pa.Table.from_pylist([row for _, row in rows], schema=SCHEMA))
    return tmp_path, [one for one, _ in rows]


def test_what_is_written_is_read(folder):
    path, written = folder
    for one, back in zip(written, read_pictures(path, "val"), strict=True):
        assert (back.name, back.size_hw, back.split, back.motion) == (one.name, (48, 64), "val", "hug")
        assert np.abs(back.image().astype(int) - one.image()).max() <= 3
        for mine, theirs in zip(one.people, back.people, strict=True):
            assert np.allclose(mine.xy, theirs.xy, atol=1e-4) and np.allclose(mine.box_xywh, theirs.box_xywh, atol=1e-4)
            assert (mine.state == theirs.state).all() and (mine.hidden_by == theirs.hidden_by).all()
            assert (mine.identity, mine.area_px) == (theirs.identity, theirs.area_px)


def test_slices_skeletons_and_workers(folder):
    """A slice is lazy as the whole is; a picture survives the pickling that a data loader's workers do."""
    read = read_pictures(folder[0], "val", OPEC_12)[1:]
    assert len(read) == 2 and read[0].name == "p2"
    again = pickle.loads(pickle.dumps(read[1]))
    assert len(again.people[2].state) == len(OPEC_12) and (again.image() == read[1].image()).all()


def test_an_empty_folder_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="luigi --module tasks RenderCouples"):
        read_pictures(tmp_path, "train")


def test_shards_of_something_else_are_one_line(tmp_path):
    write_table(tmp_path / "val" / "part-00000.parquet", pa.table({"name": ["p"]}))
    with pytest.raises(ValueError, match=r"part-00000.parquet: expected pictures of people.* RenderCouples"):
        read_pictures(tmp_path, "val")
