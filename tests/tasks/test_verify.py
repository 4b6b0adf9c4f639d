"""Every kind of damage to a finished job is noticed, named with a command, and that command brings the same bytes."""

import hashlib
import re
import shlex
import shutil

import pytest
from house import House
from street import JOB, TEN


@pytest.fixture
def broken(street, tmp_path):
    """The street's house with a copy of all that was made, to damage."""
    house = House(tmp_path)
    shutil.copytree(street.data, house.data)
    house.manifests = street.manifests
    return house


def digests(house):
    """Of every file of the camera that a run makes."""
    files = (p for p in sorted((house.data / "street").rglob("*")) if p.is_file() and p.suffix != ".lock")
    return {str(p.relative_to(house.data)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def first(house, pattern):
    return sorted((house.data / "street").glob(pattern))[0]


def delete(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    """400 bytes in the middle, the size stays."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    for place in range(middle, min(middle + 400, len(data))):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("pattern", "harm"),
    [
        ("clipart/images/*.parquet", delete),
        ("clipart/objects/*.parquet", truncate),
        ("clipart/gallery.html", truncate),
        ("clipart/gallery/*/*.js", delete),
    ],
)
def test_a_data_set_that_is_not_whole_is_not_done_and_is_made_whole(broken, pattern, harm):
    expected = digests(broken)
    harm(first(broken, pattern))
    code, _, lines = broken.luigi(*JOB, *TEN)
    assert code == 0, lines
    assert digests(broken) == expected


def commands(out):
    """The lines that Verify names."""
    return [shlex.split(line) for line in re.findall(r"^  (luigi .*)$", out, re.MULTILINE)]


def test_flipped_bytes_are_found_and_mended_by_the_commands_named(broken):
    expected = digests(broken)
    hurt = [first(broken, "clipart/images/*.parquet"), first(broken, "background/*.png"), first(broken, "cutouts/*")]
    for path in hurt:
        flip(path)
    code, out, lines = broken.of_data("Verify")
    assert code != 0 and all(f"damaged: {path}: other bytes than were written" in out for path in hurt)
    assert any("error: 3 files are damaged, the first" in line and "Verify --mend" in line for line in lines), lines
    assert len(lines) == len([line for line in lines if "Traceback" not in line])
    code, out, lines = broken.of_data("Verify", "--mend")
    assert code == 0 and "removed 3 damaged files" in out and not any(path.exists() for path in hurt)
    for line in commands(out):
        code, _, lines = broken.luigi(*line[3:])
        assert code == 0, (line, lines)
    assert digests(broken) == expected
    assert broken.of_data("Verify")[0] == 0


def test_a_background_of_no_bytes_is_made_again_by_what_needs_it(broken):
    expected = digests(broken)
    path = first(broken, "background/*.png")
    empty(path)
    code, _, lines = broken.luigi(*JOB, "--scenes", "2", "--variant", "more")
    assert code == 0 and any(f"{path.name} is damaged and made again" in line for line in lines), lines
    now = digests(broken)
    assert {name: now[name] for name in expected} == expected


def test_training_refuses_a_broken_picture_before_it_learns(broken):
    path = first(broken, "clipart/images/*.parquet")
    flip(path)
    run = ("Train", "--model", "walt3d", "--camera", "street", "--steps", "1")
    code, _, lines = broken.luigi(*run)
    assert code != 0
    assert any(f"{path}: damaged (other bytes" in line and "Verify --mend --camera street" in line for line in lines)
