import re
import time
from datetime import datetime
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_manifest.times import _DIRECTIVES, NameTimes, last_number, natural


def test_times_in_names():
    stamp = NameTimes("cam*_%Y-%m-%dT%H.%M.%S")
    assert stamp.parse(Path("cam12_2025-02-03T04.05.06.jpg")) == datetime(2025, 2, 3, 4, 5, 6)
    for bad in ("cam_2025-02-30T04.05.06.jpg", "thumbs.jpg"):
        with pytest.raises(ValueError, match="does not tell its time"):
            stamp.parse(Path(bad))
    for pattern in ("%Q", "frame", "%H_%H", "%q", "%s_%H"):
        with pytest.raises(ValueError, match="expected"):
            NameTimes(pattern)


def test_a_pattern_with_slashes_reads_folders():
    stamp = NameTimes("%Y-%m-%d/*/%H.%M")
    assert stamp.parse(Path("any/2025-02-03/north/04.05.jpg")) == datetime(2025, 2, 3, 4, 5)
    with pytest.raises(ValueError, match="does not tell its time"):
        stamp.parse(Path("2025-02-03/04.05.jpg"))
    assert [NameTimes(p).has_date for p in ("%Y%m%d", "%y%j", "%H%M", "%m%d", "%s")] == [True, True, False, False, True]


def test_the_number_within_the_second_and_other_numbers_are_told_apart():
    said = NameTimes("cam*_%Y%m%d%H%M%S-%q_*").read(Path("cam12_20250203040506-07_x0031.jpg"))
    assert said.moment == datetime(2025, 2, 3, 4, 5, 6) and said.number == 7 and said.counter == (12, 31)


def as_an_expression(pattern):
    """The pattern as a regular expression with lazy stars, which may take for ever."""
    parts = [part for part in re.split(r"(%.|\*)", pattern) if part]
    return "".join(
        "([^/]*?)" if p == "*" else f"({_DIRECTIVES[p]})" if p in _DIRECTIVES else re.escape(p) for p in parts
    )


@given(
    st.lists(st.sampled_from(["%Y", "%m", "%d", "%S", "*", "a", "1", "_", "-"]), min_size=1, max_size=8),
    st.text("a1_-209", max_size=14),
)
def test_names_match_as_a_lazy_expression_would(parts, name):
    pattern = "%H" + "".join(dict.fromkeys(p for p in parts if p[0] == "%")) + "".join(p for p in parts if p[0] != "%")
    expected = re.fullmatch(as_an_expression(pattern), name)
    assert NameTimes(pattern)._matched(name) == (list(expected.groups()) if expected else None)


def test_many_stars_take_no_longer_than_one():
    stamp = NameTimes("*a" * 20 + "*_%Y%m%d-%H%M%S")
    begun = time.process_time()
    with pytest.raises(ValueError, match="does not tell its time"):
        stamp.read(Path("a" * 240 + "_20250203-0405x.jpg"))
    assert time.process_time() - begun < 0.5
    with pytest.raises(ValueError, match="at most 32 directives and stars"):
        NameTimes("*a" * 40 + "%H")


@pytest.mark.parametrize("name", ["00010203", "99990203", "18990203", "22010203"])
def test_years_that_no_camera_saw_are_no_times(name):
    with pytest.raises(ValueError, match="does not tell its time"):
        NameTimes("%Y%m%d").read(Path(f"{name}.jpg"))


def test_names_are_sorted_as_people_number_them():
    names = ["in10.jpg", "in9.jpg", "b/1.jpg", "a/10.jpg", "a/9.jpg"]
    assert [str(p) for p in sorted(map(Path, names), key=natural)] == [
        "a/9.jpg",
        "a/10.jpg",
        "b/1.jpg",
        "in9.jpg",
        "in10.jpg",
    ]
    assert natural(Path("²")) == "1²\0"
    assert last_number(Path("cam2_in000123.jpg")) == 123 and last_number(Path("in.jpg")) is None


@given(*[st.text("019a²é-", min_size=1, max_size=12)] * 2)
def test_the_order_of_names_is_that_of_their_numbers_and_texts_one_by_one(one, other):
    def pieces(name):
        return [(0, int(run), "") if run[0] in "019" else (1, 0, run) for run in re.findall("[019]+|[^019]+", name)]

    assert (natural(PurePath(one)) < natural(PurePath(other))) == (pieces(one) < pieces(other))
