from collections import Counter
from dataclasses import replace

import boxes
import numpy as np
import pytest
from boxes import pool_of
from shapely import Polygon

from pipeline.composition.hidden_fraction import band_of
from pipeline.composition.paint import decode_sprite, paint
from pipeline.composition.pairs import PairTables, arrange
from pipeline.composition.sample import ComposeSettings, Sampler, TooFewCutouts
from pipeline.core.masks import full
from pipeline.core.tables import MODES

SETTINGS = ComposeSettings(objects_min=2, objects_max=8, objects_mean=6)
STREET = boxes.street(60)


POOL = pool_of(STREET)
# So many cutouts to train with: of three, the last validates.
POOLS = {0: pool_of([]), 2: pool_of([boxes.rows(i, (3.0 * i, 20.0)) for i in range(3)])}


def sampler(settings=SETTINGS, mode="walt3d", pool=POOL, seed=3):
    tables = PairTables(pool, mode, settings.crossing_probability)
    return Sampler(tables, settings, np.random.default_rng(seed))


def scenes(settings=SETTINGS, mode="walt3d", count=40, pool=POOL):
    draws = sampler(settings, mode, pool)
    return [draws.scene("train")[1] for _ in range(count)]


def hidden_shares(rows, street=STREET):
    """Share of each object, nearest first, that others hide, counted on the painted label map."""
    far_to_near = [decode_sprite(street[i][0], boxes.SIZE_HW) for i in rows[::-1]]
    _, label = paint(np.zeros((*boxes.SIZE_HW, 3), np.uint8), far_to_near)
    areas = [full(street[i][0]["mask_rle"], boxes.SIZE_HW).sum() for i in rows]
    return [1 - (label == len(rows) - k).sum() / area for k, area in enumerate(areas)]


def test_objects_of_a_scene_stand_apart_in_one_bucket_each_once():
    for rows in scenes():
        assert 2 <= len(rows) <= 8
        assert len(set(POOL.track_id[rows])) == len(rows)
        assert len({POOL.table["bucket"][i].as_py() for i in rows}) == 1
        polygons = [Polygon(POOL.footprints[i]) for i in rows]
        assert all(a.distance(b) > 0 for n, a in enumerate(polygons) for b in polygons[:n])


def test_flat_modes_do_not_look_at_the_ground():
    crossing = 0
    for rows in scenes(replace(SETTINGS, objects_min=8), "walt2d_released"):
        polygons = [Polygon(POOL.footprints[i]) for i in rows]
        crossing += any(a.intersects(b) for n, a in enumerate(polygons) for b in polygons[:n])
    assert crossing > 0


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_scenes(mode):
    first, second = scenes(mode=mode), scenes(mode=mode)
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
def test_what_the_draft_takes_for_hidden_is_hidden_in_the_picture(mode):
    draws = sampler(mode=mode)
    seen = []
    for _ in range(20):
        before = draws.reached.copy()
        hidden = np.array(hidden_shares(draws.scene("train")[1]))
        counted = (draws.reached - before).sum(axis=0)
        assert counted.sum() == len(hidden)
        seen.append(np.abs(np.bincount(band_of(hidden), minlength=10) - counted).sum() / 2)
    # A mask's edge may fall on the other side of a tenth.
    assert np.sum(seen) < 0.15 * draws.reached.sum()


def test_the_distribution_follows_the_setting():
    def reached(text, most=8):
        found = [hidden_shares(rows) for rows in scenes(replace(SETTINGS, hidden_fraction=text, objects_max=most))]
        bands = band_of(np.concatenate(found))
        return np.bincount(bands, minlength=10) / len(bands)

    assert reached("0-10: 1")[0] > 0.97
    some = reached("0-10: 0.7, 10-50: 0.3")
    assert some[0] == pytest.approx(0.7, abs=0.05) and some[1:5].min() > 0.03 and some[5:].sum() < 0.05
    more = reached("0-10: 0.4, 10-20: 0.2, 20-60: 0.4")
    assert more[2:6].sum() > some[2:6].sum() + 0.03 and more[6:].sum() < 0.05


