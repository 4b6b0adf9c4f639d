"""Two painted people on a street, hidden for a while, and who is who afterwards."""

from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pytest
from walkers import BLUE, CAMERA, GREEN, PLANE, RED, board, frames_of, person

from pipeline.core import masks
from pipeline.core.tables import DETECTIONS
from pipeline.tracking.association import AssociationSettings, Trajectories, associate
from pipeline.tracking.track import TrackingSettings, track

SIZE_HW = (720, 1280)
Walker = tuple[list[float], float, tuple]  # x at each frame, y, colours


def followed(folder, walkers: list[Walker], hidden: range, seen: list[range] | None = None, **settings) -> np.ndarray:
    """(walkers, frames) track ids, -2 while hidden, of people painted into frames below the folder; each may be there
    in some frames only."""
    count, rows = len(walkers[0][0]), []
    for k in range(count):
        image = np.full((*SIZE_HW, 3), 128, np.uint8)
        for number, (xs, y, colours) in enumerate(walkers):
            if k in hidden or (seen and k not in seen[number]):
                continue
            x, y_px, w, h = np.round(person(xs[k], y)).astype(int)
            image[y_px : y_px + h, x : x + w] = board(*colours, (h, w))
            row = {"detection_id": k * 10_000 + number, "frame_id": k, "category": "person", "score": 0.9}
            row |= {"bbox_xywh": [x, y_px, w, h], "mask_rle": masks.encode(np.ones((h, w), bool), (x, y_px), SIZE_HW)}
            rows.append(row)
        cv2.imwrite(str(folder / f"{k:06d}.jpg"), image)
    detections = pa.Table.from_pylist(rows, schema=DETECTIONS)
    tracks = track(detections, frames_of(count), CAMERA, PLANE, TrackingSettings(**settings), root=folder)
    ids = np.full((len(walkers), count), -2)
    for number, track_id in zip(tracks["detection_id"].to_numpy(), tracks["track_id"].to_numpy(), strict=True):
        ids[number % 10_000, number // 10_000] = track_id
    return ids


def meeting(turning: bool) -> tuple[list[float], list[float]]:
    """Two ways towards each other, 24 frames: on past each other, or back from where they met."""
    there = [-3 + 0.25 * k for k in range(24)]
    xs = [x if not turning or k < 12 else -3 + 0.25 * (23 - k) for k, x in enumerate(there)]
    return xs, [-x for x in xs]


def kept(ids: np.ndarray) -> list[int]:
    """How many ids each walker had."""
    return [len(set(row[row != -2].tolist())) for row in ids]


@pytest.mark.parametrize("tracker", ["bytetrack", "sort", "botsort"])
def test_two_who_turn_round_while_hidden_are_swapped_by_motion_and_known_by_their_colours(tmp_path, tracker):
    left, right = meeting(turning=True)
    walkers = [(left, 18.0, (RED, BLUE)), (right, 18.3, (GREEN, RED))]
    blind = followed(tmp_path, walkers, range(10, 14), tracker=tracker)
    assert blind[0, 0] == blind[1, -1] and blind[1, 0] == blind[0, -1], "the scene must fool motion"
    seeing = followed(tmp_path, walkers, range(10, 14), tracker=tracker, appearance=True)
    assert kept(seeing) == [1, 1] and seeing[0, 0] != seeing[1, 0]


def test_two_who_cross_while_hidden_for_longer_than_a_track_waits_go_on_under_their_ids(tmp_path):
    left, right = meeting(turning=False)
    walkers = [(left, 18.0, (RED, BLUE)), (right, 19.5, (GREEN, RED))]
    assert kept(followed(tmp_path, walkers, range(8, 17))) == [2, 2]
    seeing = followed(tmp_path, walkers, range(8, 17), appearance=True)
    assert kept(seeing) == [1, 1] and seeing[0, 0] != seeing[1, 0]
    assert kept(
        followed(tmp_path, walkers, range(8, 17), appearance=True, association=AssociationSettings(gap_s=1.0))
    ) == [2, 2]


def test_of_the_same_colours_motion_decides(tmp_path):
    left, right = meeting(turning=False)
    walkers = [(left, 18.0, (RED, BLUE)), (right, 19.5, (RED, BLUE))]
    assert kept(followed(tmp_path, walkers, range(8, 17), appearance=True)) == [1, 1]


@pytest.mark.parametrize(("after", "ids"), [((RED, BLUE), 1), ((GREEN, GREEN), 2)])
def test_who_comes_out_in_other_clothes_is_somebody_else(tmp_path, after, ids):
    xs = meeting(turning=False)[0]
    # Two walkers of whom each is seen for half of the time.
    walkers = [(xs, 18.0, (RED, BLUE)), (xs, 18.0, after)]
    seen = followed(tmp_path, walkers, range(8, 13), [range(0, 8), range(13, 24)], appearance=True)
    assert len(set(seen[seen != -2].tolist())) == ids


def test_the_same_frames_give_the_same_ids(tmp_path):
    left, right = meeting(turning=True)
    walkers = [(left, 18.0, (RED, BLUE)), (right, 18.3, (GREEN, RED))]
    first, second = (followed(tmp_path, walkers, range(10, 14), appearance=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def trajectories(tracklets: list[tuple[int, list[float], float]]) -> Trajectories:
    """Tracklets (first frame, x at each frame, y) at 5 frames a second, each a track of its own, boxes in time
    order."""
    rows = sorted(
        (first + k, number, x, y) for number, (first, xs, y) in enumerate(tracklets) for k, x in enumerate(xs)
    )
    frame, number, x, y = (np.array(column) for column in zip(*rows, strict=True))
    foot, same = np.stack([x, y], axis=1).astype(float), np.zeros(len(rows), int)
    return Trajectories(number, same, frame, frame / 5, foot, np.full(len(rows), 0.1), np.full(len(rows), 8.0))


def same_appearance(rows: np.ndarray) -> np.ndarray:
    return np.ones((len(rows), 1))


def test_nobody_comes_back_faster_than_a_person_or_from_aside():
    walk = [0.3 * k for k in range(10)]
    straight, far, aside = [4.5 + x for x in walk], [40 + x for x in walk], [4.5 + x for x in walk]
    for later, y, joined in ((straight, 0.0, True), (far, 0.0, False), (aside, 6.0, False)):
        ids = associate(trajectories([(0, walk, 0.0), (15, later, y)]), same_appearance, AssociationSettings())
        assert (len(set(ids.tolist())) == 1) is joined


def test_one_beginning_goes_on_from_one_end_only():
    walk = [0.3 * k for k in range(10)]
    ids = associate(
        trajectories([(0, walk, 0.0), (0, walk, 0.6), (15, [4.5 + x for x in walk], 0.0)]),
        same_appearance,
        AssociationSettings(),
    )
    assert len(set(ids.tolist())) == 2


def test_without_ground_or_appearance_the_trackers_join_stays():
    walk = [0.3 * k for k in range(10)]
    broken = trajectories([(0, walk, 0.0), (15, [4.5 + x for x in walk], 0.0)])
    for foot, seen in ((np.nan, 1.0), (0.0, 0.0), (np.nan, 0.0)):
        own = replace(broken, track=np.zeros(20, int), foot=broken.foot + foot)
        assert set(
            associate(own, lambda rows, seen=seen: np.full((len(rows), 1), seen), AssociationSettings()).tolist()
        ) == {0}


def test_unknown_appearance_joins_nothing_and_no_tracks_are_none():
    walk = [0.3 * k for k in range(10)]
    broken = trajectories([(0, walk, 0.0), (15, [4.5 + x for x in walk], 0.0)])
    assert len(set(associate(broken, lambda rows: np.zeros((len(rows), 1)), AssociationSettings()).tolist())) == 2
    empty = Trajectories(
        *(np.zeros((0, 2)) if name == "foot" else np.zeros(0, int) for name in Trajectories.__annotations__)
    )
    assert len(associate(empty, same_appearance, AssociationSettings())) == 0
