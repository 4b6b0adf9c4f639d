"""The sheet of cutouts and refusals of a street that one could draw: boxes of one colour on grey."""

import base64
import datetime as dt
import html
import re

import cv2
import numpy as np
import pyarrow as pa
import pytest
from gallery_scenes import BLUE, GREEN, GREY, HOSTILE, RED, SIZE_HW

from pipeline.core import masks, storage, tables
from pipeline.gallery.cutout_sheet import SheetSettings, write_cutout_sheet
from pipeline.mining.filter import REASONS

BOX = (60, 40, 40, 30)
# detection_id: frame, colour (BGR), track, category. 1, 2 and 3 are cutouts, the third of no known place.
SEEN = {
    1: (0, RED, 7, "vehicle"), 2: (1, GREEN, 8, "person"), 3: (2, BLUE, 9, "vehicle"),
    4: (3, BLUE, 10, "vehicle"), 5: (4, BLUE, 10, "vehicle"), 6: (5, BLUE, 10, "vehicle"), 7: (6, RED, 11, HOSTILE),
}  # fmt: skip
REFUSED = {4: "border", 5: "border", 6: "border", 7: "occluded_by"}
TIMES = [dt.datetime(2026, 6, 1, 8, minute, tzinfo=dt.UTC) for minute in range(7)]


def rows_of(schema, rows):
    return tables.to_table((dict.fromkeys(schema.names) | row for row in rows), schema)


def write_street(folder):
    """What mining and reconstruction leave of a camera, as far as the sheet reads it."""
    (folder / "background").mkdir(parents=True)
    cv2.imwrite(str(folder / "background/h08.png"), np.full((*SIZE_HW, 3), GREY, np.uint8))
    x, y, w, h = BOX
    mask = masks.encode(np.ones((h, w), bool), (x, y), SIZE_HW)
    frames, tracks, cutouts = [], [], []
    for detection, (frame, colour, track, category) in SEEN.items():
        picture = np.full((*SIZE_HW, 3), GREY, np.uint8)
        picture[y : y + h, x : x + w] = colour
        (folder / "frames").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"frames/{frame}.png"), picture)
        place = {"frame_id": frame, "timestamp": TIMES[frame], "bucket": "h08"}
        frames.append(place | {"source": f"frames/{frame}.png", "position": -1, "status": "ok"})
        seen = place | {"category": category, "track_id": track, "bbox_xywh": BOX, "mask_rle": mask}
        tracks.append(seen | {"detection_id": detection})
        if detection not in REFUSED:
            sprite = np.full((h, w, 4), (*colour, 255), np.uint8)
            pixels = {"sprite": cv2.imencode(".png", sprite)[1].tobytes(), "sprite_xy": BOX[:2]}
            cutouts.append(seen | pixels | {"cutout_id": detection})
    storage.write_table(folder / "frames/index.parquet", rows_of(tables.FRAMES, frames))
    storage.write_table(folder / "tracks.parquet", rows_of(tables.TRACKS, tracks))
    refused = [{"detection_id": i, "reason": word} for i, word in REFUSED.items()]
    storage.write_table(
        folder / "mining/refused.parquet",
        rows_of(pa.schema([("detection_id", "int64"), ("reason", "string")]), refused),
    )
    storage.write_table(folder / "cutouts/part-00000.parquet", rows_of(tables.CUTOUTS, cutouts))
    placed = [row | {"refusal": "unsure" if row["cutout_id"] == 3 else None} for row in cutouts]
    placed = [{name: value for name, value in row.items() if name in tables.RECONSTRUCTED.names} for row in placed]
    storage.write_table(folder / "reconstructed/vehicles-00000.parquet", rows_of(tables.RECONSTRUCTED, placed))
    counts = dict.fromkeys(REASONS, 0) | {"border": 3, "occluded_by": 1}
    report = {"detections": 7, "cutouts": 3, "refused": counts, "tracks": 5, "tracks_with_cutout": 3}
    storage.write_json(folder / "mining_report.json", report)
    return folder


@pytest.fixture
def street(tmp_path):
    return write_street(tmp_path / "street")


