import numpy as np

from pipeline.core.boxes import box_iou, meeting_pairs


def test_boxes_meet_as_brute_force_says() -> None:
    rng = np.random.default_rng(3)
    group = rng.integers(0, 12, 300)
    box = np.concatenate([rng.uniform(-50, 500, (300, 2)), rng.uniform(1, 60, (300, 2))], axis=1).round()
    for gap in (0.0, 5.0):
        low, high = box[:, :2], box[:, :2] + box[:, 2:]
        apart = np.maximum(low[:, None], low) - np.minimum(high[:, None], high)
        near = (apart < gap if gap else apart < 0).all(axis=2) & (group[:, None] == group)
        expected = {(i, j) for i, j in np.argwhere(near).tolist() if i < j}
        found = meeting_pairs(group, box, gap)
        assert len(found) == len(expected)
        assert {(min(p), max(p)) for p in found.tolist()} == expected


def test_the_overlap_of_boxes_is_that_of_their_pixels() -> None:
    rng = np.random.default_rng(4)
    box = np.concatenate([rng.integers(0, 12, (9, 2)), rng.integers(1, 9, (9, 2))], axis=1)
    drawn = np.zeros((9, 24, 24), bool)
    for mask, (x, y, w, h) in zip(drawn, box.tolist(), strict=True):
        mask[y : y + h, x : x + w] = True
    both, either = ((f(drawn[:, None], drawn[None])).sum(axis=(2, 3)) for f in (np.logical_and, np.logical_or))
    assert np.allclose(box_iou(box[:, None], box), both / either) and (both[0] > 0).sum() > 1
    assert np.allclose(box_iou(box, box[::-1]), np.diagonal((both / either)[:, ::-1]))
    assert box_iou(np.zeros((1, 4)), np.zeros((1, 4))) == 0
