from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from shapely import Polygon
from shapely import box as rectangle

from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import to_table
from pipeline.simulate.camera.truth import TRUTH, read_truth, rows_of
from pipeline.simulate.people.person import make_person
from pipeline.simulate.traffic.actors import ActorState
from pipeline.simulate.vehicles.fleet import make_vehicle

SIZE_HW = (90, 160)


def truth(renderer, states):
    """Rows of one frame by actor."""
    return {row["actor_id"]: row for row in rows_of(renderer, renderer.render(states), 7)}


def full(row, name):
    return masks.full(row[name], SIZE_HW)


def silhouette(view, vehicle, xy):
    """Outline of an unturned vehicle's projection, in pixel-centre coordinates."""
    pixels = view.project(vehicle.mesh.vertices + np.array([*xy, 0]))
    return Polygon(pixels[ConvexHull(pixels).vertices])


def test_a_lone_box_is_whole_and_its_numbers_agree(street):
    renderer = street.renderer()
    vehicle = street.box(4, 2, 1.5)
    row = truth(renderer, [street.standing(3, (1.0, 20.0), vehicle)])[3]
    amodal = full(row, "mask_amodal_rle")
    assert row["mask_visible_rle"] == row["mask_amodal_rle"]
    assert (row["visible_fraction"], row["truncation"], row["static_hidden_fraction"]) == (1.0, 0.0, 0.0)
    assert row["occluder_ids"] == []
    assert row["px_count_all"] == row["px_count_visib"] == amodal.sum()
    assert amodal.sum() == pytest.approx(silhouette(renderer.view, vehicle, (1.0, 20.0)).area, rel=0.02)
    ys, xs = np.nonzero(amodal)
    x, y, w, h = row["bbox_amodal_xywh"]
    assert (x, y, x + w, y + h) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_a_pose_takes_the_object_into_the_camera_frame(street):
    corners = np.array([[2.0, s * 1.0, z] for z in (0.2, 0.9, 1.5) for s in (-1, 1)] * 2)
    renderer = street.renderer(street.view(roll_deg=4.0, distortion=(-0.1, 0.01, 0, 0, 0)))
    state = street.standing(1, (2.0, 18.0), street.box(4, 2, 1.5, keypoints=corners), yaw=0.7)
    row = truth(renderer, [state])[1]
    R, t = np.reshape(row["R"], (3, 3)), np.array(row["t"])
    R_expected, t_expected = renderer.view.plane.pose(np.array([2.0, 18.0]), 0.7)
    assert R == pytest.approx(R_expected)
    assert t == pytest.approx(t_expected)
    in_camera = np.reshape(row["keypoints_3d"], (12, 3))
    assert in_camera == pytest.approx(corners @ R.T + t)
    assert np.reshape(row["keypoints_2d"], (12, 2)) == pytest.approx(renderer.view.camera.project(in_camera))
    assert row["dims_lwh_m"] == [4, 2, 1.5]


def test_of_two_boxes_the_farther_is_hidden_by_exactly_the_nearer(street):
    states = [
        street.standing(1, (0.5, 24.0), street.box(2, 4, 3)),
        street.standing(2, (0.0, 16.0), street.box(2, 4, 2)),
    ]
    rows = truth(street.renderer(), states)
    near, far = rows[2], rows[1]
    assert near["visible_fraction"] == 1.0
    assert near["occluder_ids"] == []
    assert far["occluder_ids"] == [2]
    assert far["static_hidden_fraction"] == 0.0
    shown = full(far, "mask_amodal_rle") & ~full(near, "mask_amodal_rle")
    # Where the nearer one covers just half of a pixel's samples, the pixel may be both's.
    assert (full(far, "mask_visible_rle") ^ shown).sum() <= 0.03 * far["px_count_all"]
    assert far["visible_fraction"] == pytest.approx(far["px_count_visib"] / far["px_count_all"])
    assert 0.1 < far["visible_fraction"] < 0.9


def test_what_never_moves_hides_by_the_samples_it_is_nearer_at(street):
    renderer = street.renderer()
    renderer.stage.depth[:, :80] = 10.0  # a wall before the left half of the view
    vehicle = street.box(4, 2, 1.5)
    rows = truth(
        renderer, [street.standing(1, (0.0, 20.0), vehicle), street.standing(2, (0.0, 8.0), street.box(0.5, 0.5, 0.5))]
    )
    half = rows[1]
    assert half["occluder_ids"] == [-1]
    assert half["static_hidden_fraction"] == pytest.approx(1 - half["visible_fraction"])
    assert half["static_hidden_fraction"] == pytest.approx(0.5, abs=0.03)
    assert not full(half, "mask_visible_rle")[:, :80].any()
    assert rows[2]["visible_fraction"] == 1.0  # it stands before the wall


