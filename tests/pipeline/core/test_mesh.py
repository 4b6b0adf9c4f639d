import numpy as np
import pytest

from pipeline.core.mesh import Mesh


def box(albedo=(0.5, 0.5, 0.5)):
    vertices = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = [t for q in quads for t in (q[:3], [q[0], *q[2:]])]
    return Mesh.build(vertices, np.array(triangles), albedo)


def test_a_boxs_edges_stay_sharp_and_point_outwards():
    mesh = box()
    for corner_normals in mesh.normals:
        assert np.allclose(corner_normals, corner_normals[0])  # flat faces: all three corners agree
    centres = mesh.vertices[mesh.triangles].mean(axis=1) - 0.5
    assert ((mesh.normals[:, 0] * centres).sum(axis=1) > 0).all()


def test_a_smooth_sphere_has_radial_normals():
    import open3d as o3d

    ball = o3d.geometry.TriangleMesh.create_sphere(1.0, 20)
    mesh = Mesh.build(np.asarray(ball.vertices), np.asarray(ball.triangles), (1, 1, 1), smooth_deg=60)
    cosine = (mesh.normals * mesh.vertices[mesh.triangles]).sum(axis=2)
    assert cosine.min() > 0.98


def test_moving_turns_normals_with_the_vertices_and_concat_keeps_parts():
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    both = Mesh.concat([box(), box((1, 0, 0)).moved(quarter, [5, 0, 0])])
    assert len(both.triangles) == 24
    assert both.vertices[8:].min(axis=0) == pytest.approx([4, 0, 0])
    assert np.allclose(both.normals[12:], both.normals[:12] @ quarter.T, atol=1e-6)


def test_a_wrong_shape_is_named():
    mesh = box()
    with pytest.raises(ValueError, match=r"mesh gloss: expected \(12,\), got \(3,\)"):
        Mesh(mesh.vertices, mesh.triangles, mesh.normals, mesh.albedo, np.zeros(3), mesh.lamp)
