"""A reader holds the data set that it opened: another one in its place is an error, never other pictures."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from composed_streets import write_composed

from models.detector.pictures import ClipArt
from models.scenes import shards
from models.scenes.objects import Scenes
from pipeline.core.storage import marked, write_table


def marked_as(folder, name):
    """Every part says of which data set it is."""
    for path in folder.glob("*/*.parquet"):
        write_table(path, marked(pq.read_table(path), name))
    return folder


@pytest.mark.parametrize("names", [("", ""), ("a" * 64, "b" * 64)], ids=["by place", "by hash"])
@pytest.mark.parametrize("kind", [lambda folder: Scenes([folder], "train"), lambda folder: ClipArt(folder)])
def test_after_a_swap_nothing_of_the_other_data_set_is_read(tmp_path, names, kind):
    folders = [marked_as(write_composed(tmp_path / n, 6, parts=3), name) for n, name in zip("ab", names, strict=True)]
    source = kind(folders[0])
    first = source[0].image_bgr
    shutil.rmtree(folders[0])
    shutil.copytree(folders[1], folders[0])
    for cached in (shards._jpegs, shards.objects_of, shards.cameras_of, shards.ignored_of):
        cached.cache_clear()
    for index in range(len(source)):
        with pytest.raises(ValueError, match=r"part-\d.*\.parquet: is another data set's now than when it was opened"):
            source[index]
    assert np.array_equal(first, kind(folders[0])[0].image_bgr)


def test_a_data_set_that_is_removed_is_told(tmp_path):
    source = Scenes([write_composed(tmp_path / "a", 6, parts=3)], "train")
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(ValueError, match=r"was removed while it was read"):
        source[0]


def test_the_same_data_set_again_goes_on(tmp_path):
    folder = marked_as(write_composed(tmp_path / "a", 6, parts=3), "a" * 64)
    source = Scenes([folder], "train")
    again = shutil.copytree(folder, tmp_path / "b")
    shutil.rmtree(folder)
    again.rename(folder)
    assert source[0].image_bgr.ndim == 3


def test_a_broken_picture_names_the_command_that_mends(tmp_path):
    folder = write_composed(tmp_path / "a", 4, parts=1)
    (path,) = (folder / "images").iterdir()
    data = bytearray(path.read_bytes())
    data[200:600] = bytes(b ^ 0xFF for b in data[200:600])
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"images/.*parquet: damaged .*`luigi --module tasks Verify --mend"):
        Scenes([folder], "train")[0]
