"""Three tiny scenes of coloured boxes on grey, built into a page and used in a real browser.

Scene 0, near to far: a red vehicle over a blue one, and a green person aside. Scene 1: the person alone.
Scene 2: one object whose class is hostile text and whose geometry is unknown.
"""

import dataclasses
import datetime as dt
import json
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import gallery, gallery_statistics, masks, storage, tables
from pipeline.gallery import GallerySettings, build_gallery, outlines
from pipeline.gallery_layers import load_layers

SIZE_HW = (120, 160)
HOSTILE = """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'&"""
RED, BLUE, GREEN, GREY = (40, 40, 220), (220, 60, 40), (60, 200, 60), (128, 128, 128)
# cutout_id: box xywh, colour (BGR), category, depth in metres
THINGS = {
    1: ((20, 40, 50, 40), RED, "vehicle", 8.0),
    2: ((50, 30, 50, 40), BLUE, "vehicle", 12.0),
    3: ((120, 20, 16, 48), GREEN, "person", 15.0),
    4: ((60, 60, 30, 30), RED, HOSTILE, None),
}
SCENES = {"000": [1, 2, 3], "001": [3], "002": [4]}
OVERLAP, RED_ONLY = (60, 60), (30, 70)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --use-angle=swiftshader --enable-unsafe-swiftshader"
)


def sprite_png(box, colour):
    bgra = np.full((box[3], box[2], 4), (*colour, 255), np.uint8)
    return cv2.imencode(".png", bgra)[1].tobytes()


def cutout_row(cutout_id):
    box, colour, category, _ = THINGS[cutout_id]
    row = {"cutout_id": cutout_id, "category": category, "sprite": sprite_png(box, colour), "sprite_xy": box[:2]}
    row["mask_rle"] = masks.encode(np.ones((box[3], box[2]), bool), box[:2], SIZE_HW)
    if cutout_id == 1:  # a shadow that reaches 10 px below the red vehicle and takes half of the light
        light = np.full((10, box[2]), 128, np.uint8)
        row |= {"shadow": cv2.imencode(".png", light)[1].tobytes(), "shadow_xy": [box[0], box[1] + box[3]]}
    return dict.fromkeys(tables.CUTOUTS.names) | row


def object_rows(scene, cutout_ids):
    """Rows near to far; what is nearer hides what is farther."""
    taken = np.zeros(SIZE_HW, bool)
    for rank, cutout_id in enumerate(cutout_ids):
        (x, y, w, h), _, category, z_m = THINGS[cutout_id]
        visible = ~taken[y : y + h, x : x + w]
        amodal = masks.encode(np.ones((h, w), bool), (x, y), SIZE_HW)
        taken[y : y + h, x : x + w] = True
        row = {"scene_id": scene, "object_id": 10 + rank, "cutout_id": cutout_id, "track_id": 70 + cutout_id}
        row |= {"category": category, "depth_order": rank, "z_m": z_m or float("nan"), "source_frame": 500 + cutout_id}
        row |= {"bbox_amodal_xywh": [x, y, w, h], "bbox_visible_xywh": [x, y, w, h], "mask_amodal_rle": amodal}
        row |= {"mask_visible_rle": masks.encode(visible, (x, y), SIZE_HW), "px_count_all": w * h}
        row |= {"px_count_visib": int(visible.sum()), "visible_fraction": float(visible.mean()), "truncation": 0.0}
        row |= {"occluder_ids": [10] if not visible.all() else [], "fit_ok": True, "score": 0.9}
        if z_m:
            row |= {"R": [0, -1, 0, 0, 0, -1, 1, 0, 0], "t": [(x + w / 2 - 80) * z_m / 100, 2.0, z_m]}
            row |= {
                "dims_lwh_m": [4.0, 2.0, 1.5],
                "keypoints_2d": [x + 5, y + 5, x + w - 5, y + h - 5, float("nan"), 0],
            }
            row |= {"keypoint_state": ["visible", "occluded", "truncated"]}
        yield dict.fromkeys(tables.OBJECTS.names) | row


def picture_of(cutout_ids):
    picture = np.full((*SIZE_HW, 3), GREY, np.uint8)
    for (x, y, w, h), colour, _, _ in (THINGS[i] for i in reversed(cutout_ids)):
        if colour == RED and (x, y) == (20, 40):
            picture[y + h : y + h + 10, x : x + w] = np.rint(picture[y + h : y + h + 10, x : x + w] * (128 / 255))
        picture[y : y + h, x : x + w] = colour
    return picture


