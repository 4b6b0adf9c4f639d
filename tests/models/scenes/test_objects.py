import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from composed_streets import CAMERA, SIZE_HW, composed, write_composed

from models.scenes.objects import CLASSES, KEYPOINTS, SOLID, Scenes
from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import KEYPOINT_STATES


def full(part):
    whole = np.zeros(SIZE_HW, bool)
    (x, y), (h, w) = part.xy, part.crop.shape
    whole[y : y + h, x : x + w] = part.crop
    return whole


def test_a_scene_has_every_label_of_its_shard(tmp_path):
    scenes = Scenes([write_composed(tmp_path / "gate", 10)], "train")
    assert len(scenes) == 9
    for number in range(9):
        image, rows = composed(number)
        scene = scenes[number]
        assert np.array_equal(scene.image_bgr, image) and np.allclose(scene.K, CAMERA.K) and len(scene.things) == 3
        for row, thing in zip(rows, scene.things, strict=True):
            assert CLASSES[thing.number] == row["category"] and thing.track_id == row["track_id"]
            assert np.array_equal(full(thing.whole), masks.full(row["mask_amodal_rle"], SIZE_HW))
            assert np.array_equal(full(thing.visible), masks.full(row["mask_visible_rle"], SIZE_HW))
            assert thing.hidden == pytest.approx(1 - row["visible_fraction"], abs=1e-6)
            count = len(row["keypoint_state"])
            assert np.allclose(thing.keypoints[:count].ravel(), row["keypoints_2d"], atol=1e-4)
            assert [KEYPOINT_STATES[k] for k in thing.states[:count]] == row["keypoint_state"]
            assert np.isnan(thing.keypoints[count:]).all() and (thing.states[count:] == -1).all()
            assert (thing.group == 0 and np.allclose(thing.R.ravel(), row["R"])) == (row["category"] == "vehicle")


def test_the_scenes_of_several_cameras_are_mixed_and_each_turn_shows_every_scene_once(tmp_path):
    folders = [write_composed(tmp_path / name / "clipart", 20, parts=4, first=100 * k) for k, name in enumerate("ab")]
    scenes = Scenes(folders, "train")
    orders = [scenes.order(turn, 3) for turn in (0, 0, 1)]
    assert np.array_equal(*orders[:2]) and not np.array_equal(*orders[1:])
    assert all(sorted(order.tolist()) == list(range(36)) for order in orders)
    first = {scenes.scenes[k].split("/")[0] for k in orders[0][:10]}
    assert first == {"a", "b"}
    assert not set(scenes.scenes) & set(Scenes(folders, "val").scenes)


def test_a_fraction_of_the_scenes_is_spread_over_all_parts(tmp_path):
    scenes = Scenes([write_composed(tmp_path / "gate" / "clipart", 20, parts=4)], "train")
    few = scenes.spread(0.25)
    at = [scenes.scenes.index(name) for name in few.scenes]
    assert len(few) == round(0.25 * len(scenes)) == len(set(at)) and at == sorted(at)
    assert max(np.diff([*at, len(scenes)])) <= 5
    assert scenes.spread(1.0).scenes == scenes.scenes and len(scenes.spread(0.001)) == 1
    assert np.array_equal(few[1].image_bgr, scenes[at[1]].image_bgr)


def test_shards_that_lack_what_is_needed_are_told_in_one_line(tmp_path):
    folder = write_composed(tmp_path / "gate", 4)
    (part, *_) = sorted((folder / "objects").iterdir())
    write_table(part, pq.read_table(part).drop_columns(["R", "shape"]))
    assert len(Scenes([folder], "train", KEYPOINTS)) == 4
    with pytest.raises(ValueError, match=r"part-0.parquet: expected columns for the 3D branch, R, shape missing"):
        Scenes([folder], "train", (*KEYPOINTS, *SOLID), "the 3D branch")
    with pytest.raises(ValueError, match="expected scenes of split val, got none"):
        Scenes([folder], "val")


def test_boxes_that_are_no_numbers_are_told_with_their_scene(tmp_path):
    folder = write_composed(tmp_path / "gate", 4, parts=1)
    (part,) = (folder / "objects").iterdir()
    table = pq.read_table(part)
    boxes = table["bbox_amodal_xywh"].to_pylist()
    boxes[0] = [float("nan")] * 4
    place = table.schema.get_field_index("bbox_amodal_xywh")
    write_table(
        part, table.set_column(place, table.schema.field(place), pa.array(boxes, table.schema.field(place).type))
    )
    with pytest.raises(ValueError, match=r"part-0.parquet: .*/walt3d/0: expected a box of finite"):
        Scenes([folder], "train")[0]
