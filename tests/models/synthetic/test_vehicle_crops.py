import numpy as np
import pytest

from models.synthetic.vehicle_crops import (
    OCCLUDED,
    SELF_OCCLUDED,
    TRUNCATED,
    VISIBLE,
    compose_vehicle,
    flip_sprite,
    states_in_crop,
)  # fmt: skip
from pipeline.core.skeletons import VEHICLE_12


def test_flipped_twice_is_as_it_was(library):
    for sprite in library.vehicles:
        once, twice = flip_sprite(sprite), flip_sprite(flip_sprite(sprite))
        assert (twice.rgb == sprite.rgb).all() and (twice.ground == sprite.ground).all()
        assert twice.keypoints == pytest.approx(sprite.keypoints, abs=1e-9)
        assert (twice.self_hidden == sprite.self_hidden).all()
        # The right wheel of the mirror image is the mirror image of the left wheel.
        width = sprite.alpha.shape[1]
        assert once.keypoints[0, 0] == pytest.approx(width - sprite.keypoints[1, 0])
        assert (once.self_hidden[list(VEHICLE_12.flip)] == sprite.self_hidden).all()


def test_states_in_a_scene_one_could_draw():
    """A vehicle over columns 10 to 30, a pole over 18 to 22, the frame's right border at 28."""
    own, front = np.zeros((40, 40)), np.zeros((40, 40))
    own[10:30, 10:30] = 1
    front[:, 18:22] = 1
    xs = [12, 20, 20, 29, 33, 20, 9, 27.9, 28, 17.9, 18, 12]
    points = np.column_stack([xs, [15] * 5 + [5] + [15] * 6]).astype(float)
    hidden = np.zeros(12, bool)
    hidden[[2, 3, 11]] = True
    expected = [VISIBLE, OCCLUDED, SELF_OCCLUDED, TRUNCATED, TRUNCATED, VISIBLE, VISIBLE, VISIBLE, TRUNCATED, VISIBLE,
                OCCLUDED, SELF_OCCLUDED]  # fmt: skip
    # The sixth lies before the pole but beside the vehicle: nothing of it could be hidden there.
    assert states_in_crop(points, hidden, own, front, np.array([0, 0, 28, 40])).tolist() == expected


def test_crops_hold_the_vehicle_in_their_box(library):
    states, inside = np.zeros(4, int), []
    for index in range(150):
        crop = compose_vehicle(library, np.random.default_rng([1, index]))
        states += np.bincount(crop.state, minlength=4)
        (x, y), size = crop.box_xywh[:2], crop.box_xywh[2:]
        seen = crop.keypoints[crop.state == VISIBLE]
        slack = 0.35 * size.max()  # the box is jittered, and may be that of what is seen
        near = (seen > [x - slack, y - slack]) & (seen < [x + size[0] + slack, y + size[1] + slack])
        inside += near.all(axis=1).tolist()
        beyond = crop.keypoints[crop.state == TRUNCATED]
        for px, py in np.floor(beyond).astype(int):  # beyond the frame the picture is black
            if 0 <= px < crop.image.shape[1] and 0 <= py < crop.image.shape[0]:
                assert (crop.image[py, px] == 0).all()
    assert (states > 20).all()
    # A point on the outline, whose pixel is the vehicle's by less than half, counts as seen behind what hides the rest.
    assert np.mean(inside) > 0.99