def page(street, **settings):
    return write_cutout_sheet(f"cam{HOSTILE}", street, street / "cutouts.html", SheetSettings(**settings)).read_text()


def pictures(page):
    """The decoded pictures of a piece of the page, by caption."""
    found = re.findall(r'base64,([^"]+)" alt="([^"]*)"', page)
    return [(alt, cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)) for data, alt in found]


def articles(page):
    """Pieces of the page, one a reason, by its heading."""
    return {a[0]: a[1] for a in re.findall(r"<article.*?<h3>(.*?)</h3>(.*?)</article>", page, re.S)}


def test_each_reason_is_counted_explained_and_shown(street):
    reasons = articles(page(street))
    assert list(reasons) == ["border", "occluded by", "unsure"]
    for word, count, of in (
        ("border", 3, "7 detections"),
        ("occluded by", 1, "7 detections"),
        ("unsure", 1, "3 cutouts"),
    ):
        assert f">{count}</span>" in reasons[word] and f"of {of}" in reasons[word]
        assert len(pictures(reasons[word])) == count
    assert html.escape(REASONS["border"]) in reasons["border"]


def test_a_refused_detection_is_outlined_where_its_mask_ends(street):
    (_, picture), *_ = pictures(articles(page(street))["border"])
    # The box is 30 px high in a crop of 30 + 2 x 24 px, shown 192 px high.
    scale = 192 / (BOX[3] + 48)
    inside, outside = picture[96, int(scale * 24) + 12 : -int(scale * 24) - 12], picture[96, : int(scale * 24) - 12]
    assert np.abs(inside.astype(int) - BLUE).max() < 25 and np.abs(outside.astype(int) - GREY).max() < 25
    line = picture[96, int(scale * 24) - 3 : int(scale * 24) + 4].astype(int)
    assert np.abs(line - (40, 120, 255)).max(axis=1).min() < 90


def test_cutouts_are_shown_on_their_background_and_counted_by_bucket(street):
    sheet = page(street)
    shown = pictures(sheet[sheet.index('id="cutouts"') :])
    assert [alt for alt, _ in shown] == ["vehicle, track 7", "person, track 8"]
    for (_, picture), colour in zip(shown, (RED, GREEN), strict=True):
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2].astype(int)
        assert np.abs(middle - colour).max() < 10 and np.abs(picture[2, 2].astype(int) - GREY).max() < 10
    # person, vehicle, to train, to validate, to neither, all: the later of the two validates.
    row = re.search(r"<th scope=row>h08</th>(.*?)</tr>", sheet)[1]
    assert re.findall(r"<td>(\d+)</td>", row) == ["1", "1", "1", "1", "0", "2"]


def test_no_more_pictures_than_asked_for_and_all_are_counted(street):
    sheet = page(street, examples=2, cutouts=1)
    assert len(pictures(articles(sheet)["border"])) == 2 and ">3</span>" in articles(sheet)["border"]
    assert len(pictures(sheet[sheet.index('id="cutouts"') :])) == 1 and "1 of 2, each" in sheet


def test_without_a_cutout_there_is_a_page_of_refusals(street):
    for part in (*street.glob("cutouts/*"), *street.glob("reconstructed/*")):
        part.unlink()
    sheet = page(street)
    assert list(articles(sheet)) == ["border", "occluded by"]
    assert "No detection became a cutout" in sheet


def test_a_frame_that_is_gone_costs_its_picture_only(street):
    index = storage.read_parts(street / "frames", pattern="index.parquet").to_pylist()
    index[3]["status"] = "unreadable"
    storage.write_table(street / "frames/index.parquet", rows_of(tables.FRAMES, index))
    assert len(pictures(articles(page(street))["border"])) == 2


def test_any_text_is_shown_and_none_runs(street):
    sheet = page(street)
    assert "<script" not in sheet and "<img src=x" not in sheet and sheet.count("cam&lt;/script&gt;") == 2
    assert "script-src" not in sheet and "default-src 'none'" in sheet and "://" not in sheet


def test_the_same_folder_gives_the_same_bytes(street):
    assert page(street) == page(street)
