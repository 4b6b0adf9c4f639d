"""What holds for every network, whoever wrote it: one test over all Specs."""

import dataclasses
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from contract_cases import CASES

import models
from models.checkpoints import load_into, read_weights, write_weights
from models.contract import Preset, TrainSettings, load_object, specs
from models.frames import frame_of
from models.network import check_batch
from models.predictor import Predictor
from models.train import Recipe, _batches, train_recipe
from pipeline.core import masks
from pipeline.core.instances import Instances

SPECS = specs()
OWN = [name for name, spec in SPECS.items() if not spec.train]  # those that the house trains
SHIPPED = [name for name, spec in SPECS.items() if spec.weights is not None and spec.weights.is_file()]
MIRRORED = ("image", "background")
every = pytest.mark.parametrize("name", list(SPECS))
own = pytest.mark.parametrize("name", OWN)
shipped = pytest.mark.parametrize("name", SHIPPED)


@pytest.fixture(scope="session")
def case_of(tmp_path_factory):
    """The case of a network, made once."""
    return cache(lambda name: CASES[name](tmp_path_factory))


@pytest.fixture(scope="session")
def fresh_weights(case_of, tmp_path_factory):
    """A file of weights with the case's settings: of a network that learned nothing, or two steps elsewhere."""

    @cache
    def made(name, seed=0):
        spec, case, folder = SPECS[name], case_of(name), tmp_path_factory.mktemp(name)
        if spec.train:
            training = dataclasses.replace(case.training, seed=seed)
            load_object(spec.train)(spec, Preset(case.settings, training), case.given, folder)
            return folder / spec.trained
        torch.manual_seed(seed)
        network = load_object(spec.network)(case.settings)
        network.initialise(seed)
        write_weights(folder / spec.trained, network, spec.config(case.settings))
        return folder / spec.trained

    return made


def frames_of(case):
    boxes = case.boxes if case.boxes is not None else [None] * len(case.pictures)
    return [frame_of(picture, box) for picture, box in zip(case.pictures, boxes, strict=True)]


def split(case, name, seed=3):
    return load_object(SPECS[name].data)(case.settings, case.given, seed)


def same(one, other, atol=0.0):
    """Whether two Instances agree in every column, numbers up to a tolerance."""
    return one.columns.keys() == other.columns.keys() and all(close(one[n], other[n], atol) for n in one.columns)


def close(one, other, atol):
    if isinstance(one, np.ndarray):
        if one.dtype.kind in "US":  # names
            return np.array_equal(one, other)
        return one.shape == other.shape and np.allclose(one, other, atol=atol, rtol=0, equal_nan=True)
    if len(one) and isinstance(one[0], np.ndarray | list):
        pairs = list(zip(one, other, strict=True)) if len(one) == len(other) else []
        return len(one) == len(other) and all(close(np.asarray(a), np.asarray(b), atol) for a, b in pairs)
    return np.array_equal(one, other) if not isinstance(one, list) else one == other


def test_every_network_has_its_case():
    assert set(CASES) == set(SPECS)


def test_an_unknown_network_is_one_line_with_those_that_there_are():
    with pytest.raises(ValueError, match="try `models") as error:
        models.load("nonsense")
    assert str(error.value).startswith(f"network: expected one of {', '.join(sorted(SPECS))}, got")


def test_specs_load_no_torch():
    code = "import sys; from models.contract import specs; specs(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@every
def test_what_a_spec_names_is_there(name):
    spec = SPECS[name]
    for text in (spec.network, spec.data, spec.adapt, spec.train, spec.measure, spec.predictor, spec.evaluate):
        assert not text or callable(load_object(text))
    assert spec.name == name and spec.summary and spec.gives
    assert "tiny" in spec.presets
    for preset in spec.presets.values():
        assert isinstance(preset.network, spec.settings)
        for one in ("steps", "lr", "batch", "seed", "workers"):
            dataclasses.replace(preset.train, **{one: 1})


@every
def test_settings_come_back_from_a_files_config(name, tmp_path):
    spec = SPECS[name]
    for preset in spec.presets.values():
        assert spec.rebuilt(spec.config(preset.network), tmp_path) == preset.network
    with pytest.raises(ValueError, match=f"expected weights of {name}, got those of 'other'"):
        spec.rebuilt({"model": "other"}, tmp_path)
    with pytest.raises(ValueError, match=f"another version of {name}"):
        spec.rebuilt({"model": name, "network": {"unheard_of": 1}}, tmp_path)


@every
def test_nothing_is_learnt_from_what_validates(name, case_of):
    case = case_of(name)
    splits = split(case, name)
    train, val = (set(case.identities(samples)) for samples in splits)
    assert train and val and not train & val


