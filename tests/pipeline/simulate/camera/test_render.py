from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from pipeline.core.mesh import Lamp, cast, scene_of
from pipeline.simulate.camera.sensor import noise_tile, sensor
from pipeline.simulate.world.stage import OFFSETS

VIEWS = {
    "plain": {},
    "rolled": {"roll_deg": 7.0, "tilt_deg": 25.0},
    "barrel": {"roll_deg": 2.0, "distortion": (-0.2, 0.03, 0.001, -0.002, 0.0)},
}


def sample_pixels(one):
    """(h, w, 4, 2) pixel coordinates of the samples of an actor's crop."""
    h, w = one.depth.shape[:2]
    xs, ys = np.meshgrid(np.arange(w), np.arange(h))
    return np.stack([xs, ys], axis=-1)[:, :, None] + np.array(one.xy) + OFFSETS


def hull_distance(view, vertices_world, pixels):
    """(...,) how far outside the projected hull pixels lie, in undistorted pixels, negative inside."""
    p_cam = view.plane.to_camera(vertices_world)
    hull = ConvexHull(p_cam[:, :2] / p_cam[:, 2:])
    normal = view.camera.undistort(pixels)
    return (normal @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=-1) * view.camera.K[0, 0]


def world_vertices(one):
    return one.mesh.vertices @ one.R.T + one.t


@pytest.mark.parametrize("name", VIEWS)
def test_a_projected_vertex_and_its_ray_cast_hit_land_on_the_same_pixel(street, name):
    view, rng = street.view(**VIEWS[name]), np.random.default_rng(3)
    for _ in range(20):
        xy = rng.uniform([-5, 12], [5, 30])
        # A speck: whatever is hit lies within a tenth of a pixel of its projected middle.
        speck = street.box(0.01, 0.01, 0.01, lift=rng.uniform(0.2, 2.5))
        vertices = speck.mesh.vertices + np.array([*xy, 0])
        pixel = view.project(vertices.mean(axis=0))
        scene, eye = scene_of([speck.mesh.geometry]), view.eye - np.array([*xy, 0])
        hit = cast(scene, eye, view.directions(pixel[None]))
        assert np.isfinite(hit["t_hit"][0])
        landed = view.project(view.eye + view.directions(pixel) * hit["t_hit"][0])
        assert landed == pytest.approx(pixel, abs=1e-3)
        # The same half a pixel beside it would miss.
        assert np.isinf(cast(scene, eye, view.directions(pixel[None] + 0.5))["t_hit"])


@pytest.mark.parametrize("name", VIEWS)
def test_a_lone_boxs_samples_are_those_inside_its_analytic_projection(street, name):
    renderer = street.renderer(street.view(**VIEWS[name]))
    rng, compared = np.random.default_rng(5), 0
    for number in range(4):
        xy, yaw = rng.uniform([-4, 14], [4, 30]), rng.uniform(-np.pi, np.pi)
        (one,) = renderer.render([street.standing(number, tuple(xy), street.box(4, 1.8, 1.5), yaw)])
        outside = hull_distance(renderer.view, world_vertices(one), sample_pixels(one))
        clear = abs(outside) > 0.02
        assert ((outside < 0) == np.isfinite(one.depth))[clear].all()
        compared += int((outside[clear] < 0).sum())
    assert compared > 1500


def test_a_sample_shows_where_the_surface_is(street):
    renderer = street.renderer()
    (one,) = renderer.render([street.standing(1, (1.0, 20.0), street.box(4, 2, 1.5), 0.4)])
    hit = np.isfinite(one.depth)
    rays = renderer.view.directions(sample_pixels(one)[hit])
    local = (renderer.view.eye + rays * one.depth[hit][:, None] - one.t) @ one.R
    beyond = abs(local - [0, 0, 0.75]) - [2, 1, 0.75]
    assert abs(beyond.max(axis=1)).max() < 2e-3  # on a face: no coordinate beyond it, one exactly there


