"""A projected drive as training samples, from a camera's folder and from CarFusion's files of two videos."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from carfusion_files import write_carfusion
from drives import Detector, own_camera

from models.geometry.boxes import CELL_PX, INPUT_PX, MAP_CELLS
from models.occlusion_net import view_samples
from models.occlusion_net.data import Kept, RenderedViews
from models.occlusion_net.trifocal import transfer
from models.occlusion_net.view_samples import (
    Mixed,
    ViewSamples,
    camera_patches,
    samples_of_camera,
    samples_of_carfusion,
    views_of_camera,
)


@pytest.fixture
def samples(drive_folder, passing):
    """The drive's, unshaken, with its true keypoints."""
    views = passing.views()
    views = type(views)(**{**vars(views), "row": np.arange(10, 17)})
    return ViewSamples(views, camera_patches(drive_folder, views).__getitem__, 5, shaken=False)


@pytest.fixture
def own(drive_folder, passing, tmp_path):
    """The camera of the drive."""
    return own_camera(drive_folder, passing, tmp_path / "cameras")


def test_a_crop_shows_its_keypoints_where_the_sample_says(samples, passing):
    for i in range(len(samples)):
        sample, inside = samples[i], (passing.pixels[i] > 5).all(-1) & (passing.pixels[i] < (1275, 715)).all(-1)
        # From heatmap cells to the crop's pixels: both are centred.
        at = ((sample["cells"].numpy() - (MAP_CELLS - 1) / 2) * CELL_PX + (INPUT_PX - 1) / 2).round().astype(int)
        assert (sample["image"].numpy()[:, at[inside, 1], at[inside, 0]] > 90).all()


def test_shaken_boxes_take_points_and_cameras_with_them(passing, samples):
    shaken = ViewSamples(samples.views, samples.patch, 5)
    points = torch.from_numpy(passing.basis.mean).float()
    for index in (0, 3, 12):
        sample, still = shaken[index], samples[index]
        h = torch.cat([points, torch.ones(12, 1)], 1) @ sample["cameras"][0].T
        torch.testing.assert_close(h[:, :2] / h[:, 2:], sample["xy"], atol=1e-3, rtol=0)
        assert not torch.allclose(sample["xy"], still["xy"], atol=1e-3)
        assert torch.equal(sample["state"], still["state"]) and torch.equal(sample["other_xy"], still["other_xy"])


def test_samples_depend_on_their_number_and_differ_from_lap_to_lap(samples):
    shaken = ViewSamples(samples.views, samples.patch, 5)
    first, again = shaken[3], shaken[3]
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["image"], shaken[3 + len(samples)]["image"])


def test_a_cameras_folder_becomes_samples_whose_hidden_points_the_track_tells(own):
    samples = samples_of_camera(own, 0)
    assert len(samples) == 7
    batch = torch.utils.data.default_collate([samples[i] for i in range(7)])
    target, weight = transfer(batch["cameras"], batch["other_xy"], batch["other_visible"])
    known = (weight > 0.03) & (batch["state"] > 0)
    assert known.sum() > 0.6 * (batch["state"] > 0).sum()
    assert (target - batch["xy"])[known].norm(dim=-1).median() < 0.06


def test_mixed_samples_take_turns_with_what_all_have(samples, car_views):
    rendered = RenderedViews(car_views, seed=1)
    mixed = Kept(Mixed([rendered, samples]), 4)
    assert torch.equal(mixed[0]["image"], rendered[0]["image"]) and torch.equal(mixed[3]["image"], samples[1]["image"])
    assert set(mixed[0]) == set(mixed[1]) == set(samples[0])
    assert torch.equal(mixed[5]["image"], samples[0]["image"].flip(-1))


def test_crops_are_sampled_in_any_order_evenly_of_an_object_and_as_whole_objects():
    of = np.repeat(np.arange(40), 9)
    rows = view_samples._sampled(of, 0)
    assert sorted(rows) == list(range(len(of))) and np.array_equal(rows, view_samples._sampled(of, 0))
    assert len(set(of[rows[:32]])) > 15  # of 40, where the first 32 as they come are of four
    counts = np.bincount(of[view_samples._sampled(of, 0, 90)], minlength=40)
    assert sorted(counts) == [0] * 30 + [9] * 10 and counts[:10].sum() < 90
    often = np.sort(view_samples._sampled(np.repeat([7, 3], [500, 5]), 1))
    assert len(often) == view_samples._OF_ONE + 5 and (np.diff(often[:-5]) < 10).all()


