"""What is shipped: the wheel works away from the repository, and the Makefile installs no more than it must."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from email import message_from_string
from pathlib import Path

import pytest
import yaml
from house import House, clean_environment

from data_manifest import REPOSITORY, known_cameras
from tasks.common.configuration import CONFIGURATION, HOME

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("calibration", "data_manifest", "models", "pipeline", "readers", "tasks")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
PROBE = """
import json, sys, tasks
from importlib import import_module
from luigi.configuration import get_config
from data_manifest import REPOSITORY, load_camera
from tasks.common.configuration import HOME
print(json.dumps({
    "files": [import_module(name).__file__ for name in sys.argv[1:]],
    "manifest": str(load_camera("cam07").path),
    "repository": REPOSITORY,
    "home": str(HOME),
    "task_failed": get_config().get("retcode", "task_failed"),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds nothing but the wheel's contents, built of a copy: a build leaves files in its folder."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "luigi.cfg"):
        shutil.copy(ROOT / name, source / name)
    build = [
        "wheel",
        "--no-cache-dir",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(source / "dist"),
        str(source),
    ]
    subprocess.run([*PIP, *build], check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    assert wheel.stat().st_size < 60e6, "the weights of every network fit; PyPI takes no file above 100 MB"
    options = ["--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([*PIP, "install", *options, str(wheel)], check=True)
    return folder


def run_away(installed, folder, *line):
    """Run a line of Python where only the wheel's packages can be meant; the finished process."""
    environment = clean_environment() | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*map(str, line)], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def files_in(folder):
    """Every file below a folder, by its relative name."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def files_of_ours():
    """Every file of the packages; recordings that a user put beside the manifests are not ours."""
    files = {f"{name}/{file}" for name in PACKAGES for file in files_in(ROOT / name) if "__pycache__" not in file}
    return {file for file in files if not file.startswith("data_manifest/cameras/") or file.endswith(".yaml")}


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(installed):
    ours = files_of_ours()
    shipped = {file for file in files_in(installed) if ".dist-info/" not in file}
    assert shipped == ours
    assert (installed / "tasks" / "common" / "luigi.cfg").read_text() == (ROOT / "luigi.cfg").read_text()


def test_the_wheel_says_its_licence_and_carries_its_text(installed):
    (info,) = installed.glob("*.dist-info")
    metadata = message_from_string((info / "METADATA").read_text())
    assert metadata["License-Expression"] == "Apache-2.0"
    for name in metadata.get_all("License-File"):
        assert (info / "licenses" / name).read_text() == (ROOT / name).read_text()
    assert {"LICENSE", "NOTICE"} <= set(metadata.get_all("License-File"))


def test_the_wheel_brings_cameras_weights_and_configuration(installed, tmp_path):
    done = run_away(installed, tmp_path, sys.executable, "-c", PROBE, *PACKAGES)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert all(Path(file).is_relative_to(installed) for file in [*found["files"], found["manifest"]])
    assert found["repository"] is None and found["home"] == str(tmp_path)
    assert found["task_failed"] == "30"


def test_results_of_an_installed_wheel_lie_in_data_of_the_working_folder(installed, tmp_path):
    before, house = files_in(installed), House(tmp_path)
    house.video("gate", count=6)
    luigi = [Path(sys.executable).with_name("luigi"), "--module", "tasks"]
    manifests = ["--manifests", house.manifests, "--walt3d-engine", "serial"]
    done = run_away(installed, tmp_path, *luigi, "IngestFrames", "--camera", "gate", *manifests)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "gate" / "frames" / "index.parquet").is_file()
    assert files_in(installed) == before
    done = run_away(installed, tmp_path, *luigi, "IngestFrames", "--camera", "mine")
    assert done.returncode != 0
    assert ", ".join(known_cameras()) in done.stderr and "into a folder that --manifests names" in done.stderr


def test_in_a_checkout_the_repository_is_home():
    assert REPOSITORY == HOME == ROOT
    assert CONFIGURATION == ROOT / "luigi.cfg"


@pytest.fixture
def makefile(tmp_path):
    """The Makefile in a folder where everything was installed long after pyproject.toml was written."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/install-mm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1000, 1000))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    for stamp in re.findall(r"\.venv/\.[a-z]+-installed", (ROOT / "Makefile").read_text()):
        (tmp_path / stamp).touch()
        os.utime(tmp_path / stamp, (2000, 2000))
    return tmp_path


def would_run(folder, *arguments):
    """The lines that make would run, whatever the make that runs these tests was told."""
    line = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(
        line, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        (["train"], "luigi --module tasks Evaluate --weights run --camera cam07 --preset tiny --model walt3d"),
        (["train", "MODEL=nonsense"], "luigi --module tasks Train --preset tiny --model nonsense"),
        (["train", "MODEL=hmr", "PRESET=base", "ARGS=--lr 1e-3"], "Train --preset base --model hmr --lr 1e-3"),
        (["evaluate"], "python -m tasks.evaluate"),
        (["evaluate", "MODEL=matting"], "python -m tasks.evaluate matting"),
        (["evaluate", "MODEL=detector"], "python -m tasks.evaluate detector --camera cam07 --preset tiny"),
        (["predict"], "python -m tasks.predict"),
        (["predict", "MODEL=hmr", "ARGS=a.jpg --box 1 2 3 4"], "python -m tasks.predict hmr a.jpg --box 1 2 3 4"),
    ],
)
def test_make_asks_the_commands_for_any_network_and_leaves_its_absence_to_them(makefile, asked, run):
    assert " ".join(would_run(makefile, *asked).split()).endswith(run)


TARGETS = ("help", "schema", "lint", "setup", "clipart", "train", "evaluate", "test")


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_installed_is_not_installed_again(makefile, target):
    assert "pip install" not in would_run(makefile, target)


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_change_of_what_is_needed_is_installed_by_all_but_those_that_only_look(makefile, target, changed):
    (makefile / changed).touch()
    assert ("pip install" in would_run(makefile, target)) == (target not in ("help", "schema", "lint"))


@pytest.mark.parametrize("target", ["schema", "lint", "train"])
def test_in_a_fresh_clone_a_target_installs_what_it_needs(makefile, target):
    for stamp in (makefile / ".venv").glob(".*-installed"):
        stamp.unlink()
    assert "pip install" in would_run(makefile, target)


def test_every_pip_of_the_makefile_is_held_to_the_lock_but_where_it_is_switched_off(makefile):
    shutil.rmtree(makefile / ".venv")
    for options, held in (((), True), (("LOCK=",), False)):
        lines = [line for line in would_run(makefile, "test", "train", *options).splitlines() if " install " in line]
        lines += [
            line for line in would_run(makefile, "test", *options).splitlines() if line.startswith(".ci/install-mm")
        ]
        assert len(lines) >= 4
        assert all(("constraints.txt" in line) == held for line in lines)


def test_the_lock_leaves_torch_to_the_makefile_and_fits_what_is_declared():
    from packaging.requirements import Requirement

    locked = dict(
        line.strip().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    canonical = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in locked.items()}
    assert not {name for name in canonical if re.match(r"torch$|triton|nvidia-|cuda-|walt3d", name)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["dev"] + extras["train"] + extras["onnx"]:
        wanted = Requirement(line)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        assert name == "torch" or wanted.specifier.contains(canonical[name]), line


def test_the_notice_names_what_every_data_file_comes_from():
    data = {file for file in files_of_ours() if Path(file).suffix in (".npz", ".onnx", ".safetensors")}
    named = {line.split()[0] for line in (ROOT / "NOTICE").read_text().splitlines() if line.startswith("  ")}
    assert named == data


def test_the_citation_names_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "Apache-2.0"
    titles = [reference["title"] for reference in citation["references"]]
    for word in ("WALT3D", "Occlusion-Net", "Occluded Joints", "Category-Implicit"):
        assert any(word in title for title in titles), word
