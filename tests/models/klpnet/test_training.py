"""Runs on drawn kites: stopped and gone on with, learnt by heart, measured."""

import dataclasses

import pytest
import torch
from drawn_kites import TABLE, write_split, write_splits
from small_klpnet import SMALL
from torch.utils.data import default_collate

from models.contract import Given, Preset, TrainSettings
from models.klpnet import PRESETS, SPEC
from models.klpnet.data import LinkedCrops, splits
from models.klpnet.evaluate import chosen, judge, link_trials, load_network, main, table_of_scores
from models.klpnet.network import KlpNet
from models.linked_objects.shards import read_linked
from models.metrics.links import pooled_scores
from models.train import train

FEW = TrainSettings(
    steps=4, batch=4, warmup=1, evaluate_every=2, val_samples=4, save_every=1, workers=0, threads=1, bfloat16=False
)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return Given(data=write_splits(tmp_path_factory.mktemp("drawn")))


@pytest.fixture(scope="module")
def learnt(given):
    """A network that knows six pictures by heart."""
    torch.manual_seed(0)
    settings = dataclasses.replace(SMALL, unnamed=0.0, cklm=dataclasses.replace(SMALL.cklm, widths=(16, 24, 24, 24)))
    samples = splits(settings, given, 0).train
    few = dataclasses.replace(samples.pictures, pictures=samples.pictures.pictures[:6])
    plain = LinkedCrops(few, settings, 0, augment=False)
    batch = default_collate([plain[k] for k in range(len(plain))])
    network = KlpNet(settings).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=8e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, 90)
    for _ in range(90):
        loss = network.loss(network(batch), batch)["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval(), few


def test_a_run_that_was_stopped_ends_with_the_bytes_of_an_undisturbed_one(given, tmp_path):
    """Running statistics of roles, noise of latent variables and given nodes included."""
    preset = Preset(SMALL, FEW)
    train(SPEC, preset, given, tmp_path / "whole")

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SPEC, preset, given, tmp_path / "halted", progress=stop)
    train(SPEC, preset, given, tmp_path / "halted")
    assert (tmp_path / "whole" / SPEC.trained).read_bytes() == (tmp_path / "halted" / SPEC.trained).read_bytes()


def test_a_handful_of_objects_is_learnt_by_heart(learnt):
    """Where their points are, which is which, and how they are linked."""
    network, pictures = learnt
    scores = pooled_scores([one.scored for one in judge(network, pictures)])
    assert scores["pck"] > 0.9 and scores["pck_oracle"] >= scores["pck"]
    assert scores["link_f1"] > 0.8 and scores["link_ap"] > 0.85


def test_links_among_false_nodes_beat_what_needs_no_learning(learnt):
    """Of a few objects the mean layout is nearly their own, so that it only fails where nodes are false."""
    network, pictures = learnt
    samples = LinkedCrops(pictures, network.settings, 0, augment=False)
    rows = {row["nodes"]: row for row in link_trials(network, samples, len(samples), 0)}
    assert list(rows) == ["whole", "missing", "extra", "overlap"]
    extra = rows["extra"]
    assert extra["CLPGM F1"] > max(extra["table on mean layout F1"], extra["nearest neighbours F1"])
    assert rows["overlap"]["objects"] == 4 and rows["whole"]["CLPGM F1"] > 0.8


def test_trials_of_a_few_objects_take_them_from_all_pictures_the_same_ones_each_time(given):
    """Shards are in an order, so the first pictures stand for no others."""
    samples = LinkedCrops(read_linked(given.data, "test"), SMALL, 0, augment=False)
    few, again, other = (chosen(samples, "whole", 5, seed) for seed in (0, 0, 1))
    assert few == again != other and len(set(few)) == 5 and max(few) >= 5
    overlapping = chosen(samples, "overlap", 1000, 0)
    assert overlapping == [n for n in range(len(samples)) if int(samples[n]["overlapping"])]


def test_tables_count_every_object_once_in_each_kind_of_group(learnt):
    network, pictures = learnt
    judged = judge(network, pictures)
    rows = {row["objects of"]: row["count"] for row in table_of_scores(judged, TABLE.names)}
    assert rows["all"] == len(judged) == sum(rows[name] for name in TABLE.names)
    assert rows["all"] == rows["alone"] + rows["overlaps one"] + rows["overlaps more"]
    assert rows["overlaps one"] == 4


def test_judging_leaves_the_networks_settings_as_they_were(learnt):
    network, pictures = learnt
    judge(network, pictures, lis=False)
    assert network.settings.lis


def test_the_command_prints_tables_and_says_what_is_wrong_in_one_line(given, tmp_path, capsys):
    train(SPEC, Preset(SMALL, dataclasses.replace(FEW, steps=1)), given, tmp_path / "run")
    weights = str(tmp_path / "run" / SPEC.trained)
    assert main(["--pictures", str(given.data), "--split", "other", "--weights", weights]) == 0
    assert "overlaps one" in capsys.readouterr().out
    assert main(["--pictures", str(tmp_path), "--weights", weights]) == 1
    said = capsys.readouterr().err
    assert said.startswith("evaluate: ") and said.count("\n") == 1 and "RenderLinkedObjects" in said
    write_split(tmp_path / "empty", "test", 0, 0)
    assert main(["--pictures", str(tmp_path / "empty"), "--weights", weights]) == 1
    said = capsys.readouterr().err
    assert said.startswith("evaluate: ") and said.count("\n") == 1 and "no object" in said


def test_a_split_without_objects_has_nothing_to_judge(learnt, tmp_path):
    network, _ = learnt
    write_split(tmp_path, "test", 0, 0)
    assert judge(network, read_linked(tmp_path, "test")) == []


def test_presets_are_the_papers_where_they_say_so():
    paper = PRESETS["paper"]
    assert paper.train.steps == 180_000 and (paper.network.alpha, paper.network.beta) == (0.3, 0.7)
    assert paper.network.cklm.kernels == (7, 5, 3) and paper.network.cklm.down_blocks == (3, 5, 2, 5)
    assert {"tiny", "base", "paper", "agnostic", "specific", "one_stage"} <= set(PRESETS)


def test_a_network_is_for_the_classes_of_its_data(given, tmp_path):
    preset = Preset(
        dataclasses.replace(SMALL, classes=PRESETS["tiny"].network.classes), dataclasses.replace(FEW, steps=1)
    )
    train(SPEC, preset, given, tmp_path)
    assert load_network(tmp_path / SPEC.trained).table.names == TABLE.names