@pytest.mark.parametrize("mean", [3.0, 5.0])
def test_scenes_have_as_many_objects_as_set(mean):
    settings = replace(SETTINGS, objects_mean=mean, hidden_fraction="0-10: 0.7, 10-90: 0.3")
    counts = [len(rows) for rows in scenes(settings, count=60)]
    assert np.mean(counts) == pytest.approx(mean, abs=0.5)
    assert min(counts) >= 2 and max(counts) <= 8


def test_use_is_spread():
    uses = Counter(int(row) for rows in scenes(count=60) for row in rows)
    of_bucket = {name: sum(POOL.split[rows] == "train") for name, rows in POOL.buckets.items()}
    assert len(uses) > 0.8 * sum(of_bucket.values())
    drawn = Counter(POOL.table["bucket"][int(rows[0])].as_py() for rows in scenes(count=60))
    for row, count in uses.items():
        assert count <= 0.75 * SETTINGS.max_use * drawn[POOL.table["bucket"][row].as_py()] + 2


def test_nobody_hides_most_of_too_many():
    draws = sampler(replace(SETTINGS, objects_mean=8))
    for _ in range(80):
        draws.scene("train")
    assert draws.main.sum() > 100
    assert draws.main.max() <= 0.1 * draws.main.sum() + 3


def test_buckets_that_are_lit_alike_lend_each_other_their_cutouts():
    lent = {"noon": ("noon", "dusk"), "dusk": ("dusk",)}
    tables = PairTables(POOL, "walt3d", SETTINGS.crossing_probability, lent)
    draws = Sampler(tables, SETTINGS, np.random.default_rng(1))
    shown: dict[str, Counter] = {"noon": Counter(), "dusk": Counter()}
    for _ in range(40):
        bucket, rows = draws.scene("train")
        shown[bucket].update(POOL.table["bucket"][int(row)].as_py() for row in rows)
    assert set(shown["dusk"]) == {"dusk"}
    assert shown["noon"]["noon"] > shown["noon"]["dusk"] > 0


def test_few_cutouts_still_make_scenes_that_repeat_them():
    pool = pool_of([boxes.rows(i, (5.0 * i - 12, 22.0)) for i in range(6)])
    drawn = scenes(replace(SETTINGS, objects_min=4), pool=pool, count=30)
    assert all(len(rows) >= 4 for rows in drawn)


def test_refused_cutouts_are_never_composed():
    pairs = [(c, p | {"refusal": "outline"} if c["cutout_id"] % 2 else p) for c, p in STREET]
    assert (pool_of(pairs).cutout_id % 2 == 0).all()


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_cutouts_is_one_clear_line(count):
    with pytest.raises(ValueError, match=f"fullest time bucket has {count} of at least 4 to train") as error:
        sampler(ComposeSettings(), pool=POOLS[count]).scene("train")
    assert "\n" not in str(error.value)


def test_cutouts_that_all_stand_on_one_spot_are_too_few():
    pool = pool_of([boxes.rows(i, (0.0, 20.0)) for i in range(9)])
    with pytest.raises(TooFewCutouts, match="found no 2 that stand clear of each other"):
        sampler(pool=pool).scene("train")


def test_a_scene_is_filled_by_often_used_ones_where_others_cannot():
    """Nine on one spot, of whom a scene holds one, and two elsewhere to train with, whom every scene of three needs."""
    places = [(0.0, 20.0)] * 9 + [(-10.0 + 5 * i, 30.0 + 3 * (i % 2)) for i in range(5)]
    pool = pool_of([boxes.rows(i, place) for i, place in enumerate(places)])
    for rows in scenes(ComposeSettings(objects_min=3, objects_max=3, objects_mean=3), pool=pool, count=12):
        assert {9, 10} < set(pool.cutout_id[rows].tolist())


@pytest.mark.parametrize(
    "wrong",
    [{"objects_min": 0}, {"objects_max": 300}, {"crossing_probability": 0.0}, {"crossing_probability": 0.5},
     {"max_use": 0.0}, {"relit": -0.1}, {"hidden_fraction": "0-10: 0.2"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        ComposeSettings(**wrong)


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match=r"mode: expected one of walt3d, .*, got 'flat'"):
        PairTables(POOL, "flat", 0.02)
