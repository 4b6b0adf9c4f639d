import numpy as np
import pytest

from models.people_groups import read_pictures
from models.people_groups.couples.plan import CoupleJob, CoupleSettings, couple_jobs, plan_couples
from models.people_groups.couples.shards import render_couples
from models.people_groups.picture import NOBODY, OCCLUDED, TRUNCATED


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """One couple, seen six times."""
    out = tmp_path_factory.mktemp("couples") / "train" / "part-00000.parquet"
    job = CoupleJob("train", 0, 1, 6, 0, out)
    assert render_couples(job) == 6
    return job


def test_the_same_seed_gives_the_same_bytes(shard, tmp_path):
    again = CoupleJob("train", 0, 1, 6, 0, tmp_path / "part-00000.parquet")
    render_couples(again)
    assert again.out.read_bytes() == shard.out.read_bytes()


def test_pictures_are_whole(shard):
    pictures = read_pictures(shard.out.parents[1], "train")
    assert len({picture.name for picture in pictures}) == 6
    for picture in pictures:
        assert picture.image().shape == (*picture.size_hw, 3)
        assert len(picture.people) == 2 and picture.motion
        for who, person in enumerate(picture.people):
            x, y, w, h = person.box_xywh
            assert x >= 0 and y >= 0 and x + w <= picture.size_hw[1] + 1e-3 and y + h <= picture.size_hw[0] + 1e-3
            # Joints are within the body, so within its box, as far as the picture goes.
            xy = person.xy[person.labelled] + 0.5
            assert (xy >= [x - 1, y - 1]).all() and (xy <= [x + w + 1, y + h + 1]).all()
            outside = ((person.xy < -0.5) | (person.xy > np.array(picture.size_hw[::-1]) - 0.5)).any(axis=1)
            assert (outside == (person.state == TRUNCATED)).all()
            assert (person.hidden_by[person.state != OCCLUDED] == NOBODY).all()
            assert set(person.hidden_by) <= {NOBODY, 1 - who}
            assert 0 < person.area_px < 4 * w * h + 1


def test_jobs_of_all_splits_go_to_their_own_files_and_streams(tmp_path):
    settings = CoupleSettings(couples=5, val_couples=2, test_couples=2, unseen_couples=1, views=3, per_shard=2)
    jobs = plan_couples(settings, tmp_path)
    assert [job.count for job in jobs if job.split == "train"] == [2, 2, 1]
    assert len({job.out for job in jobs}) == len({tuple(job.stream) for job in jobs}) == len(jobs) == 6
    assert [job for _, batch in couple_jobs(settings, tmp_path) for job in batch] == jobs


@pytest.mark.parametrize("name", ["couples", "unseen_couples", "views", "per_shard"])
def test_no_couples_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"couples: {name}: expected at least 1, got 0"):
        CoupleSettings(**{name: 0})
