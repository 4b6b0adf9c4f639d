"""Crops of drawn kites and masts: their frames, mirror images and mosaics, and what is in no sample."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from drawn_kites import KITE, SIDE, TABLE, picture, write_splits
from small_klpnet import SMALL

from models.contract import Given
from models.geometry.boxes import cells_of_box
from models.klpnet.data import LinkedCrops, crop_of, mirrored_sample, regions_of, sample_of, splits
from models.linked_objects import LinkedPicture
from models.linked_objects.mosaic import mosaic
from models.linked_objects.pictures import TRUNCATED


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return Given(data=write_splits(tmp_path_factory.mktemp("drawn")))


def one_sample(seed=0, *, overlap=False, row=0):
    image, objects = picture(np.random.default_rng(seed), overlap=overlap)
    overlaps = np.full(len(objects), overlap)
    overlaps[row] = False
    return sample_of(image, objects, row, overlaps, TABLE, 64), objects


def test_a_point_of_the_crop_is_at_its_cell():
    """A lone white pixel in the middle of a point lands where the map has the point: a cell is two pixels."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    box, point = np.array([40.0, 30, 30, 50]), np.array([61.5, 42.5])
    cv2.circle(image, (61, 42), 3, (255, 255, 255), -1)
    crop = crop_of(image, box, 96).astype(float)[..., 0]
    ys, xs = np.nonzero(crop > 127)
    middle = np.array([xs.mean(), ys.mean()])
    xy = torch.from_numpy(2 * (point - box[:2]) / box[2:] - 1).float()
    cells = cells_of_box(xy[None, None], torch.tensor([30 / 50]), 48)[0, 0].numpy()
    assert np.allclose((middle - 0.5) / 2, cells, atol=0.15)
    assert regions_of(box[None])[0, 2] == pytest.approx(50 * 1.25 * 56 / 48)


def test_points_beyond_the_class_and_others_of_its_class_are_apart():
    sample, objects = one_sample(overlap=True, row=1)
    assert sample["label"] == 1 and sample["class_id"] == 0 and int(sample["overlapping"]) == 1
    assert torch.isfinite(sample["others"]).all(-1).sum() == len(KITE)
    assert sample["hidden"].item() == pytest.approx(objects[1].hidden_fraction)
    alone, _ = one_sample()
    assert not torch.isfinite(alone["others"]).any()
    mast = next(one_sample(row=row)[0] for row in (0, 1) if int(one_sample(row=row)[0]["class_id"]) == 1)
    assert torch.isfinite(mast["xy"]).all(-1).tolist() == [True] * 3 + [False] * 2
    assert mast["state"].tolist()[3:] == [-1, -1]


def test_mirrored_twice_a_sample_is_itself_and_once_its_sides_have_changed():
    sample, _ = next((s, o) for s, o in (one_sample(row=row) for row in (0, 1)) if int(s["class_id"]) == 0)
    once = mirrored_sample(sample, KITE.flip)
    assert torch.allclose(once["xy"][1], sample["xy"][2] * torch.tensor([-1.0, 1.0]))
    assert torch.equal(once["image"], sample["image"].flip(-1))
    twice = mirrored_sample(once, KITE.flip)
    assert all(torch.equal(twice[n].nan_to_num(), sample[n].nan_to_num()) for n in sample)


def test_each_object_validates_once_and_training_varies(given):
    train, val = splits(SMALL, given, 0)
    shown = [tuple(val[k]["xy"].nan_to_num().flatten().tolist()) for k in range(len(val))]
    assert len(set(shown)) == len(shown)
    assert all(int(val[k]["label"]) > 0 for k in range(len(val)))
    labels = [int(train[k]["label"]) for k in range(60)]
    assert 0 in labels and {1, 2} <= set(labels)
    assert 0 not in [int(LinkedCrops(train.pictures, replace(SMALL, unnamed=0.0), 0, augment=True)[k]["label"]) for k in range(30)]


def as_picture(seed, name="p"):
    image, objects = picture(np.random.default_rng(seed))
    return LinkedPicture(name, image.shape[:2], tuple(objects), lambda: image)


def test_a_mosaic_holds_four_pictures_whose_points_lie_on_what_they_were_drawn_on():
    made = mosaic([as_picture(k) for k in range(4)], np.random.default_rng(1))
    first = as_picture(0).objects
    assert len(made.objects) > len(first) and made.image.shape == (SIDE, SIDE, 3)
    assert [one.class_id for one in made.objects[: len(first)]] == [one.class_id for one in first]
    for one in made.objects:
        inside = one.state != TRUNCATED
        assert (one.xy[inside] >= 0).all() and (one.xy[inside] < SIDE).all()
        if one.class_id == 0 and inside[4]:  # the middle of a kite is white
            x, y = np.floor(one.xy[4]).astype(int)
            assert made.image[y - 1 : y + 2, x - 1 : x + 2].min(-1).max() > 140


def test_what_a_mosaic_cuts_off_is_truncated():
    cut = [one for seed in range(8) for one in mosaic([as_picture(k) for k in range(4)], np.random.default_rng(seed)).objects]
    assert any((one.state == TRUNCATED).any() for one in cut)
    assert all((one.box_xywh[2:] > 0).all() for one in cut)


def test_mosaics_are_learnt_from_where_that_is_asked_for(given):
    train = splits(replace(SMALL, mosaic=1.0), given, 0).train
    sample = train[3]
    assert sample["image"].shape == (3, 64, 64) and torch.isfinite(sample["xy"]).any()