def test_no_more_of_a_cameras_vehicles_are_kept_than_are_shown(own):
    few = samples_of_camera(own, 0, most=3)
    assert len(few) == 3 and few.sets.other_visible.any(axis=(1, 2)).all()
    order = samples_of_camera(own, 0).views.row
    assert sorted(order) == list(range(10, 17)) != list(order)


def test_carfusions_other_cameras_tell_what_one_does_not_see(carfusion):
    samples = samples_of_carfusion(carfusion, True, 0)
    assert len(samples) > 20 and len(set(samples.views.of)) == 1
    back = np.diff(samples.views.box_xywh[:, 0]) < 0
    assert back.sum() > 5  # in time order the car goes back once, where the second video begins
    batch = torch.utils.data.default_collate([samples[i] for i in range(len(samples))])
    target, weight = transfer(batch["cameras"], batch["other_xy"], batch["other_visible"])
    known = (weight > 0.03) & (batch["state"] > 0)
    assert known.sum() > 0.75 * (batch["state"] > 0).sum()
    assert (target - batch["xy"])[known].norm(dim=-1).median() < 0.08


def test_a_track_is_read_as_views_of_one_object(drive_folder, passing):
    views = views_of_camera(drive_folder, passing.camera, Detector(passing))
    np.testing.assert_array_equal(views.row, np.arange(10, 17))
    np.testing.assert_array_equal(views.of, 4)
    np.testing.assert_allclose(views.cameras, passing.views().cameras, rtol=1e-4, atol=1e-3)
    assert (views.visible == passing.visible).all() and (views.hidden == ~passing.visible).all()


def test_folders_without_other_views_are_named(drive_folder, passing):
    def read(score: float = 0.9) -> None:
        views_of_camera(drive_folder, passing.camera, Detector(passing, score))

    with pytest.raises(ValueError, match=r"no visible keypoint scored 0.3 or more in 7 vehicles"):
        read(0.1)
    path = drive_folder / "reconstructed" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 1), path)
    with pytest.raises(ValueError, match="no track has two vehicles fitted to keypoints"):
        read()
    pq.write_table(table, path)
    cutouts = drive_folder / "cutouts" / "part-00000.parquet"
    pq.write_table(pq.read_table(cutouts).slice(1), cutouts)
    with pytest.raises(ValueError, match="names cutouts that are not in cutouts"):
        read()


def test_of_several_intersections_the_last_one_validates(carfusion):
    """And none of the test intersection: its labels may say anything, and its pictures may be none."""
    for path in (carfusion / "car_penn1").glob("*/*"):
        path.write_bytes(b"nothing that can be read")
    levels = [levels_of(samples_of_carfusion(carfusion, held_out, 0)) for held_out in (False, True)]
    assert levels == [{150}, {90, 120}]


def test_of_one_intersection_every_fifth_object_validates(tmp_path):
    for number in range(7):
        write_carfusion(tmp_path, "car_craig1", number, 1000.0 + 50 * number, of=number, grey=60 + 20 * number)
    write_carfusion(tmp_path, "car_penn1", 1, 1400.0, grey=250)
    levels = [levels_of(samples_of_carfusion(tmp_path, held_out, 0)) for held_out in (False, True)]
    assert levels == [{60, 80, 100, 120, 160, 180}, {140}]


def test_one_object_alone_cannot_train_and_validate(tmp_path):
    write_carfusion(tmp_path, "car_craig1", 1, 1400.0)
    for held_out in (False, True):
        with pytest.raises(ValueError, match="expected two objects or more, one of which validates, got one"):
            samples_of_carfusion(tmp_path, held_out, 0)


def levels_of(samples):
    """The greys of the pictures that samples are cropped from."""
    return {round(float(samples.patch(i)[0].mean())) for i in range(len(samples))}
