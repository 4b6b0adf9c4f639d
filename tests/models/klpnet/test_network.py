"""The whole network on drawn kites and masts: what reaches what, what is found, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_kites import KITE, MAST, TABLE, picture, write_split, write_splits
from small_klpnet import SMALL as SETTINGS
from torch.utils.data import default_collate

from models.contract import Given
from models.frames import Frame
from models.klpnet import KlpNetSettings
from models.klpnet.cklm import soft_points
from models.klpnet.data import LinkedCrops, splits
from models.klpnet.network import KlpNet, labels_of
from models.klpnet.reading import Objects, pooled, read_objects
from models.linked_objects import ClassTable, ObjectClass
from models.predictor import Predictor
from pipeline.core.instances import Instances


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return Given(data=write_splits(tmp_path_factory.mktemp("drawn")))


@pytest.fixture(scope="module")
def batch(given):
    train = splits(SETTINGS, given, 0).train
    return default_collate([train[k] for k in range(6)])


def network_of(**changed):
    torch.manual_seed(0)
    return KlpNet(replace(SETTINGS, **changed))


def test_links_alone_teach_maps_and_features(batch):
    network = network_of().train()
    pred = network(batch)
    pred.located.maps[-1].retain_grad()
    parts = network.loss(pred, batch)
    (parts["links"] + parts["roles"]).backward()
    assert (pred.located.maps[-1].grad[:, 0] != 0).any(), "no gradient at confidences"
    assert (pred.located.maps[-1].grad[:, 1:] != 0).any(), "no gradient at offsets"
    assert network.cklm.stem[0].weight.grad.abs().sum() > 0
    head = network.cklm.heads[-1]
    assert head.weight.grad.abs().sum() > 0
    assert network.cklm.heads[0].weight.grad is None, "maps of earlier stages have no nodes"


def test_parts_are_weighted_as_equation_8_has_them(batch):
    torch.manual_seed(3)
    one = network_of(alpha=1.0, beta=1.0).eval()
    pred = one(batch)

    def parts(network):
        torch.manual_seed(4)
        return network.loss(pred, batch)

    whole = parts(one)
    one.settings = replace(one.settings, alpha=0.3, beta=0.7)
    weighted = parts(one)
    assert weighted["keypoints"].item() == pytest.approx(0.3 * whole["keypoints"].item())
    assert weighted["links"].item() == pytest.approx(0.7 * whole["links"].item())
    assert weighted["total"].item() == pytest.approx(
        sum(v.item() for k, v in weighted.items() if k != "total"), rel=1e-5
    )


def test_outliers_are_negatives_of_the_map_where_that_is_asked_for(batch):
    network = network_of(feedback=1.0).train()
    pred = network(batch)
    pred.located.maps[-1].retain_grad()
    network.loss(pred, batch)["feedback"].backward()
    assert (pred.located.maps[-1].grad[:, 0] > 0).any() and (pred.located.maps[-1].grad[:, 0] >= -1e-8).all()
    assert "feedback" not in network_of().loss(network_of()(batch), batch)


def test_training_keeps_statistics_and_validation_does_not(batch):
    network = network_of()
    network.train().loss(network(batch), batch)
    seen = network.statistics.place.seen.sum().item()
    assert seen > 0
    network.eval().loss(network(batch), batch)
    assert network.statistics.place.seen.sum().item() == seen


@pytest.mark.parametrize(("kind", "channels"), [("implicit", 3), ("agnostic", 3), ("specific", len(KITE) + len(MAST))])
def test_baselines_have_the_same_trunk_and_other_maps(batch, kind, channels):
    network = network_of(kind=kind).train()
    pred = network(batch)
    assert pred.located.maps[-1].shape[1] == channels
    parts = network.loss(pred, batch)
    parts["total"].backward()
    assert (pred.graph is None) == (kind != "implicit") == (set(parts) == {"total", "keypoints"})
    found = network.eval().metrics(network(batch), batch)
    assert found["pck"][1] == found["pck_oracle"][1] == (batch["state"] == 0).sum()
    assert kind == "implicit" or found["link_f1"][1] > 0, "a class's own links stand between all points"


def test_the_points_of_fellows_are_on_the_map_unless_it_is_the_objects_own(given):
    train = LinkedCrops(splits(SETTINGS, given, 0).val.pictures, SETTINGS, 0, augment=False)
    sample = next(s for s in (train[k] for k in range(len(train))) if int(s["overlapping"]))
    batch = default_collate([sample])
    own = replace(SETTINGS.cklm, shared=False)
    lone = default_collate([sample | {"others": torch.full_like(sample["others"], torch.nan)}])
    shared, alone = network_of(kind="agnostic").eval(), network_of(kind="agnostic", cklm=own).eval()

    def loss(network, what):
        return network.loss(network(what), what)["keypoints"].item()

    assert loss(shared, batch) != loss(shared, lone) and loss(alone, batch) == loss(alone, lone)


def frame(objects, image, names=None):
    boxes = np.array([one.box_xywh for one in objects], float).reshape(-1, 4)
    columns = {"bbox_xywh": boxes, "class": names or [TABLE.names[one.class_id] for one in objects]}
    return Frame(np.ascontiguousarray(image[..., ::-1]), Instances(image.shape[:2], columns))


def test_an_object_has_its_classs_points_and_links_between_those_found():
    network = network_of().eval()
    image, objects = picture(np.random.default_rng(1))
    (found,) = Predictor(_spec(), network)(frame(objects, image))
    for row, one in enumerate(objects):
        count = len(TABLE[one.class_id])
        assert found["keypoints_2d"][row].shape == (count, 2)
        assert found["keypoint_score"][row].shape == found["keypoint_inferred"][row].shape == (count,)
        ends = found["keypoint_links"][row]
        assert ends.shape == (len(found["link_score"][row]), 2) and (ends[:, 0] < ends[:, 1]).all()
        assert not found["keypoint_inferred"][row][ends].any()
    assert json.dumps(found.plain())


def _spec():
    from models.klpnet import SPEC

    return SPEC


def test_a_class_that_is_none_of_those_learnt_gets_points_without_roles():
    network = network_of().eval()
    image, objects = picture(np.random.default_rng(1))
    (found,) = Predictor(_spec(), network)(frame(objects, image, ["kite", "giraffe"]))
    assert len(found["keypoints_2d"][0]) == len(KITE)
    assert not found["keypoint_inferred"][1].any()


def test_the_first_name_that_the_table_knows_is_the_class():
    table = ClassTable((KITE, ObjectClass.of_names("car", ["a", "b"], [])))
    objects = Instances((9, 9), {
        "bbox_xywh": np.ones((4, 4)), "subcategory": ["kite", "unheard of", None, None],
        "category": ["vehicle", "vehicle", "person", "Car"],
    })  # fmt: skip
    assert labels_of(objects, table) == [1, 2, 0, 2]
    assert labels_of(Instances((9, 9), {"bbox_xywh": np.ones((1, 4))}), table) == [0]


def test_peaks_of_two_crops_at_one_place_are_one_point():
    px = np.array([[[10.0, 10], [20, 20]], [[10.5, 10], [40, 40]]])
    pool = pooled(np.array([0, 1]), px, np.ones((2, 2), bool), np.array([2.0, 2.0]))
    assert pool.number.tolist() == [[0, 1], [0, 2]] and len(pool.place) == 3
    apart = pooled(np.array([0, 1]), px, np.ones((2, 2), bool), np.array([0.1, 0.1]))
    assert apart.number.tolist() == [[0, 1], [2, 3]]


def test_overlapping_objects_never_share_a_point_by_the_strategy(given):
    network = network_of().eval()
    image, objects = picture(np.random.default_rng(5), overlap=True)
    seen = frame(objects, image)
    batch = network.encode([seen])
    boxes = seen.objects["bbox_xywh"]
    with torch.inference_mode():
        pred = network(batch)
        readings = read_objects(network, pred, Objects(batch["label"], batch["aspect"], (boxes, np.zeros(2, int))))
    from models.geometry.boxes import from_box

    places = [from_box(r.xy[~r.inferred], box) for r, box in zip(readings, boxes, strict=True)]
    if all(map(len, places)):
        away = np.linalg.norm(places[0][:, None] - places[1], axis=-1)
        assert away.min() > 0.5


def test_held_out_classes_are_in_no_sample(given):
    settings = replace(SETTINGS, held_out=("mast",))
    for samples in splits(settings, given, 0):
        assert {int(samples[k]["class_id"]) for k in range(12)} == {0}
    with pytest.raises(ValueError, match="unknown class 'giraffe'"):
        replace(SETTINGS, held_out=("giraffe",))


def test_data_of_other_classes_is_refused_in_one_line(given, tmp_path):
    other = ClassTable((KITE,))
    for split in ("train", "val"):
        write_split(tmp_path, split, 0, 0, other)
    with pytest.raises(ValueError, match="the network is for the classes kite, mast") as told:
        splits(SETTINGS, Given(data=tmp_path), 0)
    assert "\n" not in str(told.value)


def test_pictures_without_objects_are_refused_in_one_line(tmp_path):
    for split in ("train", "val"):
        write_split(tmp_path, split, 0, 0)
    with pytest.raises(ValueError, match="klpnet: expected pictures with objects of its classes, found no object"):
        splits(SETTINGS, Given(data=tmp_path), 0)
    with pytest.raises(ValueError, match="klpnet: expected the folder that RenderLinkedObjects wrote, or --labels"):
        splits(SETTINGS, Given(), 0)


def test_settings_name_what_is_wrong_with_them():
    with pytest.raises(ValueError, match="klpnet: kind: expected implicit, agnostic, specific, got 'other'"):
        KlpNetSettings(kind="other")


def test_soft_points_of_a_network_begin_near_their_peaks(batch):
    network = network_of().eval()
    with torch.inference_mode():
        pred = network(batch)
    xy, _ = soft_points(pred.located.maps[-1], pred.cells)
    assert (xy - pred.cells).abs().max() < 1.5
