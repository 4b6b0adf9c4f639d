import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.crops import squares_of
from models.geometry.crop_frames import from_frame, to_frame
from models.opec_net import GraphSettings
from models.opec_net.couples import LEAST_IOU, CoupleGraph, couples_of, union_boxes
from pipeline.core.boxes import box_iou
from pipeline.core.skeletons import OPEC_12

numbers = st.floats(0, 60)
some_boxes = st.lists(st.tuples(numbers, numbers, st.floats(5, 40), st.floats(5, 40)), max_size=8)


def test_the_best_pair_of_three_is_a_couple_and_the_third_stays_alone():
    boxes = np.array([[0, 0, 10, 20], [2, 0, 10, 20], [3, 0, 10, 20.0]])
    assert couples_of(boxes).tolist() == [[1, 2]]
    assert couples_of(boxes[[2, 0, 1]]).tolist() == [[0, 2]]


def test_of_four_in_a_row_the_outer_ones_go_with_whom_they_overlap():
    boxes = np.array([[x, 0, 10, 20.0] for x in (0, 4, 7, 11)])
    assert couples_of(boxes).tolist() == [[1, 2]]  # 0 and 3 overlap nobody who is free
    boxes = np.array([[x, 0, 10, 20.0] for x in (0, 3, 7, 10)])
    assert couples_of(boxes).tolist() == [[0, 1], [2, 3]]


def test_nobody_and_one_are_no_couple():
    assert couples_of(np.zeros((0, 4))).shape == (0, 2) and couples_of(np.ones((1, 4))).shape == (0, 2)


@given(some_boxes)
def test_each_person_is_in_one_couple_at_most_and_no_free_pair_is_left(listed):
    boxes = np.array(listed, float).reshape(-1, 4)
    pairs = couples_of(boxes)
    assert len(np.unique(pairs)) == pairs.size and (pairs[:, 0] < pairs[:, 1]).all()
    overlap = box_iou(boxes[:, None], boxes[None])
    assert all(overlap[a, b] >= LEAST_IOU for a, b in pairs)
    free = np.setdiff1d(np.arange(len(boxes)), pairs)
    assert all(overlap[a, b] < LEAST_IOU for a in free for b in free if a != b)


@given(some_boxes)
def test_a_union_just_holds_both(listed):
    boxes = np.array(listed, float).reshape(-1, 4)
    union = union_boxes(boxes, boxes[::-1])
    low, high = union[:, :2], union[:, :2] + union[:, 2:]
    assert np.allclose(low, np.minimum(boxes[:, :2], boxes[::-1, :2]))
    assert np.allclose(high, np.maximum(boxes[:, :2] + boxes[:, 2:], (boxes[:, :2] + boxes[:, 2:])[::-1]))


SETTINGS = GraphSettings(first=16, width=16, adapted=(6, 5, 4))


def two():
    """Arguments of CoupleGraph for three couples."""
    boxes = np.random.default_rng(0).uniform(20, 60, (3, 2, 4)) + [0, 0, 20, 60]
    squares = torch.from_numpy(np.stack([squares_of(pair, 0.8) for pair in boxes]))
    union = torch.from_numpy(squares_of(union_boxes(boxes[:, 0], boxes[:, 1]), 0.8))
    maps = [torch.randn(6, width, 5 * n, 4 * n) for n, width in ((1, 6), (2, 5), (4, 4))]
    return torch.rand(3, 2, 12, 2) - 0.5, torch.rand(3, 2, 12), torch.randn(3, 2, 12, 16), maps, squares, union


def graph():
    torch.manual_seed(0)
    module = CoupleGraph(SETTINGS, SETTINGS.adapted, OPEC_12, 0.8)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return module.eval()


def exchanged(given):
    xy, confidence, nodes, maps, squares, union = given
    turned = [one.unflatten(0, (3, 2)).flip(1).flatten(0, 1) for one in maps]
    return xy.flip(1), confidence.flip(1), nodes.flip(1), turned, squares.flip(1), union


def test_exchanging_the_two_exchanges_their_poses():
    given = two()
    (poses, nodes), (others, other_nodes) = graph()(*given), graph()(*exchanged(given))
    for pose, other in zip(poses, others, strict=True):
        assert (pose - given[0]).abs().max() > 0.05  # they move at all
        torch.testing.assert_close(other.flip(1), pose, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(other_nodes.unflatten(0, (3, 2)).flip(1).flatten(0, 1), nodes, atol=1e-4, rtol=1e-4)


def test_untrained_it_keeps_both_poses_in_their_own_frames():
    given = two()
    poses, _ = CoupleGraph(SETTINGS, SETTINGS.adapted, OPEC_12, 0.8).eval()(*given)
    for pose in poses:
        torch.testing.assert_close(pose, given[0], atol=1e-5, rtol=0)


def test_what_one_sees_reaches_the_other():
    given = two()
    xy, confidence, nodes, maps, squares, union = given
    changed = [one.clone() for one in maps]
    changed[0][0] += 1.0  # the first couple's first person's picture
    poses = [graph()(xy, confidence, nodes, one, squares, union)[0][-1].detach() for one in (changed, maps)]
    moved = (poses[0] - poses[1]).abs().amax((2, 3))
    assert (moved[0] > 1e-4).all() and moved[1:].max() < 1e-6


def test_a_joint_of_both_at_one_place_of_the_picture_sees_the_same_of_both_maps():
    """Both people's looks, at a point that both crops hold, are the same two features in another order."""
    _, confidence, nodes, maps, squares, union = two()
    seen = []
    module = graph()
    real = module.graph.forward

    def spy(places, features, look):
        seen.append(look(2, places))
        return real(places, features, look)

    module.graph.forward = spy
    point = (squares[:, 0, :2] + squares[:, 0, 2:] * 0.5)[:, None]  # px, the middle of the first one's crop
    both = torch.stack([to_frame(point.expand(-1, 12, -1), squares[:, k], 0.8) for k in (0, 1)], 1).float()
    module(both, confidence, nodes, maps, squares, union)
    first, second = seen[0].unflatten(1, (2, 12)).unbind(1)
    half = first.shape[-1] // 2
    torch.testing.assert_close(first[..., :half], second[..., half:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first[..., half:], second[..., :half], atol=1e-4, rtol=1e-4)
    assert from_frame(both[:, 0], squares[:, 0], 0.8) == pytest.approx(point.expand(-1, 12, -1), abs=1e-4)