@own
def test_samples_are_a_function_of_seed_split_and_number(name, case_of):
    case = case_of(name)
    one, again, other = split(case, name), split(case, name), split(case, name, seed=4)
    for number in (0, 5, 10_000):
        for kind in ("train", "val"):
            a, b = getattr(one, kind)[number], getattr(again, kind)[number]
            assert a.keys() == b.keys() and all(alike(a[n], b[n]) for n in a)
    assert any(differs(one.train[n], other.train[n]) for n in range(4))
    assert any(differs(one.train[n], one.train[n + 1]) for n in range(4))
    assert all(differs(one.train[n], one.val[k]) for n in range(4) for k in range(4))


def differs(one, other):
    return any(not alike(one[n], other[n]) for n in one if one[n].shape == other[n].shape)


def alike(one, other):
    """What nobody knows is NaN, on both sides."""
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


@own
def test_training_reads_no_validation_sample_for_a_step(name, case_of, tmp_path):
    """Two runs that differ in their validation samples alone end with the same weights, and evaluate otherwise."""
    case, ended = case_of(name), []
    settings = TrainSettings(steps=2, batch=2, warmup=1, evaluate_every=1, val_samples=2, save_every=9, workers=0,
                             threads=1, bfloat16=False)  # fmt: skip
    splits = split(case, name)
    shifted = Shifted(splits.val, 997)  # a prime: no multiple of how many there are
    assert any(differs(splits.val[k], shifted[k]) for k in range(2))
    for number, val in enumerate((splits.val, shifted)):
        torch.manual_seed(0)
        network = load_object(SPECS[name].network)(case.settings)
        last = train_recipe(
            Recipe(network, splits._replace(val=val), {"model": name}), settings, tmp_path / str(number)
        )
        ended.append((read_weights(tmp_path / str(number) / "weights.safetensors")[0], last))
    (one, first), (other, second) = ended
    assert all(torch.equal(one[n], other[n]) for n in one)
    assert np.isfinite(first["loss"]) and SPECS[name].best.removeprefix("-") in first
    assert first["train_loss"] == second["train_loss"]


class Shifted:
    """The same samples from another number on."""

    def __init__(self, samples, by):
        self.samples, self.by = samples, by

    def __getitem__(self, index):
        return self.samples[index + self.by]


