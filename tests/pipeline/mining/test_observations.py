import numpy as np

from pipeline.mining.observations import meeting_pairs


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
