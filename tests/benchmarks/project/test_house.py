"""A little house with known faults: each is found where it is, and nothing else is."""

from pathlib import Path

import pytest

from benchmarks.project.contracts import networks, shared
from benchmarks.project.house import against_direction, layers, measure, repeated
from benchmarks.project.tree import Tree

LINTER = """
[tool.importlinter]
[[tool.importlinter.contracts]]
type = "networks"
[[tool.importlinter.contracts]]
type = "layers"
layers = ["tasks", "pipeline.gallery | pipeline.export", "pipeline.mining", "models", "pipeline.core", "calibration"]
"""
SOUND = {
    "tasks/__init__.py": '"""Tasks."""\nfrom pipeline.mining import cut\nKNOWN = {"a": "pipeline.export.coco"}\n',
    "pipeline/__init__.py": "",
    "pipeline/core/__init__.py": "",
    "pipeline/core/masks.py": "from calibration import camera\n\n\ndef main():\n    pass\n",
    "pipeline/gallery/__init__.py": "from ..mining.cut import cut\n",
    "pipeline/export/__init__.py": "",
    "pipeline/export/coco.py": "def write():\n    from pipeline.core.masks import main\n",
    "pipeline/mining/__init__.py": "",
    "pipeline/mining/cut.py": "import models.car\n\n\ndef cut():\n    pass\n\n\ndef main():\n    pass\n",
    "models/__init__.py": "",
    "models/layers.py": "",
    "models/car/__init__.py": 'import models.layers\nSPEC = "models.car.net:Network"\n',
    "models/car/net.py": "class Network:\n    def forward(self):\n        pass\n",
    "models/car/card.md": "",
    "models/people/__init__.py": 'SPEC = ("models.people.net:Network", f"models.people: {1}", "see models.car.net")\n',
    "models/people/net.py": "class Network:\n    def forward(self):\n        pass\n",
    "models/people/card.md": "",
    "calibration/__init__.py": "",
    "calibration/camera.py": "",
}


@pytest.fixture
def tree(tmp_path):
    """The tree of the sound house, and of what is written in its place."""

    def build(**changed):
        files = SOUND | {f"{name.replace('__', '/')}.py": text for name, text in changed.items()}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "pyproject.toml").write_text(LINTER)
        return Tree(tmp_path)

    return build


def faults(tree):
    return against_direction(tree, layers(tree.root))


def test_a_sound_house_has_no_fault(tree):
    assert faults(tree()) == [] and repeated(tree()) == {}
    assert all(bar.met for bar in measure(tree(), layers(tree().root)).bars)


@pytest.mark.parametrize(
    ("where", "text", "fault"),
    [
        ("pipeline__core__masks", "from pipeline import mining", "pipeline.core.masks:1 -> pipeline.mining: goes up"),
        ("models__layers", "def f():\n    import tasks", "models.layers:2 -> tasks: goes up"),
        ("calibration__camera", "from pipeline.mining.cut import cut", "-> pipeline.mining.cut: goes up"),
        ("pipeline__export__coco", "import pipeline.gallery", "pipeline.export.coco:1 -> pipeline.gallery: goes up"),
        (
            "models__layers",
            "M = {'cut': 'pipeline.mining.cut'}",
            "models.layers:1 -> pipeline.mining.cut (by a string)",
        ),
        ("models__layers", "M = 'pipeline.mining.cut:cut'", "models.layers:1 -> pipeline.mining.cut (by a string)"),
        ("models__layers", "def f(n):\n    return load(f'pipeline.mining.{n}')", "-> pipeline.mining (by a string)"),
        ("models__people__net", "from ..car import net", "-> models.car.net: between networks"),
        ("models__people__net", "M = 'models.car.net'", "-> models.car.net (by a string): between networks"),
        ("models__layers", "from models.car import net", "-> models.car.net: from what networks share to a network"),
        ("tasks__run", "T = 'tests.models.test_car'", "-> tests.models.test_car (by a string): tests stand above"),
        ("pipeline__stray", "from pipeline.core import masks", "pipeline.stray stands in no layer"),
    ],
)
def test_every_way_up_is_found(tree, where, text, fault):
    (line,) = faults(tree(**{where: text}))
    assert fault in line


def test_names_repeat_but_for_main_and_what_specs_name(tree):
    found = repeated(
        tree(models__layers="def _cut():\n    pass\n\n\nclass cut:\n    pass\n", tasks__run="def cut(): ...")
    )
    assert found == {"cut": ["tasks.run", "pipeline.mining.cut", "models.layers"]}


def test_sizes_have_bars(tree):
    long = "def f():\n" + "    pass\n" * 60
    full = {f"models__car__m{n}": "" for n in range(7)} | {f"pipeline__core__m{n}": "" for n in range(11)}
    house = tree(**full, calibration__camera=long + "\n" * 239 + "x = 1\n")
    report = measure(house, layers(house.root))
    assert [(bar.value, bar.met) for bar in report.bars] == [
        (13, False), (9, False), (301, False), (61, False), (0, True), (0, True),
    ]  # fmt: skip
    assert report.notes["folders too full"] == ["pipeline/core: 13", "models/car: 9"]
    assert report.notes["functions too long"] == ["calibration.camera.f:1: 61"]


def test_the_projects_own_rooms_all_stand_in_a_layer():
    root = Path(__file__).parents[3]
    listed = {name for line in layers(root) for name in line}
    stages = {
        f"pipeline.{path.stem}" for path in (root / "pipeline").iterdir() if path.suffix == ".py" or path.is_dir()
    }
    assert {s for s in stages if not s.endswith(("__init__", "__pycache__"))} | {"models", "tasks"} <= listed
    assert len(Tree(root).modules) > 200 and not set(networks()) & set(shared()) and "models.train" in shared()