@own
def test_one_batch_is_learnt_by_heart(name, case_of):
    case = case_of(name)
    torch.manual_seed(0)
    network = load_object(SPECS[name].network)(case.settings).train()
    network.initialise(0)
    samples = split(case, name).train
    settings = TrainSettings(batch=case.batch, workers=0)
    batch = next(_batches(samples, settings, 0, 0, 1))
    check_batch(network, batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=case.lr)
    losses = []
    for _ in range(case.steps):
        parts = network.loss(network(batch), batch)
        assert all(value.requires_grad or value == 0 for value in parts.values()), "a part that nothing learns from"
        optimizer.zero_grad()
        parts["total"].backward()
        optimizer.step()
        losses.append(parts["total"].item())
        assert all(np.isfinite(value.item()) for value in parts.values())
    assert losses[-1] < case.overfit * losses[0], losses[:: max(1, case.steps // 8)]
    summed = sum(value for part, value in parts.items() if part != "total")
    assert len(parts) == 1 or torch.allclose(summed, parts["total"], rtol=1e-4)
    learnt = [p for p in network.parameters() if p.requires_grad]
    assert sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in learnt) > 0.5 * len(learnt)


@every
def test_what_is_saved_is_what_is_loaded(name, case_of, fresh_weights):
    """A file's predictions come back from it, and another file's are others."""
    case, files = case_of(name), (fresh_weights(name), fresh_weights(name), fresh_weights(name, 1))
    run_on = [models.load(name, path, "cpu") for path in files]
    one, again, other = (found(frames_of(case)) for found in run_on)
    assert all(same(a, b) for a, b in zip(one, again, strict=True))
    if case.shows:
        one, again, other = ([Instances((1, 1), {"shown": case.shows(found)})] for found in run_on)
        assert same(one[0], again[0])
    assert not all(same(a, b) for a, b in zip(one, other, strict=True))


@own
def test_a_files_numbers_are_in_the_network(name, case_of, fresh_weights):
    spec, path = SPECS[name], fresh_weights(name)
    torch.manual_seed(9)
    network = load_object(spec.network)(case_of(name).settings).eval()
    load_into(network, read_weights(path)[0], path)
    if not spec.predictor:
        mine = Predictor(spec, network)(frames_of(case_of(name)))
        assert all(
            same(a, b) for a, b in zip(mine, models.load(name, path, "cpu")(frames_of(case_of(name))), strict=True)
        )


@shipped
def test_the_weights_that_ship_are_in(name, case_of, fresh_weights):
    """Not those of a network that learned nothing, and no chance is in them."""
    frames = frames_of(case_of(name))
    torch.manual_seed(1)
    one = models.load(name, device="cpu")(frames)
    torch.manual_seed(2)
    again = models.load(name, SPECS[name].weights, "cpu")(frames)
    assert all(same(a, b) for a, b in zip(one, again, strict=True))
    untrained = models.load(name, fresh_weights(name), "cpu")(frames)
    assert not any(same(a, b) for a, b in zip(one, untrained, strict=True))


def predictor(name, fresh_weights):
    return models.load(name, None if name in SHIPPED else fresh_weights(name), "cpu")


@every
def test_a_frame_gets_the_columns_that_are_promised(name, case_of, fresh_weights):
    spec, frames = SPECS[name], frames_of(case_of(name))
    found = predictor(name, fresh_weights)(frames)
    assert len(found) == len(frames)
    for frame, objects in zip(frames, found, strict=True):
        assert isinstance(objects, Instances) and objects.size_hw == frame.size_hw
        assert set(spec.gives) <= set(objects.columns)
        if spec.needs:
            assert len(objects) == len(frame.objects)
            assert np.array_equal(objects["bbox_xywh"], frame.objects["bbox_xywh"])
        objects.plain()


@every
def test_a_frame_without_objects_and_one_that_lacks_what_is_needed(name, case_of, fresh_weights):
    spec, run_on = SPECS[name], predictor(name, fresh_weights)
    frame = frames_of(case_of(name))[0]
    if not spec.needs:
        return
    (none,) = run_on(frame.of([]))
    assert len(none) == 0 and set(spec.gives) <= set(none.columns)
    lacking = dataclasses.replace(frame, objects=Instances(frame.size_hw, {"other": [1]}))
    with pytest.raises(ValueError, match=f"{name}: picture .*expected {spec.needs[0]} of its objects"):
        run_on(lacking)


@every
def test_pictures_do_not_mix(name, case_of, fresh_weights):
    run_on, frames = predictor(name, fresh_weights), frames_of(case_of(name))
    together = run_on(frames)
    for frame, among in zip(frames, together, strict=True):
        (alone,) = run_on([frame])
        assert same(alone, among, case_of(name).order)


@every
def test_the_order_of_objects_makes_no_difference(name, case_of, fresh_weights):
    spec, case, run_on = SPECS[name], case_of(name), predictor(name, fresh_weights)
    frame = max(frames_of(case), key=lambda frame: len(frame.objects))
    if not spec.needs:
        return
    assert len(frame.objects) >= 2
    turned = np.arange(len(frame.objects))[::-1]
    (straight,), (other,) = run_on(frame), run_on(frame.of(turned))
    assert same(straight.rows(turned), other, case.order)
    assert not same(straight, other, case.order)


# Who finds objects himself finds them in an order of his own.
@pytest.mark.parametrize("name", [name for name in SHIPPED if SPECS[name].unit == "box"])
def test_a_mirrored_picture_gets_the_mirrored_prediction(name, case_of):
    spec, case, run_on = SPECS[name], case_of(name), models.load(name, device="cpu")
    for frame in frames_of(case):
        (straight,), (other,) = run_on(frame), run_on(mirrored(frame))
        expected = mirrored_columns(straight, spec.skeleton)
        for column, most in case.mirror.items():
            off = deviation(column, expected[column], other[column], frame.size_hw)
            assert off <= most, (column, off)


def mirrored(frame):
    """Left and right of the picture, of its background and of what is known of its objects change places."""
    layers = {n: np.ascontiguousarray(v[:, ::-1]) for n in MIRRORED if (v := getattr(frame, n)) is not None}
    return dataclasses.replace(frame, objects=mirrored_columns(frame.objects, None), **layers)


def mirrored_columns(objects, skeleton):
    width, changed = objects.size_hw[1], {}
    for column, values in objects.columns.items():
        if column.startswith("bbox"):
            changed[column] = np.column_stack([width - values[:, 0] - values[:, 2], values[:, 1:]])
        elif column.endswith("rle"):
            changed[column] = [flipped(rle, objects.size_hw) for rle in values]
        elif column == "keypoints_2d":
            changed[column] = np.stack([width - 1 - values[..., 0], values[..., 1]], -1)[:, list(skeleton.flip)]
        elif column in ("keypoint_state", "keypoint_score"):
            rows = [[row[k] for k in skeleton.flip] for row in values]
            changed[column] = np.array(rows) if isinstance(values, np.ndarray) else rows
    return objects.with_columns(changed)


def flipped(rle, size_hw):
    return masks.encode(masks.full(rle, size_hw)[:, ::-1], (0, 0), size_hw)


def deviation(column, expected, found, size_hw):
    """Fraction of states that differ, one minus the least overlap of masks, else the mean difference."""
    if column.endswith("rle"):
        pairs = [(masks.full(a, size_hw), masks.full(b, size_hw)) for a, b in zip(expected, found, strict=True)]
        return max(1 - (a & b).sum() / (a | b).sum() for a, b in pairs)
    if not isinstance(expected, np.ndarray):
        return np.mean([np.asarray(a) != np.asarray(b) for a, b in zip(expected, found, strict=True)])
    difference = np.abs(expected - found)
    return np.nanmean(np.linalg.norm(difference, axis=-1) if column == "keypoints_2d" else difference)
