"""What is measured of a network: operations, classes that it was never told, boxes of a detector."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_kites import KITE, TABLE, picture, write_splits
from small_klpnet import SMALL

from benchmarks.keypoints.klpnet_scores import by_table, cost_of, layout_of, mean_ap50, scores_of, unnamed_scores
from models.geometry.boxes import to_box
from models.klpnet.network import KlpNet
from models.klpnet.reading import Reading
from models.linked_objects import LinkedPicture
from models.linked_objects.shards import LinkedPictures, read_linked
from pipeline.core.instances import Instances


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return KlpNet(SMALL).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("drawn"))


def test_a_stage_more_costs_more():
    torch.manual_seed(0)
    fewer, more = (cost_of(KlpNet(replace(SMALL, cklm=replace(SMALL.cklm, kernels=k))).eval()) for k in ((5,), (5, 3)))
    assert 0 < fewer["GFLOPs"] < more["GFLOPs"] and fewer["M parameters"] < more["M parameters"]


def test_groups_of_classes_hold_every_object_once(network, folder):
    scores = scores_of(network, read_linked(folder, "test"), ["mast"])
    counts = {name: row["count"] for name, row in scores.items()}
    assert counts["all"] == counts["class kite"] + counts["class mast"] == counts["alone"] + counts["overlap"]
    assert counts["held out"] == counts["class mast"] > 0


def drawn(count: int) -> LinkedPictures:
    made = [picture(np.random.default_rng(k)) for k in range(count)]
    return LinkedPictures(TABLE, [LinkedPicture(str(k), (128, 128), tuple(o), lambda i=i: i) for k, (i, o) in
                                  enumerate(made)])  # fmt: skip


def test_a_layout_is_the_mean_of_the_first_few_labelled_objects():
    pictures = drawn(8)
    kites = [one for p in pictures for one in p.objects if one.class_id == 0][:5]
    expected = np.mean([to_box(one.xy, one.box_xywh) for one in kites], axis=0)
    assert layout_of(pictures, 0) == pytest.approx(expected)
    assert not layout_of(LinkedPictures(TABLE, []), 0).size


def test_a_users_table_says_which_point_is_which_and_links_them():
    """Points in any order, with false ones that are less sure, then with one of them missing."""
    layout, rng = np.array([[0, -1], [-1, -0.2], [1, -0.2], [0, 1], [0, 0.1]]), np.random.default_rng(0)
    order = rng.permutation(5)
    xy = np.concatenate([layout[order] + rng.normal(0, 0.03, (5, 2)), rng.uniform(-1, 1, (3, 2))])
    score, nobody, links = np.r_[np.full(5, 0.9), np.full(3, 0.1)], np.zeros(8, bool), np.zeros((8, 8))
    found = by_table(Reading(xy, score, nobody, links), layout, KITE.adjacency())
    assert found.xy == pytest.approx(layout, abs=0.15) and not found.inferred.any()
    assert (found.links > 0).tolist() == KITE.adjacency().tolist()
    kept = np.flatnonzero(order != 2)
    few = by_table(Reading(xy[kept], score[kept], nobody[kept], links[:4, :4]), layout, KITE.adjacency())
    assert few.inferred.tolist() == [False, False, True, False, False] and not few.links[2].any()
    there = ~few.inferred
    assert few.xy[there] == pytest.approx(layout[there], abs=0.15) and np.isnan(few.xy[2]).all()
    none = by_table(Reading(xy[:0], score[:0], nobody[:0], np.zeros((0, 0))), layout, KITE.adjacency())
    assert none.inferred.all() and np.isnan(none.xy).all() and not none.links.any()


def test_only_objects_of_hidden_classes_are_judged_without_their_names(network, folder):
    test, train = read_linked(folder, "test"), read_linked(folder, "train")
    rows = unnamed_scores(network, test, train, ["mast"])
    count = sum(one.class_id == 1 for p in test for one in p.objects)
    assert {row["count"] for row in rows.values()} == {count}
    assert set(rows) == {"not told", "user's table"} and np.isfinite(rows["not told"]["points"])


def test_a_detector_that_is_right_has_full_precision_and_one_of_other_classes_none():
    pictures = drawn(3)

    def found(names):
        return [Instances(p.size_hw, {"bbox_xywh": np.array([o.box_xywh for o in p.objects]), "score": np.ones(2),
                                      "class": [names[o.class_id] for o in p.objects]}) for p in pictures]  # fmt: skip

    assert mean_ap50(pictures, found(TABLE.names), TABLE.names) == pytest.approx(1)
    assert mean_ap50(pictures, found(TABLE.names[::-1]), TABLE.names) == 0
    nothing = [Instances(p.size_hw, {"bbox_xywh": np.zeros((0, 4)), "score": np.zeros(0), "class": []}) for p in
               pictures]  # fmt: skip
    assert mean_ap50(pictures, nothing, TABLE.names) == 0
