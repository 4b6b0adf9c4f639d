import cv2
import numpy as np
import pyarrow as pa
import pytest
from composed_streets import CAMERA, PLANE, SIZE_HW, composed

from models.scenes.objects import CLASSES
from models.scenes.truth import LabelledFrames, TrueFrames
from pipeline.core import masks
from pipeline.core.storage import write_table
from pipeline.core.tables import FRAMES
from pipeline.simulate.camera.truth import TRUTH

COUNT = 4


@pytest.fixture
def camera_dir(tmp_path):
    """A camera's folder of composed streets, whose farthest object is parked all day."""
    frames, truth = [], []
    (tmp_path / "frames").mkdir()
    for number in range(COUNT):
        image, rows = composed(number)
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), image)
        frames.append({"frame_id": number, "source": f"frames/{number}.png", "position": -1, "status": "ok",
                       "width": SIZE_HW[1], "height": SIZE_HW[0], "sequence": number // 2})  # fmt: skip
        for k, row in enumerate(rows):
            kept = {name: row[name] for name in TRUTH.names if name in row}
            seen = masks.area(row["mask_visible_rle"], SIZE_HW)
            kept |= {"frame_id": number, "actor_id": k, "moving": k < 2, "body": "sedan", "px_count_visib": seen}
            truth.append(kept)
    some = [name for name in TRUTH.names if name in truth[0]]
    write_table(
        tmp_path / "truth" / "part-0.parquet",
        pa.Table.from_pylist(truth, schema=pa.schema([TRUTH.field(name) for name in some])),
    )
    schema = pa.schema([FRAMES.field(name) for name in frames[0]])
    write_table(tmp_path / "frames" / "index.parquet", pa.Table.from_pylist(frames, schema=schema))
    return tmp_path


def test_frames_come_with_their_exact_truth(camera_dir):
    frames = TrueFrames(camera_dir, CAMERA, PLANE)
    assert len(frames) == COUNT
    for number in range(COUNT):
        scene, (image, rows) = frames[number], composed(number)
        assert np.array_equal(scene.image_bgr, image)
        assert [CLASSES[one.number] for one in scene.things] == [row["category"] for row in rows[:2]]
        for thing, row in zip(scene.things, rows, strict=False):
            assert thing.hidden == pytest.approx(1 - row["visible_fraction"])
            if row["category"] == "vehicle":
                back = thing.points @ thing.R.T + thing.t
                assert np.allclose(back.ravel(), row["keypoints_3d"], atol=1e-6)


def test_what_is_parked_all_day_is_ignored(camera_dir):
    frames = TrueFrames(camera_dir, CAMERA, PLANE)
    for number in range(COUNT):
        parked = masks.full(composed(number)[1][2]["mask_visible_rle"], SIZE_HW)
        assert np.array_equal(frames[number].ignore, parked)


def test_bursts_validate_or_train_and_no_frame_does_both(camera_dir):
    cameras = [(camera_dir, CAMERA, PLANE)]
    train, val = (LabelledFrames(cameras, split) for split in ("train", "val"))
    name = camera_dir.name
    assert val.scenes == [f"{name}/0", f"{name}/1"] and train.scenes == [f"{name}/2", f"{name}/3"]
    for place, number in enumerate((2, 3)):
        assert np.array_equal(train[place].image_bgr, composed(number)[0])
    orders = [train.order(turn, 0).tolist() for turn in range(8)]
    assert all(sorted(order) == [0, 1] for order in orders) and len(set(map(tuple, orders))) == 2
    assert orders == [train.order(turn, 0).tolist() for turn in range(8)]
    both = LabelledFrames(cameras * 2, "train")
    assert len(both) == 4 and np.array_equal(both[3].image_bgr, train[1].image_bgr)


def test_a_folder_without_truth_is_told(tmp_path):
    with pytest.raises(ValueError, match="no exact truth; expected a camera whose source is of kind simulated"):
        TrueFrames(tmp_path, CAMERA, PLANE)
