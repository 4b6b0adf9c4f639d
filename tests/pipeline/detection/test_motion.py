"""Boxes painted on a street, textured asphalt 7 m below: found whole, without their shadows, in any light."""

import numpy as np
import pytest

from calibration.camera import Camera, GroundPlane
from pipeline.detection.motion import MotionDetector, MotionSettings

SIZE = (240, 320)
CAMERA = Camera(np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]), SIZE)
PLANE = GroundPlane.from_tilt(25.0, 0.0, 7.0)  # 20 pixels a metre in the middle of the picture


def street(seed: int = 0) -> np.ndarray:
    """An empty street (H, W, 3) float: grey with fine texture and a kerb."""
    rng = np.random.default_rng(seed)
    grey = 100 + 5 * rng.standard_normal(SIZE)
    grey[:, 250:] += 40
    return np.repeat(grey[..., None], 3, axis=2)


def photo(image: np.ndarray, seed: int = 1, noise: float = 1.5) -> np.ndarray:
    """A frame (H, W, 3) uint8 of an image, with sensor noise."""
    rng = np.random.default_rng(seed)
    return np.clip(image + noise * rng.standard_normal(image.shape), 0, 255).round().astype(np.uint8)


def rectangle(x: int, y: int, w: int, h: int) -> np.ndarray:
    """A box as a mask (H, W)."""
    mask = np.zeros(SIZE, bool)
    mask[y : y + h, x : x + w] = True
    return mask


