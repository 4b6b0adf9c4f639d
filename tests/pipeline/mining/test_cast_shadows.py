import cv2
import numpy as np

from pipeline.core import masks
from pipeline.core.illumination import Relit
from pipeline.mining.cast_shadows import ShadowSettings, cast_shadow

HW = (200, 320)
DARK = (slice(95, 150), slice(60, 320))  # to the frame's right border


def shadow_of(reach_m):
    """(H, W) illumination, 1 all, of a disc whose shadow is a band that ends at the frame's border."""
    rng = np.random.default_rng(0)
    background = 140 + rng.normal(0, 2, (*HW, 1)).repeat(3, axis=2)
    own = cv2.circle(np.zeros(HW, np.uint8), (60, 100), 24, 1, -1).astype(bool)
    frame = background.copy()
    frame[DARK] *= 0.55
    frame[own] = (40, 60, 200)
    whole = [image.round().astype(np.uint8) for image in (frame, background)]
    scene = Relit(*whole, [masks.encode(own, (0, 0), HW)])
    found = cast_shadow(scene, scene.placed[0], np.array([30.0, 28.0]), ShadowSettings(reach_m=reach_m))
    return found.over((0, 0, HW[1], HW[0]))


def test_a_shadow_longer_than_it_is_followed_ends_without_an_edge():
    left = shadow_of(4.0)[120]
    assert (left[204:] == 1).all()  # the disc's right side and 120 px
    assert np.median(left[100:160]) < 0.62
    assert np.abs(np.diff(left[100:])).max() < 0.06


def test_a_shadow_goes_on_to_the_frames_border():
    assert np.median(shadow_of(20.0)[120, 300:]) < 0.65
