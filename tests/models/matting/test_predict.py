"""The shipped matting network on rendered streets, and how its inputs and sizes behave."""

import cv2
import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.matting.predict import CHANNELS, inputs, refined


def street(h: int, w: int, seed: int = 0) -> np.ndarray:
    """Grey paving (h, w, 3) float32 with patches and grain."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(-15, 15, (4, 4)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return np.clip(130 + coarse + rng.normal(0, 3, (h, w)), 0, 255)[..., None].repeat(3, axis=2).astype(np.float32)


def figure(h: int = 112, w: int = 72) -> np.ndarray:
    """(h, w) bool: somebody in a coat, 64 pixels tall."""
    mask = np.zeros((h, w), np.uint8)
    cv2.circle(mask, (36, 28), 5, 1, -1)
    cv2.rectangle(mask, (27, 34), (45, 62), 1, -1)
    cv2.rectangle(mask, (29, 62), (34, 88), 1, -1)
    cv2.rectangle(mask, (38, 62), (43, 88), 1, -1)
    return mask.astype(bool)


def painted(background: np.ndarray, mask: np.ndarray, bgr: tuple[float, float, float] = (60, 50, 150)) -> np.ndarray:
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    frame = background * (1 - alpha) + np.array(bgr, np.float32) * alpha
    # No two pictures of a street have the same grain.
    return np.clip(frame + np.random.default_rng(1).normal(0, 3, mask.shape)[..., None], 0, 255).astype(np.float32)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (64, 40), (65, 41)])
def test_every_size_gives_a_chance_for_every_pixel(size: tuple[int, int]) -> None:
    background = street(*size)
    chance = refined(background, background, np.zeros(size, bool))
    assert chance.shape == size
    assert ((chance >= 0) & (chance <= 1)).all()


@pytest.mark.parametrize("change", ["grown", "shrunk", "lost a leg"])
def test_a_rough_mask_becomes_nearly_exact(change: str) -> None:
    truth = figure()
    background = street(*truth.shape)
    rough = truth.astype(np.uint8)
    if change == "grown":
        rough = cv2.dilate(rough, np.ones((5, 5), np.uint8))
    elif change == "shrunk":
        rough = cv2.erode(rough, np.ones((3, 3), np.uint8))
    else:
        rough[70:, 36:] = 0
    found = refined(painted(background, truth), background, rough > 0) > 0.5
    assert iou(found, truth) > max(0.89, iou(rough > 0, truth))


def test_a_cast_shadow_in_the_rough_mask_is_left_out() -> None:
    truth, background = figure(), street(112, 72)
    shade = np.zeros(truth.shape, np.uint8)
    cv2.ellipse(shade, (52, 88), (16, 4), 0, 0, 360, 1, -1)
    ground = background * (1 - 0.45 * cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 1.0)[..., None])
    shadow = (shade > 0) & ~truth
    found = refined(painted(ground, truth), background, truth | shadow) > 0.5
    assert found[shadow].mean() < 0.25
    assert iou(found, truth) > 0.88


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**32 - 1))
@examples(20)
def test_inputs_of_equal_frame_and_background_have_no_ratio(h: int, w: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, (h, w, 3)).astype(np.float32)
    stack = inputs(image, image, rng.random((h, w)) > 0.5)
    assert stack.shape == (CHANNELS, h, w)
    assert stack.dtype == np.float32
    assert (stack[6:9] == 0).all()
    assert set(np.unique(stack[9])) <= {-1.0, 1.0}
    assert np.abs(stack[:6]).max() <= 1