def test_of_two_boxes_in_a_row_the_nearer_is_whole_and_the_farther_lacks_what_it_covers(street):
    renderer = street.renderer()
    states = [
        street.standing(1, (0.5, 24.0), street.box(2, 4, 3)),
        street.standing(2, (0.0, 16.0), street.box(2, 4, 2)),
    ]
    for order in (states, states[::-1]):
        rendered = {one.state.actor_id: one for one in renderer.render(order)}
        near, far = rendered[2], rendered[1]
        assert (near.seen == np.isfinite(near.depth)).all()
        fy, fx, wy, wx = near.shared((90, 160))
        covered = np.zeros((90, 160, 4), bool)
        covered[fy, fx] = np.isfinite(near.depth)[wy, wx]
        fy, fx, wy, wx = far.shared((90, 160))
        whole = np.isfinite(far.depth)[wy, wx]
        assert (far.seen[wy, wx] == (whole & ~covered[fy, fx])).all()
        assert 0 < far.seen.sum() < whole.sum()


@pytest.mark.parametrize("seed", range(2))
def test_in_a_crowd_each_sample_belongs_to_the_nearest(street, seed):
    rng = np.random.default_rng(seed)
    renderer = street.renderer(street.view(**VIEWS["barrel"]), depth_m=27.0)
    spots = rng.uniform([-9, 11], [9, 34], (12, 2))
    states = [
        street.standing(i, tuple(s), street.box(*rng.uniform(0.6, 4, 3)), rng.uniform(0, 6))
        for i, s in enumerate(spots)
    ]
    rendered = renderer.render(states)
    depths = np.full((len(rendered), 90, 160, 4), np.inf)
    seen = np.zeros(depths.shape, bool)
    for layer, mask, one in zip(depths, seen, rendered, strict=True):
        fy, fx, wy, wx = one.shared((90, 160))
        layer[fy, fx], mask[fy, fx] = one.depth[wy, wx], one.seen[wy, wx]
    nearest = depths.min(axis=0)
    assert (seen.sum(axis=0) == (nearest < 27.0)).all()  # the wall behind has the rest
    assert (depths[seen] == np.broadcast_to(nearest, depths.shape)[seen]).all()
    assert seen.any(axis=(1, 2, 3)).sum() > 5


def test_who_is_behind_the_camera_or_beside_the_view_is_not_rendered(street):
    spots = [(0.0, -20.0), (60.0, 10.0), (0.0, 20.0)]
    states = [street.standing(i, spot, street.box(4, 2, 1.5)) for i, spot in enumerate(spots)]
    assert [one.state.actor_id for one in street.renderer().render(states)] == [2]


def test_an_empty_street_is_the_stage_in_the_suns_present_strength(street):
    renderer = street.renderer(depth_m="ground", illumination=street.illumination(sun=1.0))
    assert renderer.picture([], 0.8) == pytest.approx(np.full((90, 160, 3), 0.8 * 0.5 + 0.25), abs=1e-6)


def test_a_boxs_shadow_falls_away_from_the_sun_as_far_as_its_height_says(street):
    sun = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2)  # from the left, 45 degrees high
    renderer = street.renderer(depth_m="ground", illumination=street.illumination(sun_dir=sun, sun=1.0))
    box = street.box(2, 2, 2)
    rendered = renderer.render([street.standing(1, (0.0, 20.0), box)])
    picture = renderer.picture(rendered, 1.0)

    def at(x):
        column, row = np.round(renderer.view.project(np.array([x, 20.0, 0.0]))).astype(int)
        return picture[row, column, 0]

    assert at(2.0) == pytest.approx(0.25, abs=0.04)  # the sky's light alone
    assert at(-3.0) == pytest.approx(0.75, abs=0.02)
    edge = 1 + 2  # half the box, and as far again as it is high
    assert at(edge - 0.5) < 0.45
    assert at(edge + 0.6) > 0.65


