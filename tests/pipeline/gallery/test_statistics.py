import pytest
from gallery_scenes import write_camera

from pipeline.core import tables
from pipeline.gallery import statistics as gallery_statistics
from pipeline.gallery.index import read_shards


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder with two shards and their page."""
    return write_camera(tmp_path_factory.mktemp("camera"))


def test_statistics_count_every_object_once(camera):
    images, objects, _ = read_shards(camera / "clipart")
    charts = {c["title"]: c for c in gallery_statistics.charts(images, objects)}
    sums = {title: sum(sum(s["values"]) for s in chart["series"]) for title, chart in charts.items()}
    # One hostile object, two people, two vehicles in three scenes; one without a depth; four cutouts.
    assert list(sums.values()) == [1, 2, 2, 3, 4, 5, 5, 4]
    assert all(len(s["values"]) == len(c["labels"]) for c in charts.values() for s in c["series"])
    assert charts["Uses of a cutout"]["series"][0]["values"] == [3, 1]
    # Of the blue vehicle, 20 x 30 of its 50 x 40 pixels lie behind the red one.
    assert charts["Hidden fraction: vehicle"]["series"] == [{"name": "vehicle", "values": [1, 0, 0, 1, *[0] * 6]}]
    assert (
        charts["Hidden fraction: vehicle"]["note"] == "50\u00a0% hidden by more than 10\u00a0%, 0\u00a0% by 40\u00a0%"
    )
    assert all("wanted" not in chart for chart in charts.values())
    assert ("20 %", "partly hidden") in gallery_statistics.facts(images, objects)


def test_what_was_asked_for_stands_beside_what_was_reached(camera):
    images, objects, _ = read_shards(camera / "clipart")
    asked = {"vehicle": [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0], "lorry": [1, *[0] * 9], "bus": [0] * 10}
    charts = {c["title"]: c for c in gallery_statistics.charts(images, objects, asked)}
    assert charts["Hidden fraction: vehicle"]["wanted"] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert charts["Hidden fraction: vehicle"]["note"].endswith("wanted: 50\u00a0% and 50\u00a0%")
    assert "wanted" not in charts["Hidden fraction: person"]
    # Asked for, and there is none: shown as none; not asked for and none: left out.
    assert sum(charts["Hidden fraction: lorry"]["series"][0]["values"]) == 0
    assert "Hidden fraction: bus" not in charts


def test_statistics_of_no_scenes_are_empty():
    images, objects = tables.IMAGES.empty_table(), tables.OBJECTS.empty_table()
    charts = gallery_statistics.charts(images, objects)
    assert all(sum(s["values"]) == 0 for c in charts for s in c["series"])
    assert ("–", "partly hidden") in gallery_statistics.facts(images, objects)
