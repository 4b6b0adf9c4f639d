from dataclasses import replace

import boxes
import numpy as np
import pytest
from shapely import Polygon

from pipeline.composition.paint import decode_sprite, paint
from pipeline.composition.sample import ComposeSettings, _Draft, arrange, make_pool, sample
from pipeline.core.masks import full
from pipeline.core.tables import MODES

SETTINGS = ComposeSettings(objects_min=2, objects_max=8, objects_mean=6)
STREET = boxes.street(60)


def pool_of(pairs):
    return make_pool(*boxes.tables(pairs), boxes.PLANE, boxes.SIZE_HW)


POOL = pool_of(STREET)
# So many cutouts to train with: of three, the last validates.
POOLS = {0: pool_of([]), 2: pool_of([boxes.rows(i, (3.0 * i, 20.0)) for i in range(3)])}


def scenes(settings, mode="walt3d", count=40, pool=POOL):
    rng = np.random.default_rng(3)
    return [sample(pool, "train", mode, settings, rng) for _ in range(count)]


def hidden_shares(rows):
    """Share of each object, nearest first, that others hide, counted on the painted label map."""
    far_to_near = [decode_sprite(STREET[i][0], boxes.SIZE_HW) for i in rows[::-1]]
    _, label = paint(np.zeros((*boxes.SIZE_HW, 3), np.uint8), far_to_near)
    areas = [full(STREET[i][0]["mask_rle"], boxes.SIZE_HW).sum() for i in rows]
    return [1 - (label == len(rows) - k).sum() / area for k, area in enumerate(areas)]


def test_objects_of_a_scene_stand_clear_of_each_other_in_one_bucket():
    for rows in scenes(SETTINGS):
        assert 2 <= len(rows) <= 8
        assert len(set(rows)) == len(rows)
        assert len({POOL.table["bucket"][i].as_py() for i in rows}) == 1
        polygons = [Polygon(POOL.quads[i]) for i in rows]
        gaps = [a.distance(b) for n, a in enumerate(polygons) for b in polygons[:n]]
        assert min(gaps, default=1.0) >= SETTINGS.clearance_m - 1e-9


def test_flat_modes_do_not_look_at_the_ground():
    settings = replace(SETTINGS, objects_min=8, occlusion_share=0.0)
    crossing = 0
    for rows in scenes(settings, "walt2d_released"):
        polygons = [Polygon(POOL.quads[i]) for i in rows]
        crossing += any(a.intersects(b) for n, a in enumerate(polygons) for b in polygons[:n])
    assert crossing > 0


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_scenes(mode):
    first, second = scenes(SETTINGS, mode), scenes(SETTINGS, mode)
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]


def test_modes_order_by_ground_by_bottom_and_by_draw():
    # A bus stands along the road; the car's box ends higher in the image, yet it is in front of the bus's rear.
    bus = boxes.rows(0, (2.2, 20.0), np.pi / 2, (12.0, 2.6, 3.2))
    car = boxes.rows(1, (-0.9, 19.0), np.pi / 2)
    pool = pool_of([bus, car])
    assert pool.box_xywh[:, [1, 3]].sum(axis=1).argmax() == 0
    assert arrange(pool, np.array([0, 1]), "walt3d").tolist() == [1, 0]
    assert arrange(pool, np.array([0, 1]), "walt2d_ordered").tolist() == [0, 1]
    assert arrange(pool, np.array([0, 1]), "walt2d_released").tolist() == [1, 0]
    assert arrange(pool, np.array([1, 0]), "walt2d_released").tolist() == [0, 1]


@pytest.mark.parametrize("mode", MODES)
def test_candidates_are_weighed_in_the_order_that_the_scene_is_painted_in(mode):
    # Two cars on one spot of one row, so that ground, box bottom and distance tie, and some beside and behind them.
    spots = [(0.0, 20.0), (0.0, 20.0), (6.0, 20.0), (1.0, 26.0), (-5.0, 15.0)]
    pool = pool_of([boxes.rows(i, spot) for i, spot in enumerate(spots)])
    for first in range(len(spots)):
        for second in range(len(spots)):
            if first != second:
                draft = _Draft(pool, np.array([first, second]), mode, SETTINGS)
                nearer = draft._nearer(np.array([1]), np.array([0]))
                assert nearer.shape == (1, 1)
                assert nearer[0, 0] == (arrange(pool, np.array([first, second]), mode)[0] == second)


def test_the_share_of_hidden_objects_follows_the_setting():
    shares = []
    for wanted in (0.0, 0.3, 0.6):
        hidden = [np.array(hidden_shares(rows)) for rows in scenes(replace(SETTINGS, occlusion_share=wanted))]
        shares.append((np.concatenate(hidden) > 0).mean())
    assert shares[0] < 0.1 < shares[1] < shares[2]
    assert abs(shares[1] - 0.3) < 0.1


def test_no_object_is_hidden_more_than_allowed():
    settings = replace(SETTINGS, occlusion_share=1.0, max_hidden=0.4)
    most = max(max(hidden_shares(rows)) for rows in scenes(settings))
    assert 0.1 < most <= 0.4
    assert max(max(hidden_shares(rows)) for rows in scenes(replace(settings, max_hidden=1.0))) > 0.4


def test_refused_cutouts_are_never_composed():
    pairs = [(c, p | {"refusal": "outline"} if c["cutout_id"] % 2 else p) for c, p in STREET]
    assert (pool_of(pairs).cutout_id % 2 == 0).all()


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_cutouts_is_one_clear_line(count):
    with pytest.raises(ValueError, match=f"fullest time bucket has {count} of at least 3 to train") as error:
        sample(POOLS[count], "train", "walt3d", ComposeSettings(), np.random.default_rng(0))
    assert "\n" not in str(error.value)


def test_cutouts_that_all_stand_on_one_spot_are_too_few():
    pool = pool_of([boxes.rows(i, (0.0, 20.0)) for i in range(9)])
    with pytest.raises(ValueError, match="found no 2 that stand clear of each other"):
        sample(pool, "train", "walt3d", SETTINGS, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"objects_min": 0}, {"objects_max": 300}, {"min_hidden": 0.95}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        ComposeSettings(**wrong)
