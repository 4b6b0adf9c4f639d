import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import shapely
import torch
import trimesh
from boxes import CAMERA, PLANE, hull_mask
from chance import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from calibration.camera import Camera
from models.body_model import load_body
from models.body_model.body import SHIPPED
from models.shape_basis import load_bases
from pipeline.composition.meshes import (
    COLUMNS,
    Solid,
    first_hits,
    nearest_kind,
    silhouette,
    silhouettes,
    solid,
    solid_of,
    solids,
)
from pipeline.core import masks
from pipeline.core.tables import OBJECTS
from pipeline.reconstruction.shape_priors import KINDS, PERSON

BARREL = Camera(CAMERA.K, CAMERA.size_hw, np.array([-0.25, 0.05, 0.001, -0.001, 0.0]))
BASES = load_bases()
BODY = load_body()


def table(rows):
    return pa.Table.from_pylist(rows, schema=pa.schema([OBJECTS.field(name) for name in COLUMNS]))


def row(xy_m, yaw=0.6, *, category="vehicle", dims=(4.4, 1.9, 1.5), shape=None, basis=None):
    R, t = PLANE.pose(np.array(xy_m, float), yaw)
    place = {"R": R.ravel().tolist(), "t": t.tolist(), "dims_lwh_m": list(dims)}
    return dict.fromkeys(COLUMNS) | place | {"category": category, "shape": shape, "shape_basis": basis}


def person(xy_m, yaw=0.6, *, beta=0.0, knee=0.4, model=BODY.name):
    """The row of someone whose left knee is bent, its pelvis 0.9 m above the ground of PLANE, turned by yaw."""
    theta = np.zeros((24, 3))
    theta[4, 0] = knee
    known = row(xy_m, yaw, category="person", dims=(0.5, 1.4, 1.7))
    # SMPL's axes x left, y up, z forward are the object's y, z and x.
    R, t = np.reshape(known["R"], (3, 3)), np.array(known["t"])
    theta[0] = Rotation.from_matrix(R[:, [1, 2, 0]]).as_rotvec()
    beta = np.full(10, beta)
    pelvis = BODY.joints_only(torch.zeros(1, 24, 3).double(), torch.from_numpy(beta)[None])[0][0, 0].numpy()
    transl = R @ [0, 0, 0.9] + t - pelvis
    smpl = {"smpl_theta": theta.ravel().tolist(), "smpl_beta": beta.tolist(), "smpl_transl": transl.tolist()}
    return known | smpl | {"body_model": model}


def posed(known):
    """BODY as a person's row has it, without a batch."""
    values = (np.array(known[f"smpl_{name}"])[None] for name in ("theta", "beta", "transl"))
    theta, beta, transl = map(torch.from_numpy, values)
    return BODY(theta.reshape(1, 24, 3), beta, transl)


def box(xy_m, dims=(4.0, 2.0, 1.5), yaw=0.6):
    R, t = PLANE.pose(np.array(xy_m, float), yaw)
    cube = trimesh.creation.box(extents=dims)
    return Solid((cube.vertices + (0, 0, dims[2] / 2)) @ R.T + t, cube.faces.astype(np.int32))


def test_the_silhouette_of_a_box_is_its_projected_hull_to_a_pixel_of_its_rim():
    body = box((1.0, 14.0))
    drawn = masks.full(silhouette(body, CAMERA), CAMERA.size_hw)
    hull = hull_mask(body.vertices)  # OpenCV draws the rim's pixels too, those that it touches less than half
    assert not (drawn & ~hull).any()
    perimeter = trimesh.path.polygons.Polygon(CAMERA.project(body.vertices)).convex_hull.length
    assert (hull & ~drawn).sum() < 1.1 * perimeter


@pytest.mark.parametrize("camera", [CAMERA, BARREL], ids=["pinhole", "barrel"])
def test_a_ray_through_a_projected_vertex_meets_that_vertex(camera):
    body = solid_of(row((-2.0, 12.0), shape=[0.5, -1.0] + [0.0] * 6, basis="car"))
    mesh = trimesh.Trimesh(body.vertices, body.triangles, process=False)
    facing = (mesh.face_normals * mesh.triangles_center).sum(axis=1) < 0
    # On the outline a ray may pass by; a vertex amid faces that look at the camera is met.
    inner = np.setdiff1d(mesh.faces[facing], mesh.faces[~facing])
    rays = camera.rays(camera.project(body.vertices[inner]))
    hits = first_hits([body], rays)
    apart = np.linalg.norm(rays * hits.depth_m[:, None] - body.vertices[inner], axis=1)
    # A ray through a corner itself belongs to none of its triangles now and then.
    assert len(inner) > 300 and (apart < 1e-3).mean() > 0.99


