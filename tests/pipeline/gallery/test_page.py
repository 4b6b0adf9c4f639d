"""The page and the files beside it, as they are written."""

import base64
import gzip
import json
import re

import cv2
import numpy as np
import pytest
from gallery_scenes import HOSTILE, MANY, SCENES, SIZE_HW, THINGS, picture_of, write_camera
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import masks
from pipeline.gallery.index import Index, read_shards
from pipeline.gallery.layers import load_layers
from pipeline.gallery.page import build_gallery
from pipeline.gallery.pictures import outlines, spread_over
from pipeline.gallery.scenes import GallerySettings


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder with two shards and their page."""
    return write_camera(tmp_path_factory.mktemp("camera"))


def page_data(path):
    text = path.read_text()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


def scene_data(page, number):
    """A scene as its file hands it to the page."""
    data = page_data(page)
    row = data["scenes"]["row"][number]
    path = page.parent / data["folder"] / data["parts"][data["scenes"]["part"][number]] / f"{row:05d}.js"
    scene_id, packed = re.fullmatch(r'addScene\((".*?"),"(.*)"\);\n', path.read_text()).groups()
    assert json.loads(scene_id) == data["scenes"]["id"][number]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_laying_the_patches_over_the_scene_removes_the_nearest_objects_exactly(camera):
    picture = picture_of([1, 2, 3])
    patches = load_layers(camera, ["08h"], [1, 2, 3]).behind("08h", [1, 2, 3], 1.0)
    for left, ((x0, y0, x1, y1), pixels) in zip(([2, 3], [3], []), patches, strict=True):
        picture[y0:y1, x0:x1] = pixels
        np.testing.assert_array_equal(picture, picture_of(left))


def test_patches_of_a_scaled_scene_lie_on_its_pixel_grid(camera):
    layers, half = load_layers(camera, ["08h"], [1, 2, 3]), (80, 60)
    picture = cv2.resize(picture_of([1, 2, 3]), half, interpolation=cv2.INTER_AREA)
    for left, ((x0, y0, x1, y1), pixels) in zip(([2, 3], [3], []), layers.behind("08h", [1, 2, 3], 0.5), strict=True):
        picture[y0:y1, x0:x1] = pixels
        np.testing.assert_array_equal(picture, cv2.resize(picture_of(left), half, interpolation=cv2.INTER_AREA))


@given(st.integers(0, 2**32 - 1))
def test_outlines_enclose_exactly_the_masks_pixel_centres(seed):
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(SIZE_HW), (0, 0), 5)
    mask = noise > 0.5
    rings = [np.array(r).reshape(-1, 2) for r in outlines(masks.encode(mask, (0, 0), SIZE_HW), SIZE_HW, 0.0)]
    large = np.zeros((SIZE_HW[0] * 8, SIZE_HW[1] * 8), np.uint8)
    cv2.fillPoly(large, [np.rint(r * 8).astype(np.int32) for r in rings], 1)
    np.testing.assert_array_equal(large[4::8, 4::8].astype(bool), mask)


def test_any_text_survives_and_cannot_leave_its_place(camera):
    data, text = page_data(camera / "gallery.html"), (camera / "gallery.html").read_text()
    assert data["camera"] == f"cam{HOSTILE}"
    assert scene_data(camera / "gallery.html", 2)["objects"][0]["category"] == HOSTILE
    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert "<title>cam&lt;/script&gt;" in text


def test_the_page_runs_no_script_but_its_own_and_names_no_address(camera):
    text = (camera / "gallery.html").read_text()
    assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0
    policy = dict(part.split(" ", 1) for part in re.search(r'content="(default[^"]*)"', text)[1].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"]
    nonce = re.fullmatch(r"'nonce-([\w+/]{24})'", policy["script-src"])[1]
    # A script of the data would have to name it.
    assert nonce not in text[text.index('id="data">') : text.index(f'<script nonce="{nonce}">')]
    assert not re.search(r"\son\w+=", text[text.index("</title>") : text.index('id="data">')])


def test_unknown_numbers_become_null(camera):
    assert scene_data(camera / "gallery.html", 2)["objects"][0]["z"] is None


def test_the_same_shards_give_the_same_bytes(camera, tmp_path):
    again = build_gallery(camera / "clipart", tmp_path / "gallery.html", layers=camera)
    assert again.read_bytes() == (camera / "gallery.html").read_bytes()
    assert files_of(tmp_path / "gallery") == files_of(camera / "gallery")


def test_every_scene_is_there_and_some_are_large(tmp_path):
    camera = write_camera(tmp_path, MANY, per_shard=20)
    page = build_gallery(
        camera / "clipart", tmp_path / "few.html", GallerySettings(scenes=8, small_width=80), layers=camera
    )
    data = page_data(page)
    assert data["scenes"]["id"] == list(MANY) and len(data["parts"]) == 7
    large = [number for number, size in enumerate(data["scenes"]["large"]) if size]
    # Two of the fullest, 60 % and more of an object hidden; the others spread over the shards.
    assert len(large) == 8 and max(np.diff([0, *large, 129])) <= 40
    for number in (*large[:2], 1, 2):
        scene = scene_data(page, number)
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(scene["jpeg"]), np.uint8), 1)
        assert picture.shape[1] == (160 if number in large else 80) and scene["scale"] == picture.shape[1] / 160
        assert all(bool(thing["behind"]) == (number in large) for thing in scene["objects"])
        assert bool(scene["glb"]) == (number in large)
    thumbnails = sorted((tmp_path / "few").glob("part-*/*.jpg"))
    assert len(thumbnails) == 130 and cv2.imread(str(thumbnails[0])) is not None


def test_the_index_says_who_stands_in_which_scene_and_how_hidden(camera):
    data = page_data(camera / "gallery.html")
    first = np.cumsum([0, *data["scenes"]["count"]])
    for number, cutout_ids in enumerate(SCENES.values()):
        mine = slice(first[number], first[number + 1])
        assert [data["cutouts"]["id"][c] for c in data["objects"]["cutout"][mine]] == cutout_ids
    assert data["objects"]["hidden"] == [0, 300, 0, 0, 0]
    for cutout, track, category in zip(*(data["cutouts"][k] for k in ("id", "track", "category")), strict=True):
        assert track == 70 + cutout and data["categories"][category] == THINGS[cutout][2]
    assert [data["buckets"][b] for b in data["scenes"]["bucket"]] == ["08h"] * 3
    assert [data["splits"][s] for s in data["scenes"]["split"]] == ["train"] * 3


def test_the_fullest_scene_has_the_most_hidden_objects(tmp_path):
    write_camera(tmp_path, {"000": [1, 6], "001": [1, 5], "002": [1, 2, 5], "003": [3], "004": [1, 6]})
    images, objects, _ = read_shards(tmp_path / "clipart")
    # 2 and 5 both hidden; then 90 %, twice, the earlier first; then 60 %; then nothing.
    assert Index(images, objects).fullest_first().tolist() == [2, 0, 4, 1, 3]


def test_rows_are_spread():
    first_ten = sorted(spread_over(1000, 40)[:10])
    assert max(np.diff([0, *first_ten, 999])) < 250
    assert spread_over(0, 40) == [] and sorted(spread_over(3, 2)) == [0, 2]


def test_pictures_are_scaled_down_to_the_widest_allowed(camera, tmp_path):
    path = build_gallery(camera / "clipart", tmp_path / "page.html", GallerySettings(max_width=80), layers=camera)
    scene = scene_data(path, 0)
    assert scene["scale"] == 0.5
    assert scene["objects"][0]["behind"]["rect"] == [10, 20, 35, 45]


def test_what_is_missing_is_named(camera, tmp_path):
    with pytest.raises(FileNotFoundError, match="images: no"):
        build_gallery(tmp_path, tmp_path / "page.html")
    with pytest.raises(ValueError, match="1 cutouts missing, first 99"):
        load_layers(camera, ["08h"], [1, 99])
    with pytest.raises(ValueError, match=r"18h\.png: damaged .*Verify --mend"):
        load_layers(camera, ["18h"], [1])
    with pytest.raises(FileNotFoundError, match="tasks MineUnoccluded"):
        load_layers(tmp_path, ["08h"], [1])
