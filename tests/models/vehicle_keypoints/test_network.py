import pytest
import torch

from models.checkpoints import load_into, read_weights, write_weights
from models.crops import MAP_CELLS
from models.layers.unet import scaled
from models.train import Recipe, TrainSettings, train
from models.vehicle_keypoints.data import RenderedCrops
from models.vehicle_keypoints.network import KeypointNetwork, NetworkSettings, build_network, config_of

SMALL = NetworkSettings(width=16, blocks=1)


class Few:
    """The first few crops, again and again."""

    def __init__(self, samples, count):
        self.kept = [samples[index] for index in range(count)]

    def __getitem__(self, index):
        return self.kept[index % len(self.kept)]


def batch_of(samples, count):
    return {name: torch.stack([samples[i][name] for i in range(count)]) for name in samples[0]}


def test_it_learns_a_few_crops_by_heart(library, tmp_path):
    torch.manual_seed(0)
    few = Few(RenderedCrops(library, 1), 8)
    network = KeypointNetwork(SMALL)
    before = network.eval().loss(batch_of(few, 8))
    settings = TrainSettings(steps=60, batch=8, lr=4e-3, warmup=5, evaluate_every=60, val_samples=8, workers=0,
                             threads=1, bfloat16=False, ema=0.9, clip=5.0)  # fmt: skip
    last = train(Recipe(network, few, few, config_of(SMALL)), settings, tmp_path)
    after = network.eval().loss(batch_of(few, 8))
    # A Gaussian of one cell has an entropy of 2.84: nothing can be below it.
    assert before["heatmap"] > 6 and 2.8 < after["heatmap"] < 3.6
    assert last["pck"] > 0.9 and last["state_accuracy"] > 0.9


@pytest.mark.parametrize("settings", [SMALL, NetworkSettings(width=8, blocks=2)])
def test_a_crops_maps_do_not_depend_on_who_else_is_in_the_batch(library, settings):
    network = KeypointNetwork(settings).eval()
    image = batch_of(RenderedCrops(library, 2), 6)["image"]
    with torch.no_grad():
        heat, state = network(scaled(image))
        turned_heat, turned_state = network(scaled(image.flip(0)))
        alone, _ = network(scaled(image[2:3]))
    assert heat.shape == (6, 12, MAP_CELLS, MAP_CELLS) and state.shape == (6, 12, 4)
    assert torch.allclose(turned_heat.flip(0), heat, atol=1e-4) and torch.allclose(
        turned_state.flip(0), state, atol=1e-4
    )
    assert torch.allclose(alone, heat[2:3], atol=1e-4)


def test_unknown_points_and_states_teach_nothing(library):
    network = KeypointNetwork(SMALL).eval()
    batch = batch_of(RenderedCrops(library, 2), 2)
    batch["cells"][:, :6], batch["state"][:, :6] = float("nan"), -1
    whole = network.loss(batch)
    assert torch.isfinite(whole["loss"])
    moved = dict(batch, cells=batch["cells"].clone())
    moved["cells"][:, 6] = float("nan")
    assert network.loss(moved)["heatmap"] != whole["heatmap"]
    batch["cells"][:], batch["state"][:] = float("nan"), -1
    assert network.loss(batch)["loss"] == 0
    counted = network.metrics(batch)
    assert all(value[1] == 0 for value in counted.values())


def test_metrics_count_what_is_near(library):
    network = KeypointNetwork(SMALL).eval()
    batch = batch_of(RenderedCrops(library, 2), 4)
    counts = network.metrics(batch)
    assert sum(counts[f"pck_{s}"][1] for s in ("visible", "self_occluded", "occluded", "truncated")) == 48
    assert counts["pck"][1] == 48 and counts["pck"][0] <= 48
    batch["radius"] = torch.full((4,), 100.0)
    assert network.metrics(batch)["pck"].tolist() == [48, 48]


def test_weights_rebuild_their_network_and_no_other(tmp_path):
    path, network = tmp_path / "weights.safetensors", KeypointNetwork(SMALL)
    write_weights(path, network, config_of(SMALL))
    state, config = read_weights(path)
    load_into(build_network(config, path), state, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors: weights of another architecture"):
        load_into(KeypointNetwork(NetworkSettings(width=24)), state, path)
    with pytest.raises(ValueError, match="expected weights of vehicle_keypoints, got those of 'matting'"):
        build_network({"model": "matting"}, path)
