"""Crops of drawn kites and masts: their frames, mirror images and mosaics, and what is in no sample."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from drawn_kites import KITE, SIDE, TABLE, picture, write_splits
from small_klpnet import SMALL

from models.contract import Given
from models.geometry.boxes import cells_of_box
from models.klpnet import KlpNetSettings
from models.klpnet.data import LinkedCrops, adapted, crop_of, mirrored_sample, regions_of, sample_of, splits
from models.linked_objects import LinkedPicture
from models.linked_objects.link_table import link_table_text
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
    assert 0 not in [
        int(LinkedCrops(train.pictures, replace(SMALL, unnamed=0.0), 0, augment=True)[k]["label"]) for k in range(30)
    ]


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
    cut = [
        one
        for seed in range(8)
        for one in mosaic([as_picture(k) for k in range(4)], np.random.default_rng(seed)).objects
    ]
    assert any((one.state == TRUNCATED).any() for one in cut)
    assert all((one.box_xywh[2:] > 0).all() for one in cut)


def test_mosaics_are_learnt_from_where_that_is_asked_for(given):
    train = splits(replace(SMALL, mosaic=1.0), given, 0).train
    sample = train[3]
    assert sample["image"].shape == (3, 64, 64) and torch.isfinite(sample["xy"]).any()


def coco_of(folder, pictures=3, **changed):
    """Drawn pictures as COCO's keypoints, with the link table beside them."""
    (folder / "link_table.yaml").write_text(link_table_text(TABLE))
    rows = []
    for number in range(pictures):
        image, objects = picture(np.random.default_rng(number))
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        for one in objects:
            points = np.column_stack([one.xy - 0.5, np.full(len(one.xy), 2)])
            rows.append({"id": len(rows), "image_id": number, "category_id": one.class_id, "iscrowd": 0,
                         "bbox": one.box_xywh.tolist(), "keypoints": points.ravel().tolist()} | changed)  # fmt: skip
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": SIDE, "width": SIDE} for n in range(pictures)],
        "categories": [
            {"id": k, "name": one.name, "keypoints": list(one.names)} for k, one in enumerate(TABLE.classes)
        ],
        "annotations": rows,
    }
    (folder / "keypoints.json").write_text(json.dumps(content))
    return Given(labels=folder / "keypoints.json")


def test_labels_are_learnt_with_the_link_table_beside_them(tmp_path):
    given = coco_of(tmp_path)
    settings = adapted(KlpNetSettings(cklm=SMALL.cklm), given)
    assert settings.table.names == TABLE.names
    train, val = splits(settings, given, 0)
    assert (len(train.pictures), len(val.pictures)) == (2, 1)
    rendered, _ = picture(np.random.default_rng(2))
    assert torch.equal(val[0]["image"], torch.from_numpy(crop_of(
        rendered, val.pictures[0].objects[0].box_xywh, 64)).permute(2, 0, 1))  # fmt: skip


def test_labelled_pictures_without_objects_are_in_neither_part(tmp_path):
    """Nor is validation empty because the last ones have none."""
    given = coco_of(tmp_path)
    content = json.loads(given.labels.read_text())
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != 2]
    given.labels.write_text(json.dumps(content))
    train, val = splits(adapted(KlpNetSettings(cklm=SMALL.cklm), given), given, 0)
    assert [picture.name for pictures in (train, val) for picture in pictures.pictures] == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("classes:\n  kite:\n    points: [head]\n    links: [[head, nose]]\n", "names the point 'nose'"),
        ("classes:\n  kite:\n    points: []\n    links: []\n", "class kite: has no points"),
        ("classes:\n  kite: {points: [a], links: []}\n  Kite: {points: [b], links: []}\n", "both go by the name"),
    ],
)
def test_a_link_table_that_is_wrong_is_one_line_that_names_it(tmp_path, table, message):
    given = coco_of(tmp_path)
    (tmp_path / "link_table.yaml").write_text(table)
    with pytest.raises(ValueError, match=message) as told:
        adapted(SMALL, given)
    assert "link_table.yaml" in str(told.value) and "\n" not in str(told.value)


def test_a_point_outside_its_box_and_labels_without_objects_are_one_line(tmp_path):
    given = coco_of(tmp_path, bbox=[1, 1, 4, 4])
    with pytest.raises(ValueError, match="px outside its box") as told:
        splits(adapted(SMALL, given), given, 0)
    assert "keypoints.json" in str(told.value) and "\n" not in str(told.value)
    none = coco_of(tmp_path, keypoints=[0] * 15, category_id=0)
    with pytest.raises(ValueError, match="no object of kite, mast with labelled points"):
        splits(adapted(SMALL, none), none, 0)
    lone = coco_of(tmp_path, pictures=1)
    with pytest.raises(ValueError, match="expected labelled objects in at least two pictures, got 1"):
        splits(adapted(SMALL, lone), lone, 0)