@pytest.mark.parametrize("camera", [CAMERA, BARREL], ids=["pinhole", "barrel"])
def test_silhouettes_lie_where_the_lens_puts_the_vertices(camera):
    body = solid_of(row((1.5, 11.0), shape=[0.0] * 8, basis="van"))
    _, (x, y, w, h) = masks.decode(silhouette(body, camera), camera.size_hw)
    pixels = camera.project(body.vertices)
    rim = np.concatenate([[x, y] - pixels.min(axis=0), pixels.max(axis=0) - [x + w - 1, y + h - 1]])
    # Pixel centres lie within; a corner more pointed than a pixel may miss the outermost one.
    assert (rim > -0.05).all() and (rim < 2).all()


@pytest.mark.parametrize("kind", [PERSON, *KINDS], ids=lambda kind: kind.name)
def test_without_a_shape_the_body_is_closed_convex_and_scaled(kind):
    category = "person" if kind is PERSON else "vehicle"
    body = solid(category, np.eye(3), np.zeros(3), kind.size_m)
    mesh = trimesh.Trimesh(body.vertices, body.triangles, process=False)
    assert mesh.is_watertight and mesh.volume == pytest.approx(mesh.convex_hull.volume)
    assert mesh.volume > 0.3 * np.prod(kind.size_m)
    assert np.ptp(body.vertices, axis=0)[2] == pytest.approx(kind.size_m[2])
    if category == "vehicle":
        np.testing.assert_allclose(np.ptp(body.vertices, axis=0), kind.size_m)
        assert nearest_kind(kind.size_m) is kind


@pytest.mark.parametrize("group", BASES)
def test_with_a_shape_it_is_the_placed_mesh_of_the_basis(group):
    shape = np.linspace(-1, 1, BASES[group].size)
    R, t = PLANE.pose(np.array([2.0, 20.0]), 1.1)
    body = solid("vehicle", R, t, (1, 1, 1), shape, group)
    local = (body.vertices - t) @ R
    np.testing.assert_allclose(local, BASES[group].mesh(shape), atol=1e-9)


@examples(25)
@given(st.floats(-6, 6), st.floats(9, 60), st.floats(-3.1, 3.1), st.sampled_from(sorted(BASES)))
def test_the_hull_of_a_vehicle_covers_its_silhouette_and_little_more(x, y, yaw, group):
    body = solid_of(row((x, y), yaw, shape=[0.0] * 8, basis=group))
    drawn = masks.full(silhouette(body, CAMERA), CAMERA.size_hw)
    # Rays are single precision: a hundredth of a pixel.
    hull = shapely.MultiPoint(CAMERA.project(body.vertices)).convex_hull.buffer(0.01)
    rows, columns = np.nonzero(drawn)
    assert shapely.contains_xy(hull, columns, rows).all()
    if drawn.sum() > 2000:
        assert drawn.sum() > 0.8 * hull_mask(body.vertices).sum()


def test_a_table_gives_one_silhouette_a_row_and_an_empty_one_where_nothing_is_known():
    unknown = dict.fromkeys(COLUMNS) | {"category": "vehicle"}
    rows = [row((0, 14)), unknown, row((3, 20), category="person", dims=(0.45, 0.5, 1.7)), row((0, -9))]
    placed = table(rows)
    assert [body is None for body in solids(placed)] == [False, True, False, False]
    drawn = [masks.area(rle, CAMERA.size_hw) for rle in silhouettes(placed, CAMERA)]
    assert drawn[0] > drawn[2] > 20 and drawn[1] == drawn[3] == 0
    assert silhouettes(table([]), CAMERA) == []


def test_a_body_that_reaches_behind_the_camera_is_still_seen():
    cube = trimesh.creation.box(extents=(1.0, 1.0, 4.0))  # from 1 m behind the camera to 3 m ahead, beside it
    body = Solid(cube.vertices + (1.5, 0, 1), cube.faces.astype(np.int32))
    drawn = masks.full(silhouette(body, CAMERA), CAMERA.size_hw)
    assert drawn[120, 319] and not drawn[120, 160]


