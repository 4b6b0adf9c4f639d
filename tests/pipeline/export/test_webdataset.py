"""The tar files hold both tables whole, and webdataset reads them in order."""

import json
import tarfile

import numpy as np
import pandas as pd
import pytest

from pipeline.export.shared.scenes import plain
from pipeline.export.webdataset import WebDatasetSettings


def members(folder, split):
    """Name and bytes of every member of a split's files, in order."""
    for path in sorted(folder.glob(f"{split}-*.tar")):
        with tarfile.open(path) as tar:
            for one in tar:
                yield one.name, tar.extractfile(one).read()


def test_nothing_is_left_out(exported, clipart, images, objects):
    folder, written = exported("webdataset", WebDatasetSettings(scenes=3))
    assert written.left_out == "nothing"
    found = {}
    for split in ("train", "val"):
        named = list(members(folder, split))
        count = sum(row["split"] == split for row in images.values())
        assert len(named) == 2 * count and len(list(folder.glob(f"{split}-*.tar"))) == -(-count // 3)
        for (picture, jpeg), (labels, content) in zip(named[::2], named[1::2], strict=True):
            assert picture.split(".") == [labels.split(".")[0], "jpg"] and labels.endswith(".json")
            row = json.loads(content)
            found[row["scene_id"]] = jpeg, row
    assert len(found) == len(images)
    for image in images.values():
        jpeg, row = found[image["scene_id"]]
        assert jpeg == image["image"]["bytes"] and row["split"] == image["split"]
    table = pd.read_parquet(clipart / "objects")
    read = {(one["scene_id"], one["object_id"]): one for _, row in found.values() for one in row["objects"]}
    assert len(read) == len(objects)
    for expected in objects.values():
        back = read[expected["scene_id"], expected["object_id"]]
        assert set(back) == set(table.columns)
        for name, value in expected.items():
            value = value.tolist() if isinstance(value, np.ndarray) else value
            assert back[name] == plain(value) or (back[name] is None and pd.isna(value)), name


def test_webdataset_reads_it(exported, images):
    webdataset = pytest.importorskip("webdataset")
    folder, _ = exported("webdataset", WebDatasetSettings(scenes=3))
    urls = [str(path) for path in sorted(folder.glob("train-*.tar"))]
    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("jpg", "json"))
    expected = [row["scene_id"] for row in images.values() if row["split"] == "train"]
    assert [labels["scene_id"] for _, labels in read] == expected
    assert all(picture.shape == (240, 320, 3) for picture, _ in read)
