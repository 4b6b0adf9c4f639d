"""What a registry refuses, and that asking one loads nothing heavy."""

import subprocess
import sys

import pytest

from pipeline.core.registry import choose, offered
from pipeline.detection.registry import Backend, Inputs, backends, make_detector
from pipeline.export.registry import Format
from pipeline.tracking.registry import Tracker


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The detectors with a package's own module; each call is a package of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(name, source):
        (tmp_path / f"{name}.py").write_text(f"from pipeline.detection.registry import Backend\n{source}\n")
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[walt3d.detectors]\n{name} = {name}:OFFER\n")
        return offered(Backend, "pipeline.detection", "BACKEND", "walt3d.detectors")

    return load


def test_a_package_adds_one_or_several_to_those_of_the_folder(found):
    assert {"coco", "mmdet", "motion", "onnx"} <= set(found("lone_offer", "OFFER = Backend('lone', None)"))
    several = found("pair_offer", "OFFER = (Backend('pair_b', None), Backend('pair_a', None))")
    assert list(several) == sorted(several) and {"lone", "pair_a", "pair_b"} <= set(several)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("OFFER = Backend('motion', None)", "the name 'motion' is taken"),
        ("OFFER = Backend('Upper', None)", "name: expected a-z, 0-9 and _ only, got 'Upper'"),
        ("OFFER = 7", r"expected a pipeline\.detection\.registry\.Backend, got 7"),
        ("", "cannot be loaded.*has no attribute 'OFFER'"),
    ],
)
def test_what_is_no_detector_is_refused_by_its_entry_point(found, source, message, request):
    name = f"refused_offer_{request.node.callspec.indices['source']}"
    with pytest.raises(ValueError, match=rf"entry point {name} = {name}:OFFER of walt3d\.detectors: .*{message}"):
        found(name, source)


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(ValueError, match="--format: expected one of a, b, got 'c'"):
        choose({"a": Tracker("a", None), "b": Tracker("b", None)}, "c", "--format")


def test_a_detector_says_what_it_cannot_do_without():
    with pytest.raises(ValueError, match="detector motion: expected camera, plane, backgrounds, got no camera"):
        make_detector("motion", backends()["motion"].settings(), Inputs())


@pytest.mark.parametrize("kind", [Backend, Tracker, Format])
def test_names_are_such_that_options_can_begin_with_them(kind):
    with pytest.raises(ValueError, match="name: expected"):
        kind("my-own", None)


def test_asking_loads_no_heavy_library():
    ask = "from pipeline.%s.registry import %s as known; known()"
    asked = [ask % pair for pair in (("detection", "backends"), ("tracking", "trackers"), ("export", "formats"))]
    heavy = "torch", "onnxruntime", "mmengine", "mmdet", "supervision", "trackers", "open3d"
    told = f"import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", "; ".join([*asked, told])], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
