import boxes
import numpy as np
import pytest
from pycocotools import mask as coco

from pipeline.composition.paint import SpriteCache, decode_sprite, keypoint_states, paint, visible_parts
from pipeline.core import masks
from pipeline.core.tables import KEYPOINT_STATES

NEAR, FAR = boxes.rows(0, (0.5, 14.0), colour=(10, 20, 200)), boxes.rows(1, (0.0, 18.0), np.pi / 2)
BACKGROUND = np.full((*boxes.SIZE_HW, 3), 100, np.uint8)


def sprites(*pairs):
    return [decode_sprite(cutout, boxes.SIZE_HW) for cutout, _ in pairs]


def full(pair):
    return masks.full(pair[0]["mask_rle"], boxes.SIZE_HW)


def test_the_near_box_is_whole_and_the_far_one_is_what_it_leaves():
    far_to_near = sprites(FAR, NEAR)
    picture, label = paint(BACKGROUND, far_to_near)
    assert (label == np.where(full(NEAR), 2, np.where(full(FAR), 1, 0))).all()
    assert (picture[full(NEAR)] == (10, 20, 200)).all()
    assert (picture[label == 0] == 100).all()
    far, near = visible_parts(label, far_to_near, [FAR[0]["mask_rle"], NEAR[0]["mask_rle"]])
    assert near.rle == NEAR[0]["mask_rle"] and near.occluders == []
    left = full(FAR) & ~full(NEAR)
    assert 0 < left.sum() < full(FAR).sum()
    assert (masks.full(far.rle, boxes.SIZE_HW) == left).all()
    ys, xs = np.nonzero(left)
    assert far.box_xywh == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
    assert (far.area_px, far.occluders) == (left.sum(), [2])


def test_a_wholly_hidden_object_has_no_visible_box():
    pair = sprites(NEAR, NEAR)
    _, label = paint(BACKGROUND, pair)
    hidden, whole = visible_parts(label, pair, [NEAR[0]["mask_rle"]] * 2)
    assert (whole.rle, whole.occluders) == (NEAR[0]["mask_rle"], [])
    assert (hidden.area_px, hidden.box_xywh, hidden.occluders) == (0, None, [2])
    assert not masks.full(hidden.rle, boxes.SIZE_HW).any()


def pasted(rng, number):
    """A cutout of noise as a mask: its runs are short, its columns often full."""
    height, width = boxes.SIZE_HW
    h, w = int(rng.integers(1, height + 1)), int(rng.integers(1, 40))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    crop = rng.random((h, w)) < rng.choice([0.1, 0.9, 1.0])
    crop[0, 0] = True
    rle = masks.encode(crop, (x, y), boxes.SIZE_HW)
    box = {"sprite_xy": [x, y], "sprite": boxes.png(np.zeros((h, w, 4), np.uint8))}
    return NEAR[0] | {"cutout_id": number, "mask_rle": rle, "shadow": None, "halo": None} | box


@pytest.mark.parametrize("seed", range(12))
def test_masks_boxes_and_occluders_are_those_of_the_label_map_pixel_by_pixel(seed):
    rng = np.random.default_rng(seed)
    rows = [pasted(rng, number) for number in range(int(rng.integers(1, 30)))]
    far_to_near = [decode_sprite(row, boxes.SIZE_HW) for row in rows]
    _, label = paint(BACKGROUND, far_to_near)
    rles = [row["mask_rle"] for row in rows]
    whole = [masks.full(rle, boxes.SIZE_HW) for rle in rles]
    expected = np.zeros(boxes.SIZE_HW, int)
    for number, mask in enumerate(whole, 1):
        expected[mask] = number
    assert (label == expected).all()
    found = visible_parts(label, far_to_near, rles)
    for number, (part, mask) in enumerate(zip(found, whole, strict=True), 1):
        left = label == number
        columns = np.asfortranarray(left.astype(np.uint8))
        assert part.rle == coco.encode(columns)["counts"].decode()
        assert part.area_px == left.sum()
        assert part.box_xywh == (tuple(coco.toBbox(coco.encode(columns)).astype(int)) if left.any() else None)
        assert part.occluders == sorted(set(label[mask].tolist()) - {number})