def test_a_wholly_hidden_actor_is_kept_and_an_absent_one_is_not(street):
    states = [
        street.standing(1, (0.0, 25.0), street.box(1, 1, 1)),
        street.standing(2, (0.0, 15.0), street.box(3, 6, 4)),
        street.standing(3, (70.0, 20.0), street.box(4, 2, 1.5)),
    ]
    rows = truth(street.renderer(), states)
    assert sorted(rows) == [1, 2]
    assert rows[1]["visible_fraction"] == 0.0
    assert rows[1]["px_count_visib"] == 0 < rows[1]["px_count_all"]
    assert not full(rows[1], "mask_visible_rle").any()
    assert rows[1]["occluder_ids"] == [2]


@pytest.mark.parametrize("x", [7.5, 9.0, 9.8])
def test_truncation_is_the_fraction_of_the_silhouette_beyond_the_frame(street, x):
    renderer, vehicle = street.renderer(), street.box(4, 2, 1.5)
    row = truth(renderer, [street.standing(1, (x, 18.0), vehicle)])[1]
    outline = silhouette(renderer.view, vehicle, (x, 18.0))
    frame = rectangle(-0.5, -0.5, SIZE_HW[1] - 0.5, SIZE_HW[0] - 0.5)
    truncated = 1 - outline.intersection(frame).area / outline.area
    assert 0.05 < truncated < 0.95
    assert row["truncation"] == pytest.approx(truncated, abs=0.03)
    assert full(row, "mask_amodal_rle")[:, -1].any()


def states_of(row):
    return row["keypoint_state"]


def test_keypoints_are_visible_on_the_near_face_and_self_occluded_on_the_far_one(street):
    # Looking along y: the face at -y is the near one.
    keypoints = [(x, y, 0.5) for y in (-1.0, 1.0) for x in (-1.5, -0.5, 0.0, 0.5, 1.5, 1.0)]
    row = truth(street.renderer(), [street.standing(1, (0.0, 20.0), street.box(4, 2, 1.5, keypoints=keypoints))])[1]
    assert states_of(row) == ["visible"] * 6 + ["self_occluded"] * 6


def test_keypoints_behind_another_are_occluded_and_beyond_the_frame_truncated(street):
    renderer = street.renderer()
    keypoints = [(x, -1.0, 0.8) for x in np.linspace(-7, 7, 12)]
    wide = street.standing(1, (5.0, 20.0), street.box(14, 2, 1.5, keypoints=keypoints))
    post = street.standing(2, (0.0, 12.0), street.box(2, 0.5, 3))
    rows = truth(renderer, [wide, post])
    pixels = np.reshape(rows[1]["keypoints_2d"], (12, 2))
    covered = full(rows[2], "mask_amodal_rle")
    expected = []
    for x, y in pixels:
        if not (-0.5 <= x < 159.5 and -0.5 <= y < 89.5):
            expected.append("truncated")
        else:
            expected.append("occluded" if covered[round(y), round(x)] else "visible")
    assert states_of(rows[1]) == expected
    assert set(expected) == {"visible", "occluded", "truncated"}
    alone = truth(renderer, [wide])[1]
    assert "occluded" not in states_of(alone)


def test_a_wall_occludes_keypoints_too(street):
    renderer = street.renderer()
    renderer.stage.depth[:, :80] = 10.0
    keypoints = [(x, -1.0, 0.8) for x in np.linspace(-1.8, 1.8, 12)]
    row = truth(renderer, [street.standing(1, (0.0, 20.0), street.box(4, 2, 1.5, keypoints=keypoints))])[1]
    assert states_of(row) == ["occluded"] * 6 + ["visible"] * 6


@pytest.mark.parametrize("seed", range(3))
def test_of_a_real_car_seen_from_its_right_the_right_wheels_are_visible(street, seed):
    car = make_vehicle("hatchback", seed)
    renderer = street.renderer(street.view(focal=320.0))
    row = truth(renderer, [street.standing(1, (0.0, 17.0), car)])[1]
    right_wheels, left_wheels = states_of(row)[0:4:2], states_of(row)[1:4:2]
    assert right_wheels == ["visible", "visible"]
    assert left_wheels == ["self_occluded", "self_occluded"]


