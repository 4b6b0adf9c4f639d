"""What it learns from and where it begins, and two steps of each kind of data."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from carfusion_files import write_carfusion
from drives import own_camera

from models.checkpoints import read_weights
from models.contract import Given, Preset, TrainOptions, TrainSettings
from models.occlusion_net import PRESETS, SPEC, OcclusionNetSettings
from models.occlusion_net.data import splits
from models.occlusion_net.evaluate import load_network
from models.train import build, train

SHORT = TrainSettings(steps=2, batch=4, warmup=1, evaluate_every=2, val_samples=4, workers=0, bfloat16=False, threads=1)


@pytest.fixture(scope="module")
def trained(tiny, views_folder, tmp_path_factory):
    """Run folders of two steps: ours, and the baseline."""
    folders = {}
    for name, settings in (("ours", tiny), ("baseline", replace(tiny, graph=False, lift=False))):
        folders[name] = tmp_path_factory.mktemp(name)
        train(SPEC, Preset(settings, SHORT), Given(data=views_folder), folders[name])
    return folders


def test_presets_differ_by_the_graphs_alone_and_are_named_as_stacking_has_them():
    assert {"tiny", "base", "baseline", "finetune", "finetune_baseline"} <= set(PRESETS)
    for name, without in (("tiny", "baseline"), ("finetune", "finetune_baseline")):
        ours, theirs = PRESETS[name], PRESETS[without]
        assert ours._replace(network=replace(ours.network, graph=False, lift=False)) == theirs


def test_trains_on_car_render(trained, tiny):
    network = load_network(trained["ours"] / "weights.safetensors")
    assert network.settings == tiny and network.graphs is not None


def test_goes_on_from_the_baseline(trained, tiny, views_folder):
    path = trained["baseline"] / "weights.safetensors"
    recipe = build(SPEC, Preset(tiny, SHORT), Given(data=views_folder), path)
    assert recipe.config["init_from"] == "weights.safetensors"
    state, _ = read_weights(path)
    assert all(torch.equal(recipe.network.state_dict()[name], value) for name, value in state.items() if value.ndim)
    with pytest.raises(ValueError, match="weights of another architecture"):
        build(SPEC, Preset(replace(tiny, width=16), SHORT), Given(data=views_folder), path)


def test_labels_that_are_no_carfusion_are_named(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"expected CarFusion's sequences"):
        splits(tiny, Given(labels=tmp_path / "labels.csv"), 0)


def test_trains_on_carfusion_and_never_on_its_test_intersection(carfusion, tiny, tmp_path):
    """What stands in the test intersection's files makes no difference to any weight or number, be it unreadable."""
    ended = []
    for name in ("whole", "broken"):
        last = train(SPEC, Preset(tiny, SHORT), Given(labels=carfusion), tmp_path / name)
        ended.append((read_weights(tmp_path / name / "weights.safetensors"), last))
        for path in (carfusion / "car_penn1").glob("*/*"):
            path.write_bytes(b"nothing that can be read")
    ((one, config), first), ((other, _), second) = ended
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert first == second and np.isfinite(first["train_loss"]) and np.isfinite(first["loss"])
    assert config["labels"] == carfusion.name


def test_a_folder_of_the_test_intersection_alone_trains_nothing(tiny, tmp_path):
    for number in (1, 2):
        write_carfusion(tmp_path, "car_penn1", number, 1400.0, of=number)
    with pytest.raises(ValueError, match="no labelled vehicle of butler, craig, fifth, morewood"):
        splits(tiny, Given(labels=tmp_path), 0)


def test_trains_on_car_render_and_a_cameras_vehicles(drive_folder, passing, views_folder, tiny, tmp_path):
    given = Given(data=views_folder, cameras=(own_camera(drive_folder, passing, tmp_path / "cameras"),))
    assert np.isfinite(train(SPEC, Preset(tiny, SHORT), given, tmp_path / "run")["train_loss"])
    assert read_weights(tmp_path / "run" / "weights.safetensors")[1]["cameras"] == ["drive"]
    alone = splits(tiny, Given(data=views_folder), 0)
    mixed = splits(tiny, given, 0)
    assert torch.equal(mixed.val[0]["image"], alone.val[0]["image"])  # cameras' own vehicles only train
    assert torch.equal(mixed.train[0]["image"], alone.train[0]["image"])
    assert not torch.equal(mixed.train[1]["image"], alone.train[1]["image"])


def test_backdrops_stand_behind_vehicles_of_training_alone(views_folder, tiny, tmp_path, rng):
    cv2.imwrite(str(tmp_path / "street.png"), rng.integers(0, 255, (400, 400, 3), dtype=np.uint8))
    plain, more = (splits(tiny, Given(data=views_folder, backdrops=path), 0) for path in (None, tmp_path))
    count = len(plain.train.samples.library.backdrops)
    assert len(more.train.samples.library.backdrops) == count + 1
    assert len(more.val.library.backdrops) == len(plain.val.library.backdrops)


def test_what_does_not_go_together_is_told(tiny, tmp_path, carfusion, passing):
    own = (own_camera(tmp_path, passing, tmp_path / "cameras"),)
    for other in ({"cameras": own}, {"backdrops": tmp_path}):
        with pytest.raises(ValueError, match="goes without --backdrops and"):
            splits(tiny, Given(labels=carfusion, **other), 0)
    truth = OcclusionNetSettings(width=8, hidden=16, supervision="truth")
    for given in (Given(labels=carfusion), Given(data=tmp_path, cameras=own)):
        with pytest.raises(ValueError, match="supervision truth"):
            splits(truth, given, 0)
    with pytest.raises(ValueError, match="has no use for --images; it reads --labels, --backdrops, --cameras"):
        SPEC.preset(TrainOptions(labels="a", images="b"))
    with pytest.raises(ValueError, match="expected the folder that RenderCarViews wrote, got none"):
        splits(tiny, Given(), 0)
    (carfusion / "car_craig1" / "images_jpg" / "2_0003.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 of 36 labelled frames have no picture.*2_0003.jpg"):
        splits(tiny, Given(labels=carfusion), 0)