def painted(image: np.ndarray, mask: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """The image with an even colour at the mask."""
    image = image.copy()
    image[mask] = colour
    return image


def iou(instance, mask: np.ndarray) -> float:
    """Intersection over union of an instance with a mask (H, W)."""
    (x, y), (h, w) = instance.xy, instance.crop.shape
    own = np.zeros(SIZE, bool)
    own[y : y + h, x : x + w] = instance.crop
    return float((own & mask).sum() / (own | mask).sum())


CAR = rectangle(100, 110, 80, 36)
PERSON = rectangle(60, 90, 12, 33)


def detector(background: np.ndarray | None = None, ignore: np.ndarray | None = None, **settings) -> MotionDetector:
    empty = street() if background is None else background
    return MotionDetector(MotionSettings(**settings), CAMERA, PLANE, {"day": photo(empty, noise=0.0)}, ignore)


def shaded(image: np.ndarray, mask: np.ndarray, light: float = 0.55) -> np.ndarray:
    return np.where(mask[..., None], image * light, image)


def test_an_empty_street_is_empty():
    assert detector()(photo(street()), "day", 0) == []


@pytest.mark.parametrize("colour", [(40, 40, 200), (230, 230, 230), (35, 35, 35), (120, 60, 30)])
def test_a_car_is_found_whole_and_tight(colour):
    (car,) = detector()(photo(painted(street(), CAR, colour)), "day", 0)
    assert car.category == "vehicle" and car.score > 0.5
    assert iou(car, CAR) > 0.95


def test_a_person_is_told_from_a_car_by_metres():
    found = detector()(photo(painted(painted(street(), CAR, (200, 40, 40)), PERSON, (20, 90, 160))), "day", 0)
    assert [i.category for i in found] == ["person", "vehicle"]
    assert iou(found[0], PERSON) > 0.9


@pytest.mark.parametrize("light", [0.4, 0.55, 0.7])
def test_a_cast_shadow_is_not_part_of_the_car(light):
    shadow = rectangle(50, 118, 50, 28)
    (car,) = detector()(photo(painted(shaded(street(), shadow, light), CAR, (200, 40, 40))), "day", 0)
    assert iou(car, CAR) > 0.93


def test_a_shadow_alone_is_nothing():
    assert detector()(photo(shaded(street(), rectangle(90, 100, 70, 40))), "day", 0) == []


def test_a_dark_car_in_its_own_shadow_is_not_taken_for_one():
    # The paint is as dark as the shadow, but hides the asphalt's texture.
    shadow = rectangle(40, 118, 60, 28)
    (car,) = detector()(photo(painted(shaded(street(), shadow), CAR, (55, 55, 55))), "day", 0)
    assert iou(car, CAR) > 0.9


@pytest.mark.parametrize("gain", [(0.8, 0.8, 0.8), (1.1, 1.2, 1.25)])
def test_a_change_of_light_over_the_street_is_no_object(gain):
    across = np.linspace(1.0, 1.15, SIZE[1])[None, :, None]  # a cloud's edge far away
    assert detector()(photo(street() * gain * across), "day", 0) == []
    (car,) = detector()(photo(painted(street(), CAR, (40, 40, 180)) * gain * across), "day", 0)
    assert iou(car, CAR) > 0.93


def test_a_windscreen_of_the_streets_own_grey_is_closed():
    pane = rectangle(120, 115, 30, 12)
    frame = photo(np.where((CAR & ~pane)[..., None], [40.0, 40.0, 200.0], street()))
    (car,) = detector()(frame, "day", 0)
    assert iou(car, CAR) > 0.95


def test_a_ghost_in_the_background_is_refused():
    # A car stood there while the background was made; the frame shows the empty street.
    ghost = painted(street(), CAR, (40, 40, 200))
    assert detector(ghost)(photo(street()), "day", 0) == []


def test_two_people_side_by_side_are_two():
    frame = street()
    for x, colour in ((60, (20, 90, 160)), (74, (160, 30, 30))):
        frame = painted(frame, rectangle(x, 98, 9, 13) | rectangle(x + 2, 90, 5, 33), colour)
    assert [i.category for i in detector()(photo(frame), "day", 0)] == ["person", "person"]


@pytest.mark.parametrize("before", [True, False])
def test_who_walks_past_a_car_is_not_part_of_it(before):
    # Upright over the bonnet's far side, or with the legs before its near side.
    walker = rectangle(135, 128, 8, 42) if before else rectangle(135, 84, 8, 40)
    frame = painted(painted(street(), CAR, (200, 40, 40)), walker, (190, 50, 50))
    found = detector()(photo(frame), "day", 0)
    (car,) = [i for i in found if i.crop.shape[1] > 60]
    assert iou(car, CAR) > 0.93
    assert len(found) == 2


def test_ignored_places_hold_nothing():
    frame = photo(painted(street(), CAR, (40, 40, 200)))
    assert detector(ignore=rectangle(90, 100, 120, 60))(frame, "day", 0) == []


def test_the_same_frames_give_the_same_masks():
    frames = [photo(painted(street(), CAR, (35, 35, 35)), seed) for seed in range(3)]
    runs = [[detector_(f, "day", 0) for f in frames] for detector_ in (detector(), detector())]
    for one, two in zip(runs[0], runs[1], strict=True):
        assert [(i.xy, i.score, i.crop.tobytes()) for i in one] == [(i.xy, i.score, i.crop.tobytes()) for i in two]


@pytest.mark.parametrize("roll_deg", [0.0, 12.0])
@pytest.mark.parametrize(("above_px", "found"), [(60, 0), (2, 0), (0, 0), (-25, 1)])
def test_what_ends_above_the_horizon_is_no_object(roll_deg, above_px, found):
    plane = GroundPlane.from_tilt(3.0, roll_deg, 7.0)
    # Where n . K^-1 p is 0 in the column of the box's middle.
    column = (250 - CAMERA.K[0, 2]) / CAMERA.K[0, 0]
    horizon = CAMERA.K[1, 2] - CAMERA.K[1, 1] * (plane.n[0] * column + plane.n[2]) / plane.n[1]
    thing = rectangle(240, int(horizon) - above_px - 20, 21, 20)
    there = MotionDetector(MotionSettings(), CAMERA, plane, {"day": photo(street(), noise=0.0)}, None)
    both = painted(painted(street(), thing, (40, 40, 200)), rectangle(60, 180, 80, 36), (200, 40, 40))
    assert len(there(photo(both), "day", 0)) == 1 + found


def test_a_bucket_without_background_is_named():
    with pytest.raises(ValueError, match=r"background of bucket night: .* got none"):
        detector()(photo(street()), "night", 3)
