import drawn_shards
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def clipart(tmp_path_factory):
    return drawn_shards.write_clipart(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def images(clipart):
    """Rows of IMAGES by the number that exports give a scene."""
    return {k: row for k, row in enumerate(pd.read_parquet(clipart / "images").to_dict("records"), start=1)}


@pytest.fixture(scope="session")
def objects(clipart):
    """Rows of OBJECTS by the number that exports give an object."""
    return {k: row for k, row in enumerate(pd.read_parquet(clipart / "objects").to_dict("records"), start=1)}


@pytest.fixture(scope="session")
def number_of(images):
    """Scene's number by scene_id."""
    return {row["scene_id"]: k for k, row in images.items()}


@pytest.fixture(scope="module")
def exported(clipart, tmp_path_factory):
    """Function that exports a format once, and gives its folder and account."""
    made = {}

    def folder(name, settings=None):
        key = name, settings
        if key not in made:
            out = tmp_path_factory.mktemp("export") / name
            made[key] = out, drawn_shards.export(name, clipart, out, settings)
        return made[key]

    return folder
