import json

import numpy as np
import pytest
import trimesh

from models.shape_basis.build import build_basis
from models.shape_basis.cad import cad_models, read_cad_folder
from models.shape_basis.envelope import envelope_triangles
from models.shape_basis.topology import shared_topology
from pipeline.core.skeletons import VEHICLE_12
from pipeline.simulate.vehicles.fleet import make_vehicle


def entry(keypoints, unit="m", group="car", **more):
    points = {name: [float(v) for v in p] for name, p in zip(VEHICLE_12.names, keypoints, strict=True)}
    return {"group": group, "unit": unit, "keypoints": points, **more}


def write(folder, name, vertices, triangles):
    trimesh.Trimesh(vertices, triangles, process=False).export(folder / name)


@pytest.fixture
def folder(tmp_path):
    """Three cars as a user may have them: one in metres, one in centimetres, one with y up, looking along -z."""
    index = {}
    for name, body, unit, scale in (("a.obj", "sedan", "m", 1.0), ("b.ply", "suv", "cm", 100.0)):
        car = make_vehicle(body, 5)
        write(tmp_path, name, (car.mesh.vertices + (0, 0, 0.4)) * scale, car.mesh.triangles)
        index[name] = entry((car.keypoints + (0, 0, 0.4)) * scale, unit)
    car = make_vehicle("wagon", 5)
    R = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])  # x right, y up, z back
    write(tmp_path, "c.stl", car.mesh.vertices @ R.T, car.mesh.triangles)
    index["c.stl"] = entry(car.keypoints @ R.T, forward="-z", up="+y")
    return Folder(tmp_path, index)


class Folder:
    def __init__(self, path, index):
        self.path, self.index = path, index
        self.save()

    def save(self):
        (self.path / "keypoints.json").write_text(json.dumps(self.index))

    def refused(self, message):
        self.save()
        with pytest.raises(ValueError, match=message) as error:
            for group, cads in read_cad_folder(self.path).items():
                cad_models(group, cads)
        assert "\n" not in str(error.value)


def test_units_axes_and_origin_do_not_matter(folder):
    cads = read_cad_folder(folder.path)["car"]
    for cad, body in zip(cads, ("sedan", "suv", "wagon"), strict=True):
        vehicle = make_vehicle(body, 5)
        np.testing.assert_allclose(cad.keypoints, vehicle.keypoints, atol=1e-4)
        np.testing.assert_allclose(np.ptp(cad.vertices, axis=0), vehicle.dims_lwh_m, atol=1e-4)
        assert cad.vertices[:, 2].min() == 0
    models, triangles = cad_models("car", cads)
    basis = build_basis("car", models, triangles)
    assert triangles is envelope_triangles()
    for model in models:  # three models span two components: each is met exactly
        shape = basis.solve(model.keypoints, sigma_m=1e-5)
        np.testing.assert_allclose(basis.keypoints(shape), model.keypoints, atol=1e-6)
        np.testing.assert_allclose(basis.mesh(shape), model.vertices, atol=1e-3)


def test_meshes_of_one_topology_keep_their_vertices(tmp_path):
    index = {}
    left = np.array([(x, y, z) for x in (-2.2, -1, 1, 2.2) for y in (0.0, 0.5, 0.9) for z in (0.0, 0.7, 1.4)])
    points = np.concatenate([left, left[left[:, 1] > 0] * (1, -1, 1)])
    hull = trimesh.convex.convex_hull(points)
    side = np.array([(1.3, 0.85, 0.3), (-1.3, 0.85, 0.3), (2.2, 0.6, 0.7), (-2.2, 0.6, 0.8), (0.3, 0.7, 1.4),
                     (-1.5, 0.7, 1.4)])  # fmt: skip
    keypoints = np.repeat(side, 2, axis=0) * np.tile([(1, -1, 1), (1, 1, 1)], (6, 1))
    for i, scale in enumerate([(1, 1, 1), (1.1, 1, 1), (0.9, 1.05, 1.1)]):
        write(tmp_path, f"{i}.ply", hull.vertices * scale, hull.faces)
        index[f"{i}.ply"] = entry(keypoints * scale)
    Folder(tmp_path, index)
    cads = read_cad_folder(tmp_path)["car"]
    models, triangles = cad_models("car", cads)
    assert len(triangles) == len(hull.faces)
    for cad, model in zip(cads, models, strict=True):
        ours = np.sort(model.vertices[triangles].reshape(-1, 9), axis=0)
        np.testing.assert_allclose(ours, np.sort(cad.vertices[cad.triangles].reshape(-1, 9), axis=0), atol=1e-6)
    build_basis("car", models, triangles)


def test_other_triangles_or_a_vertex_without_partner_share_no_topology():
    box = trimesh.creation.box((4, 2, 1.5))
    assert shared_topology([box.vertices] * 2, [box.faces] * 2) is not None
    assert shared_topology([box.vertices] * 2, [box.faces, box.faces[::-1]]) is None
    bent = box.vertices + np.eye(8, 3) * 0.3
    assert shared_topology([bent] * 2, [box.faces] * 2) is None


