"""Samples, loss, learning, and weights that come back as they went."""

import dataclasses

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from cards import CARDS

import models
from models.checkpoints import write_weights
from models.contract import Given, Preset, TrainOptions, TrainSettings
from models.frames import Frame
from models.labels.occlusion import CLASSES, CROPS, INPUT_PX, OBJECT, STORED_PX, STREET, row
from models.labels.occlusion_csv import csv_of
from models.occlusion_classifier import PRESETS, SPEC, ClassifierSettings
from models.occlusion_classifier.data import Crops, split, splits, stored, varied
from models.occlusion_classifier.evaluate import chances_of
from models.occlusion_classifier.network import OcclusionNetwork
from models.occlusion_classifier.simulated import crops_of_camera
from models.train import build, train
from pipeline.core import masks
from pipeline.core.instances import Instances

SMALL = ClassifierSettings(width=8)
SHORT = TrainSettings(
    steps=60, batch=16, lr=5e-3, warmup=5, ema=0.8, bfloat16=False, evaluate_every=60, val_samples=40, workers=0,
    threads=1,
)  # fmt: skip


TINY = Preset(SMALL, SHORT)


def network_of(path):
    return models.load(SPEC.name, path, "cpu").network


@pytest.fixture(scope="module")
def crops(camera_dir, tmp_path_factory):
    """The folder of crops that OcclusionCrops would write of the cards."""
    folder = tmp_path_factory.mktemp("crops")
    pq.write_table(crops_of_camera(camera_dir, camera_dir / "tracks.parquet", 30), folder / "cards.parquet")
    return folder


