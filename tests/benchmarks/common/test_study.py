"""What studies share: pictures that trainings find again, runs that are not made twice, means of all seeds."""

from dataclasses import replace

import pytest

from benchmarks.common.study import mean_of, once, rendered, runs_of
from benchmarks.keypoints import klpnet_study, linked_objects
from models import klpnet
from models.contract import find
from models.linked_objects.plan import LinkedSettings
from tasks.learn.training_data import task_of

FEW = {"vehicles": 2, "views": 2, "val_vehicles": 1, "per_shard": 1}


def test_pictures_lie_where_a_training_looks_for_them_and_are_rendered_once(tmp_path):
    spec = find("vehicle_keypoints")
    settings = replace(spec.source.settings(), **FEW)
    folder = rendered(spec, tmp_path, settings)
    assert folder == task_of(spec)(data_root=str(tmp_path), **FEW).folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    gone = min(before)
    gone.unlink()
    assert rendered(spec, tmp_path, settings) == folder
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert [path for path in after if after[path] != before[path]] == [gone]


def test_sets_of_other_settings_share_no_folder(tmp_path):
    """A shard that is there is not rendered again, whoever rendered it."""
    sets = LinkedSettings(), linked_objects._QUICK, klpnet_study._QUICK
    task = task_of(klpnet.SPEC)
    assert len({task(data_root=str(tmp_path), **vars(settings)).folder for settings in sets}) == len(sets)


def test_a_run_that_ended_is_not_made_again(tmp_path):
    made = []
    for _ in range(2):
        assert once(tmp_path / "a" / "judged.json", lambda: made.append(1) or {"AP": 0.5}) == {"AP": 0.5}
    assert made == [1]
    folders = {
        runs_of("s", tmp_path, seed, steps, quick=q) for seed in (0, 1) for steps in (2, 9) for q in (True, False)
    }
    assert len(folders) == 6, "quick runs are of one length"


def test_means_are_of_what_all_seeds_have_and_deviations_of_what_is_told():
    row = mean_of([{"AP": 0.5, "b": 1.0, "PCK": 3.0}, {"AP": 0.7, "PCK": 5.0}], ("AP", "b"))
    assert row == pytest.approx({"AP": 0.6, "PCK": 4.0, "AP ±": 0.1})