def test_far_from_an_actor_nothing_changes(street):
    renderer = street.renderer(depth_m="ground", illumination=street.illumination(sun=1.0))
    with_box = renderer.picture(renderer.render([street.standing(1, (-6.0, 20.0), street.box(2, 2, 2))]), 1.0)
    changed = (abs(with_box - renderer.picture([], 1.0)) > 1e-4).any(axis=2)
    assert changed[:, :70].any()
    assert not changed[:, 90:].any()


def test_a_half_covered_pixel_is_mixed_of_both(street):
    dark = street.illumination(sun=0.0)
    renderer = street.renderer(illumination=dark)
    (one,) = rendered = renderer.render(
        [street.standing(1, (0.0, 20.0), street.box(4, 2, 1.5, albedo=(0, 0, 0), lift=1.0))]
    )
    picture = renderer.picture(rendered, 0.0)[..., 0]
    fy, fx, wy, wx = one.shared((90, 160))
    fraction = np.zeros((90, 160))
    fraction[fy, fx] = one.seen[wy, wx].mean(axis=2)
    expected = 0.25 * (1 - fraction)  # a black box before a stage that gives 0.25
    partly = (fraction > 0) & (fraction < 1)
    assert partly.sum() > 10
    assert picture[partly] == pytest.approx(expected[partly], abs=0.02)


def test_lamps_glow_only_when_they_are_on(street):
    vehicle = street.box(4, 2, 1.5)
    mesh = replace(vehicle.mesh, lamp=np.full(12, Lamp.BRAKE_LIGHT, np.uint8))
    state = street.standing(1, (0.0, 20.0), replace(vehicle, mesh=mesh))
    renderer = street.renderer()
    off, on = (renderer.picture(renderer.render([replace(state, braking=b)]), 1.0) for b in (False, True))
    gain = on - off
    assert gain[..., 0].max() > 0.5
    assert gain[..., 0].max() > 5 * gain[..., 2].max()


def exposed(street, picture, seed=0):
    """What the sensor makes of a picture by daylight, with all its noise from one seed."""
    rng = np.random.default_rng(seed)
    return sensor(picture, street.illumination(), noise_tile(picture.shape[:2], rng), rng)


def test_the_sensor_is_bright_where_the_light_is_and_writes_blue_first(street):
    picture = np.zeros((40, 60, 3), np.float32)
    picture[:, 30:, 0] = 0.6  # red on the right
    image = exposed(street, picture)
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    blue, _, red = image[10:30, 40:55].reshape(-1, 3).mean(axis=0)
    assert red > 120 > 30 > blue
    assert image[10:30, 5:20].mean() < 30


def test_more_light_is_never_darker_and_highlights_do_not_wrap(street):
    levels = [0.02, 0.1, 0.3, 0.7, 1.5, 4.0, 50.0]
    means = [exposed(street, np.full((16, 16, 3), level, np.float32)).mean() for level in levels]
    assert means == sorted(means)
    assert means[-1] > 240


def test_the_noise_comes_from_its_generator_alone(street):
    picture = np.full((16, 16, 3), 0.3, np.float32)
    first, same, other = (exposed(street, picture, seed) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


def test_noise_is_the_shot_noise_of_the_light(street):
    dark, bright = (exposed(street, np.full((60, 60, 3), level, np.float32), 3) for level in (0.0, 0.3))
    assert bright.std() > 1.0
    assert dark.std() < bright.std()


def test_two_frames_of_one_tile_do_not_share_their_noise(street):
    tile = noise_tile((60, 60), np.random.default_rng(0))
    picture = np.full((60, 60, 3), 0.3, np.float32)
    clean = sensor(picture, street.illumination(), np.zeros_like(tile), np.random.default_rng(0)).astype(float)
    first, second = (
        (sensor(picture, street.illumination(), tile, np.random.default_rng(seed)) - clean).ravel() for seed in (1, 2)
    )
    assert first.std() > 1.0
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
