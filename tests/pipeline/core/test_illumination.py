import numpy as np
import pytest

from pipeline.core.illumination import alike, cells, gain_between, relative_noise


def test_buckets_whose_backgrounds_differ_by_little_are_alike_the_nearest_first():
    grey = {"noon": 100, "morning": 110, "evening": 140, "night": 20}
    backgrounds = {name: np.full((64, 96, 3), value, np.uint8) for name, value in grey.items()}
    found = alike(backgrounds, 0.4)
    assert found["noon"] == ("noon", "morning", "evening")
    assert found["night"] == ("night",)
    assert alike(backgrounds, 0.0)["noon"] == ("noon",)


def test_a_noisier_bucket_does_not_serve_and_one_of_unknown_noise_may():
    backgrounds = {name: np.full((64, 96, 3), 100, np.uint8) for name in ("noon", "evening", "dusk")}
    noise = {"noon": 0.02, "evening": 0.028, "dusk": 0.05}
    assert alike(backgrounds, 0.4, noise)["noon"] == ("noon", "evening")
    assert alike(backgrounds, 0.4, noise)["dusk"] == ("dusk", "evening", "noon")
    assert alike(backgrounds, 0.4, {"noon": 0.02})["noon"] == ("noon", "dusk", "evening")


def test_noise_is_a_fraction_of_the_brightness():
    background = np.full((64, 96, 3), 94, np.uint8)
    frames = np.stack([background + 5, background - 3])
    assert relative_noise(frames, background) == pytest.approx(0.04)
    assert relative_noise(background[None], background) == 0


def test_what_was_seen_in_one_bucket_gets_the_illumination_of_another_where_it_stands():
    source = np.full((64, 96, 3), 94, np.uint8)
    target = source.copy()
    target[:, 48:] = (194, 94, 44)
    seen, wanted = cells(source), cells(target)
    np.testing.assert_allclose(gain_between(seen, wanted, (64, 96), (4, 10, 20, 30)), 1.0, atol=1e-5)
    np.testing.assert_allclose(gain_between(seen, wanted, (64, 96), (60, 10, 20, 30)), [2.0, 1.0, 0.5], atol=1e-5)
    np.testing.assert_allclose(gain_between(seen, wanted, (64, 96), (95, 63, 1, 1)), [2.0, 1.0, 0.5], atol=1e-5)
