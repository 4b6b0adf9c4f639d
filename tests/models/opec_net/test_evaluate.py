import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from stick_couples import couple, write_couples

from models.checkpoints import write_weights
from models.contract import find
from models.opec_net.evaluate import Posed, judged, judged_by_level, main, marks, predicted, spread
from pipeline.core.skeletons import OPEC_12

SPEC = find("opec_net")


def truth_of(pictures, off=0.0):
    """Everyone where they are, a little off to the right, the later people less surely."""
    poses = [np.stack([one.xy for one in picture.people]) + [off, 0] for picture in pictures]
    return [Posed(xy, np.ones(len(xy)), np.ones(len(xy))) for xy in poses]


def test_the_truth_is_right_in_everything(pictures):
    row = marks(pictures, truth_of(pictures), OPEC_12)
    assert row.pop("people") == 6
    assert all(value == pytest.approx(100) for value in row.values()) and {"Inv@75", "V@90", "AP80"} <= set(row)


def test_a_joints_own_term_decides_at_which_level_it_counts(pictures):
    """An error of which exp(-d^2 / 2 s^2 k^2) is 0.8 for one joint alone: right at 75, wrong at 90."""
    picture = replace(pictures[0], people=pictures[0].people[1:])  # of whom everything is visible
    person = picture.people[0]
    off = np.zeros((12, 2))
    off[4, 0] = np.sqrt(-2 * np.log(0.8) * person.area_px) * 2 * OPEC_12.sigmas[4]
    found = [Posed((person.xy + off)[None], np.ones(1), np.ones(1))]
    row = marks([picture], found, OPEC_12)
    assert row["V@75"] == pytest.approx(100) and row["V@90"] == pytest.approx(100 * 11 / 12)
    assert "Inv@75" not in row


def test_ignored_people_are_neither_right_nor_wrong(pictures):
    crowd = [replace(p, people=(p.people[0], replace(p.people[1], ignored=True))) for p in pictures]
    found = truth_of(crowd)
    wrong = [replace(one, xy=one.xy + [[[0.0, 0.0]], [[500.0, 0.0]]], score=np.array([0.5, 0.9])) for one in found]
    row = marks(crowd, wrong, OPEC_12)
    assert row["people"] == 3 and row["AP"] == pytest.approx(100)


def test_methods_are_those_of_the_network_and_pictures_do_not_mix(made, small, pictures):
    network = made(small).eval()
    found = predicted(network, pictures)
    assert list(found) == ["base", "opec", "couple"] and all(len(rows) == 3 for rows in found.values())
    alone = predicted(network, pictures[1:2])
    for method in found:
        assert alone[method][0].xy == pytest.approx(found[method][1].xy, abs=1e-2)
    assert list(judged(made(replace(small, corrected=False)), pictures)) == ["base"]


def test_nobody_is_one_line(made, small, pictures):
    with pytest.raises(ValueError, match="opec_net: no person in 1 pictures"):
        judged(made(small), [replace(pictures[0], people=())])
    unlabelled = tuple(replace(one, xy=np.full_like(one.xy, np.nan)) for one in pictures[0].people)
    with pytest.raises(ValueError, match="opec_net: no person in 1 pictures; expected some with labelled joints"):
        judged(made(small), [replace(pictures[0], people=unlabelled)])
    some = judged(made(small), [replace(pictures[0], people=()), pictures[1]])
    assert {row["people"] for row in some.values()} == {2}


def test_the_command_prints_a_row_a_method(made, small, tmp_path, capsys):
    write_couples(tmp_path / "couples", {"test": 2})
    write_weights(tmp_path / "run" / "weights.safetensors", made(small), SPEC.config(small))
    asked = ["--couples", str(tmp_path / "couples"), "--weights", str(tmp_path / "run" / "weights.safetensors")]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["base", "opec", "couple"] and "Inv@75" in lines[0]
    assert main([*asked, "--split", "other"]) == 1
    assert "--split: expected one of train, val, test, unseen, got 'other'" in capsys.readouterr().err


def test_pictures_of_no_couple_have_opec_nets_poses(made, small, monkeypatch, pictures):
    """Wherever they stand among others, and where there are no others."""
    monkeypatch.setattr("models.opec_net.evaluate._CHUNK", 1)
    apart = couple(5, "test", apart=90.0)[0].in_skeleton(OPEC_12)
    network = made(small).eval()
    found = predicted(network, [pictures[0], apart, pictures[1]])
    assert [len(rows) for rows in found.values()] == [3, 3, 3]
    for part in ("xy", "score", "own"):
        assert (getattr(found["couple"][1], part) == getattr(found["opec"][1], part)).all()
    assert not np.allclose(found["couple"][0].xy, found["opec"][0].xy)
    alone = judged(network, [apart])
    assert list(alone) == ["base", "opec", "couple"] and alone["couple"] == alone["opec"]


def test_crowdposes_levels_are_told_apart_where_there_are_two(made, small, pictures):
    nobody = replace(pictures[0], people=tuple(replace(one, ignored=True) for one in pictures[0].people))
    three = [replace(p, crowd_index=index) for p, index in zip(pictures, (0.05, 0.1, 0.79), strict=True)]
    network = made(small).eval()
    parts = judged_by_level(network, [*three, replace(nobody, crowd_index=0.9)])
    assert list(parts) == ["", "easy", "medium"] and parts[""] == judged(network, three)
    assert [row["base"]["people"] for row in parts.values()] == [6, 2, 4]
    alone = judged(network, three[:1])
    assert all(parts["easy"]["base"][name] == pytest.approx(value, abs=1e-6) for name, value in alone["base"].items())
    assert list(judged_by_level(network, three[1:])) == [""]


def test_spread_is_even_and_keeps_the_ends():
    drawn = [couple(number, "test")[0] for number in range(7)]
    assert [one.name for one in spread(drawn, 3)] == ["test-0", "test-3", "test-6"]
    assert len(spread(drawn, 0)) == 7


def test_pictures_that_people_labelled_in_cocos_form(made, small, tmp_path, capsys):
    picture, image = couple(4, "test")
    picture = picture.in_skeleton(OPEC_12)
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    rows = [
        {"id": k, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": one.area_px, "bbox": one.box_xywh.tolist(),
         "keypoints": np.column_stack([one.xy, np.where(one.visible, 2, 1)]).ravel().tolist()}
        for k, one in enumerate(picture.people)
    ]  # fmt: skip
    about = [{"id": 1, "name": "person", "keypoints": list(OPEC_12.names)}]
    images = [{"id": 1, "file_name": "a.png", "height": 150, "width": 170}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": rows, "categories": about}))
    write_weights(tmp_path / "run" / "weights.safetensors", made(small), SPEC.config(small))
    weights = ["--weights", str(tmp_path / "run" / "weights.safetensors")]
    assert main(["--labels", str(tmp_path / "a.json"), "--images", str(tmp_path), *weights]) == 0
    assert [line.split()[3] for line in capsys.readouterr().out.splitlines()] == ["2.0"] * 3
    assert main(["--labels", str(tmp_path / "a.json"), *weights]) == 1
    assert "--labels and --images go together" in capsys.readouterr().err
    assert main(weights) == 1 and "expected one of --couples, --composed and --labels" in capsys.readouterr().err
