"""Cameras that cannot give what is asked for: what the end of the run, or the reason why there is none, says."""

import boxes
import pytest

from pipeline.composition.manifest import build_manifest
from pipeline.composition.sample import ComposeSettings, TooFewCutouts
from pipeline.composition.shards import ShardJob, compose_shard

SETTINGS = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5)


def ended(folder, pairs, scenes=12, settings=SETTINGS):
    """The manifest of scenes of a camera with these cutouts."""
    boxes.write_camera(folder, pairs)
    job = ShardJob("drawn", folder, folder / "clipart", boxes.CAMERA, boxes.PLANE, 5, 0, 1, scenes, settings=settings)
    compose_shard(job)
    return build_manifest([job])


def people(pairs):
    """The same as people."""
    return [tuple(row | {"category": "person"} for row in pair) for pair in pairs]


def test_a_camera_of_six_cutouts_says_that_they_repeat_and_how_few_there_are(tmp_path):
    manifest = ended(tmp_path, [boxes.rows(k, (-6.0 + 2.6 * k, 16.0 + 3 * k), track=k) for k in range(6)])
    used = manifest["statistics"]["most_used"]
    assert used["share_of_scenes"] > 0.5 and manifest["statistics"]["cutouts_used"] <= 6
    assert f"cutouts repeat: {used['cutout_id']} stands in {used['share_of_scenes']:.0%}" in manifest["shortfall"]
    assert "of noon, which has 5 cutouts to train with" in manifest["shortfall"]
    assert "few vehicle cutouts: 5 in noon" in manifest["shortfall"]  # the last one validates
    assert "\n" not in manifest["shortfall"]


def test_without_vehicles_the_end_says_that_there_are_none(tmp_path):
    manifest = ended(tmp_path, people(boxes.street(40)))
    assert "there are no vehicle cutouts to compose" in manifest["shortfall"]
    assert "no person" not in manifest["shortfall"]


def test_nothing_is_told_of_a_category_of_which_nothing_is_asked(tmp_path):
    asked = ComposeSettings(2, 8, 5, hidden_fraction="0-10: 1/3, 10-90: 2/3; vehicle 0-10: 1")
    assert "vehicle" not in ended(tmp_path, people(boxes.street(40)), settings=asked)["shortfall"]


def test_who_stands_side_by_side_hides_nobody_and_the_end_says_how_much_the_places_allow(tmp_path):
    row = [boxes.rows(k, (-8.5 + 3.4 * k, 22.0), yaw=1.5708, track=k) for k in range(6)]
    manifest = ended(tmp_path, row)
    assert manifest["statistics"]["hidden_over_10_percent"] == 0
    assert manifest["statistics"]["hidden_fraction"]["may_be_hidden"]["vehicle"] == 0
    assert "0% of vehicle objects of 67% asked" in manifest["shortfall"]
    assert "others may stand before 0% of its cutouts" in manifest["shortfall"]


def test_where_the_aim_is_reached_nothing_is_told(tmp_path):
    open_ones = ComposeSettings(2, 8, 5, hidden_fraction="0-10: 1", max_use=1)
    assert ended(tmp_path, boxes.street(40), settings=open_ones)["shortfall"] == ""


def test_exactly_one_cutout_is_one_clear_line(tmp_path):
    with pytest.raises(TooFewCutouts) as error:
        ended(tmp_path, boxes.street(1))
    told = str(error.value)
    assert "the fullest time bucket has 1 of at least 2 to train with" in told
    assert "lower objects_min of [ComposeShards]" in told and "\n" not in told