def test_a_missing_keypoint_is_named(folder):
    del folder.index["b.ply"]["keypoints"]["left back light"]
    folder.refused(r"b\.ply: keypoint 'left back light' is missing in keypoints\.json")


def test_a_mesh_of_another_unit_is_named_with_the_unit_it_may_have(folder):
    folder.index["b.ply"]["unit"] = "m"
    folder.refused(r"b\.ply: \d+\.?\d* m long with unit 'm', a car is .*; its unit may be cm in keypoints\.json")


def test_keypoints_in_another_unit_than_their_mesh_lie_outside(folder):
    points = folder.index["a.obj"]["keypoints"]
    folder.index["a.obj"]["keypoints"] = {name: [100 * v for v in p] for name, p in points.items()}
    folder.refused(r"a\.obj: keypoint 'right front wheel' lies outside its mesh")


def test_a_car_without_symmetry_is_refused(folder):
    car = make_vehicle("sedan", 5)
    vertices = car.mesh.vertices + (0, 0, 0.4)
    vertices[:, 1] *= np.where(vertices[:, 1] > 0, 1.2, 1.0)
    write(folder.path, "a.obj", vertices, car.mesh.triangles)
    folder.refused(r"a\.obj: left and right skin differ by 0\.\d+ m on average")


def test_a_keypoint_away_from_its_partner_is_refused(folder):
    folder.index["a.obj"]["keypoints"]["left back light"][2] += 0.2
    folder.refused(r"a\.obj: keypoint 'left back light' is 0\.200 m from its partner's mirror image")


def test_a_car_annotated_backwards_is_refused(folder):
    folder.index["c.stl"]["forward"] = "+z"
    folder.refused(r"c\.stl: keypoints are not left of right and front of back")


def test_one_model_is_no_group(folder):
    folder.index["b.ply"]["group"] = "van"
    folder.refused(r"group van has one model, b\.ply; a basis needs at least 2")


@pytest.mark.parametrize("content", [b"", b"no mesh at all", b"ply\nformat ascii 1.0\nelement vertex 3\nend_header\n"])
def test_an_unreadable_mesh_is_named(folder, content):
    (folder.path / "b.ply").write_bytes(content)
    folder.refused(r"b\.ply: (not a readable ply mesh|holds no triangles)")


def test_a_mesh_that_is_not_there_and_one_without_entry_are_named(folder):
    (folder.path / "b.ply").rename(folder.path / "d.ply")
    folder.refused(r"d\.ply: has no entry in .*keypoints\.json")
    (folder.path / "d.ply").unlink()
    folder.refused(r"b\.ply: cannot be read \(No such file")


def test_a_path_that_leaves_the_folder_is_refused(folder, tmp_path):
    outside = tmp_path.parent / "outside.ply"
    (folder.path / "b.ply").rename(outside)
    folder.index["../outside.ply"] = folder.index.pop("b.ply")
    folder.refused(r"'\.\./outside\.ply' leaves the folder")
    del folder.index["../outside.ply"]
    folder.index[str(outside)] = folder.index["a.obj"]
    folder.refused("leaves the folder")
    del folder.index[str(outside)]
    (folder.path / "link.ply").symlink_to(outside)
    folder.index["link.ply"] = folder.index["a.obj"]
    folder.refused(r"'link\.ply' leaves the folder")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "tank"}, "expected group car or van or heavy, got 'tank'"),
        ({"unit": "furlong"}, "expected unit m, cm, mm, in, ft, got 'furlong'"),
        ({"unit": ["m"]}, "expected unit"),
        ({"group": None}, "expected group"),
        ({"up": "+x"}, "expected forward and up as two of"),
        ({"colour": "red"}, "has no key 'colour'"),
        ({"keypoints": [1, 2]}, "expected keypoints as an object of 12 named points"),
    ],
)
def test_a_wrong_entry_is_named(folder, change, message):
    folder.index["a.obj"] |= change
    folder.refused(rf"a\.obj: .*{message}")


@pytest.mark.parametrize("value", [[1, 2], "x", [1, 2, "3"], [1, 2, float("nan")], None])
def test_a_point_is_three_finite_numbers(folder, value):
    folder.index["a.obj"]["keypoints"]["left back light"] = value
    folder.refused(r"a\.obj: keypoint 'left back light': expected three finite numbers")


def test_an_unknown_point_a_broken_index_and_no_folder_are_refused(folder):
    folder.index["a.obj"]["keypoints"]["exhaust"] = [0, 0, 0]
    folder.refused("unknown keypoint 'exhaust'")
    path = folder.path / "keypoints.json"
    for text, message in (("{", "not JSON"), ("[]", "expected an object"), ('{"a.obj": 3}', "expected an object")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_cad_folder(folder.path)
    path.unlink()
    with pytest.raises(ValueError, match=r"not there; docs/cad_folder\.md describes it"):
        read_cad_folder(folder.path)
    with pytest.raises(ValueError, match="no such folder"):
        read_cad_folder(folder.path / "nowhere")
