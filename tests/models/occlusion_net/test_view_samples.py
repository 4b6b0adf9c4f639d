"""A drawn drive as training samples, from a camera's folder and from CarFusion's files of two videos."""

import cv2
import numpy as np
import pytest
import torch
from drives import Detector, drive
from models.occlusion_net.recipe import build

from models.geometry.boxes import CELL_PX, INPUT_PX, MAP_CELLS
from models.geometry.object_poses import focal_px
from models.occlusion_net import view_samples
from models.occlusion_net.data import Kept, RenderedViews
from models.occlusion_net.lifting import vehicles_basis
from models.occlusion_net.network import OcclusionNetSettings
from models.occlusion_net.trifocal import transfer
from models.occlusion_net.view_samples import (
    Mixed,
    ViewSamples,
    camera_patches,
    samples_of_camera,
    samples_of_carfusion,
)
from models.train import TrainSettings, train

TINY = OcclusionNetSettings(width=8, hidden=16)
# Ours of CarFusion's fourteen.
_POINT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13)


@pytest.fixture
def samples(drive_folder, passing):
    """The drive's, unshaken, with its true keypoints."""
    views = passing.views()
    views = type(views)(**{**vars(views), "row": np.arange(10, 17)})
    return ViewSamples(views, camera_patches(folder, views).__getitem__, 5, shaken=False)


def _drive_past(focal: float, count: int = 12):
    """Another drive past a camera of another focal length."""
    turns = np.linspace(0.2, 2.6, count)
    return drive(np.column_stack([np.linspace(-6, 6, count), np.full(count, 18.0)]), turns, focal=focal)


@pytest.fixture
def carfusion(tmp_path):
    """Two videos of car_craig1 and one of car_penn1: one object, seen points with flag 1, its far side with 3."""
    for sequence, video, focal in (("car_craig1", 1, 1400.0), ("car_craig1", 2, 900.0), ("car_penn1", 1, 1400.0)):
        seen = _drive_past(focal)
        for i in range(len(seen.t)):
            labels = zip(seen.pixels[i].tolist(), _POINT, seen.visible[i].tolist(), strict=True)
            text = "".join(f"{x:.2f},{y:.2f},{point},3,{1 if v else 3}\n" for (x, y), point, v in labels)
            for name, suffix in (("gt", "txt"), ("images_jpg", "jpg")):
                (tmp_path / sequence / name).mkdir(parents=True, exist_ok=True)
                path = tmp_path / sequence / name / f"{video}_{i:04d}.{suffix}"
                if name == "gt":
                    path.write_text(text)
                else:
                    cv2.imwrite(str(path), np.full((720, 1280, 3), 90, np.uint8))
    return tmp_path


def test_a_crop_shows_its_keypoints_where_the_sample_says(samples, passing):
    for i in range(len(samples)):
        sample, inside = samples[i], (passing.pixels[i] > 5).all(-1) & (passing.pixels[i] < (1275, 715)).all(-1)
        # From heatmap cells to the window's pixels: both are centred.
        at = ((sample["cells"].numpy() - (MAP_CELLS - 1) / 2) * CELL_PX + (INPUT_PX - 1) / 2).round().astype(int)
        assert (sample["image"].numpy()[:, at[inside, 1], at[inside, 0]] > 90).all()


def test_shaken_boxes_take_points_and_cameras_with_them(drive_folder, passing, samples):
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


def test_a_cameras_folder_becomes_samples_whose_hidden_points_the_track_tells(drive_folder, passing):
    samples = samples_of_camera(drive_folder, passing.camera, Detector(passing), 0)
    assert len(samples) == 7
    batch = torch.utils.data.default_collate([samples[i] for i in range(7)])
    target, weight = transfer(batch["cameras"], batch["other_xy"], batch["other_visible"])
    told = (weight > 0.03) & (batch["state"] > 0)
    assert told.sum() > 0.6 * (batch["state"] > 0).sum()
    assert (target - batch["xy"])[told].norm(dim=-1).median() < 0.06


def test_mixed_samples_take_turns_with_what_all_have(samples, car_views):
    rendered = RenderedViews(car_views, seed=1)
    mixed = Kept(Mixed([rendered, samples]), 4)
    assert torch.equal(mixed[0]["image"], rendered[0]["image"]) and torch.equal(mixed[3]["image"], samples[1]["image"])
    assert set(mixed[0]) == set(mixed[1]) == set(samples[0])
    assert torch.equal(mixed[5]["image"], samples[0]["image"].flip(-1))


