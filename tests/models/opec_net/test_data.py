from dataclasses import replace

import numpy as np
import pytest
import torch
from stick_couples import SMALL_OPEC_NET, couple, write_couples

from models.contract import Given
from models.crops import squares_of
from models.geometry.crop_frames import from_frame
from models.opec_net.data import Couples, flipped, sample, splits, units_of
from pipeline.core.skeletons import OPEC_12


def test_couples_first_then_everyone_else_two_by_two():
    pictures = [couple(0, "train")[0], couple(1, "train", apart=150.0)[0], couple(2, "train", apart=150.0)[0]]
    assert [len(one.people) for one in pictures] == [2, 2, 2]
    units = units_of(pictures)
    assert units[0] == ((0, 0), (0, 1))
    assert sorted(person for unit in units[1:] for person in unit) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert all(a[0] != b[0] for a, b in units[1:])


def test_an_odd_one_out_is_shown_beside_somebody():
    pictures = [couple(number, "train", apart=150.0)[0] for number in range(2)]
    alone = replace(pictures[1], people=pictures[1].people[:1])
    shown = [person for unit in units_of([pictures[0], alone]) for person in unit]
    assert set(shown) == {(0, 0), (0, 1), (1, 0)} and len(shown) == 4


def test_strangers_of_one_picture_and_somebody_alone_are_no_couple():
    apart, near = couple(0, "train", apart=150.0)[0], couple(0, "train")[0]
    alone = replace(apart, people=apart.people[:1])
    told = [bool(Couples([one], SMALL_OPEC_NET, 0, augment=False)[0]["couple"]) for one in (near, apart, alone)]
    assert told == [True, False, False]


def test_pictures_without_anybody_are_one_line():
    empty = replace(couple(0, "train")[0], people=())
    with pytest.raises(ValueError, match="opec_net: no person in 1 pictures; expected some with labelled joints"):
        units_of([empty])


def test_joints_are_where_the_crop_shows_them():
    """The colour of the disc that the picture has at a joint is the crop's colour there."""
    picture, image = couple(3, "train")
    picture = picture.in_skeleton(OPEC_12)
    found = sample([image, image], picture.people, SMALL_OPEC_NET, couple=True)
    height, width = found["image"].shape[-2:]
    for k, colour in ((1, (90, 150, 240)),):  # the front one, whose discs nothing covers
        cells = ((found["xy"][k] + 1) / 2 * torch.tensor([width, height])).long()
        colours = torch.stack([found["image"][k][:, y, x] for x, y in cells.tolist()]).float()
        near = (colours - torch.tensor(colour)).abs().amax(-1)
        assert (near < 60).float().mean() > 0.9, near
    pixels = from_frame(found["xy"].double(), found["square"], 1.0) - 0.5
    assert pixels.numpy() == pytest.approx(np.stack([one.xy for one in picture.people]), abs=1e-3)
    assert found["state"][0].tolist() == picture.people[0].state.tolist()


def test_flipping_twice_is_nothing_and_once_exchanges_left_and_right():
    person = couple(1, "train")[0].in_skeleton(OPEC_12).people[0]
    once = flipped(person, 170, OPEC_12.flip)
    again = flipped(once, 170, OPEC_12.flip)
    assert again.xy == pytest.approx(person.xy) and again.box_xywh == pytest.approx(person.box_xywh)
    left, right = OPEC_12.indices(["left_wrist", "right_wrist"])
    assert once.xy[left] == pytest.approx([169 - person.xy[right][0], person.xy[right][1]])
    middle = once.box_xywh[0] + once.box_xywh[2] / 2
    assert middle == pytest.approx(170 - (person.box_xywh[0] + person.box_xywh[2] / 2))


def test_truncated_joints_are_not_learnt(pictures):
    person = pictures[0].people[0]
    state = person.state.copy()
    state[4] = 3
    found = sample([pictures[0].image()] * 2, [replace(person, state=state)] * 2, SMALL_OPEC_NET, couple=True)
    assert found["xy"][0, 4].isnan().all() and found["state"][0, 4] == -1
    assert found["xy"][0, [k for k in range(12) if k != 4]].isfinite().all()


def test_two_strangers_are_no_couple_and_each_has_a_picture():
    pictures = [couple(number, "train", apart=150.0)[0].in_skeleton(OPEC_12) for number in range(2)]
    data = Couples(pictures, SMALL_OPEC_NET, 0, augment=False)
    found = data[0]
    assert not found["couple"] and not torch.equal(found["image"][0], found["image"][1])
    for k, (number, row) in enumerate(data.units[0]):
        box = pictures[number].people[row].box_xywh
        assert found["square"][k].numpy() == pytest.approx(squares_of(box[None], 1.0)[0])


def test_training_changes_what_validation_shows_as_it_is(tmp_path):
    write_couples(tmp_path, {"train": 2, "val": 2})
    train, val = splits(SMALL_OPEC_NET, Given(data=tmp_path), 0)
    assert torch.equal(val[0]["image"], val[2]["image"]) and not torch.equal(train[0]["image"], train[2]["image"])
    shown = {tuple(train[k]["area"].tolist()) for k in range(2)}
    assert len(shown) == 2  # a lap shows everyone


def test_nothing_rendered_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="expected rendered couples, got none; run `luigi"):
        splits(SMALL_OPEC_NET, Given(), 0)
    with pytest.raises(FileNotFoundError, match="RenderCouples"):
        splits(SMALL_OPEC_NET, Given(data=tmp_path), 0)
    with pytest.raises(ValueError, match="rendered couples hold no poses that are given; train with blended"):
        splits(replace(SMALL_OPEC_NET, initial="given"), Given(data=tmp_path), 0)
