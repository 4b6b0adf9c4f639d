from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from models.synthetic.plans import RenderJob, plan_jobs

COUNTS = st.dictionaries(st.sampled_from(["train", "val", "test"]), st.integers(1, 200), min_size=1)


@given(COUNTS, st.integers(1, 40))
def test_every_split_is_divided_among_full_shards_and_one_rest(counts, per_shard):
    jobs = plan_jobs(RenderJob, counts, per_shard, 3, 0, Path("crops"))
    assert len({job.out for job in jobs}) == len(jobs)
    for split, total in counts.items():
        sizes = [job.count for job in jobs if job.split == split]
        assert sum(sizes) == total and set(sizes[:-1]) <= {per_shard} and 0 < sizes[-1] <= per_shard
        assert [job.index for job in jobs if job.split == split] == list(range(len(sizes)))


def test_a_shard_lies_in_the_folder_of_its_split():
    job = plan_jobs(RenderJob, {"val": 5}, 2, 3, 0, Path("crops"))[-1]
    assert (
        job == RenderJob("val", 2, 1, 3, 0, Path("crops/val/part-00002.parquet")) and job.name == "part-00002.parquet"
    )
