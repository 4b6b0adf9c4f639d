import numpy as np

from models.body_model.points import FLIP_ORDER
from models.hmr.data import fitted_betas, matrices
from models.synthetic.people_crops import compose_person, flip_person
from models.synthetic.people_shards import BODIES, bodies_of, render_people
from models.synthetic.people_sprites import HEIGHT_PX
from models.synthetic.plans import PeopleSettings, plan_people
from pipeline.core.skeletons import SMPL_PARENTS

# Joints well inside the body: no cloth, hand or foot decides whether they lie on the outline.
INNER = [0, 1, 2, 3, 4, 5, 6, 9]


def test_the_same_job_writes_the_same_bytes(people_folder, tmp_path):
    job = plan_people(PeopleSettings(people=2, views=4, val_people=1, vehicles=1, per_shard=2), tmp_path)[0]
    render_people(job)
    assert job.out.read_bytes() == (people_folder / "train" / job.name).read_bytes()


def test_no_body_is_in_both_splits():
    assert not set(bodies_of("train")) & set(bodies_of("val"))
    assert len(bodies_of("train")) >= 30 and len(bodies_of("val")) >= 4


def test_joints_lie_on_the_picture_of_the_person(people_library):
    for sprite in people_library.people:
        assert max(sprite.rgba.shape) in (HEIGHT_PX, HEIGHT_PX + 1)
        x, y = np.floor(sprite.points_2d[INNER]).astype(int).T
        assert (sprite.rgba[y, x, 3] > 127).all()


def test_points_in_space_and_in_the_picture_agree(people_library):
    """Seen from the sprite's camera: the pelvis at the depth that its size tells, the focal length its own."""
    for sprite in people_library.people:
        depth = sprite.focal_px / sprite.px_per_m
        away = sprite.points_2d - sprite.points_2d[0]
        guess = sprite.focal_px * sprite.points_3d[:, :2] / (depth + sprite.points_3d[:, 2:])
        assert np.abs(away - guess).max() < 0.08 * HEIGHT_PX


def test_rotations_put_the_bones_where_the_points_are(people_library):
    """A thigh that hangs down in the T-pose points where its rotation says."""
    for sprite in people_library.people:
        R = matrices(sprite.theta)
        turned = [R[0]]
        for joint in range(1, 24):
            turned.append(turned[SMPL_PARENTS[joint]] @ R[joint])
        for hip, knee in ((1, 4), (2, 5)):
            bone = sprite.points_3d[knee] - sprite.points_3d[hip]
            found = turned[hip] @ [0, -1, 0]
            assert found @ bone / np.linalg.norm(bone) > 0.98


def test_fitted_betas_are_moderate_and_differ():
    betas = fitted_betas(BODIES)
    assert betas.shape[1] == 10 and np.isfinite(betas).all()
    assert np.abs(betas).max() < 6 and betas.std(axis=0).max() > 0.3


def test_mirroring_twice_changes_nothing(people_library):
    sprite = people_library.people[0]
    again = flip_person(flip_person(sprite))
    for name in ("rgba", "theta", "points_3d", "points_2d"):
        np.testing.assert_allclose(getattr(again, name), getattr(sprite, name), atol=1e-6)
    assert (FLIP_ORDER[FLIP_ORDER] == np.arange(29)).all()


def test_mirroring_mirrors_the_rotations_as_it_does_the_points(people_library):
    """The body's chain of rotations is that of the mirrored world: M R M, with left and right exchanged."""
    sprite = people_library.people[1]
    M = np.diag([-1.0, 1, 1])
    found, R = matrices(flip_person(sprite).theta), matrices(sprite.theta)
    np.testing.assert_allclose(found, (M @ R @ M)[FLIP_ORDER[:24]], atol=1e-5)


def test_a_crop_is_a_function_of_its_random_numbers(people_library):
    first, again = (compose_person(people_library, np.random.default_rng(4)) for _ in range(2))
    assert first.image.tobytes() == again.image.tobytes()
    np.testing.assert_array_equal(first.theta, again.theta)


def test_crops_hold_their_person(people_library):
    for seed in range(30):
        crop = compose_person(people_library, np.random.default_rng(seed))
        x, y, w, h = crop.box_xywh
        low, high = crop.points_2d.min(axis=0), crop.points_2d.max(axis=0)
        assert min(x + w, high[0]) > max(x, low[0]) and min(y + h, high[1]) > max(y, low[1])
        assert np.isfinite(crop.theta).all() and crop.image.dtype == np.uint8
        assert np.linalg.norm(crop.points_3d[15] - crop.points_3d[0]) < 1.0
