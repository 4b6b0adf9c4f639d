"""Cutouts of one time bucket in the scenes of another: its illumination, and its noise."""

import boxes
import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.composition.paint import decode_sprite, noisier
from pipeline.composition.sample import ComposeSettings
from pipeline.composition.shards import ShardJob, compose_shard
from pipeline.core import masks

SETTINGS = ComposeSettings(objects_min=2, objects_max=8, objects_mean=5, relit=1.0)


@pytest.fixture
def camera(tmp_path):
    boxes.write_camera(tmp_path / "drawn", boxes.street(40))
    return tmp_path / "drawn"


def borrowed(camera, out, scenes=20):
    """Objects in scenes of another bucket, hardly hidden there, with the bucket they are of and the picture."""
    job = ShardJob("drawn", camera, out, boxes.CAMERA, boxes.PLANE, 5, 0, 2, scenes, settings=SETTINGS)
    compose_shard(job)
    images, objects = (pd.read_parquet(path) for path in job.paths)
    made_at = {cutout["cutout_id"]: cutout["bucket"] for cutout, _ in boxes.street(40)}
    rows = objects.merge(images[["scene_id", "background", "image"]], on="scene_id")
    rows = rows.assign(own=rows["cutout_id"].map(made_at))
    rows["picture"] = [cv2.imdecode(np.frombuffer(one["bytes"], np.uint8), cv2.IMREAD_COLOR) for one in rows["image"]]
    return rows[(rows["own"] != rows["background"]) & (rows["visible_fraction"] > 0.99)]


def test_cutouts_of_another_bucket_stand_in_its_illumination(camera, tmp_path):
    found = borrowed(camera, tmp_path)
    assert len(found) > 3
    sprites = {c["cutout_id"]: cv2.imdecode(np.frombuffer(c["sprite"], np.uint8), -1) for c, _ in boxes.street(40)}
    for row in found.itertuples():
        seen = masks.full(row.mask_visible_rle, boxes.SIZE_HW)
        before, after = (np.array(boxes.BACKGROUNDS[b]) + 6 for b in (row.own, row.background))
        expected = np.minimum(sprites[row.cutout_id][0, 0, :3] * after / before, 255)
        assert np.median(row.picture[seen], axis=0) == pytest.approx(expected, abs=12)


def test_quiet_cutouts_get_the_noise_of_a_noisy_bucket_and_noisy_ones_keep_theirs(camera, tmp_path):
    (camera / "empty_frames").mkdir()
    rng = np.random.default_rng(0)
    for bucket, colour in boxes.BACKGROUNDS.items():
        empty = rng.normal(colour, {"noon": 1.0, "dusk": 9.0}[bucket], (2, *boxes.SIZE_HW, 3))
        np.save(camera / "empty_frames" / f"{bucket}.npy", np.clip(empty, 0, 255).astype(np.uint8))
    found = borrowed(camera, tmp_path)
    assert set(found["own"]) == {"noon"}, "dusk is too noisy to lend"
    spread = []
    for row in found.itertuples():
        inside = cv2.erode(masks.full(row.mask_visible_rle, boxes.SIZE_HW).astype(np.uint8), np.ones((5, 5))) > 0
        grey = row.picture.astype(float).mean(axis=2)
        spread.append(grey[inside].std())
    assert np.median(spread) == pytest.approx(9 / np.sqrt(3), rel=0.35), "of three channels' mean"


def test_noise_is_of_what_a_sprite_covers_and_never_more_than_its_alpha():
    row = next(cutout for cutout, _ in boxes.street(4))
    sprite = decode_sprite(row, boxes.SIZE_HW)
    colour, place = sprite.colour
    alpha = 255 - sprite.through.astype(int)
    noise = np.random.default_rng(0).normal(0, 200, colour.shape)
    noisy = noisier(sprite, noise)
    assert noisy.colour[1] == place and (noisy.colour[0] <= alpha).all()
    assert not noisy.colour[0][alpha == 0].any()
    np.testing.assert_array_equal(noisier(sprite, np.zeros(colour.shape)).colour[0], colour)
    brighter = noisier(sprite, np.full(colour.shape, 10.0)).colour[0].astype(int) - colour
    assert (brighter[(alpha == 255) & (colour < 240)] == 10).all()
