"""A toy tree whose test notices one fault and not another, and this tree's faults, which all have their place."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.common.report import HERE
from benchmarks.project.faults import FAULTS, Fault
from benchmarks.project.mutants import LEAST, copied, measure, patched, run, tried

SUMS = "def total(values):\n    return sum(values)\n\n\ndef mean(values):\n    return total(values) / len(values)\n"
TEST = """from pipeline.sums import mean, total


def test_total():
    assert total([1, 2, 4]) == 7


def test_mean_is_a_number():
    assert isinstance(mean([1, 3]), float)
"""
SUBTRACTS = Fault(
    "subtracts", "", "pipeline/sums.py", "return sum(values)", "return -sum(values)", "tests/test_sums.py"
)
SHORT = replace(SUBTRACTS, name="short", there="/ len(values)", wrong="/ (len(values) + 1)")


@pytest.fixture
def tree(tmp_path):
    """The toy tree, which is sound."""
    settings = '[tool.pytest.ini_options]\naddopts = "-p no:dash"\n'  # whose import takes longer than all of this
    files = {"pipeline/__init__.py": "", "pipeline/sums.py": SUMS, "tests/test_sums.py": TEST}
    files["pyproject.toml"] = settings
    for name, text in files.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "toy"


def test_a_fault_is_caught_by_the_test_that_fails_and_survives_where_none_does(tree):
    found = measure(tree, [SUBTRACTS, SHORT])
    assert [row["outcome"] for row in found.rows] == ["caught", "survived"]
    assert [row["caught by"] for row in found.rows] == ["tests/test_sums.py::test_total", ""]
    assert [(bar.value, bar.met) for bar in found.bars] == [(1, False)] and found.notes == {"not caught": ["short"]}
    assert (tree / "pipeline/sums.py").read_text() == SUMS and not list(tree.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"wrong": "return nobody_knows(values)"}, "caught"),
        ({"there": "def total", "wrong": "import nothing_of_this_name\n\n\ndef total"}, "does not import"),
        ({"tests": "tests/test_products.py"}, "tests did not run (4)"),
        ({"tests": "tests/test_sums.py::test_product"}, "tests did not run (4)"),
    ],
)
def test_only_a_failing_test_catches(tree, change, outcome):
    row = tried(tree, replace(SUBTRACTS, **change))
    assert row["outcome"] == outcome and bool(row["caught by"]) == (outcome == "caught")


@pytest.mark.parametrize(("there", "count"), [("return product", 0), ("values", 5)])
def test_a_fragment_that_is_gone_or_ambiguous_is_told_before_anything_runs(tree, there, count):
    (tree / "tests/test_sums.py").write_text("import time\n\ntime.sleep(600)\n")
    with pytest.raises(
        ValueError, match=rf"fault x: pipeline/sums.py: expected '{there}' once, found it {count} times"
    ):
        measure(tree, [SUBTRACTS, replace(SUBTRACTS, name="x", there=there)])


def test_a_tree_that_fails_without_a_fault_measures_nothing(tree):
    (tree / "tests/test_sums.py").write_text(TEST.replace("== 7", "== 8"))
    with pytest.raises(ValueError, match=r"without a fault fails, expected all of its tests to pass(.|\n)*test_total"):
        measure(tree, [SUBTRACTS])


def test_a_module_that_is_not_the_copys_is_no_result(tree):
    code, output = run(tree, ["pipeline.sums", "json"], ["tests/test_sums.py"])
    assert code == 20 and "not of the copy" in output


def test_a_fault_leaves_the_tree_as_it_was_even_where_its_block_fails(tree):
    with pytest.raises(KeyboardInterrupt), patched(tree, SUBTRACTS):
        assert "-sum" in (tree / "pipeline/sums.py").read_text()
        raise KeyboardInterrupt
    assert (tree / "pipeline/sums.py").read_text() == SUMS


def test_a_copy_has_code_tests_and_configuration_alone(tree, tmp_path):
    for name in (".venv/bin/python", "data/cam07/frames.parquet", "pipeline/__pycache__/sums.pyc"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).touch()
    (tmp_path / "copy").mkdir()
    copy = copied(tree, tmp_path / "copy")
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {"pipeline/__init__.py", "pipeline/sums.py", "tests/test_sums.py", "pyproject.toml"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_has_its_place_and_its_tests(fault):
    root = Path(HERE).parent
    wrong = fault.applied((root / fault.path).read_text())
    compile(wrong, fault.path, "exec")
    assert (root / fault.tests.split("::")[0]).is_file()


def test_there_are_enough_faults_and_each_has_its_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= LEAST
    assert 0 < sum(fault.quick for fault in FAULTS) < LEAST
    assert len({fault.module.split(".")[0] for fault in FAULTS}) >= 4