def image_row(scene, cutout_ids):
    row = {"scene_id": scene, "camera_id": f"cam{HOSTILE}", "shard": int(scene) // 2, "seed": 5, "mode": "walt3d"}
    row |= {"background": "08h", "timestamp": dt.datetime(2026, 6, 1, 8, tzinfo=dt.UTC), "n_objects": len(cutout_ids)}
    row |= {"width": SIZE_HW[1], "height": SIZE_HW[0], "K": [100, 0, 79.5, 0, 100, 59.5, 0, 0, 1]}
    row |= {"distortion": [0.0] * 5, "ground_plane": [0.0, -1.0, 0.0, 2.0]}
    jpeg = cv2.imencode(".jpg", picture_of(cutout_ids), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    return dict.fromkeys(tables.IMAGES.names) | row | {"image": {"bytes": jpeg, "path": None}}


def write_shards(camera, scenes):
    for shard in {int(s) // 2 for s in scenes}:
        mine = {s: ids for s, ids in scenes.items() if int(s) // 2 == shard}
        part = f"part-{shard:05d}-of-00002.parquet"
        images = tables.to_table([image_row(s, ids) for s, ids in mine.items()], tables.IMAGES)
        objects = tables.to_table([r for s, ids in mine.items() for r in object_rows(s, ids)], tables.OBJECTS)
        storage.write_table(camera / "clipart/images" / part, images)
        storage.write_table(camera / "clipart/objects" / part, objects)


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder: two shards, the background and the cutouts they were painted from."""
    folder = tmp_path_factory.mktemp("camera")
    write_shards(folder, SCENES)
    cutouts = tables.to_table(map(cutout_row, THINGS), tables.CUTOUTS)
    storage.write_table(folder / "cutouts/part-00000.parquet", cutouts)
    (folder / "background").mkdir()
    cv2.imwrite(str(folder / "background/08h.png"), np.full((*SIZE_HW, 3), GREY, np.uint8))
    build_gallery(folder / "clipart", folder / "gallery.html", layers=folder)
    build_gallery(folder / "clipart", folder / "without.html")
    return folder


def page_data(path):
    text = path.read_text()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


# ---- what is written


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
    first_ten = sorted(gallery._spread(1000, 40)[:10])
    assert max(np.diff([0, *first_ten, 999])) < 250
    assert gallery._spread(0, 40) == []


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


def test_statistics_count_every_object_once(camera):
    images = storage.read_parts(camera / "clipart/images", gallery_statistics.IMAGE_COLUMNS)
    objects = storage.read_parts(camera / "clipart/objects", gallery_statistics.OBJECT_COLUMNS)
    charts = {c["title"]: c for c in gallery_statistics.charts(images, objects)}
    sums = {title: sum(sum(s["values"]) for s in chart["series"]) for title, chart in charts.items()}
    # Five objects in three scenes; one partly hidden; one without a depth; four cutouts, the person used twice.
    assert list(sums.values()) == [3, 1, 4, 5, 5, 4]
    assert all(len(s["values"]) == len(c["labels"]) for c in charts.values() for s in c["series"])
    assert charts["Uses of a cutout"]["series"][0]["values"] == [3, 1]
    # Of the blue vehicle, 20 x 30 of its 50 x 40 pixels lie behind the red one.
    assert {s["name"]: s["values"][3] for s in charts["Occlusion"]["series"]} == {HOSTILE: 0, "person": 0, "vehicle": 1}
    assert ("20 %", "partly hidden") in gallery_statistics.facts(images, objects)


def test_statistics_of_no_scenes_are_empty():
    images = tables.IMAGES.empty_table().select(gallery_statistics.IMAGE_COLUMNS)
    objects = tables.OBJECTS.empty_table().select(gallery_statistics.OBJECT_COLUMNS)
    charts = gallery_statistics.charts(images, objects)
    assert all(sum(s["values"]) == 0 for c in charts for s in c["series"])
    assert ("–", "partly hidden") in gallery_statistics.facts(images, objects)


# ---- what a person sees


@dataclasses.dataclass
class Viewer:
    """An open page: what it asked the network for, what went wrong, and its canvas."""

    page: object
    requests: list
    errors: list

    def settle(self):
        self.page.wait_for_selector("#canvas[aria-busy=false]")
        return self

    def open(self, path: Path):
        self.page.goto(path.as_uri())
        return self.settle()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        return self.settle()

    def picture(self):
        """The canvas as a data address."""
        return self.page.evaluate("canvas.toDataURL()")

    def colour(self, xy):
        """BGR where a pixel of the frame is shown."""
        x, y = xy[0] / SIZE_HW[1], xy[1] / SIZE_HW[0]
        script = "([x, y]) => [...ctx.getImageData(x * canvas.width, y * canvas.height, 1, 1).data]"
        return tuple(self.page.evaluate(script, [x, y])[2::-1])

    def unevenness(self, x, y, w, h):
        """Standard deviation, in grey levels, of what is shown in a box of the frame."""
        scale = self.page.evaluate("canvas.width") / SIZE_HW[1]
        script = "(box) => [...ctx.getImageData(...box).data]"
        return np.std(np.reshape(self.page.evaluate(script, [v * scale for v in (x, y, w, h)]), (-1, 4)), axis=0).max()

    def hover(self, xy):
        box = self.page.locator("#canvas").bounding_box()
        self.page.mouse.move(
            box["x"] + xy[0] * box["width"] / SIZE_HW[1], box["y"] + xy[1] * box["height"] / SIZE_HW[0]
        )


def close_to(found, expected, within=12):
    return all(abs(a - b) <= within for a, b in zip(found, expected, strict=True))


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the gallery is not tried in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), "--no-first-run"])
        yield browser
        browser.close()


@pytest.fixture
def viewer(browser, camera):
    """The gallery with its pictures alone; every test ends with a look at errors and requests."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    viewer = Viewer(page, [], [])
    page.on("request", lambda r: viewer.requests.append(r.url))
    page.on("console", lambda m: viewer.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: viewer.errors.append(str(e)))
    viewer.open(camera / "gallery.html").press("a", "v")
    yield viewer
    assert viewer.errors == []
    pages = [path.as_uri() for path in camera.glob("*.html")]
    assert [r for r in viewer.requests if r not in pages and not r.startswith("data:")] == []
    page.close()


@pytest.mark.parametrize("layer", ["amodal", "visible", "boxAmodal", "boxVisible", "keypoints", "box3d", "ids"])
def test_every_layer_can_be_switched_on_and_off(viewer, layer):
    plain = viewer.picture()
    viewer.page.locator(f"#layer-{layer}").check()
    assert viewer.picture() != plain
    viewer.page.locator(f"#layer-{layer}").uncheck()
    assert viewer.picture() == plain


def test_peeling_shows_the_pixels_behind_nearest_first(viewer):
    slider = viewer.page.locator("#peel")
    for removed, expected in enumerate([RED, BLUE, GREY, GREY]):
        slider.fill(str(removed))
        assert close_to(viewer.colour(OVERLAP), expected)
        assert close_to(viewer.colour((128, 40)), GREY if removed == 3 else GREEN)
        assert close_to(viewer.colour((30, 84)), GREY if removed else (64, 64, 64))  # its shadow goes with it
    assert viewer.page.locator("#peeled").inner_text() == "background only"
    slider.fill("0")
    assert close_to(viewer.colour(OVERLAP), RED)


def test_masks_follow_the_peeling(viewer):
    behind_red = viewer.colour(OVERLAP)
    viewer.page.locator("#layer-visible").check()
    covered = viewer.colour(OVERLAP)
    assert not close_to(covered, behind_red)
    viewer.press("Shift+ArrowRight")
    tinted = viewer.colour(OVERLAP)
    viewer.page.locator("#layer-visible").uncheck()
    assert close_to(viewer.colour(OVERLAP), BLUE) and not close_to(tinted, BLUE)


def test_only_what_is_hidden_is_hatched(viewer):
    hidden, blue, red = (54, 44, 12, 22), (76, 36, 20, 30), (24, 46, 20, 28)
    viewer.page.locator("#layer-amodal").check()
    assert viewer.unevenness(*hidden) > 20
    assert viewer.unevenness(*blue) < 8 and viewer.unevenness(*red) < 8
    viewer.press("Shift+ArrowRight")
    assert viewer.unevenness(*hidden) < 8


def test_without_cutouts_a_peeled_place_is_hatched_and_said_to_be(viewer, camera):
    viewer.open(camera / "without.html").press("a", "v", "Shift+ArrowRight")
    assert not close_to(viewer.colour(RED_ONLY), RED) and not close_to(viewer.colour(RED_ONLY), GREY)
    assert close_to(viewer.colour((90, 50)), BLUE)
    assert "hatched" in viewer.page.locator("#about").inner_text()


def test_keys_walk_through_scenes_and_layers(viewer):
    where = viewer.page.locator("#where strong")
    assert where.inner_text() == "Scene 1 of 3"
    assert viewer.press("ArrowRight", "ArrowRight", "ArrowRight") and where.inner_text() == "Scene 3 of 3"
    assert viewer.press("ArrowLeft") and where.inner_text() == "Scene 2 of 3"
    assert close_to(viewer.colour(OVERLAP), GREY) and close_to(viewer.colour((128, 40)), GREEN)
    assert viewer.press("k") and viewer.page.locator("#layer-keypoints").is_checked()
    viewer.page.locator("#thumbs button").first.click()
    assert viewer.settle() and where.inner_text() == "Scene 1 of 3"


def test_the_class_filter_hides_labels_and_scenes(viewer):
    thumbs, plain = viewer.page.locator("#thumbs li:visible"), viewer.colour((128, 40))
    viewer.page.locator("#layer-visible").check()
    assert thumbs.count() == 3 and not close_to(viewer.colour((128, 40)), plain)
    viewer.page.locator("#classes input[value=person]").uncheck()
    assert thumbs.count() == 2 and close_to(viewer.colour((128, 40)), plain)
    assert not close_to(viewer.colour(RED_ONLY), RED)
    viewer.press("ArrowRight")
    assert viewer.page.locator("#where strong").inner_text() == "Scene 3 of 3"


def test_the_visible_fraction_filter_leaves_what_is_hidden_enough(viewer):
    viewer.page.locator("#layer-visible").check()
    viewer.page.locator("#most").fill("80")
    assert close_to(viewer.colour(RED_ONLY), RED) and not close_to(viewer.colour((90, 50)), BLUE)
    assert viewer.page.locator("#matching").inner_text() == "1 of 3 match"
    viewer.page.locator("#least").fill("95")  # held at the other handle
    assert viewer.page.locator("#least").input_value() == "80"
    assert viewer.page.locator("#empty").is_visible()
    viewer.page.locator("#most").fill("100")
    assert viewer.page.locator("#empty").is_hidden()


def test_pointing_and_clicking_show_an_objects_row(viewer):
    viewer.hover(OVERLAP)
    assert viewer.page.locator("#tip").inner_text() == "10 · vehicle · 8.0 m · 100 % visible"
    assert "71" in viewer.page.locator("#row").inner_text()
    viewer.hover((90, 50))
    viewer.page.mouse.down()
    viewer.page.mouse.up()
    viewer.hover((5, 5))
    row = viewer.page.locator("#row").inner_text()
    for text in ("72", "502", "12.00 m", "4.00 × 2.00 × 1.50 m", "0.700", "Occluded by\n10"):
        assert text in row
    viewer.press("Escape")
    assert viewer.page.locator("#row").is_hidden()


def test_a_peeled_object_cannot_be_pointed_at(viewer):
    viewer.press("Shift+ArrowRight")
    viewer.hover(OVERLAP)
    assert viewer.page.locator("#tip").inner_text().startswith("11 ")


def test_a_3d_box_stands_where_its_pose_says(viewer):
    viewer.page.locator("#layer-box3d").check()
    # Front bottom corners of the red vehicle: z = 8 + 2, y = 2, x = t_x -+ 1; pixel centres lie half beyond edges.
    t_x = (45 - 80) * 8 / 100
    for x in (t_x - 1, t_x + 1):
        place = (100 * x / 10 + 79.5 + 0.5, 100 * 2 / 10 + 59.5 + 0.5)
        found = viewer.page.evaluate(f"project([{x}, 2, 10])")
        assert found == pytest.approx(place)
    corners = viewer.page.evaluate("corners(scene().objects[0])")
    np.testing.assert_allclose(corners[:2], [[t_x - 1, 2, 10], [t_x + 1, 2, 10]], atol=1e-3)


def in_3d(viewer):
    """The frame of the 3D view, its scene loaded."""
    viewer.page.wait_for_selector("#space iframe")
    frame = viewer.page.frames[-1]
    until(frame, "typeof controls !== 'undefined' && Boolean(controls)")
    return frame


def until(frame, condition, seconds=20.0):
    """Wait; playwright's own waiting needs eval in the page, which the page forbids."""
    end = time.monotonic() + seconds
    while not frame.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        frame.page.wait_for_timeout(20)


def solids_shown(frame):
    script = "() => { const n = []; scene.traverse((o) => o.isMesh && o.visible && n.push(o.name)); return n.sort(); }"
    return frame.evaluate(script)


def test_the_3d_view_has_every_object_in_its_colour_and_turns_when_dragged(viewer):
    viewer.page.locator("#view3d").click()
    frame = in_3d(viewer)
    assert solids_shown(frame) == ["object-0", "object-1", "object-2"]
    tint = frame.evaluate("scene.getObjectByName('object-1').material.color.toArray()")
    expected = [int(gallery.COLOURS[1][i : i + 2], 16) for i in (1, 3, 5)]
    np.testing.assert_allclose(np.divide(tint, max(tint)), np.divide(expected, max(expected)), atol=0.01)
    before, box = frame.evaluate("camera.position.toArray()"), viewer.page.locator("#space iframe").bounding_box()
    viewer.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + box["width"] / 2 + 120, box["y"] + box["height"] / 2, steps=4)
    viewer.page.mouse.up()
    until(frame, f"camera.position.distanceTo(new THREE.Vector3(...{before})) > 1")
    after, middle = frame.evaluate("camera.position.toArray()"), frame.evaluate("controls.target.toArray()")
    assert np.linalg.norm(np.subtract(after, middle)) == pytest.approx(np.linalg.norm(np.subtract(before, middle)))


def test_the_3d_view_follows_scenes_peeling_and_filters(viewer):
    viewer.press("3")
    frame = in_3d(viewer)
    viewer.hover(RED_ONLY)
    until(frame, "scene.getObjectByName('object-0').material.emissive.r > 0")
    viewer.press("Shift+ArrowRight")
    until(frame, "!scene.getObjectByName('object-0').visible")
    assert solids_shown(frame) == ["object-1", "object-2"]
    viewer.page.locator("#classes input[value=person]").uncheck()
    until(frame, "!scene.getObjectByName('object-2').visible")
    viewer.page.locator("#classes input[value=person]").check()
    viewer.press("ArrowRight")
    assert solids_shown(in_3d(viewer)) == ["object-0"]
    viewer.press("3")
    assert viewer.page.locator("#space").is_hidden() and len(viewer.page.frames) == 1


def test_the_3d_view_can_reach_neither_the_page_nor_the_network(viewer):
    viewer.press("3")
    frame = in_3d(viewer)
    assert (
        frame.evaluate("(() => { try { return parent.document.title } catch (e) { return e.name } })()")
        == "SecurityError"
    )
    policy = viewer.page.locator("meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in policy and "connect-src data:" in policy
    assert viewer.page.locator("#space iframe").get_attribute("sandbox") == "allow-scripts"


def test_a_scene_without_known_places_says_so(viewer):
    viewer.press("3", "ArrowRight", "ArrowRight")
    assert viewer.page.locator("#space p").inner_text() == "No object's place in this scene is known"
    assert viewer.page.locator("#space iframe").count() == 0
    viewer.press("3")
    assert viewer.page.locator("#view3d").is_disabled()


def test_hostile_text_is_shown_and_never_run(viewer):
    viewer.press("ArrowRight", "ArrowRight", "i", "d", "k")
    assert viewer.page.evaluate("window.hacked") is None
    assert viewer.page.locator("h1").inner_text() == f"cam{HOSTILE}"
    assert viewer.page.locator("#objects .name").inner_text() == HOSTILE
    assert viewer.page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scenes", [{}, {"000": []}], ids=["no scenes", "a scene of nothing"])
def test_empty_shards_still_make_a_page(viewer, camera, tmp_path, scenes):
    images = tables.to_table((image_row(s, ids) for s, ids in scenes.items()), tables.IMAGES)
    storage.write_table(tmp_path / "images/part.parquet", images)
    storage.write_table(tmp_path / "objects/part.parquet", tables.OBJECTS.empty_table())
    page = build_gallery(tmp_path, camera / "empty.html", layers=camera)
    viewer.open(page).press("v", "ArrowRight", "Shift+ArrowRight")
    assert viewer.page.locator("#thumbs li").count() == len(scenes)
    assert viewer.page.locator("#empty").is_visible() == (not scenes)


@pytest.mark.parametrize("width", [360, 900, 1900])
def test_the_page_fits_its_window_and_everything_has_a_name(viewer, width):
    viewer.page.set_viewport_size({"width": width, "height": 800})
    assert viewer.page.evaluate("document.documentElement.scrollWidth") <= width
    nameless = """() => [...document.querySelectorAll('button, input, canvas[role], svg')].filter((e) =>
      !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length))).length"""
    assert viewer.page.evaluate(nameless) == 0
