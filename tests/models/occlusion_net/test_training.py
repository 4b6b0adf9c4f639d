from dataclasses import replace

import pytest
import torch
from models.occlusion_net.recipe import PRESETS, build

from models.occlusion_net.evaluate import load_network, main
from models.occlusion_net.network import OcclusionNetSettings
from models.occlusion_net.stack import main as stack_main
from models.train import TrainSettings, train

TINY = OcclusionNetSettings(width=8, hidden=16)
SHORT = TrainSettings(steps=3, batch=4, warmup=1, evaluate_every=3, val_samples=4, workers=0, bfloat16=False)


@pytest.fixture(scope="module")
def trained(views_folder, tmp_path_factory):
    """Run folders of three steps: ours, and the baseline."""
    folders = {}
    for name, settings in (("ours", TINY), ("baseline", replace(TINY, graph=False, lift=False))):
        folders[name] = tmp_path_factory.mktemp(name)
        train(build(settings, 0, views_folder), SHORT, folders[name])
    return folders


def test_presets_are_named_as_the_makefile_has_them_and_differ_by_the_graphs_alone():
    assert {"tiny", "base", "baseline"} <= set(PRESETS)
    (ours, steps), (theirs, same_steps) = PRESETS["tiny"], PRESETS["baseline"]
    assert steps == same_steps and replace(ours, graph=False, lift=False) == theirs


def test_trains_on_car_render(trained):
    network = load_network(trained["ours"] / "weights.safetensors")
    assert network.settings == TINY and network.graphs is not None


def test_goes_on_from_the_baseline(trained, views_folder):
    recipe = build(TINY, 1, views_folder, init_from=trained["baseline"] / "weights.safetensors")
    assert recipe.config["init_from"] == "weights.safetensors"


def test_labels_that_are_no_carfusion_are_named(views_folder, tmp_path):
    with pytest.raises(ValueError, match=r"expected CarFusion's sequences"):
        build(TINY, 0, views_folder, labels=tmp_path / "labels.csv")


def test_evaluation_prints_tables_and_draws_figures(trained, views_folder, tmp_path, capsys, monkeypatch):
    files = [str(trained[name] / "weights.safetensors") for name in ("ours", "baseline")]
    options = ["--crops", views_folder, "--weights", files[0], "--baseline", files[1], "--plots", tmp_path]
    monkeypatch.setattr("sys.argv", ["evaluate", *map(str, options)])
    main()
    printed = capsys.readouterr().out
    for words in ("test: 8 crops", "unseen: 4 crops", "composed: 8 crops", "occlusion AUC", "yaw error", "noise"):
        assert words in printed
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert {"figure3_occlusion_test.png", "figure5_alpha_unseen.png", "figure9_hidden_composed.png",
            "figure10_noise.png"} <= figures  # fmt: skip


def test_stacked_graphs_keep_the_baselines_heatmaps(trained, views_folder, tmp_path, capsys):
    baseline, out = trained["baseline"] / "weights.safetensors", tmp_path / "stacked.safetensors"
    options = ["--baseline", baseline, "--crops", views_folder, "--out", out, "--steps", 2]
    assert stack_main([*map(str, options)]) == 0
    found, before = load_network(out), load_network(baseline)
    assert found.graphs is not None and found.settings.width == before.settings.width
    for name, value in before.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value)
    assert stack_main(["--baseline", str(tmp_path / "none"), *map(str, options[2:])]) == 1
    assert capsys.readouterr().err == f"stack: {tmp_path / 'none'}: no weights there\n"