def test_soft_edges_blend_to_within_one_grey_level():
    cutout = dict(NEAR[0])
    rng = np.random.default_rng(0)
    x, y, w, h = cutout["bbox_xywh"]
    bgra = rng.integers(0, 256, (h, w, 4), dtype=np.uint8)
    cutout["sprite"] = boxes.png(bgra)
    picture, _ = paint(BACKGROUND, [decode_sprite(cutout, boxes.SIZE_HW)])
    alpha = bgra[..., 3:] / 255
    exact = bgra[..., :3] * alpha + 100 * (1 - alpha)
    assert np.abs(picture[y : y + h, x : x + w] - exact).max() <= 1


def test_a_shadow_darkens_what_is_below_it_and_not_its_own_object():
    shaded = boxes.rows(0, (0.0, 16.0), shadow=True)
    picture, _ = paint(BACKGROUND, sprites(shaded))
    x, y, w, h = shaded[0]["bbox_xywh"]
    region, inside = picture[y : y + h, x : x + w], full(shaded)[y : y + h, x : x + w]
    assert (region[inside] == (40, 90, 160)).all()
    assert (region[~inside] == 50).all()


def test_a_sprite_that_leaves_the_frame_is_cut():
    cutout = dict(NEAR[0])
    cutout |= {"sprite": boxes.png(np.full((40, 50, 4), 255, np.uint8)), "sprite_xy": [-20, 220]}
    picture, _ = paint(BACKGROUND, [decode_sprite(cutout, boxes.SIZE_HW)])
    white = (picture == 255).all(axis=2)
    assert white.sum() == 30 * 20 and white[220:, :30].all()


def test_an_unreadable_sprite_names_its_cutout():
    with pytest.raises(ValueError, match=r"cutout 7: .*not an image that can be read .*Verify --mend"):
        decode_sprite(NEAR[0] | {"cutout_id": 7, "sprite": b"no"}, boxes.SIZE_HW)


def test_keypoints_hide_behind_nearer_objects_only():
    label = np.zeros((10, 10), np.uint8)
    label[:, 5:] = 2
    seen, own, hidden, outside = (KEYPOINT_STATES.index(s) for s in KEYPOINT_STATES)
    points = np.array([[2, 2], [7, 7], [7, 7], [7, 7], [-3, 5], [9.6, 5], [np.nan, 1]])
    number = np.array([1, 1, 2, 1, 1, 1, 1])
    state = np.array([seen, seen, seen, own, seen, seen, seen])
    assert keypoint_states(label, number, points, state).tolist() == [
        seen, hidden, seen, own, outside, outside, outside,
    ]  # fmt: skip


def test_the_cache_keeps_what_was_used_last_and_no_more_than_it_may():
    near, far = sprites(NEAR, FAR)
    cache = SpriteCache(near.nbytes + far.nbytes)
    made = []

    def get(key, sprite):
        return cache.get(key, lambda: made.append(key) or sprite)

    for key, sprite in (("a", near), ("b", far), ("a", near), ("c", far), ("a", near), ("b", far)):
        assert get(key, sprite) is sprite
        assert cache.used <= cache.max_bytes
    assert made == ["a", "b", "c", "b"]


def test_a_halo_lies_on_the_ground_and_under_everybody():
    lit = np.full((*boxes.SIZE_HW, 3), 128, np.uint8)
    x, y, w, h = NEAR[0]["bbox_xywh"]
    grown = np.full((h, w, 3), 128, np.uint8)
    grown[0], grown[-1] = 148, 118
    cutout = NEAR[0] | {"halo": boxes.png(grown)}
    picture, label = paint(lit, [decode_sprite(c, boxes.SIZE_HW) for c in (FAR[0], cutout)])
    bare, _ = paint(lit, sprites(FAR, NEAR))
    changed = picture.astype(int) - bare
    wanted = np.zeros(boxes.SIZE_HW, int)
    wanted[y, x : x + w], wanted[y + h - 1, x : x + w] = 20, -10
    assert (changed == np.where(label == 0, wanted, 0)[..., None]).all() and changed.any()
