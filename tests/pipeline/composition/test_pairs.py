from dataclasses import replace

import boxes
import numpy as np
import pytest
from boxes import pool_of

from pipeline.composition.pairs import SAMPLES, PairTables, covered_fraction, make_pairs, read_tables, sample_pixels
from pipeline.core import masks
from pipeline.core.masks import full
from pipeline.core.tables import MODES

STREET = boxes.street(60)
POOL = pool_of(STREET)
VAN = (4.4, 1.9, 2.6)


def table(pool, mode="walt3d", probability=0.02):
    return make_pairs(pool, np.arange(len(pool.cutout_id)), mode, probability)


@pytest.mark.parametrize("area", [1, 3, 255, 256, 257, 5000])
def test_sample_pixels_are_spread_over_the_mask(area):
    rng = np.random.default_rng(area)
    mask = np.zeros(boxes.SIZE_HW, bool)
    mask.ravel()[rng.choice(mask.size, area, replace=False)] = True
    x, y = 0, 0
    found = sample_pixels(masks.encode(mask, (x, y), boxes.SIZE_HW), boxes.SIZE_HW)
    assert mask.T.ravel()[found].all()
    assert len(set(found.tolist())) == min(area, SAMPLES)
    order = np.searchsorted(np.flatnonzero(mask.T.ravel()), found)
    assert np.ptp(np.diff(order)) <= 1 and order[0] <= area / SAMPLES


def test_what_one_hides_of_another_is_what_its_mask_covers():
    pairs = table(POOL)
    whole = [full(rle, boxes.SIZE_HW) for rle in POOL.mask_rle]
    hidden = covered_fraction(pairs.hides)
    assert (hidden > 0).sum() > 50
    for i, j in np.argwhere(hidden > 0):
        assert pairs.together[i, j]
        assert hidden[i, j] == pytest.approx((whole[i] & whole[j]).sum() / whole[j].sum(), abs=0.06)
    # No two hide each other, and what stands together and meets has one that is nearer.
    assert not ((hidden > 0) & (hidden.T > 0)).any()


def test_what_several_hide_together_is_the_or_of_their_bits():
    spots = [(0.0, 24.0), (-2.0, 18.5), (1.6, 20.0)]
    pool = pool_of([boxes.rows(i, spot, dims=VAN) for i, spot in enumerate(spots)])
    pairs = table(pool)
    both = covered_fraction(pairs.hides[1, 0] | pairs.hides[2, 0])
    alone = covered_fraction(pairs.hides[[1, 2], 0])
    whole = [full(rle, boxes.SIZE_HW) for rle in pool.mask_rle]
    assert both == pytest.approx(((whole[1] | whole[2]) & whole[0]).sum() / whole[0].sum(), abs=0.03)
    assert alone.max() < both < alone.sum()


def test_who_is_nearer_hides_and_the_table_knows_it_as_the_painter_does():
    bus = boxes.rows(0, (5.8, 21.0), np.pi / 2, (12.0, 2.6, 3.2))
    van = boxes.rows(1, (3.0, 20.0), np.pi / 2, VAN)
    pool = pool_of([bus, van])
    assert covered_fraction(table(pool).hides)[1, 0] > 0
    assert covered_fraction(table(pool, "walt2d_ordered").hides)[0, 1] > 0
    released = table(pool, "walt2d_released")
    assert not released.ordered and (covered_fraction(released.hides) > 0).sum() == 2


def test_a_pair_that_may_cross_does_not_stand_together_and_a_smaller_probability_allows_less():
    unsure = [(c, p | {"ground_cov": np.diag([0.09, 0.25, 0.01]).ravel().tolist()}) for c, p in STREET]
    allowed = [table(pool_of(unsure), probability=p).together.sum() for p in (0.001, 0.05, 0.4)]
    assert allowed[0] < allowed[1] < allowed[2]
    assert table(POOL, "walt2d_ordered").together.sum() == len(STREET) * (len(STREET) - 1)


@pytest.mark.parametrize("mode", MODES)
def test_a_track_stands_at_most_once_in_a_scene(mode):
    pool = pool_of([boxes.rows(i, (5.0 * i - 12.5, 24.0), track=i % 2 if i < 4 else -1) for i in range(6)])
    pairs = table(pool, mode)
    assert pairs.together[:4, :4].tolist() == [[a % 2 != b % 2 for b in range(4)] for a in range(4)]
    assert pairs.together[4, 5]  # the untracked are each their own


def test_planted_pairs_are_those_of_their_category_and_band():
    pairs = table(POOL)
    hidden = covered_fraction(pairs.hides)
    for (category, band), found in pairs.planted.items():
        for i, j in found:
            assert pairs.category[j] == category and band == min(int(hidden[i, j] * 10 + 1e-6), 9)
    assert sum(map(len, pairs.planted.values())) == (hidden >= 0.1).sum()


def test_what_nobody_may_stand_before_cannot_be_hidden():
    vans = [boxes.rows(i, spot, dims=VAN) for i, spot in enumerate([(0.0, 25.0), (0.4, 20.0), (-7.0, 25.0)])]
    assert table(pool_of(vans)).occludable().tolist() == [True, False, False]
    same = [(c | {"track_id": 5}, p | {"track_id": 5}) for c, p in vans]
    assert table(pool_of(same)).occludable().tolist() == [False] * 3


def test_a_large_bucket_is_dealt_out_to_the_shards(monkeypatch):
    monkeypatch.setattr("pipeline.composition.pairs.MOST", 10)
    tables = PairTables(POOL, "walt3d", 0.02)
    rows = tables.rows("train")["noon"]
    parts = [tables.get("noon", "train", shard).rows for shard in range(4)]
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    assert tables.get("noon", "train", 4) is tables.get("noon", "train", 0)
    assert max(map(len, parts)) <= 10


def test_tables_are_read_once_and_again_where_the_files_are_others(tmp_path):
    boxes.write_camera(tmp_path, STREET[:12])
    first = read_tables(tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.02)
    assert read_tables(tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.02) is first
    assert read_tables(tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.1) is not first
    boxes.write_camera(tmp_path, STREET[:20])
    assert len(read_tables(tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.02).pool.cutout_id) == 20
    again = read_tables(tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.02)
    higher = replace(boxes.PLANE, d=boxes.PLANE.d + 1)
    assert read_tables(tmp_path, boxes.CAMERA, higher, "walt3d", 0.02) is not again


def test_a_noisy_bucket_borrows_and_lends_nothing(tmp_path):
    boxes.write_camera(tmp_path, boxes.street(12))
    asked = (tmp_path, boxes.CAMERA, boxes.PLANE, "walt3d", 0.001, 2.0)
    assert read_tables(*asked).neighbours == {"dusk": ("dusk", "noon"), "noon": ("noon", "dusk")}
    rng = np.random.default_rng(0)
    for name, sigma in {"noon": 2.0, "dusk": 6.0}.items():
        empty = np.array(boxes.BACKGROUNDS[name]) + rng.normal(0, sigma, (2, *boxes.SIZE_HW, 3))
        (tmp_path / "empty_frames").mkdir(exist_ok=True)
        np.save(tmp_path / "empty_frames" / f"{name}.npy", np.clip(empty, 0, 255).astype(np.uint8))
    assert read_tables(*asked).neighbours == {"dusk": ("dusk", "noon"), "noon": ("noon",)}
