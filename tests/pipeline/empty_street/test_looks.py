"""A stop line, drawn: who waits there looks different each time, the street does not."""

import cv2
import numpy as np
import pytest

from pipeline.empty_street.looks import HIDDEN, SHOWN, UNKNOWN, Looks, ln_levels, street_shown

HW = (60, 96)
QUEUE = (36, 24, 22, 14)  # xywh in cells, where vehicles wait
PLACE = np.s_[27:35, 41:53]  # well inside
WINDOW = 7
MOMENTS = 8


def street(seed=0):
    """A pavement above a road with a stop line, grey levels (H, W, 3)."""
    texture = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 12, HW).astype(np.float32), (0, 0), 1.2)
    grey = np.where(np.arange(HW[0]) < 20, 160.0, 95.0)[:, None] + texture
    grey[40:43, 30:70] = 200
    return np.repeat(grey.astype(np.float32)[..., None], 3, axis=2)


def with_vehicle(picture, colour, seed=0):
    """The picture with one that waits: its panes dark, its body textured, no two alike."""
    x, y, w, h = QUEUE
    rng, done = np.random.default_rng(seed), picture.copy()
    body = cv2.GaussianBlur(rng.normal(0, 40, (h, w)).astype(np.float32), (0, 0), 1.5)
    done[y : y + h, x : x + w] = colour + body[..., None]
    left = x + int(rng.integers(2, w - 9))
    done[y + 2 : y + h // 2, left : left + 7] = rng.uniform(10, 70)
    done[y + h // 2 :: 3, x : x + w][: h // 6] *= 0.7
    return done


def bucket(pictures, light=1.0, covered=None):
    """Looks of moments a minute apart, two frames of each, and their median; covered: by number of the moment."""
    rng = np.random.default_rng(9)
    frames = [np.clip(light * p + rng.normal(0, 1, p.shape), 0, 255) for p in pictures for _ in range(2)]
    seen = np.zeros((len(frames), *HW))
    x, y, w, h = QUEUE
    for moment in covered or ():
        seen[2 * moment : 2 * moment + 2, y : y + h, x : x + w] = 0.9
    times = np.repeat(60.0 * np.arange(len(pictures)), 2) + np.tile([0.0, 1.0], len(pictures))
    logs = np.stack([ln_levels(frame) for frame in frames])
    return Looks(logs, seen, times, ln_levels(np.median(frames, axis=0)), WINDOW)


def queue(free, seed=0, colours=(30, 55, 140, 180, 210)):
    """Pictures of MOMENTS, in those of `free` nobody waits."""
    rng = np.random.default_rng(seed)
    return [
        street() if k in free else with_vehicle(street(), float(rng.choice(colours)), 10 * seed + k)
        for k in range(MOMENTS)
    ]


def at(shown, moment):
    """What nearly all cells of the place are in both frames of a moment; None where that differs."""
    values, counts = np.unique(shown[2 * moment : 2 * moment + 2][(slice(None), *PLACE)], return_counts=True)
    return int(values[counts.argmax()]) if counts.max() > 0.9 * counts.sum() else None


def test_the_street_is_the_look_of_the_few_moments_in_which_nobody_waits():
    looks = {"noon": bucket(queue({2, 5}))}
    assert looks["noon"].doubtful[PLACE].all() and not looks["noon"].doubtful[:12].any()
    shown = street_shown("noon", looks, [])
    assert [at(shown, k) == SHOWN for k in range(MOMENTS)] == [k in (2, 5) for k in range(MOMENTS)]
    assert all(at(shown, k) == HIDDEN for k in range(MOMENTS) if k not in (2, 5))
    assert not shown[:, :12].any()


def test_a_moment_that_no_other_shares_is_known_from_other_buckets_under_their_light():
    looks = {"noon": bucket(queue({4})), "morning": bucket(queue({1}, seed=1), light=0.7)}
    for name, other, free in (("noon", "morning", 4), ("morning", "noon", 1)):
        shown = street_shown(name, looks, [other])
        assert at(shown, free) == SHOWN
        assert all(at(shown, k) == HIDDEN for k in range(MOMENTS) if k != free)


def test_a_bucket_that_never_sees_the_street_is_told_so_by_the_others():
    looks = {
        "noon": bucket(queue(set())),
        "morning": bucket(queue({1, 6}, seed=1), light=0.7),
        "evening": bucket(queue({0}, seed=2), light=0.9),
    }
    shown = street_shown("noon", looks, ["evening", "morning"])
    assert all(at(shown, k) == HIDDEN for k in range(MOMENTS))


def test_a_lorrys_plain_side_that_is_found_each_time_is_not_the_street():
    plain = street()
    x, y, w, h = QUEUE
    plain[y : y + h, x : x + w] = 185.0
    pictures = queue({2, 5})
    for k in (0, 1, 3):
        pictures[k] = plain
    shown = street_shown("noon", {"noon": bucket(pictures, covered=(0, 1, 3))}, [])
    assert at(shown, 2) == at(shown, 5) == SHOWN and at(shown, 0) == HIDDEN


@pytest.mark.parametrize("case", ["nobody", "walkers", "shadow", "few", "swaying"])
def test_where_the_median_is_what_is_seen_nothing_is_said(case):
    shaded = street()
    shaded[22:50, 30:60] *= 0.5
    looks = {"noon": bucket([street()] * MOMENTS), "morning": bucket([shaded] * MOMENTS)}
    if case == "walkers":  # each elsewhere
        pictures = [street() for _ in range(MOMENTS)]
        for k, picture in enumerate(pictures):
            picture[22:34, 8 + 10 * k : 13 + 10 * k] = 30
        looks["noon"] = bucket(pictures)
    if case == "swaying":  # a camera that looks elsewhere each time
        looks["noon"] = bucket([np.roll(street(), 9 * k, axis=0) for k in range(MOMENTS)])
    if case == "few":
        looks["noon"] = bucket(queue({1})[:3])
    for name in ("noon", "morning") if case == "shadow" else ("noon",):
        assert (street_shown(name, looks, [other for other in looks if other != name]) == UNKNOWN).all()


def test_frames_belong_to_one_moment_for_half_a_minute():
    times = np.array([0.0, 10, 29, 30, 31, 100, 131])
    nothing = np.zeros((7, *HW, 3), np.float32)
    looks = Looks(nothing, nothing[..., 0], times, nothing[0], WINDOW)
    assert looks.moments.tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert looks.ends().tolist() == [0, 2, 3, 4, 5, 6]