def person_row(street, seed, yaw):
    """Truth of someone who stands 15 m away, facing yaw."""
    state = ActorState(1, (0.0, 15.0), yaw, None, make_person(seed), "stand", 0.0, True, False, 0)
    return truth(street.renderer(street.view(focal=300.0, tilt_deg=22.0)), [state])[1]


@pytest.mark.parametrize("seed", range(3))
def test_of_a_person_who_faces_the_camera_everything_is_visible(street, seed):
    row = person_row(street, seed, -np.pi / 2)
    assert states_of(row) == ["visible"] * 17
    assert row["category"] == row["body"] == "person"
    length, width, height = row["dims_lwh_m"]
    assert height == pytest.approx(make_person(seed).height_m, abs=0.12)
    assert max(length, width) < 1.2


@pytest.mark.parametrize("seed", range(3))
def test_of_a_person_seen_from_the_right_the_left_limbs_are_behind_the_right_ones(street, seed):
    states = states_of(person_row(street, seed, 0.0))
    assert [states[i] for i in (6, 8, 12, 14, 16)] == ["visible"] * 5  # right shoulder to ankle
    assert [states[i] for i in (7, 15)] == ["self_occluded"] * 2  # left elbow and ankle


def test_of_people_seen_from_behind_the_face_is_hidden(street):
    for seed in range(6):
        assert states_of(person_row(street, seed, np.pi / 2))[:3] == ["self_occluded"] * 3


@pytest.mark.parametrize("seed", range(3))
def test_in_a_crowd_visible_is_within_amodal_and_fractions_add_up(street, seed):
    rng = np.random.default_rng(seed)
    renderer = street.renderer(depth_m=27.0)
    spots = rng.uniform([-9, 11], [9, 34], (12, 2))
    boxes = [street.box(*rng.uniform(0.6, 4, 3)) for _ in spots]
    rows = truth(
        renderer,
        [street.standing(i, tuple(s), b, rng.uniform(0, 6)) for i, (s, b) in enumerate(zip(spots, boxes, strict=True))],
    )
    hidden = 0
    for row in rows.values():
        amodal, visible = full(row, "mask_amodal_rle"), full(row, "mask_visible_rle")
        assert not (visible & ~amodal).any()
        assert row["px_count_visib"] == visible.sum()
        assert row["px_count_all"] == amodal.sum()
        assert row["visible_fraction"] == pytest.approx(visible.sum() / amodal.sum())
        assert row["visible_fraction"] + row["static_hidden_fraction"] <= 1 + 1e-9
        assert row["visible_fraction"] == 1 or row["occluder_ids"]
        assert row["actor_id"] not in row["occluder_ids"]
        hidden += row["visible_fraction"] < 0.9
    assert hidden >= 3


def test_no_pixel_is_visible_of_two(street):
    rows = truth(
        street.renderer(),
        [street.standing(i, (0.3 * i, 12.0 + 3 * i), street.box(2.1, 2.3, 1.7), 0.3 * i) for i in range(6)],
    )
    claims = sum(full(row, "mask_visible_rle").astype(int) for row in rows.values())
    assert claims.max() == 1


def test_occluders_are_symmetric_in_nothing_but_the_overlap(street):
    """Whoever hides another is nearer along a shared ray, so two boxes in a row never hide each other."""
    rows = truth(
        street.renderer(),
        [street.standing(i, (0.2 * i, 12.0 + 4 * i), street.box(3, 2, 2)) for i in range(5)],
    )
    for actor, row in rows.items():
        assert all(occluder < actor for occluder in row["occluder_ids"])


def test_rows_make_a_table_that_reads_back(street, tmp_path):
    renderer = street.renderer()
    rendered = renderer.render([street.standing(i, (2.0 * i, 20.0), street.box(1.5, 2, 1.5)) for i in range(3)])
    table = to_table(rows_of(renderer, rendered, 42), TRUTH)
    write_table(tmp_path / "part-00000.parquet", table)
    again = read_truth(tmp_path)
    assert again.schema.names == TRUTH.names
    assert again.to_pylist() == table.to_pylist()
    assert again["frame_id"].to_pylist() == [42] * 3
    assert all(field.metadata[b"meaning"] for field in TRUTH)


def test_a_parked_car_is_an_actor_that_does_not_move(street):
    state = replace(street.standing(9, (0.0, 20.0), street.box(4, 2, 1.5)), moving=False)
    row = truth(street.renderer(), [state])[9]
    assert row["moving"] is False
    assert row["category"] == "vehicle"
