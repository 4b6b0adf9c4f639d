from tasks.learn.train import RenderVehicleCrops

FEW = {"vehicles": 2, "views": 2, "val_vehicles": 1, "per_shard": 1}


def test_only_the_shard_that_is_gone_is_drawn_again(tmp_path):
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


def test_other_settings_are_other_pictures_in_another_folder(tmp_path):
    one, two = (RenderVehicleCrops(data_root=str(tmp_path), seed=seed) for seed in (0, 1))
    assert one.folder != two.folder and one.folder == RenderVehicleCrops(data_root=str(tmp_path), cpus=7).folder