@pytest.fixture(scope="module")
def trained(crops, tmp_path_factory):
    """A run's folder, and its last metrics."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(SPEC, TINY, Given(data=crops), folder)


def test_samples_are_a_function_of_their_number(crops):
    table = pq.read_table(crops / "cards.parquet")
    one, two = (Crops([table], 3, vary=True) for _ in range(2))
    for number in (0, 9, 10_000):
        assert all(torch.equal(one[number][name], two[number][name]) for name in ("crop", "classes"))
        assert one[number]["crop"].shape == (4, INPUT_PX, INPUT_PX)
    assert not torch.equal(one[0]["crop"], one[1]["crop"])


def test_unvaried_samples_are_the_middles_of_the_crops_in_order(crops):
    table = pq.read_table(crops / "cards.parquet")
    samples = Crops([table], 0, vary=False)
    low = (STORED_PX - INPUT_PX) // 2
    expected = stored(table)[4, low:-low, low:-low].transpose(2, 0, 1)
    assert (samples[4]["crop"].numpy() == expected).all() and torch.equal(samples[4]["crop"], samples[64]["crop"])
    right = [CLASSES[i] for i in samples[4]["classes"].nonzero()[:, 0]]
    assert right == table["classes"][4].as_py()


def test_varied_crops_never_show_beyond_the_frame_where_the_frame_goes_on():
    crop = np.full((STORED_PX, STORED_PX, 4), 200, np.uint8)
    crop[..., 3] = STREET
    crop[30:60, 40:55, 3] = OBJECT
    for seed in range(60):
        found = varied(crop, np.random.default_rng(seed))
        assert found.shape == (INPUT_PX, INPUT_PX, 4) and found.dtype == np.uint8
        assert (found[..., 3] >= STREET).all() and (found[..., 3] == OBJECT).any()


def test_no_object_is_on_both_sides_of_the_split():
    rows = [row(group, ("truncated",), np.zeros((STORED_PX, STORED_PX, 4), np.uint8)) for group in [5, 5, 7, 9, 7] * 9]
    kept, held_out = split(pa.Table.from_pylist(rows, schema=CROPS))
    assert set(held_out["group"].to_pylist()) == {5} and set(kept["group"].to_pylist()) == {7, 9}
    with pytest.raises(ValueError, match="expected crops to train and to validate on"):
        Crops([kept.slice(0, 0)], 0, vary=True)


def test_any_of_the_right_classes_will_do():
    torch.manual_seed(0)
    network = OcclusionNetwork(SMALL).eval()
    crop = torch.randint(0, 256, (3, 4, INPUT_PX, INPUT_PX), dtype=torch.uint8)
    chance = network({"crop": crop}).logits.softmax(1)
    classes = torch.zeros(3, 6)
    classes[:, 1:4] = 1
    expected = -chance[:, 1:4].sum(1).log().mean()
    torch.testing.assert_close(network.loss(network({"crop": crop}), {"classes": classes})["total"], expected)
    nothing_wrong = network.loss(network({"crop": crop}), {"classes": torch.ones(3, 6)})["total"]
    torch.testing.assert_close(nothing_wrong, torch.tensor(0.0), atol=1e-5, rtol=0)


def test_what_ships_is_small():
    weights = sum(p.numel() for p in OcclusionNetwork(PRESETS["tiny"].network).parameters())
    assert 100_000 < weights < 500_000


def test_the_network_learns_which_cards_are_whole(trained, crops):
    folder, last = trained
    assert last["class_accuracy"] > 0.9
    table = pq.read_table(crops / "cards.parquet")
    chances = chances_of(network_of(folder / "weights.safetensors"), stored(table))
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    whole = np.array([said == ["unoccluded"] for said in table["classes"].to_pylist()])
    assert chances[whole, 0].min() > chances[~whole, 0].max()
    likeliest = [CLASSES[i] for i in chances.argmax(1)]
    right = [best in said for best, said in zip(likeliest, table["classes"].to_pylist(), strict=True)]
    assert np.mean(right) > 0.9


def test_a_crop_and_its_mirror_image_have_one_answer(trained, crops):
    network = network_of(trained[0] / "weights.safetensors")
    some = stored(pq.read_table(crops / "cards.parquet"))[:70]
    np.testing.assert_allclose(chances_of(network, some), chances_of(network, some[:, :, ::-1]), atol=1e-5)
    np.testing.assert_allclose(chances_of(network, some[65:]), chances_of(network, some)[65:], atol=1e-5)
    assert chances_of(network, some[:0]).shape == (0, 6)
    with pytest.raises(ValueError, match=r"expected \(N, 96, 96, 4\) uint8"):
        chances_of(network, some[:, 1:])


def test_human_labels_go_on_from_trained_weights(trained, camera_dir, tmp_path):
    labels = tmp_path / "mine.csv"
    labels.write_bytes(csv_of({(frame, *CARDS[number][0]): "occluded" if number == 2 else "unoccluded"
                               for frame in range(4) for number in (1, 2, 3)}))  # fmt: skip
    start = trained[0] / "weights.safetensors"
    human = Given(labels=labels, images=camera_dir)
    tuned = build(SPEC, TINY, human, start)
    same = tuned.network.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in network_of(start).state_dict().items())
    assert tuned.config["labels"] == "mine.csv"
    last = train(SPEC, Preset(SMALL, dataclasses.replace(SHORT, steps=2)), human, tmp_path / "run", init_from=start)
    assert last["step"] == 2


def test_what_training_cannot_use_is_told(tmp_path):
    with pytest.raises(ValueError, match="occlusion_classifier: has no use for --backdrops"):
        SPEC.preset(TrainOptions(backdrops=str(tmp_path)))
    with pytest.raises(ValueError, match="no crops there; run `luigi --module tasks OcclusionCrops`"):
        splits(SMALL, Given(data=tmp_path), 0)


def test_weights_of_another_model_or_of_other_classes_are_refused(tmp_path):
    network, path = OcclusionNetwork(SMALL), tmp_path / "w.safetensors"
    other = {"network": {"width": 8, "blocks": 1, "classes": ["a"]}}
    for changed, said in (({"model": "hmr"}, "expected weights of occlusion_classifier, got those of 'hmr'"),
                          (other, r"w\.safetensors: .*expected a network of unoccluded, .* got one of a")):  # fmt: skip
        write_weights(path, network, SPEC.config(SMALL) | changed)
        with pytest.raises(ValueError, match=said):
            network_of(path)
    with pytest.raises(FileNotFoundError, match="no weights there"):
        network_of(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="make train MODEL=occlusion_classifier"):
        _ = dataclasses.replace(SPEC, weights=tmp_path / "none.safetensors").shipped


def test_actors_of_two_cameras_are_split_apart_by_camera_and_number(tmp_path):
    blank = np.zeros((STORED_PX, STORED_PX, 4), np.uint8)
    for camera, groups in {"a": range(1, 21), "b": range(5, 15)}.items():
        rows = [row(group, ("truncated",), blank) for group in groups for _ in range(2)]
        pq.write_table(pa.Table.from_pylist(rows, schema=CROPS), tmp_path / f"{camera}.parquet")
    learnt, kept = splits(SMALL, Given(data=tmp_path), 0)
    assert kept.groups == {(0, 1), (0, 11), (1, 5)}
    assert not learnt.groups & kept.groups and len(learnt.groups) == 18 + 9
    assert len(learnt.crops) == 2 * 27 and len(kept.crops) == 2 * 3


def test_shapes_of_one_labelled_picture_validate_or_train_together(tmp_path):
    names = [f"{number}.png" for number in range(12)]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.full((80, 90, 3), 90, np.uint8))
    box = '<box label="car" occluded="{}" xtl="20" ytl="30" xbr="44" ybr="70"/>'
    shapes = "".join(f'<image name="{n}">{box.format(0)}{box.format(1)}</image>' for n in [*names, "./0.png"])
    (tmp_path / "a.xml").write_text(f"<annotations>{shapes}</annotations>")
    learnt, kept = splits(SMALL, Given(labels=tmp_path / "a.xml"), 0)
    assert kept.groups == {(0, 0), (0, 10)} and not learnt.groups & kept.groups
    assert len(kept.crops) == 6 and len(learnt.crops) == 20  # the first picture is there twice


def test_a_box_is_a_mask_where_no_mask_is_known(trained):
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    box = np.array([[20.0, 30, 24, 40], [90, 10, 30, 30]])
    run_on = models.load(SPEC.name, trained[0] / "weights.safetensors", "cpu")
    (by_box,) = run_on(image, boxes=box)
    rles = [masks.encode(np.ones((int(h), int(w)), bool), (int(x), int(y)), (120, 160)) for x, y, w, h in box]
    (by_mask,) = run_on(Frame(image, Instances((120, 160), {"bbox_xywh": box, "mask_rle": rles})))
    assert (by_box["occlusion_chances"] == by_mask["occlusion_chances"]).all()
    assert by_box["occlusion"] == [CLASSES[k] for k in by_box["occlusion_chances"].argmax(1)]
    assert (by_box["unoccluded_chance"] == by_box["occlusion_chances"][:, 0]).all()
    with pytest.raises(ValueError, match="the box has no pixel inside the picture"):
        run_on(image, boxes=[[900, 10, 5, 5]])
