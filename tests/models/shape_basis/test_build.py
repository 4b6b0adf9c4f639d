import numpy as np
import pytest

from models.shape_basis import GROUPS, ShapeBasis, load_bases
from models.shape_basis.build import Example, build_basis
from models.shape_basis.envelope import envelope_triangles, resample
from models.shape_basis.fleet import fleet_models
from pipeline.simulate.vehicles.fleet import make_vehicle

UNSEEN = range(900_000, 900_008)  # seeds that no shipped basis learned from
BASES = load_bases()
MIRROR = np.array([1.0, -1.0, 1.0])


def models_of(group, bodies=None, seeds=UNSEEN):
    return list(fleet_models(group, bodies or GROUPS[group], seeds, make_vehicle))


def rms_m(difference):
    """Root mean square length of vectors (..., 3)."""
    return float(np.sqrt((difference**2).sum(axis=-1).mean()))


def errors(basis, models):
    """(keypoints, size, mesh) RMS in metres when the shape is solved from the keypoints alone; the explained fraction
    of the keypoints' and of the mesh's variance."""
    shapes = np.stack([basis.solve(m.keypoints) for m in models])
    keypoints, dims, mesh = (np.stack([getattr(m, n) for m in models]) for n in ("keypoints", "dims_lwh_m", "vertices"))
    off = basis.keypoints(shapes) - keypoints, basis.mesh(shapes) - mesh
    spread = keypoints - keypoints.mean(axis=0), mesh - mesh.mean(axis=0)
    explained = [1 - float((o**2).sum() / (s**2).sum()) for o, s in zip(off, spread, strict=True)]
    return rms_m(off[0]), float(np.abs(basis.dims_lwh_m(shapes) - dims).mean()), rms_m(off[1]), *explained


@pytest.mark.parametrize(
    ("group", "keypoints_m", "size_m", "mesh_m", "explained"),
    [("car", 0.015, 0.02, 0.03, 0.985), ("van", 0.015, 0.015, 0.03, 0.98), ("heavy", 0.025, 0.02, 0.22, 0.90)],
)
def test_unseen_vehicles_of_the_fleet_lie_in_their_basis(group, keypoints_m, size_m, mesh_m, explained):
    found = errors(BASES[group], models_of(group))
    assert found[0] < keypoints_m
    assert found[1] < size_m
    assert found[2] < mesh_m
    assert min(found[3:]) > explained


@pytest.mark.parametrize(
    ("unseen", "keypoints_m", "mesh_m"), [("wagon", 0.045, 0.08), ("pickup", 0.075, 0.16), ("suv", 0.04, 0.08)]
)
def test_a_body_type_left_out_of_training_is_still_close(unseen, keypoints_m, mesh_m):
    seen = tuple(body for body in GROUPS["car"] if body != unseen)
    basis = build_basis("car", models_of("car", seen, range(12)), envelope_triangles())
    found = errors(basis, models_of("car", (unseen,)))
    assert found[0] < keypoints_m
    assert found[2] < mesh_m


def sampled(rng, count, factors=3, vertices=8):
    """Models of an exactly linear family: a random symmetric shape moved along random symmetric directions."""

    def symmetric(points):
        both = np.repeat(points, 2, axis=-2)
        both[..., 0::2, 1] *= -1
        return both

    keypoints, mesh = (symmetric(rng.normal(size=(factors + 1, n, 3))) for n in (6, vertices))
    dims = rng.normal(size=(factors + 1, 3))
    b = np.concatenate([np.ones((count, 1)), rng.normal(size=(count, factors))], axis=1)
    return [
        Example(str(i), *(np.tensordot(row, part, 1) for part in (keypoints, dims, mesh))) for i, row in enumerate(b)
    ]


def test_a_linear_family_is_recovered_exactly_and_one_component_explains_the_most():
    models = sampled(np.random.default_rng(4), 40)
    basis = build_basis("car", models, np.zeros((0, 3), np.int32), components=3)
    for model in models[:5]:
        shape = basis.solve(model.keypoints, sigma_m=1e-6)
        np.testing.assert_allclose(basis.keypoints(shape), model.keypoints, atol=1e-8)
        np.testing.assert_allclose(basis.mesh(shape), model.vertices, atol=1e-6)
        np.testing.assert_allclose(basis.dims_lwh_m(shape), model.dims_lwh_m, atol=1e-6)
    shapes = np.stack([basis.solve(m.keypoints, sigma_m=1e-6) for m in models])
    np.testing.assert_allclose(shapes.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.cov(shapes.T), np.eye(3), atol=1e-5)  # in standard deviations, independent


def test_fewer_models_than_components_leave_the_rest_zero():
    models = sampled(np.random.default_rng(5), 3)
    basis = build_basis("car", models, np.zeros((0, 3), np.int32), components=8)
    assert basis.size == 8
    assert (basis.components[2:] == 0).all()
    assert (basis.solve(models[0].keypoints)[2:] == 0).all()
    with pytest.raises(ValueError, match="at least 2 models and 1 component, got 1 and 8"):
        build_basis("car", models[:1], np.zeros((0, 3), np.int32))


def test_the_same_vehicles_give_the_same_bytes():
    built = [build_basis("van", models_of("van", seeds=range(3)), envelope_triangles()) for _ in range(2)]
    for name in ("mean", "components", "mesh_mean", "mesh_components", "dims_mean", "dims_components"):
        assert getattr(built[0], name).tobytes() == getattr(built[1], name).tobytes()


def test_a_basis_refuses_sides_that_differ():
    basis = BASES["car"]
    arrays = {name: getattr(basis, name) for name in ShapeBasis.__dataclass_fields__}
    mesh = arrays["mesh_mean"].copy()
    mesh[4, 1] += 1e-6
    with pytest.raises(ValueError, match="mesh: expected the right side"):
        ShapeBasis(**(arrays | {"mesh_mean": mesh}))


@pytest.mark.parametrize("body", ["hatchback", "pickup", "minibus", "lorry"])
def test_the_envelope_lies_on_the_vehicle_and_has_its_outline(body):
    """Seen from the side, from ahead and from above, the skin covers what the vehicle covers, mirrors aside."""
    group = next(name for name, bodies in GROUPS.items() if body in bodies)
    vehicle = make_vehicle(body, 900_100)
    skin = resample(group, vehicle.mesh.vertices, vehicle.mesh.triangles, vehicle.keypoints)
    assert (skin[0:4] * MIRROR == skin[[1, 0, 3, 2]]).all()
    for seen in ((0, 2), (0, 1), (1, 2)):
        ours = outline(skin[:, seen], envelope_triangles())
        theirs = outline(vehicle.mesh.vertices[:, seen], vehicle.mesh.triangles)
        assert (ours & theirs).sum() / (ours | theirs).sum() > (0.93 if seen != (1, 2) else 0.88)


def outline(points, triangles, step=0.02):
    """Silhouette of projected triangles as a mask."""
    import cv2

    mask = np.zeros((700, 700), np.uint8)
    corners = np.round((points[triangles] / step + 350) * 16).astype(np.int32)
    for triangle in corners:
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    return mask.astype(bool)
