import zipfile
from dataclasses import replace

import numpy as np
import pytest
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.shape_basis import GROUPS, SHIPPED, ShapeBasis, load_bases, save_bases
from pipeline.core.skeletons import VEHICLE_12

BASES = load_bases()
MIRROR = np.array([1.0, -1.0, 1.0])


def coefficients(size, bound=3.0, rows=()):
    return hnp.arrays(float, (*rows, size), elements=st.floats(-bound, bound))


def test_the_shipped_file_is_small_and_has_every_group_with_one_number_of_components():
    assert SHIPPED.stat().st_size < 1_500_000
    assert list(BASES) == list(GROUPS)
    assert len({basis.size for basis in BASES.values()}) == 1
    assert VEHICLE_12.names[:2] == ("right front wheel", "left front wheel")
    assert VEHICLE_12.names[-1] == "left back roof corner"


@examples(25)
@given(st.sampled_from(list(GROUPS)), st.data())
def test_every_shape_is_mirror_symmetric_to_the_last_bit(group, data):
    basis = BASES[group]
    shape = data.draw(coefficients(basis.size))
    keypoints, mesh = basis.keypoints(shape), basis.mesh(shape)
    assert (keypoints[0::2] * MIRROR == keypoints[1::2]).all()
    pairs = np.flatnonzero(basis.mesh_mean[:, 1]).max() // 2 + 1
    assert (mesh[0 : 2 * pairs : 2] * MIRROR == mesh[1 : 2 * pairs : 2]).all()
    assert (mesh[2 * pairs :, 1] == 0).all()


@pytest.mark.parametrize("group", GROUPS)
def test_a_shape_is_the_mean_plus_its_components_for_any_leading_axes(group):
    basis = BASES[group]
    shapes = np.random.default_rng(1).normal(size=(2, 3, basis.size))
    for values, mean, parts in (
        (basis.keypoints(shapes), basis.mean, basis.components),
        (basis.mesh(shapes), basis.mesh_mean, basis.mesh_components),
        (basis.dims_lwh_m(shapes), basis.dims_mean, basis.dims_components),
    ):
        np.testing.assert_allclose(values, mean + np.tensordot(shapes, parts, 1), atol=1e-12)
    assert (basis.keypoints(shapes)[1, 2] == basis.keypoints(shapes[1, 2])).all()


@examples(25)
@given(st.sampled_from(list(GROUPS)), st.data())
def test_coefficients_come_back_from_exact_keypoints(group, data):
    basis = BASES[group]
    shape = data.draw(coefficients(basis.size, 2.0))
    keypoints = basis.keypoints(shape)
    np.testing.assert_allclose(basis.solve(keypoints, sigma_m=1e-5), shape, atol=1e-4)
    found = basis.solve(keypoints)  # a centimetre of noise: the prior pulls a little
    assert np.linalg.norm(found) <= np.linalg.norm(shape) + 1e-9
    assert np.abs(basis.keypoints(found) - keypoints).max() < 0.02


@pytest.mark.parametrize("group", GROUPS)
def test_solving_is_the_minimum_of_its_objective(group):
    basis, rng = BASES[group], np.random.default_rng(2)
    keypoints = basis.keypoints(rng.normal(size=basis.size)) + rng.normal(0, 0.02, (12, 3))
    weights = rng.uniform(0.2, 1.0, 12)

    def objective(b):
        squares = ((basis.keypoints(b) - keypoints) ** 2).sum(axis=1)
        return float(weights @ squares / 0.02**2 + b @ b)

    best = basis.solve(keypoints, weights, sigma_m=0.02)
    steps = np.concatenate([np.eye(basis.size), -np.eye(basis.size)]) * 1e-3
    assert all(objective(best + step) > objective(best) for step in steps)


def test_a_keypoint_of_weight_0_may_be_missing_and_with_none_the_mean_is_left():
    basis = BASES["car"]
    shape = np.linspace(-1, 1, basis.size)
    keypoints, weights = basis.keypoints(shape), np.ones(12)
    keypoints[3], weights[3] = np.nan, 0.0  # its partner tells the same
    np.testing.assert_allclose(basis.solve(keypoints, weights, sigma_m=1e-5), shape, atol=1e-3)
    assert (basis.solve(np.full((12, 3), np.nan), np.zeros(12)) == 0).all()


