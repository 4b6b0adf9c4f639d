from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from boxes import CAMERA, PLANE

from pipeline.core.tables import CUTOUTS, TRACKS, to_table
from pipeline.reconstruction.headings import Headings, HeadingSettings, find_headings

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
