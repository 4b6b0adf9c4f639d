"""TrackEval's own reader of MOTChallenge finds the boxes, and its preprocessing drops the regions to ignore."""

import contextlib
import io

import numpy as np
import pytest

from pipeline.core import masks


def lines_of(folder, split):
    text = (folder / f"train/drawn-{split}/gt/gt.txt").read_text()
    return np.array([line.split(",") for line in text.splitlines()], float)


def test_a_line_is_a_box_that_counts_from_one(exported, images, objects):
    folder, written = exported("mot")
    frames = {split: [row for row in images.values() if row["split"] == split] for split in ("train", "val")}
    for split, rows in frames.items():
        found = lines_of(folder, split)
        about = (folder / f"train/drawn-{split}/seqinfo.ini").read_text()
        assert f"seqLength={len(rows)}\n" in about and "imWidth=320\n" in about
        for frame, image in enumerate(rows, start=1):
            here = found[found[:, 0] == frame]
            expected = [row for row in objects.values() if row["scene_id"] == image["scene_id"]]
            boxes = here[here[:, 6] == 1]
            assert np.allclose(boxes[:, 2:6] - [1, 1, 0, 0], np.stack([r["bbox_amodal_xywh"] for r in expected]))
            assert np.allclose(boxes[:, 8], [row["visible_fraction"] for row in expected], atol=1e-6)
            tracks = [row["track_id"] for row in expected]
            known = [k for k, track in enumerate(tracks) if track >= 0]
            assert (boxes[known, 1] == np.array(tracks)[known] + 1).all()
            assert len(set(here[:, 1])) == len(here) and (here[:, 1] >= 1).all()
            crowds = here[here[:, 7] == 13]
            regions = [masks.decode(rle, (240, 320))[1] for rle in image["ignore_rle"]]
            assert np.allclose(crowds[:, 2:6], np.array(regions).reshape(-1, 4) + [1, 1, 0, 0])
            assert (folder / f"train/drawn-{split}/img1/{frame:06d}.jpg").read_bytes() == image["image"]["bytes"]
    assert "2 sequences" in written.what


def test_trackeval_reads_it_and_counts_the_people(exported, objects, tmp_path):
    trackeval = pytest.importorskip("trackeval")
    folder, _ = exported("mot")
    for split in ("train", "val"):
        data = tmp_path / "tracks/perfect/data"
        data.mkdir(parents=True, exist_ok=True)
        people = lines_of(folder, split)
        people = people[people[:, 7] == 1]
        rows = [",".join(map(str, [*line[:2].astype(int), *line[2:6], 1, -1, -1, -1])) for line in people]
        (data / f"drawn-{split}.txt").write_text("\n".join(rows) + "\n")
    settings = {
        "GT_FOLDER": str(folder / "train"), "TRACKERS_FOLDER": str(tmp_path / "tracks"), "SKIP_SPLIT_FOL": True,
        "SEQMAP_FILE": str(folder / "seqmaps/train.txt"), "BENCHMARK": "MOT17", "PRINT_CONFIG": False,
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = trackeval.datasets.MotChallenge2DBox(settings)
        raw = [dataset.get_raw_seq_data("perfect", f"drawn-{split}") for split in ("train", "val")]
        read = [dataset.get_preprocessed_seq_data(one, "pedestrian") for one in raw]
    expected = sum(row["category"] == "person" for row in objects.values())
    assert sum(one["num_gt_dets"] for one in read) == expected > 2
    assert sum(one["num_tracker_dets"] for one in read) == expected
