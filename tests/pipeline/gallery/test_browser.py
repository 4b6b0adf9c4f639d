"""The page as a person sees it, in a real browser."""

import numpy as np
import pytest
from gallery_scenes import BLUE, GREEN, GREY, HOSTILE, OVERLAP, RED, RED_ONLY, image_row, write_camera
from gallery_viewer import close_to, in_3d, until

from pipeline.core import storage, tables
from pipeline.gallery.page import build_gallery
from pipeline.gallery.viewer_3d import COLOURS


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's folder with two shards and their page."""
    return write_camera(tmp_path_factory.mktemp("camera"))


@pytest.fixture
def viewer(open_viewer, camera):
    """The gallery with its pictures alone."""
    with open_viewer(camera / "gallery.html") as viewer:
        yield viewer.press("a", "v")


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
    assert viewer.page.locator("#where strong").inner_text() == "Scene 2 of 2"


def test_the_hidden_fraction_filter_leaves_what_is_hidden_enough(viewer):
    viewer.page.locator("#layer-visible").check()
    viewer.page.locator("#least").fill("20")
    assert close_to(viewer.colour(RED_ONLY), RED) and not close_to(viewer.colour((90, 50)), BLUE)
    assert viewer.page.locator("#matching").inner_text() == "1 of 3 match"
    viewer.page.locator("#most").fill("5")  # held at the other handle
    assert viewer.page.locator("#most").input_value() == "20"
    assert viewer.page.locator("#empty").is_visible()
    viewer.page.locator("#least").fill("0")
    assert viewer.page.locator("#empty").is_hidden()


def test_pointing_and_clicking_show_an_objects_row(viewer):
    viewer.hover(OVERLAP)
    assert viewer.page.locator("#tip").inner_text() == "10 · vehicle · 8.0 m · 0 % hidden"
    assert "71" in viewer.page.locator("#row").inner_text()
    viewer.hover((90, 50))
    viewer.page.mouse.down()
    viewer.page.mouse.up()
    viewer.hover((5, 5))
    row = viewer.page.locator("#row").inner_text()
    for text in ("72", "502", "12.00 m", "4.00 × 2.00 × 1.50 m", "0.300", "Occluded by\n10"):
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


def solids_shown(frame):
    script = """() => {
      const names = [];
      scene.traverse((part) => /^object/.test(part.name) && part.isMesh && part.visible && names.push(part.name));
      return names.sort();
    }"""
    return frame.evaluate(script)


def test_the_3d_view_has_every_object_in_its_colour_and_turns_when_dragged(viewer):
    viewer.page.locator("#view3d").click()
    frame = in_3d(viewer)
    assert solids_shown(frame) == ["object-0", "object-1", "object-2"]
    tint = frame.evaluate("scene.getObjectByName('object-1').material.color.toArray()")
    expected = [int(COLOURS[1][i : i + 2], 16) for i in (1, 3, 5)]
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
    nameless = """() => [...document.querySelectorAll('button, input, select, canvas[role], svg, iframe')].filter((e) =>
      !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length))).length"""
    assert viewer.page.evaluate(nameless) == 0