def test_of_two_solids_the_nearer_one_is_met():
    middle = box((0, 14)).vertices.mean(axis=0)[None]
    hits = first_hits([box((0, 20)), box((0, 14))], middle / middle[:, 2])
    assert hits.number == [1] and hits.depth_m < PLANE.to_camera(np.array([0, 14, 0]))[2]


def test_an_unknown_basis_and_a_wrong_number_of_coefficients_are_named():
    with pytest.raises(ValueError, match="shape_basis 'boat': expected one of car, "):
        solid_of(row((0, 14), shape=[0.0] * 8, basis="boat"))
    with pytest.raises(ValueError, match=r"basis car: expected \(..., 8\) coefficients, got \(3,\)"):
        solid_of(row((0, 14), shape=[0.0] * 3, basis="car"))


@pytest.mark.parametrize("beta", [-1.0, 0.0, 1.0])
def test_a_fitted_person_is_its_posed_body_closed_and_wound_outwards(beta):
    known = person((1.0, 9.0), beta=beta)
    body = solid_of(known)
    np.testing.assert_allclose(body.vertices, posed(known).vertices[0].numpy(), atol=1e-9)
    mesh = trimesh.Trimesh(body.vertices, body.triangles, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0.03
    height = PLANE.to_world(body.vertices)[:, 2]
    assert abs(height.min()) < 0.25 and 1.4 < np.ptp(height) < 2.1


def test_a_persons_silhouette_is_where_its_projected_triangles_are():
    known = person((0.5, 6.5), yaw=-2.0)
    drawn = masks.full(silhouettes(table([known]), CAMERA)[0], CAMERA.size_hw)
    body = solid_of(known)
    corners = CAMERA.project(body.vertices)[body.triangles]  # (T, 3, 2)
    y, x = np.mgrid[: CAMERA.size_hw[0], : CAMERA.size_hw[1]]
    inside = np.zeros(CAMERA.size_hw, bool)
    for a, b, c in corners:
        turns = [(q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))]
        inside |= (np.array(turns) >= 0).all(axis=0) | (np.array(turns) <= 0).all(axis=0)
    assert inside.sum() > 300 and (drawn != inside).sum() <= 1  # a centre on the very outline may fall either way
    assert inside.sum() < 0.7 * masks.area(silhouette(solid("person", *_placed(known)), CAMERA), CAMERA.size_hw)


def _placed(known):
    return [known[name] for name in ("R", "t", "dims_lwh_m")]


def test_a_ray_at_the_pelvis_meets_the_flesh_before_it_and_comes_out_behind():
    known = person((-0.5, 8.0))
    pelvis = posed(known).joints[0, 0].numpy()
    ray = pelvis[None] / pelvis[2]
    hits = first_hits([solid_of(known)], ray)
    assert 0.03 < pelvis[2] - hits.depth_m[0] < 0.3
    assert (hits.normals[0] * ray[0]).sum() < 0


def test_a_users_own_body_is_read_from_its_file(tmp_path):
    known = person((0.0, 8.0), model="mine")
    file = tmp_path / "mine.npz"
    shutil.copy(SHIPPED, file)
    whole = solid_of(person((0.0, 8.0))).vertices
    np.testing.assert_array_equal(solid_of(known, file).vertices, whole)
    np.testing.assert_array_equal(solids(table([known]), file)[0].vertices, whole)
    assert len(solid_of(known, tmp_path / "gone.npz").vertices) < len(whole)
    assert len(solid_of(known | {"body_model": "theirs"}, file).vertices) < len(whole)


def test_a_body_that_does_not_ship_or_is_not_whole_is_a_hull():
    known = person((0.0, 8.0))
    hull = solid("person", *_placed(known))
    for lacking in ({"body_model": "SMPL_NEUTRAL"}, {"smpl_transl": None}, {"body_model": None}):
        np.testing.assert_array_equal(solid_of(known | lacking).vertices, hull.vertices)
    assert len(solid_of(known).vertices) > len(hull.vertices)


def test_hulls_and_vehicles_do_without_torch():
    code = (
        "import sys, numpy as np, pipeline.composition.shards; from pipeline.composition.meshes import solid;"
        "solid('person', np.eye(3), np.zeros(3), (0.5, 0.5, 1.7));"
        "solid('vehicle', np.eye(3), np.zeros(3), (4, 2, 1.5), np.zeros(8), 'car');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
