"""The page as it is written."""

import json

import cv2
import numpy as np
import pytest
from gallery_scenes import HOSTILE, SIZE_HW, picture_of, write_camera
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import masks
from pipeline.gallery.layers import load_layers
from pipeline.gallery.page import GallerySettings, build_gallery
from pipeline.gallery.pictures import outlines, spread_over


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder with two shards and their page."""
    return write_camera(tmp_path_factory.mktemp("camera"))


def page_data(path):
    text = path.read_text()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


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
    assert data["scenes"][2]["objects"][0]["category"] == HOSTILE
    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert "<title>cam&lt;/script&gt;" in text


def test_unknown_numbers_become_null_and_the_page_names_no_address(camera):
    text = (camera / "gallery.html").read_text()
    assert page_data(camera / "gallery.html")["scenes"][2]["objects"][0]["z"] is None
    assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0
    assert "default-src 'none'" in text


def test_the_same_shards_give_the_same_bytes(camera, tmp_path):
    again = build_gallery(camera / "clipart", tmp_path / "again.html", layers=camera)
    assert again.read_bytes() == (camera / "gallery.html").read_bytes()


@pytest.mark.parametrize(("scenes", "megabytes", "expected"), [(40, 20, 3), (2, 20, 2), (40, 0.0001, 1)])
def test_the_page_is_as_large_as_it_may_be(camera, tmp_path, scenes, megabytes, expected):
    settings = GallerySettings(scenes=scenes, max_megabytes=megabytes)
    path = build_gallery(camera / "clipart", tmp_path / "page.html", settings)
    assert len(page_data(path)["scenes"]) == expected
    assert page_data(path)["total"] == 3


def test_scenes_are_spread_over_the_shards(camera, tmp_path):
    path = build_gallery(camera / "clipart", tmp_path / "page.html", GallerySettings(scenes=2))
    assert [s["id"] for s in page_data(path)["scenes"]] == ["000", "002"]
    first_ten = sorted(spread_over(1000, 40)[:10])
    assert max(np.diff([0, *first_ten, 999])) < 250
    assert spread_over(0, 40) == []


def test_pictures_are_scaled_down_to_the_widest_allowed(camera, tmp_path):
    path = build_gallery(camera / "clipart", tmp_path / "page.html", GallerySettings(max_width=80), layers=camera)
    scene = page_data(path)["scenes"][0]
    assert scene["scale"] == 0.5
    assert scene["objects"][0]["behind"]["rect"] == [10, 20, 35, 45]


def test_what_is_missing_is_named(camera, tmp_path):
    with pytest.raises(FileNotFoundError, match="images: no"):
        build_gallery(tmp_path, tmp_path / "page.html")
    with pytest.raises(ValueError, match="1 cutouts missing, first 99"):
        load_layers(camera, ["08h"], [1, 99])
    with pytest.raises(FileNotFoundError, match=r"18h\.png"):
        load_layers(camera, ["18h"], [1])
    with pytest.raises(FileNotFoundError, match="run MineUnoccluded"):
        load_layers(tmp_path, ["08h"], [1])
