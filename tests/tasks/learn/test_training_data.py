import dataclasses
from datetime import UTC, datetime

import cv2
import luigi
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.contract import Collected, find, specs
from pipeline.core import masks, tables
from pipeline.core.storage import read_table, write_bytes, write_table
from pipeline.core.tables import FRAMES, to_table
from tasks.frames import COMPARED
from tasks.learn import training_data
from tasks.learn.training_data import task_of
from tasks.track import TRACKS

RenderVehicleCrops = task_of(find("vehicle_keypoints"))
FEW = {"vehicles": 2, "views": 2, "val_vehicles": 1, "per_shard": 1}


def test_only_the_shard_that_is_gone_is_rendered_again(tmp_path):
    task = RenderVehicleCrops(data_root=str(tmp_path), cpus=1, **FEW)
    task.set_status_message = task.set_progress_percentage = None
    task.run()
    assert task.complete()
    parts = {path: path.stat().st_mtime_ns for path in task.folder.rglob("*.parquet")}
    gone = min(parts)
    data = gone.read_bytes()
    gone.unlink()
    (task.folder / "manifest.json").unlink()
    assert not task.complete()
    task.run()
    assert gone.read_bytes() == data
    assert {p: p.stat().st_mtime_ns for p in parts if p != gone} == {p: t for p, t in parts.items() if p != gone}
    gone.write_bytes(data[:-100])
    assert not task.complete()
    task.run()
    assert gone.read_bytes() == data and task.complete()


def test_other_settings_are_other_pictures_in_another_folder(tmp_path):
    one, two = (RenderVehicleCrops(data_root=str(tmp_path), seed=seed) for seed in (0, 1))
    assert one.folder != two.folder and one.folder == RenderVehicleCrops(data_root=str(tmp_path), cpus=7).folder


def test_every_source_is_a_task_by_its_name():
    named = {spec.source.task: spec for spec in specs().values() if hasattr(spec.source, "task")}
    assert {"MattingSamples", "RenderVehicleCrops"} <= set(named)
    for name, spec in named.items():
        assert luigi.task_register.Register.get_task_cls(name) is task_of(spec)
        assert task_of(spec).source == spec.source and task_of(spec).__doc__ == spec.source.summary
    assert task_of(find("detector")) is None


def test_cameras_are_collected_one_file_each_with_the_tasks_options(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Most:
        most: int = 2

    def collect(folder, settings):
        return pa.table({"camera": [folder.name] * settings.most})

    source = Collected("CollectTwice", "Rows of cameras.", "twice", collect, cameras=("cam03", "cam07"), settings=Most)
    task = training_data._made(source)(data_root=str(tmp_path), most=3)
    task.set_status_message = task.set_progress_percentage = None
    assert [needed.camera for needed in task.requires()] == ["cam03", "cam07"]
    assert task.folder.parent == tmp_path / "training" and task.folder.name.startswith("twice-")
    assert task.folder != type(task)(data_root=str(tmp_path), most=4).folder
    task.run()
    assert task.complete()
    assert [pq.read_table(target.path)["camera"].to_pylist() for target in task.output()] == [
        ["cam03"] * 3,
        ["cam07"] * 3,
    ]


def test_who_asks_for_exact_masks_gets_those_that_mining_decides_by(tmp_path, monkeypatch):
    """Discs whose detections are four pixels too large: what is collected has the discs' own masks."""
    size_hw, now = (120, 160), datetime(2025, 6, 3, 12, tzinfo=UTC)
    grey = np.random.default_rng(0).normal(120, 4, (*size_hw, 3)).clip(0, 255).astype(np.uint8)
    frame, own, grown = grey.copy(), np.zeros(size_hw, np.uint8), np.zeros(size_hw, np.uint8)
    cv2.circle(frame, (80, 60), 20, (40, 40, 200), -1)
    cv2.circle(own, (80, 60), 20, 1, -1)
    cv2.circle(grown, (80, 60), 24, 1, -1)
    folder = tmp_path / "cam03"
    for name, picture in (("frames/000000.png", frame), ("background/noon.png", grey)):
        write_bytes(folder / name, cv2.imencode(".png", picture)[1].tobytes())
    known = {"frame_id": 0, "timestamp": now, "bucket": "noon", "sequence": 0}
    index = known | {"position": -1, "source": "frames/000000.png", "width": 160, "height": 120, "status": "ok"}
    write_table(folder / COMPARED, to_table([index], FRAMES))
    x, y, w, h = cv2.boundingRect(grown)
    row = known | {"detection_id": 1, "category": "vehicle", "subcategory": None, "score": 0.9, "track_id": 1}
    row |= {"bbox_xywh": [x, y, w, h], "foot_xy_m": [0.0, 9.0], "velocity_xy_mps": [1.0, 0.0]}
    row |= {"mask_rle": masks.encode(grown[y : y + h, x : x + w] > 0, (x, y), size_hw)}
    write_table(folder / TRACKS, to_table([row], tables.TRACKS))

    def collect(camera_dir, tracks):
        return read_table(tracks, columns=["mask_rle"])

    source = Collected("CollectExact", "Masks.", "exact", collect, cameras=("cam03",), exact_masks=True)
    task = training_data._made(source)(data_root=str(tmp_path))
    task.set_status_message = task.set_progress_percentage = None
    task.run()
    found = masks.full(pq.read_table(task.output()[0].path)["mask_rle"][0].as_py(), size_hw)
    disc, asked = own > 0, grown > 0
    assert (found & disc).sum() / (found | disc).sum() > 0.93 > (asked & disc).sum() / (asked | disc).sum()


def test_two_sources_of_one_name_are_told(monkeypatch):
    twin = dataclasses.replace(find("matting").source, prefix="other")
    other = dataclasses.replace(find("matting"), name="twin", source=twin)
    monkeypatch.setattr(training_data, "specs", lambda: specs() | {"twin": other})
    with pytest.raises(ValueError, match="twin: another network's source has a task MattingSamples, too"):
        dict(training_data._tasks_of_sources())
    monkeypatch.setattr(
        training_data, "specs", lambda: specs() | {"twin": dataclasses.replace(other, source=find("matting").source)}
    )
    made = [name for name, _ in training_data._tasks_of_sources()]
    assert made.count("MattingSamples") == 1, "luigi knows a task of one name once"
