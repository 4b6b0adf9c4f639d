"""The classifier's predictions for a camera of cards: one row a detection, whatever the blocks of frames."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cards import write_camera

from models.labels.occlusion import OBJECT, crop_of
from models.occlusion_classifier import SPEC
from models.predictor import FramePredictor
from pipeline.core import masks
from pipeline.mining import classifier_gate as occlusion_gate
from pipeline.mining.classifier_gate import UNOCCLUDED, GateJob, chances, gate_shard


class ByArea(FramePredictor):
    """Says the fraction of the crop that the mask covers."""

    def __init__(self):
        super().__init__(SPEC)

    def predict_batch(self, frames):
        return [frame.objects.with_columns({"unoccluded_chance": [self.covered(frame)]}) for frame in frames]

    def covered(self, frame):
        mask, (x, y, _, _) = masks.decode(frame.objects["mask_rle"][0], frame.size_hw)
        return (crop_of(frame.image, mask, (x, y))[..., 3] == OBJECT).mean()


@pytest.fixture(scope="module")
def camera_dir(tmp_path_factory):
    return write_camera(tmp_path_factory.mktemp("gate") / "cards", frames=3)


def said(camera_dir, tracks=None):
    tracks = pq.read_table(camera_dir / "tracks.parquet") if tracks is None else tracks
    return chances(ByArea(), tracks, pq.read_table(camera_dir / "frames/index.parquet"), camera_dir)


def test_every_detection_gets_a_prediction_of_its_own(camera_dir):
    tracks = pq.read_table(camera_dir / "tracks.parquet")
    whole = said(camera_dir, tracks).to_pandas().set_index("detection_id")["chance"]
    assert sorted(whole.index) == sorted(tracks["detection_id"].to_pylist())
    assert whole[1] > whole[2] > 0  # half of the second card is hidden
    shuffled = tracks.take(np.random.default_rng(0).permutation(len(tracks)))
    assert (
        said(camera_dir, shuffled)
        .to_pandas()
        .set_index("detection_id")["chance"]
        .sort_index()
        .equals(whole.sort_index())
    )


def test_an_empty_mask_is_no_whole_object(camera_dir):
    tracks = pq.read_table(camera_dir / "tracks.parquet").slice(0, 2)
    empty = tracks.set_column(tracks.schema.get_field_index("mask_rle"), "mask_rle", pa.array(["PPf0"] * 2))
    assert said(camera_dir, empty)["chance"].to_pylist() == [0, 0]


def test_shards_hold_their_own_frames_and_none_is_fine(camera_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(occlusion_gate, "load_classifier", ByArea)
    places = {"index": camera_dir / "frames/index.parquet", "root": camera_dir, "tracks": camera_dir / "tracks.parquet"}
    asked = pq.read_table(camera_dir / "tracks.parquet")["detection_id"].to_pylist()[1:]
    places["candidates"] = tmp_path / "candidates.parquet"
    pq.write_table(pa.table({"detection_id": asked}), places["candidates"])
    for ids, rows in (([0, 2], 9), ([1], 5), ([99], 0)):
        out = tmp_path / f"{ids[0]}.parquet"
        assert gate_shard(GateJob(name="a", frame_ids=ids, out=out, **places)) == rows
        table = pq.read_table(out)
        assert table.schema.equals(UNOCCLUDED) and {i // 10000 for i in table["detection_id"].to_pylist()} <= set(ids)
