"""Things stand on the ground, know where their points are, and are as their seed says."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulate.things import KINDS, make_thing
from pipeline.simulate.things.shapes import plate, regular, rod
from pipeline.simulate.vehicles.parts import STEEL

SEEDS = range(4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_stands_on_the_ground_with_its_points_in_it(kind):
    for seed in SEEDS:
        thing = make_thing(kind, seed)
        low, high = thing.mesh.vertices.min(axis=0), thing.mesh.vertices.max(axis=0)
        assert low[2] == pytest.approx(0, abs=1e-6)
        assert np.isfinite(thing.mesh.vertices).all() and np.isfinite(thing.mesh.normals).all()
        for name, point in thing.points.items():
            assert (point > low - 0.05).all() and (point < high + 0.05).all(), f"{kind} {seed}: {name}"
        assert 0.2 < (high - low).max() < 7, f"{kind} {seed}: {high - low}"


@pytest.mark.parametrize("kind", KINDS)
def test_left_points_lie_on_the_left(kind):
    for seed in SEEDS:
        points = make_thing(kind, seed).points
        for name in points:
            if "left" in name:
                left, right = points[name], points[name.replace("left", "right")]
                assert left[1] > right[1], f"{kind} {seed}: {name}"
                if kind not in ("bicycle", "motorbike"):  # whose bars and pedals turn
                    middle = (left + right) / 2
                    assert np.allclose(left - middle, -(right - middle)) and abs(left[2] - right[2]) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_thing(kind):
    one, again, other = (make_thing(kind, seed) for seed in (3, 3, 4))
    assert one.mesh.vertices.tobytes() == again.mesh.vertices.tobytes()
    assert one.mesh.albedo.tobytes() == again.mesh.albedo.tobytes()
    assert one.mesh.vertices.tobytes() != other.mesh.vertices.tobytes()


def test_proportions_differ_by_more_than_scale():
    chairs = [make_thing("chair", seed).points for seed in range(30)]
    ratio = [c["back top left"][2] / (2 * c["seat front left"][1]) for c in chairs]
    assert np.std(ratio) > 0.1 * np.mean(ratio)
    assert len({len(make_thing("chair", seed).mesh.triangles) for seed in range(30)}) > 5  # parts present or not


def test_an_unknown_thing_lists_the_known():
    with pytest.raises(ValueError, match="expected one of motorbike, bicycle"):
        make_thing("piano", 0)


def _volume(mesh) -> float:
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    return float(np.abs((np.cross(a, b) * c).sum() / 6))


def test_a_rod_is_closed_and_as_thick_as_asked():
    mesh = rod([(0, 0, 0), (0, 0, 2.0)], 0.1, STEEL, sides=64)
    assert _volume(mesh) == pytest.approx(np.pi * 0.01 * 2, rel=0.01)


def test_a_plate_fills_its_outline():
    mesh = plate(regular(4, 1.0, 45.0), (0.0, 0.5), STEEL)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.5, np.sqrt(2), np.sqrt(2)])
    assert _volume(mesh) == pytest.approx(0.5 * 2)


@pytest.mark.parametrize("kind", ["sofa", "table", "bench", "chair", "monitor"])
def test_corners_lie_on_what_they_are_corners_of(kind):
    """Not where a bevel or a gap between planks has taken the corner away."""
    for seed in SEEDS:
        thing = make_thing(kind, seed)
        corners = [name for name in thing.points if name.split()[0] in ("arm", "top", "bottom", "back") and
                   "foot" not in name]  # fmt: skip
        for name in corners:
            off = np.linalg.norm(thing.mesh.vertices - thing.points[name], axis=1).min()
            assert off < 0.05, f"{kind} {seed}: {name} is {off:.3f} m off"
