"""Cars of known place, and what is reported of them when moved, turned and scaled."""

import boxes
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from exact_truth import actor, write_camera

from benchmarks.vehicles.vehicles_truth import backwards, errors, mask_iou, measure, several_shapes, summary
from pipeline.composition.meshes import silhouette, solid_of
from pipeline.core.storage import write_table
from pipeline.core.tables import CUTOUTS, RECONSTRUCTED, TRACKS, to_table

STATES = ["visible"] * 5 + ["self_occluded"] * 4 + ["occluded"] * 3
PLACES = [boxes.rows(number, (-3.0 + 3 * number, 16.0 + number), 0.4 * number) for number in range(3)]
BOX = [100.0, 100.0, 50.0, 30.0]  # PCK reaches five pixels
COLUMNS = ["R", "t", "dims_lwh_m", "keypoints_2d"]


def truth():
    rows = [{name: np.array(place[name]) for name in COLUMNS} for _, place in PLACES]
    about = {"body": "sedan", "bbox_amodal_xywh": BOX, "keypoint_state": STATES}
    return pd.DataFrame([row | about for row in rows], index=[place["cutout_id"] for _, place in PLACES])


def placed(change=lambda place: {}, count=3):
    """RECONSTRUCTED of the first cars, with some columns changed."""
    return to_table([place | change(place) for _, place in PLACES[:count]], RECONSTRUCTED)


def reported(change=lambda place: {}, count=3):
    return summary(errors(placed(change, count), truth()))


