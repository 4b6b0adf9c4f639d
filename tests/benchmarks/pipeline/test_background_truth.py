import numpy as np
import pytest

from benchmarks.pipeline.background_truth import measure, off_by, standing
from pipeline.core import masks
from pipeline.core.frames import as_png
from pipeline.core.storage import write_bytes, write_table
from pipeline.core.tables import FRAMES, IGNORED, to_table
from pipeline.empty_street.regions import FILE

HW = (60, 80)
STREET = np.full((*HW, 3), 100, np.uint8)


def parked(box, seen):
    """A TRUTH row's part that counts."""
    x, y, w, h = box
    rle = masks.encode(np.ones((h, w), bool), (x, y), HW)
    return {"mask_visible_rle": rle, "px_count_visib": seen}


@pytest.mark.parametrize(("side", "level", "regions"), [(11, 130, 1), (10, 130, 0), (11, 124, 0)])
def test_a_region_counts_from_its_size_and_its_difference(side, level, regions):
    picture = STREET.copy()
    picture[20 : 20 + side, 20 : 20 + side, 1] = level
    found = off_by(picture, STREET)
    assert found["regions_off"] == regions and found["largest_region_px"] == (side**2 if level > 125 else 0)
    assert found["p99_levels"] == level - 100


def test_standing_objects_are_counted_by_what_is_seen_of_them(tmp_path):
    rows = [parked((10, 10, 20, 10), 200), parked((50, 40, 5, 5), 25)]
    assert standing(rows, HW).sum() == 200
    for name in ("median", "background"):
        write_bytes(tmp_path / name / "noon.png", as_png(STREET))
    write_bytes(tmp_path / "empty_street/filled/noon.png", as_png(np.zeros(HW, np.uint8)))
    frame = dict.fromkeys(FRAMES.names) | {"frame_id": 0, "width": HW[1], "height": HW[0]}
    write_table(tmp_path / "frames/index.parquet", to_table([frame], FRAMES))
    half = masks.encode(np.ones((10, 10), bool), (10, 10), HW)
    region = dict.fromkeys(IGNORED.names) | {"bucket": "noon", "reason": "standing", "mask_rle": half}
    write_table(tmp_path / FILE, to_table([region], IGNORED))
    (row,) = measure(tmp_path, {"noon": (STREET, rows)}, tmp_path)
    assert row["standing_ignored"] == 0.5 and row["others_ignored"] == 0 and row["standing_px"] == 200
    assert row["own_frames"] == 1