@pytest.mark.parametrize("focal", [700.0, 1300.0, 2300.0])
def test_focal_length_is_found_by_vehicles_of_unknown_shape(focal, rng):
    size = np.array([1280, 720])
    drives = []
    for _ in range(6):
        near = np.column_stack([rng.uniform(-4, 4, 6), rng.uniform(9, 18, 6) * focal / 1000])
        drives.append(drive(near, rng.uniform(0, 6.28, 6), rng.normal(0, 0.7, 8), focal=focal))
    xy, visible, box = (np.concatenate([getattr(d, n) for d in drives]) for n in ("pixels", "visible", "box_xywh"))
    noisy = xy + rng.normal(0, 0.005, xy.shape) * box[:, 2:].max(axis=1)[:, None, None]
    given = np.repeat(np.arange(6), 6), noisy, visible.astype(float), box, size, vehicles_basis()
    assert abs(np.log(focal_px(*given) / focal)) < 0.4
    assert focal_px(*given[:2], 0.0 * visible, *given[3:]) == 1280


def test_crops_are_drawn_in_any_order_evenly_of_an_object_and_as_whole_objects():
    of = np.repeat(np.arange(40), 9)
    rows = view_samples._drawn(of, 0)
    assert sorted(rows) == list(range(len(of))) and np.array_equal(rows, view_samples._drawn(of, 0))
    assert len(set(of[rows[:32]])) > 15  # of 40, where the first 32 as they come are of four
    counts = np.bincount(of[view_samples._drawn(of, 0, 90)], minlength=40)
    assert sorted(counts) == [0] * 30 + [9] * 10 and counts[:10].sum() < 90
    often = np.sort(view_samples._drawn(np.repeat([7, 3], [500, 5]), 1))
    assert len(often) == view_samples._OF_ONE + 5 and (np.diff(often[:-5]) < 10).all()


def test_no_more_of_a_cameras_vehicles_are_kept_than_are_shown(drive_folder, passing):
    few = samples_of_camera(drive_folder, passing.camera, Detector(passing), 0, most=3)
    assert len(few) == 3 and few.sets.other_visible.any(axis=(1, 2)).all()
    order = samples_of_camera(drive_folder, passing.camera, Detector(passing), 0).views.row
    assert sorted(order) == list(range(10, 17)) != list(order)


def test_carfusions_other_cameras_tell_what_one_does_not_see(carfusion):
    samples = samples_of_carfusion(carfusion, "train", 0, shaken=False)
    assert len(samples) > 20 and len(set(samples.views.of)) == 1
    back = np.diff(samples.views.box_xywh[:, 0]) < 0
    assert back.sum() > 5  # in time order the car goes back once, where the second video begins
    batch = torch.utils.data.default_collate([samples[i] for i in range(len(samples))])
    target, weight = transfer(batch["cameras"], batch["other_xy"], batch["other_visible"])
    told = (weight > 0.03) & (batch["state"] > 0)
    assert told.sum() > 0.75 * (batch["state"] > 0).sum()
    assert (target - batch["xy"])[told].norm(dim=-1).median() < 0.08


SHORT = TrainSettings(steps=2, batch=4, warmup=1, evaluate_every=2, val_samples=4, workers=0, bfloat16=False)


def test_trains_on_carfusion_alone(carfusion, tmp_path):
    recipe = build(TINY, 0, tmp_path / "none", labels=carfusion)
    last = train(recipe, SHORT, tmp_path / "run")
    assert np.isfinite(last["train_loss"]) and recipe.config["labels"] == carfusion.name


def test_trains_on_car_render_and_a_cameras_vehicles(drive_folder, passing, views_folder, tmp_path):
    recipe = build(TINY, 0, views_folder, cameras=[(drive_folder, passing.camera, Detector(passing))])
    assert np.isfinite(train(recipe, SHORT, tmp_path / "run")["train_loss"])
    assert recipe.config["cameras"] == [folder.name]


def test_what_does_not_go_together_is_told(tmp_path, carfusion, passing):
    with pytest.raises(ValueError, match="goes without --images"):
        build(TINY, 0, tmp_path, labels=carfusion, cameras=[(tmp_path, passing.camera, Detector(passing))])
    with pytest.raises(ValueError, match="supervision truth"):
        build(OcclusionNetSettings(width=8, hidden=16, supervision="truth"), 0, tmp_path, labels=carfusion)
    (carfusion / "car_craig1" / "images_jpg" / "2_0003.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 of 24 labelled frames have no picture.*2_0003.jpg"):
        build(TINY, 0, tmp_path, labels=carfusion)
