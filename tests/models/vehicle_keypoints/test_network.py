import pytest
import torch

from models.checkpoints import load_into, read_weights, write_weights
from models.contract import Splits, TrainSettings
from models.crops import MAP_CELLS
from models.train import Recipe, train_recipe
from models.vehicle_keypoints import SPEC, KeypointSettings
from models.vehicle_keypoints.data import RenderedCrops
from models.vehicle_keypoints.network import KeypointNetwork

SMALL = KeypointSettings(width=16, blocks=1)


class Few:
    """The first few crops, again and again."""

    def __init__(self, samples, count):
        self.kept = [samples[index] for index in range(count)]

    def __getitem__(self, index):
        return self.kept[index % len(self.kept)]


def loss_of(network, batch):
    return network.loss(network(batch), batch)


def counts_of(network, batch):
    return network.metrics(network(batch), batch)


def batch_of(samples, count):
    return {name: torch.stack([samples[i][name] for i in range(count)]) for name in samples[0]}


def test_it_learns_a_few_crops_by_heart(library, tmp_path):
    torch.manual_seed(0)
    few = Few(RenderedCrops(library, 1), 8)
    network = KeypointNetwork(SMALL)
    before = loss_of(network.eval(), batch_of(few, 8))
    settings = TrainSettings(steps=60, batch=8, lr=4e-3, warmup=5, evaluate_every=60, val_samples=8, workers=0,
                             threads=1, bfloat16=False, ema=0.9, clip=5.0)  # fmt: skip
    last = train_recipe(Recipe(network, Splits(few, few), SPEC.config(SMALL), SPEC.best), settings, tmp_path)
    after = loss_of(network.eval(), batch_of(few, 8))
    # A Gaussian of one cell has an entropy of 2.84: nothing can be below it.
    assert before["heatmap"] > 6 and 2.8 < after["heatmap"] < 3.6
    assert last["pck"] > 0.9 and last["state_accuracy"] > 0.9


@pytest.mark.parametrize("settings", [SMALL, KeypointSettings(width=8, blocks=2)])
def test_a_crops_maps_do_not_depend_on_who_else_is_in_the_batch(library, settings):
    network = KeypointNetwork(settings).eval()
    image = batch_of(RenderedCrops(library, 2), 6)["image"]
    with torch.no_grad():
        heat, state = network({"image": image})
        turned_heat, turned_state = network({"image": image.flip(0)})
        alone, _ = network({"image": image[2:3]})
    assert heat.shape == (6, 12, MAP_CELLS, MAP_CELLS) and state.shape == (6, 12, 4)
    assert torch.allclose(turned_heat.flip(0), heat, atol=1e-4) and torch.allclose(
        turned_state.flip(0), state, atol=1e-4
    )
    assert torch.allclose(alone, heat[2:3], atol=1e-4)


def test_unknown_points_and_states_teach_nothing(library):
    network = KeypointNetwork(SMALL).eval()
    batch = batch_of(RenderedCrops(library, 2), 2)
    batch["cells"][:, :6], batch["state"][:, :6] = float("nan"), -1
    whole = loss_of(network, batch)
    assert torch.isfinite(whole["total"])
    moved = dict(batch, cells=batch["cells"].clone())
    moved["cells"][:, 6] = float("nan")
    assert loss_of(network, moved)["heatmap"] != whole["heatmap"]
    batch["cells"][:], batch["state"][:] = float("nan"), -1
    assert loss_of(network, batch)["total"] == 0
    counted = counts_of(network, batch)
    assert all(value[1] == 0 for value in counted.values())


def test_metrics_count_what_is_near(library):
    network = KeypointNetwork(SMALL).eval()
    batch = batch_of(RenderedCrops(library, 2), 4)
    counts = counts_of(network, batch)
    assert sum(counts[f"pck_{s}"][1] for s in ("visible", "self_occluded", "occluded", "truncated")) == 48
    assert counts["pck"][1] == 48 and counts["pck"][0] <= 48
    batch["radius"] = torch.full((4,), 100.0)
    assert counts_of(network, batch)["pck"].tolist() == [48, 48]


def test_weights_rebuild_their_network_and_no_other(tmp_path):
    path, network = tmp_path / "weights.safetensors", KeypointNetwork(SMALL)
    write_weights(path, network, SPEC.config(SMALL))
    state, config = read_weights(path)
    load_into(KeypointNetwork(SPEC.rebuilt(config, path)), state, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors: weights of another architecture"):
        load_into(KeypointNetwork(KeypointSettings(width=24)), state, path)
    with pytest.raises(ValueError, match="expected weights of vehicle_keypoints, got those of 'matting'"):
        SPEC.rebuilt({"model": "matting"}, path)
