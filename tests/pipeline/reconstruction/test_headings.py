from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from boxes import CAMERA, PLANE
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.tables import CUTOUTS, TRACKS, to_table
from pipeline.reconstruction.headings import Headings, HeadingSettings, _line_noise, find_headings

START = datetime(2025, 5, 14, 8, tzinfo=UTC)
NOTHING = (float("nan"), float("nan"))


def seen(number, xy_m, velocity, track=0, second=0.0, category="vehicle"):
    bottom = CAMERA.project(PLANE.to_camera(np.array([*xy_m, 0.0])))
    return {
        "detection_id": number, "frame_id": number, "category": category, "subcategory": None, "score": 0.9,
        "mask_rle": "", "bbox_xywh": [bottom[0] - 10, bottom[1] - 20, 20, 20],
        "timestamp": START + timedelta(seconds=second),
        "bucket": "noon", "sequence": 0, "track_id": track, "foot_xy_m": list(xy_m), "velocity_xy_mps": list(velocity),
    }  # fmt: skip


def headings(rows, cut):
    cutouts = []
    for row in [rows[i] for i in cut]:
        row = dict(row)
        row["cutout_id"] = row.pop("detection_id")
        cutouts.append(
            row | dict(stationary=False, sprite=b"", sprite_xy=[0, 0], shadow=None, shadow_xy=None, halo=None)
        )
    return find_headings(to_table(cutouts, CUTOUTS), to_table(rows, TRACKS), CAMERA, PLANE, HeadingSettings())


def test_what_moves_heads_where_it_goes():
    found = headings([seen(0, (0, 15), (3, 4))], [0])
    assert found.yaw[0] == pytest.approx(np.arctan2(4, 3))
    assert np.radians(3) < found.sigma[0] < np.radians(15)


def test_what_waits_keeps_the_heading_of_its_nearest_motion():
    rows = [
        seen(0, (0, 15), (0, -5), second=0),
        seen(1, (0, 14), (0.1, 0.1), second=2),
        seen(2, (2, 13), (4, -4), second=9),
    ]
    found = headings(rows, [1])
    assert found.yaw[0] == pytest.approx(-np.pi / 2)


def test_feet_that_jump_show_no_heading_and_a_turn_does():
    """A braking car whose mask takes in another for half a second: its feet go to and fro, and it seems to drive on."""
    y = [41.05, 41.6, 41.6, 41.3, 41.0, 41.1, 41.05]
    x, speed = [-0.8, -0.8, -0.8, 0.1, 1.0, -0.1, -0.7], [1.4, 1.4, 2.3, 1.8, 0.7, 1.8, 1.6]
    jumps = [seen(i, (x[i], y[i]), (0, speed[i]), track=7, second=0.2 * i) for i in range(7)]
    assert np.isnan(headings(jumps, [0]).yaw[0])
    turn = np.arange(7) * 0.2 * 8 / 7  # 8 m/s about a centre 7 m away
    feet = np.stack([7 * np.sin(turn), 15 + 7 * (1 - np.cos(turn))], axis=1)
    rows = [
        seen(i, feet[i], (8 * np.cos(a), 8 * np.sin(a)), track=7, second=0.2 * i) for i, a in enumerate(turn.tolist())
    ]
    found = headings(rows, range(7))
    assert found.moving.all() and np.abs(found.yaw - turn).max() < 1e-9


def test_two_feet_at_the_end_of_a_track_show_no_heading():
    """A car that stands: one jump of its box's bottom by four pixels, and it seems to drive off."""
    rows = [seen(i, (0, 15.0 + 0.55 * (i > 0)), (0, 1.4), track=7, second=0.2 * i) for i in range(3)]
    assert np.isnan(headings(rows, [0]).yaw[0])
    longer = [seen(i, (0, 15.0 + 0.28 * i), (0, 1.4), track=7, second=0.2 * i) for i in range(-3, 4)]
    assert headings(longer, [3]).yaw[0] == pytest.approx(np.pi / 2)


@given(st.integers(1, 4), st.integers(2, 6), st.floats(0.1, 20), st.floats(0.01, 1))
def test_a_velocity_is_as_unsure_as_the_slope_through_its_feet(tracks, frames, speed, noise):
    track = np.repeat(np.arange(tracks), frames)[::-1]
    time_s = np.tile(np.arange(frames), tracks) * 0.1
    velocity = speed * np.stack([np.cos(track), np.sin(track)], axis=1)
    feet = velocity * time_s[:, None] + track[:, None]
    given_ = np.full(len(track), noise)
    slope_error = noise / np.sqrt(((time_s[:frames] - time_s[:frames].mean()) ** 2).sum())
    np.testing.assert_allclose(_line_noise(track, time_s, feet, velocity, given_), max(slope_error, noise), rtol=1e-6)
    jumped = feet + [[0, 3.0]] * (np.arange(len(track)) % frames == 0)[:, None]
    assert (_line_noise(track, time_s, jumped, velocity, given_) > 3 / np.sqrt(frames)).all()
    assert (_line_noise(np.full(len(track), -1), time_s, jumped, velocity, given_) == given_).all()


def test_what_never_moves_faces_as_its_neighbours_do_that_agree():
    passing = [seen(i, (0.2 * i, 15), (6, 0.1 * i), track=i) for i in range(4)]
    standing = seen(9, (0, 15.5), NOTHING, track=9)
    assert headings([*passing, standing], [4]).yaw[0] == pytest.approx(0, abs=0.1)
    crossing = [seen(i, (0.2 * i, 15), (0, 6) if i % 2 else (6, 0), track=i) for i in range(4)]
    assert np.isnan(headings([*crossing, standing], [4]).yaw[0])
    assert np.isnan(headings([*passing, standing | {"category": "person"}], [4]).yaw[0])


def test_hypotheses_hold_the_heading_and_go_all_around_where_there_is_none():
    guesses = Headings(
        np.array([0.5, np.nan, 0.5]), np.array([0.07, np.pi, 0.2]), np.array([True, False, False])
    ).hypotheses()
    known, unknown, waiting = (guesses.row == row for row in range(3))
    assert guesses.yaw[known & ~guesses.against].tolist() == [0.5]
    assert np.abs(guesses.yaw[known] - 0.5).max() <= np.pi / 2 + 1e-9
    assert set(guesses.yaw[waiting]) == {0.5, *guesses.yaw[unknown]}
    gaps = np.diff(np.sort(guesses.yaw[unknown]))
    assert not guesses.against[unknown].any() and np.allclose(gaps, gaps[0]) and gaps[0] * (len(gaps) + 1) > 6.28
