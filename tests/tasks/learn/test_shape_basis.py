import json
import subprocess
import sys
from pathlib import Path

import luigi
import numpy as np
import pytest
import trimesh
from house import clean_environment
from waiting import PATIENCE_S

from models.shape_basis import SHIPPED, WIDE_GROUPS, load_bases
from pipeline.core.skeletons import VEHICLE_12
from pipeline.simulate.vehicles.fleet import make_vehicle
from tasks.learn.shape_basis import BuildShapeBasis


def run(**parameters):
    luigi.task_register.Register.clear_instance_cache()
    task = BuildShapeBasis(**parameters)
    task.run()
    return task.output_path()


def test_the_fleet_gives_all_groups_and_the_same_seed_the_same_bytes(tmp_path, capsys):
    paths = [
        run(output_file=str(tmp_path / name), samples=2, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again != other
    assert list(load_bases(paths[0])) == ["car", "van", "heavy"]
    assert f"shape bases: {tmp_path / 'a'}" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


def test_the_wide_fleet_gives_bases_of_its_own_with_bounds(tmp_path):
    before = SHIPPED.read_bytes()
    bases = load_bases(run(output_file=str(tmp_path / "wide"), samples=2, fleet="wide"))
    assert list(bases) == list(WIDE_GROUPS)
    assert all(np.isfinite(basis.bounds).all() for basis in bases.values())
    assert BuildShapeBasis(fleet="wide").output_path() == SHIPPED.with_name("wide.npz")
    assert SHIPPED.read_bytes() == before


@pytest.fixture
def cad_folder(tmp_path):
    """Two vans with their keypoints."""
    folder, index = tmp_path / "vans", {}
    folder.mkdir()
    for seed in (1, 2):
        van = make_vehicle("van", seed)
        trimesh.Trimesh(van.mesh.vertices, van.mesh.triangles, process=False).export(folder / f"{seed}.ply")
        points = dict(zip(VEHICLE_12.names, van.keypoints.tolist(), strict=True))
        index[f"{seed}.ply"] = {"group": "van", "unit": "m", "keypoints": points}
    (folder / "keypoints.json").write_text(json.dumps(index))
    return folder


def test_a_cad_folder_gives_its_own_basis_beside_the_meshes(cad_folder):
    path = run(cad_dir=str(cad_folder), components=3)
    assert path == cad_folder / "shape_basis.npz"
    bases = load_bases(path)
    assert list(bases) == ["van"]
    assert bases["van"].size == 3
    before = SHIPPED.read_bytes()
    run(cad_dir=str(cad_folder))  # its own output there does not disturb it
    assert SHIPPED.read_bytes() == before


def test_the_command_says_what_is_wrong_in_one_line_and_writes_nothing(cad_folder, tmp_path):
    index = json.loads((cad_folder / "keypoints.json").read_text())
    del index["2.ply"]["keypoints"]["left back light"]
    (cad_folder / "keypoints.json").write_text(json.dumps(index))
    command = [Path(sys.executable).with_name("luigi"), "--module", "tasks", "BuildShapeBasis", "--cad-dir", cad_folder]
    done = subprocess.run(
        [*command, "--output", tmp_path / "out.npz"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        f"error: {cad_folder / '2.ply'}: keypoint 'left back light' is missing in keypoints.json"
    ]
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("components", [0, 19])
def test_a_number_of_components_that_keypoints_cannot_tell_is_refused(cad_folder, components):
    with pytest.raises(ValueError, match=f"--components: expected 1 to 18, .* got {components}"):
        run(cad_dir=str(cad_folder), components=components)


def test_too_few_vehicles_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--samples: expected at least 2, got 1"):
        run(output_file=str(tmp_path / "a"), samples=1)