def turned(degrees):
    """About the vehicle's own upright axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return lambda place: {"R": (np.reshape(place["R"], (3, 3)) @ about).ravel().tolist()}


def test_what_stands_where_it_should_has_no_error():
    found = reported()
    assert found["vehicles"] == 3 and found["flipped"] == 0
    assert [found[name] for name in ("depth_error", "position_error_m", "length_error", "height_error")] == [0] * 4
    assert found["yaw_error_deg"] == pytest.approx(0, abs=1e-4)
    assert found["pck_visible"] == found["pck_self_occluded"] == 1


@pytest.mark.parametrize(("degrees", "flipped"), [(10, 0), (-10, 0), (89, 0), (91, 1), (180, 1), (-170, 1)])
def test_a_heading_is_off_by_its_turn_and_flipped_beyond_a_right_angle(degrees, flipped):
    found = reported(turned(degrees))
    assert found["yaw_error_deg"] == pytest.approx(abs(degrees), abs=1e-4) and found["flipped"] == flipped


def test_who_moves_and_faces_back_is_told_from_who_stands():
    """The first and the last car drive straight on, the one between stands."""
    ids = [place["cutout_id"] for _, place in PLACES]
    about = truth().assign(actor_id=ids, frame_id=1)
    every, time_s = [], pd.Series([0.0, 0.2, 0.4], index=[0, 1, 2])
    for number, cutout in enumerate(ids):
        ahead = np.reshape(about.loc[cutout, "R"], (3, 3))[:, 0] * (0 if number == 1 else 2.0)
        for frame in range(3):
            t = about.loc[cutout, "t"] + ahead * (time_s[frame] - 0.2)
            every.append({"actor_id": cutout, "frame_id": frame, "t": t})
    every = pd.DataFrame(every)
    assert backwards(placed(), about, every, time_s) == 0
    assert backwards(placed(turned(180)), about, every, time_s) == 1
    last = ids[2]
    one = placed(lambda place: turned(180)(place) if place["cutout_id"] == last else {})
    assert backwards(one, about, every, time_s) == 0.5


def test_tracks_of_several_shapes_are_counted():
    other = PLACES[1][1]["cutout_id"]

    def longer(place):
        return {"track_id": 1} | ({"dims_lwh_m": [4.5, 1.8, 1.5]} if place["cutout_id"] == other else {})

    assert several_shapes(placed(longer)) == 1
    assert several_shapes(placed(lambda place: {"track_id": 1})) == 0


def test_one_flip_of_three_is_a_third():
    one = PLACES[1][1]["cutout_id"]
    found = reported(lambda place: turned(180)(place) if place["cutout_id"] == one else {})
    assert found["flipped"] == pytest.approx(1 / 3) and found["yaw_error_deg"] == pytest.approx(0, abs=1e-4)


def test_depth_place_and_size_are_off_by_what_they_are():
    found = reported(lambda place: {"t": [place["t"][0] + 3, place["t"][1], place["t"][2] + 4]})
    assert found["position_error_m"] == pytest.approx(5)
    assert found["depth_error"] == pytest.approx(np.median([4 / place["t"][2] for _, place in PLACES]))
    found = reported(lambda place: {"dims_lwh_m": (np.array(place["dims_lwh_m"]) * [1.1, 0.8, 1.3]).tolist()})
    assert [found[f"{side}_error"] for side in ("length", "width", "height")] == pytest.approx([0.1, 0.2, 0.3])


def test_keypoints_are_right_within_a_tenth_of_the_boxs_longer_side_by_their_true_states():
    def moved(place):
        xy = np.reshape(place["keypoints_2d"], (12, 2)) + [3.0, 3.9]  # 4.92 px
        xy[0] += [0.2, 0.1]  # and a little too far, as one of five visible ones
        xy[[6, 7, 10, 11]] += 50  # two of four on the far side; what others hide counts nowhere
        return {"keypoints_2d": xy.ravel().tolist()}

    found = reported(moved)
    assert (found["pck_visible"], found["pck_self_occluded"]) == (pytest.approx(4 / 5), pytest.approx(2 / 4))


def test_refused_fits_and_who_has_no_truth_are_not_measured():
    numbers = [place["cutout_id"] for _, place in PLACES]
    refused = errors(placed(lambda place: {"fit_ok": place["cutout_id"] != numbers[0]}), truth())
    assert refused.index.tolist() == numbers[1:]
    assert errors(placed(), truth().loc[numbers[1:2]]).index.tolist() == numbers[1:2]


def test_outlines_of_fits_are_measured_against_whole_masks():
    known = truth()
    known["mask_amodal_rle"] = [silhouette(solid_of(place), boxes.CAMERA) for _, place in PLACES]
    assert mask_iou(placed(), known, boxes.CAMERA) == 1
    aside = placed(lambda place: {"t": [place["t"][0] + 0.4, *place["t"][1:]]})
    assert 0.5 < mask_iou(aside, known, boxes.CAMERA) < 0.95


def test_a_cameras_fits_are_measured_against_the_actors_of_its_cutouts(tmp_path):
    folder, rows = tmp_path / "hand", []
    for number, (cutout, place) in enumerate(PLACES):
        exact = {name: place[name] for name in COLUMNS} | {"keypoint_state": STATES}
        exact["mask_amodal_rle"] = silhouette(solid_of(place), boxes.CAMERA)
        rows.append(actor(cutout["frame_id"], 40 + number, BOX, size_hw=boxes.SIZE_HW, **exact))
    # The second car's truth lies a metre farther, the third one is out of sight.
    rows[1]["t"] = (np.array(rows[1]["t"]) + [0, 0, 1]).tolist()
    rows[2]["t"] = [0.0, 0.0, 61.0]
    write_camera(folder, rows, [cutout for cutout, _ in PLACES], boxes.SIZE_HW)
    write_table(folder / "reconstructed" / "part-0.parquet", placed())
    cutouts = to_table([cutout for cutout, _ in PLACES], CUTOUTS).rename_columns({"cutout_id": "detection_id"})
    write_table(folder / "tracks.parquet", pa.table(cutouts.select(TRACKS.names), schema=TRACKS))
    fit, outline = measure(folder, boxes.CAMERA, boxes.PLANE)
    assert (fit["camera"], fit["method"], outline["method"], fit["vehicles"]) == ("hand", "fit", "outline", 2)
    assert fit["position_error_m"] == pytest.approx(0.5)  # the median of none and one
    assert fit["fit_mask_iou"] == 1 and np.isnan(outline["fit_mask_iou"])
