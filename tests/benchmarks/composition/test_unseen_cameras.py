"""A camera of drawn cars, composed: what the row of it says, and which bar binds it."""

import boxes
import cv2
import numpy as np
import pytest

from benchmarks.composition.unseen_cameras import bars_of, fullest_scenes, measure
from benchmarks.pipeline.real_cameras import missing
from pipeline.composition.manifest import build_manifest
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core.storage import write_json


@pytest.fixture(scope="module")
def row_and_folder(tmp_path_factory):
    """A street in two time buckets, of which only noon has cutouts enough for the bar."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    boxes.write_camera(folder, boxes.street(60))
    settings = ComposeSettings(objects_min=2, objects_max=8, objects_mean=6)
    job = ShardJob("drawn", folder, folder / "clipart", boxes.CAMERA, boxes.PLANE, 5, 0, 1, 20, settings=settings)
    compose_shard(job)
    manifest = build_manifest([job])
    write_json(folder / "clipart" / "clipart_manifest.json", manifest)
    return measure(folder), folder, manifest["statistics"]


def test_the_row_says_what_is_hidden_and_where_the_bar_binds(row_and_folder):
    row, _, statistics = row_and_folder
    counts = statistics["hidden_fraction"]["cutouts"]["vehicle"]
    assert row["cutouts"] == sum(counts.values()) and row["fewest_a_bucket"] == min(counts.values())
    assert row["buckets_bound"] == sum(count >= 30 for count in counts.values()) == 1
    assert row["hidden_over_10"] == pytest.approx(statistics["hidden_over_10_percent"], abs=1e-4)
    assert row["vehicles_over_40"] == pytest.approx(row["hidden_over_40"])
    assert row["allowed_over_10"] == pytest.approx(statistics["hidden_fraction"]["may_be_hidden"]["vehicle"], abs=1e-4)
    assert 0 < row["bound_hidden_over_10"] != row["hidden_over_10"]


def test_the_bar_binds_a_full_camera_and_one_whose_places_allow_less_has_to_say_so(row_and_folder):
    row = row_and_folder[0] | {"bound_hidden_over_10": 0.3, "allowed_over_10": 0.5}
    (bar,) = bars_of([row])
    assert bar.met and bar.value == 0.3
    assert not bars_of([row | {"bound_hidden_over_10": 0.1}])[0].met
    assert bars_of([row | {"buckets_bound": 0}]) == []
    told = row | {"allowed_over_10": 0.1, "fell_short": "3% of ... (others may stand before 10% of its cutouts)"}
    assert bars_of([told])[0].met
    assert not bars_of([told | {"fell_short": ""}])[0].met


def test_the_fullest_scene_of_each_time_bucket_is_shown(row_and_folder):
    shown = fullest_scenes(row_and_folder[1])
    assert set(shown) == {"noon", "dusk"}
    for jpeg in shown.values():
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (*boxes.SIZE_HW, 3)


def test_a_simulated_camera_lacks_nothing_and_real_footage_names_what_is_not_there(tmp_path):
    assert missing("high75") == "" == missing("low05")
    (tmp_path / "mine.yaml").write_text("source: {kind: video, path: none.mp4}\n")
    assert missing("mine", tmp_path) == "none.mp4"
