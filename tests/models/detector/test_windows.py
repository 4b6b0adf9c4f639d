import cv2
import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from rendered_streets import BLUE, RED, SIZE_HW, street, visible

from models.detector import WindowSettings
from models.detector.pictures import Label, Picture
from models.detector.windows import window

PLAIN = WindowSettings(side_px=64, smallest=0.8, largest=1.6, illumination=0.0, noise=0.0)


def picture(seed: int, whole: bool = True) -> Picture:
    """The rendered street with whole masks, or with what nearer objects leave of them; boxes are those of the whole."""
    image, objects = street(seed)
    labels = []
    for (category, mask), seen in zip(objects, visible(objects), strict=True):
        ys, xs = np.nonzero(mask)
        x, y = int(xs.min()), int(ys.min())
        crop = (mask if whole else seen)[y : ys.max() + 1, x : xs.max() + 1]
        box = (float(x), float(y), float(crop.shape[1]), float(crop.shape[0]))
        labels.append(Label(int(category == "vehicle"), crop, (x, y), box, 0.0))
    return Picture(image, labels)


@examples(40)
@given(seed=st.integers(0, 10_000))
def test_masks_lie_on_what_they_are_of(seed):
    made = window(picture(seed, whole=False), PLAIN, np.random.default_rng(seed), amodal=False)
    for number, mask, box in zip(made.labels, made.masks, made.boxes_xyxy, strict=True):
        own = (np.abs(made.image_bgr - np.array(RED if number else BLUE, float)) < 2).all(axis=-1)
        assert own[grown(mask, -2)].all() and grown(mask, 2)[own].all()
        left, top, right, bottom = box.astype(int)
        assert mask[top:bottom, left:right].sum() == mask.sum()
        assert mask[:, left].any() and mask[:, right - 1].any() and mask[top].any() and mask[bottom - 1].any()


def grown(mask: np.ndarray, px: int) -> np.ndarray:
    """The mask (H, W) bool with PX more pixels on every side, or fewer; nothing lies beyond the picture."""
    change = cv2.dilate if px > 0 else cv2.erode
    square = np.ones((2 * abs(px) + 1,) * 2)
    return change(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


@examples(40)
@given(seed=st.integers(0, 10_000))
def test_amodal_boxes_keep_their_size_beyond_the_window(seed):
    whole = picture(seed)
    made = window(whole, PLAIN, np.random.default_rng(seed), amodal=True)
    for number, box, mask in zip(made.labels, made.boxes_xyxy, made.masks, strict=True):
        size = next(label.box_xywh[2:] for label in whole.labels if label.number == number)
        scale = (box[2:] - box[:2]) / np.array(size)
        assert scale[0] == pytest.approx(scale[1], rel=1e-4)
        assert PLAIN.smallest - 1e-4 <= scale[0] <= PLAIN.largest + 1e-4
        ys, xs = np.nonzero(mask)
        reach = np.clip(box, 0, PLAIN.side_px)
        # Pixels count by their centres. Of a sliver only the mask's edge is seen, which has its corners rounded off.
        sliver = (reach[2:] - reach[:2]).min() < 1 + scale[0] / 2
        allowed = 0.55 + sliver * scale[0] / 2
        assert np.abs([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] - reach).max() <= allowed


def test_some_amodal_box_does_leave_its_window():
    boxes = [window(picture(s), PLAIN, np.random.default_rng(s), amodal=True).boxes_xyxy for s in range(30)]
    assert any((b[:, :2] < -2).any() or (b[:, 2:] > PLAIN.side_px + 2).any() for b in boxes)


def test_the_same_seed_samples_the_same_window_and_illumination_changes_only_the_picture():
    varied = WindowSettings(side_px=64)
    one, two = (window(picture(3), varied, np.random.default_rng(5), amodal=False) for _ in range(2))
    assert np.array_equal(one.image_bgr, two.image_bgr) and np.array_equal(one.masks, two.masks)
    plain = window(
        picture(3), WindowSettings(side_px=64, illumination=0.0, noise=0.0), np.random.default_rng(5), amodal=False
    )
    assert np.array_equal(one.masks, plain.masks) and not np.array_equal(one.image_bgr, plain.image_bgr)


def test_a_window_larger_than_the_picture_has_grey_around_it():
    large = WindowSettings(side_px=256, smallest=1.0, largest=1.0, illumination=0.0, noise=0.0)
    made = window(picture(1), large, np.random.default_rng(0), amodal=False)
    assert (made.image_bgr[:40] == 114).all() and (made.image_bgr[-40:] == 114).all()
    assert [mask.sum() for mask in made.masks] == [44 * 24, 14 * 34]
    assert made.image_bgr.shape == (256, 256, 3) and SIZE_HW == (96, 128)


def test_regions_to_ignore_are_grey_whatever_the_window():
    shown = picture(3)
    ignore = np.zeros(SIZE_HW, bool)
    ignore[: SIZE_HW[0] // 2] = True
    white = Picture(np.full((*SIZE_HW, 3), 255, np.uint8), shown.labels, ignore)
    made = window(white, PLAIN, np.random.default_rng(3), amodal=False)
    levels = set(np.unique(made.image_bgr).tolist())
    assert {114, 255} <= levels and len(made.labels) == len(
        window(Picture(white.image_bgr, shown.labels), PLAIN, np.random.default_rng(3), amodal=False).labels
    )
