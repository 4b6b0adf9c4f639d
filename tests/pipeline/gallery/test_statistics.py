import pytest
from gallery_scenes import HOSTILE, write_camera

from pipeline.core import storage, tables
from pipeline.gallery import statistics as gallery_statistics


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder with two shards and their page."""
    return write_camera(tmp_path_factory.mktemp("camera"))


def test_statistics_count_every_object_once(camera):
    images = storage.read_parts(camera / "clipart/images", gallery_statistics.IMAGE_COLUMNS)
    objects = storage.read_parts(camera / "clipart/objects", gallery_statistics.OBJECT_COLUMNS)
    charts = {c["title"]: c for c in gallery_statistics.charts(images, objects)}
    sums = {title: sum(sum(s["values"]) for s in chart["series"]) for title, chart in charts.items()}
    # Five objects in three scenes; one partly hidden; one without a depth; four cutouts, the person used twice.
    assert list(sums.values()) == [3, 1, 4, 5, 5, 4]
    assert all(len(s["values"]) == len(c["labels"]) for c in charts.values() for s in c["series"])
    assert charts["Uses of a cutout"]["series"][0]["values"] == [3, 1]
    # Of the blue vehicle, 20 x 30 of its 50 x 40 pixels lie behind the red one.
    assert {s["name"]: s["values"][3] for s in charts["Occlusion"]["series"]} == {HOSTILE: 0, "person": 0, "vehicle": 1}
    assert ("20 %", "partly hidden") in gallery_statistics.facts(images, objects)


def test_statistics_of_no_scenes_are_empty():
    images = tables.IMAGES.empty_table().select(gallery_statistics.IMAGE_COLUMNS)
    objects = tables.OBJECTS.empty_table().select(gallery_statistics.OBJECT_COLUMNS)
    charts = gallery_statistics.charts(images, objects)
    assert all(sum(s["values"]) == 0 for c in charts for s in c["series"])
    assert ("–", "partly hidden") in gallery_statistics.facts(images, objects)