def test_solving_refuses_what_are_not_keypoints():
    basis = BASES["car"]
    with pytest.raises(ValueError, match=r"expected \(12, 3\) and weights \(12,\), got \(6, 3\) and \(12,\)"):
        basis.solve(np.zeros((6, 3)))
    with pytest.raises(ValueError, match="finite coordinates wherever"):
        basis.solve(np.full((12, 3), np.nan))
    with pytest.raises(ValueError, match="weights >= 0"):
        basis.solve(basis.mean, -np.ones(12))
    with pytest.raises(ValueError, match=rf"expected \(\.\.\., {basis.size}\) coefficients, got \(3,\)"):
        basis.mesh(np.zeros(3))


@pytest.mark.parametrize("group", GROUPS)
def test_the_mesh_is_closed_outward_and_of_the_size_it_says(group):
    import trimesh

    basis = BASES[group]
    for shape in (np.zeros(basis.size), *np.random.default_rng(3).normal(0, 0.5, (5, basis.size))):
        mesh = trimesh.Trimesh(basis.mesh(shape), basis.triangles, process=False)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.volume > 0
        length, width, height = basis.dims_lwh_m(shape)
        extent = mesh.extents
        assert extent[0] == pytest.approx(length, abs=0.25)
        assert 0.75 * width < extent[1] <= width + 0.05  # the mirrors are not part of the skin
        assert extent[2] == pytest.approx(height, rel=0.10)  # roofs of one group peak in different places
        assert mesh.bounds[0, 2] == pytest.approx(0, abs=0.03)  # the tyres stand on the ground


def test_what_is_written_is_read_again_and_the_same_bases_give_the_same_bytes(tmp_path):
    save_bases(tmp_path / "a.npz", BASES)
    save_bases(tmp_path / "b.npz", load_bases(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_bases(tmp_path / "b.npz")
    for name, basis in BASES.items():
        assert (again[name].mesh_components == basis.mesh_components).all()
        assert (again[name].mean == basis.mean).all()


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_a_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "trap.npz"
    np.savez(path, **{"car.mean": np.array([Trap()], dtype=object)})
    with pytest.raises(ValueError, match=r"trap\.npz: not an \.npz of plain arrays: .*BuildShapeBasis"):
        load_bases(path)
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(ValueError, match=r"not an \.npz of plain arrays"):
        load_bases(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"not an \.npz of plain arrays"):
        load_bases(tmp_path / "one.npy")
    assert not Trap.sprung


def arrays_of(basis):
    return {f"car.{name}": getattr(basis, name) for name in ShapeBasis.__dataclass_fields__ if name != "name"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("mean", np.zeros((14, 3)), r"expected mean \(12, 3\), got \(14, 3\)"),
        ("mesh_components", np.zeros((8, 5, 3)), "expected mesh_components"),
        ("dims_mean", np.array([4.0, np.nan, 1.5]), "not finite"),
        ("triangles", np.array([[0, 1, 10**6]], np.int32), "expected triangles as integers below"),
        ("mean", np.array(["a"]), "expected arrays of numbers"),
        ("mean", np.float64(3.0), "expected mean"),
        ("components", np.float64(3.0), "expected components"),
        ("mean", BASES["car"].mean * (1.0, 1.0001, 1.0) + (0.0, 0.01, 0.0), "expected the right side"),
    ],
)
def test_wrong_arrays_are_refused_by_name(tmp_path, field, value, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **(arrays_of(BASES["car"]) | {f"car.{field}": value}))
    with pytest.raises(ValueError, match=rf"bad\.npz: .*{message}.*BuildShapeBasis"):
        load_bases(path)


def test_a_missing_array_an_empty_archive_and_a_torn_file_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    arrays = arrays_of(BASES["car"])
    del arrays["car.triangles"]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"car\.triangles missing"):
        load_bases(path)
    np.savez(path)
    with pytest.raises(ValueError, match="holds no shape basis"):
        load_bases(path)
    path.write_bytes(SHIPPED.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"not an \.npz of plain arrays"):
        load_bases(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in arrays_of(BASES["car"]):
            archive.writestr(f"{name}.npy", b"not an array")
    with pytest.raises(ValueError, match="magic string is not correct"):
        load_bases(path)
    with pytest.raises(FileNotFoundError, match="no such file of shape bases"):
        load_bases(tmp_path / "nowhere.npz")


def test_a_basis_may_have_no_mesh():
    basis = BASES["van"]
    meshless = replace(
        basis,
        mesh_mean=np.zeros((0, 3)),
        mesh_components=np.zeros((basis.size, 0, 3)),
        triangles=np.zeros((0, 3), np.int32),
    )
    assert meshless.mesh(np.zeros((4, basis.size))).shape == (4, 0, 3)
    assert (meshless.keypoints(np.ones(basis.size)) == basis.keypoints(np.ones(basis.size))).all()
