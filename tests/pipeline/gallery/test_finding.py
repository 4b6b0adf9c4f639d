"""Finding a scene among many, in a real browser: links, order, search, pages; and looking closely at one.

The scenes are MANY: by the remainder of their numbers by four nothing, 30, 60 or 90 % of a blue vehicle is hidden; the
second of them has two objects, the third a person besides.
"""

import cv2
import numpy as np
import pytest
from gallery_scenes import BLUE, GREY, MANY, OVERLAP, RED, SIZE_HW, image_row, write_camera
from gallery_viewer import close_to, in_3d, until

from calibration.camera import Camera, GroundPlane
from pipeline.gallery.page import build_gallery
from pipeline.gallery.scenes import GallerySettings

NUMBERS = range(len(MANY))


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Seven shards of scenes, six of them shown large."""
    folder = write_camera(tmp_path_factory.mktemp("camera"), MANY, per_shard=20)
    build_gallery(
        folder / "clipart", folder / "gallery.html", GallerySettings(scenes=6, small_width=160), layers=folder
    )
    return folder


@pytest.fixture
def viewer(open_viewer, camera):
    with open_viewer(camera / "gallery.html") as viewer:
        yield viewer.press("a", "v")


def listed(viewer):
    """Numbers of the scenes on the page of thumbnails that is turned up, in their order."""
    return [
        int(i) for i in viewer.page.eval_on_selector_all("#thumbs button", "all => all.map((b) => b.dataset.scene)")
    ]


def opened(viewer):
    return int(viewer.settle().page.evaluate("state.scene"))


def sort_by(viewer, label):
    viewer.page.locator("#sort").select_option(label=label)
    return viewer.settle()


def test_it_opens_on_the_fullest_scene_and_its_address_says_which(viewer):
    # One object of each is hidden by over 10 %: the 90 % come first, the earliest of them before the others.
    assert opened(viewer) == 3 and viewer.page.url.endswith("#scene=003")
    assert listed(viewer) == ([n for n in NUMBERS if n % 4 == 3] + [n for n in NUMBERS if n % 4 == 2])[:60]
    assert viewer.page.locator("#where strong").inner_text() == "Scene 1 of 130"


def test_sorting_by_the_hidden_fraction_and_backwards(viewer):
    sort_by(viewer, "greatest hidden fraction")
    wanted = sorted(NUMBERS, key=lambda n: (-[0, 0.3, 0.6, 0.9][n % 4], n))
    assert listed(viewer) == wanted[:60] and opened(viewer) == 3
    viewer.page.locator("#reverse").click()
    assert listed(viewer) == sorted(NUMBERS, key=lambda n: ([0, 0.3, 0.6, 0.9][n % 4], n))[:60]
    assert opened(viewer) == 0 and viewer.page.locator("#reverse").get_attribute("aria-pressed") == "true"
    viewer.page.locator("#reverse").click()
    sort_by(viewer, "hidden fraction on average")  # 0, 0.3 of 2, 0.6 of 3 and 0.9 of 2 objects
    assert listed(viewer) == sorted(NUMBERS, key=lambda n: (-[0, 0.15, 0.2, 0.45][n % 4], n))[:60]


def test_sorting_by_category_track_and_shard(viewer):
    sort_by(viewer, "most of person")
    assert listed(viewer) == [n for n in NUMBERS if n % 2 == 0][:60]
    sort_by(viewer, "lowest track")  # 71 is the red vehicle of all but the lone person's scenes
    assert listed(viewer) == [n for n in NUMBERS if n % 4][:60]
    sort_by(viewer, "order of the shards")
    assert listed(viewer) == list(NUMBERS)[:60]


def test_pages_of_thumbnails_hold_every_scene_once(viewer):
    sort_by(viewer, "order of the shards")
    seen = listed(viewer)
    assert viewer.page.locator("#pageBack").is_disabled()
    for number in (2, 3):
        viewer.page.locator("#pageOn").click()
        assert viewer.page.locator("#page").inner_text() == f"page {number} of 3"
        seen += listed(viewer)
    assert seen == list(NUMBERS) and viewer.page.locator("#pageOn").is_disabled()
    viewer.page.locator("#thumbs img").last.scroll_into_view_if_needed()
    until(viewer.page, "document.querySelector('#thumbs li:last-child img').naturalWidth > 0")
    viewer.page.locator("#thumbs button").last.click()
    assert opened(viewer) == 129 and viewer.page.locator("#next").is_disabled()


def test_the_next_scene_may_stand_on_the_next_page(viewer):
    sort_by(viewer, "order of the shards")
    viewer.page.locator("#thumbs button").last.click()
    assert opened(viewer) == 59
    viewer.press("ArrowRight")
    assert opened(viewer) == 60 and listed(viewer)[0] == 60
    assert viewer.page.locator('#thumbs [aria-current="true"]').count() == 1


@pytest.mark.parametrize(
    ("field", "text", "wanted"),
    [
        ("track", "76", [n for n in NUMBERS if n % 4 == 3]),
        ("track", "73", [n for n in NUMBERS if n % 2 == 0]),
        ("cutout", "5", [n for n in NUMBERS if n % 4 == 2]),
        ("cutout", "99", []),
    ],
)
def test_search_by_track_and_by_cutout(viewer, field, text, wanted):
    sort_by(viewer, "order of the shards")
    viewer.page.locator(f"#{field}").fill(text)
    assert listed(viewer) == wanted[:60]
    assert viewer.page.locator("#matching").inner_text() == f"{len(wanted)} of 130 match"
    assert viewer.page.locator("#empty").is_visible() == (not wanted)
    viewer.page.locator("#clear").click()
    assert listed(viewer) == list(NUMBERS)[:60] and viewer.page.locator(f"#{field}").input_value() == ""


def test_search_labels_the_found_object_alone(viewer):
    viewer.page.locator("#track").fill("76")
    viewer.page.locator("#layer-visible").check()
    assert opened(viewer) == 3
    assert close_to(viewer.colour((30, 70)), RED) and not close_to(viewer.colour((72, 60)), BLUE)


def test_what_is_no_number_is_marked_and_finds_everything(viewer):
    viewer.page.locator("#track").fill("7x")
    assert viewer.page.locator("#track").get_attribute("aria-invalid") == "true"
    assert viewer.page.locator("#matching").inner_text() == "all 130 listed"
    assert opened(viewer) == 3, "letters typed into a field switch no layer and no scene"
    viewer.page.locator("#track").press_sequentially("avk3")
    assert not viewer.page.locator("#layer-amodal").is_checked() and viewer.page.locator("#space").is_hidden()


def test_split_bucket_and_hidden_fraction_together(viewer):
    sort_by(viewer, "order of the shards")
    viewer.page.locator("#split").select_option(label="val")
    assert listed(viewer) == [n for n in NUMBERS if n % 5 == 4]
    viewer.page.locator("#least").fill("50")
    viewer.page.locator("#most").fill("70")
    assert listed(viewer) == [n for n in NUMBERS if n % 5 == 4 and n % 4 == 2]
    viewer.page.locator("#bucket").select_option(label="08h")
    assert listed(viewer) == [n for n in NUMBERS if n % 5 == 4 and n % 4 == 2]


def test_a_link_opens_its_scene_and_survives_reloading(viewer, camera, open_viewer):
    for _ in range(3):
        viewer.press("ArrowRight")
    address = viewer.page.url
    assert address.endswith("#scene=015") and opened(viewer) == 15
    with open_viewer(camera / "gallery.html", "#scene=126") as other:
        assert opened(other) == 126 and 126 in listed(other)
        assert other.page.locator("#name").inner_text().startswith("126 ")
        other.page.reload()
        assert opened(other) == 126
        other.page.evaluate("location.hash = '#scene=040'")
        until(other.page, "state.scene === 40")
        other.page.locator("#classes input[value=person]").uncheck()
        assert opened(other) != 40
        other.page.evaluate("location.hash = '#scene=040'")  # a link clears the search that hides its scene
        until(other.page, "state.scene === 40 && canvas.getAttribute('aria-busy') === 'false'")
        assert other.page.locator("#matching").inner_text() == "all 130 listed"


def test_a_link_is_copied(open_viewer, camera):
    with open_viewer(
        camera / "gallery.html", "#scene=007", permissions=["clipboard-read", "clipboard-write"]
    ) as viewer:
        viewer.page.locator("#link").click()
        until(viewer.page, "document.getElementById('copied').textContent === 'Link copied'")
        copied = viewer.page.evaluate("navigator.clipboard.readText()")
        assert copied == (camera / "gallery.html").as_uri() + "#scene=007"


@pytest.mark.parametrize("fragment", ["#scene=none", "#scene=%", "#scene=<img src=x onerror=alert(1)>", "#else"])
def test_a_link_to_no_scene_says_so_and_shows_the_first(open_viewer, camera, fragment):
    with open_viewer(camera / "gallery.html", fragment) as viewer:
        assert opened(viewer) == 3
        assert viewer.page.locator("#problem").is_visible() == fragment.startswith("#scene")
        assert viewer.page.locator("img[src=x]").count() == 0


def test_a_scene_whose_file_is_missing_says_which_and_the_others_open(camera, open_viewer, tmp_path):
    page = build_gallery(camera / "clipart", tmp_path / "gallery.html", GallerySettings(scenes=1), layers=camera)
    (tmp_path / "gallery/part-00000-of-00007/00003.js").unlink()
    with open_viewer(page) as viewer:
        assert "gallery/part-00000-of-00007/00003.js is missing" in viewer.page.locator("#problem").inner_text()
        viewer.press("ArrowRight")
        assert opened(viewer) == 7 and viewer.page.locator("#problem").is_hidden()
        viewer.errors[:] = [e for e in viewer.errors if "ERR_FILE_NOT_FOUND" not in e]


def test_small_scenes_say_what_they_lack(viewer):
    large = viewer.page.evaluate("scenes.large.indexOf(1)")
    small = viewer.page.evaluate("scenes.large.indexOf(0)")
    for number, hidden in ((large, True), (small, False)):
        viewer.page.evaluate(f"openScene({number})")
        until(viewer.page, f"scene().id === '{number:03d}'")
        assert viewer.page.locator("#small").is_hidden() == hidden
        assert viewer.page.locator("#view3d").is_disabled() != hidden


def place_of(viewer, xy):
    """A frame's pixel on the screen while the whole frame is shown."""
    box = viewer.page.locator("#canvas").bounding_box()
    return box["x"] + xy[0] * box["width"] / SIZE_HW[1], box["y"] + xy[1] * box["height"] / SIZE_HW[0]


def at(viewer, xy):
    """The frame's pixel that is shown at a place of the screen."""
    found = viewer.page.evaluate("([clientX, clientY]) => inFrame({ clientX, clientY })", list(xy))
    return found["x"], found["y"]


def test_the_wheel_zooms_in_where_it_is_turned_and_out_to_the_whole(viewer):
    place = place_of(viewer, OVERLAP)
    viewer.page.mouse.move(*place)
    viewer.page.mouse.wheel(0, -700)
    until(viewer.page, "state.zoom > 3")
    assert at(viewer, place) == pytest.approx(OVERLAP, abs=0.5)
    viewer.page.mouse.wheel(0, 5000)
    until(viewer.page, "state.zoom === 1")
    assert viewer.page.evaluate("[state.left, state.top]") == [0, 0]
    assert viewer.page.locator("#zoomOut").is_disabled()


def test_zoomed_the_picture_the_labels_and_the_pointer_agree(viewer):
    viewer.page.evaluate("zoomTo(8, 50, 60)")
    # At 50, 60 the red vehicle is in front; eight times as large, what is shown of the frame is 20 x 15 px around it.
    for fraction in ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)):
        xy = viewer.page.evaluate("([u, v]) => [state.left + u * 160 / 8, state.top + v * 120 / 8]", list(fraction))
        shown = viewer.page.evaluate(
            "([u, v]) => [...ctx.getImageData(u * canvas.width, v * canvas.height, 1, 1).data]", list(fraction)
        )[2::-1]
        assert close_to(shown, RED if 20 <= xy[0] < 70 and 40 <= xy[1] < 80 else GREY, 20), xy
    box = viewer.page.locator("#canvas").bounding_box()
    viewer.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert viewer.page.locator("#tip").inner_text().startswith("10 ")


def test_dragging_pans_and_is_no_click(viewer):
    viewer.page.evaluate("zoomTo(4, 50, 60)")
    box = viewer.page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    held = at(viewer, (x, y))
    viewer.page.mouse.move(x, y)
    viewer.page.mouse.down()
    viewer.page.mouse.move(x - 80, y - 60, steps=4)
    viewer.page.mouse.up()
    each = SIZE_HW[1] / box["width"] / 4
    assert at(viewer, (x - 80, y - 60)) == pytest.approx(held, abs=4 * each)
    assert viewer.page.evaluate("state.chosen") is None
    viewer.page.mouse.move(x, y)
    viewer.page.mouse.down()
    viewer.page.mouse.move(x + 3000, y + 3000, steps=4)  # never beyond the frame
    viewer.page.mouse.up()
    assert viewer.page.evaluate("[state.left, state.top]") == [0, 0]


def test_keys_and_buttons_zoom_and_arrows_pan_where_the_picture_has_the_focus(viewer):
    viewer.press("+", "+")
    assert viewer.page.evaluate("state.zoom") == pytest.approx(2.25)
    assert viewer.page.locator("#zoomed").inner_text() == "225 %"
    viewer.page.locator("#canvas").focus()
    before = viewer.page.evaluate("[state.left, state.top]")
    viewer.press("ArrowRight", "ArrowDown")
    after = viewer.page.evaluate("[state.left, state.top]")
    assert after[0] > before[0] and after[1] > before[1] and opened(viewer) == 3
    viewer.press("0")
    assert viewer.page.evaluate("state.zoom") == 1
    viewer.press("ArrowRight")
    assert opened(viewer) == 7
    viewer.page.locator("#zoomIn").click()
    viewer.page.locator("#zoomOut").click()
    assert viewer.page.evaluate("state.zoom") == pytest.approx(1)
    viewer.page.locator("#zoomIn").click()
    viewer.press("ArrowLeft")  # the button has the focus, not the picture
    assert opened(viewer) == 3 and viewer.page.evaluate("state.zoom") == 1


def test_two_fingers_zoom(viewer):
    script = """(apart) => {
      const box = canvas.getBoundingClientRect(), y = box.top + box.height / 2, x = box.left + box.width / 2;
      const send = (kind, pointerId, dx) =>
        canvas.dispatchEvent(new PointerEvent(kind, { pointerId, clientX: x + dx, clientY: y, pointerType: "touch" }));
      send("pointerdown", 11, -50); send("pointerdown", 12, 50);
      for (let d = 50; d <= apart; d += 10) { send("pointermove", 11, -d); send("pointermove", 12, d); }
      send("pointerup", 11, -apart); send("pointerup", 12, apart);
      return state.zoom;
    }"""
    assert viewer.page.evaluate(script, 150) == pytest.approx(3, rel=0.05)
    middle = viewer.page.evaluate("[state.left + 160 / state.zoom / 2, state.top + 120 / state.zoom / 2]")
    assert middle == pytest.approx([80, 60], abs=2)


def test_the_background_lies_on_the_ground_where_the_camera_sees_it(open_viewer, tmp_path):
    camera = write_camera(tmp_path)
    background = np.full((*SIZE_HW, 3), GREY, np.uint8)
    background[80:100, 60:90] = BLUE
    cv2.imwrite(str(camera / "background/08h.png"), background)
    page = build_gallery(camera / "clipart", camera / "ground.html", layers=camera)
    row = image_row("000", [])
    seen_by = Camera(np.reshape(row["K"], (3, 3)), SIZE_HW)
    plane = GroundPlane(np.array(row["ground_plane"][:3]), row["ground_plane"][3])
    with open_viewer(page) as viewer:
        viewer.press("3")
        frame = in_3d(viewer)
        until(frame, "Boolean(scene.getObjectByName('background'))")
        for pixel, colour in (
            ((75, 90), BLUE),
            ((62, 82), BLUE),
            ((75, 104), GREY),
            ((94, 90), GREY),
            ((50, 90), GREY),
        ):
            x, y, _ = plane.to_world(plane.intersect(seen_by, np.array(pixel, float)))
            assert close_to(shown_in_3d(frame, [x, 0.0, -y]), colour, 30), pixel


def shown_in_3d(frame, point):
    """BGR that the 3D view shows at a glTF point, the solids and the grid's lines put aside."""
    script = """(point) => {
      scene.traverse((part) => { if (part.isMesh || part.isLine) part.visible = part.name === "background"; });
      const target = new THREE.WebGLRenderTarget(800, 800), bytes = new Uint8Array(4);
      const eye = new THREE.PerspectiveCamera(30, 1, 0.1, 500);
      eye.position.set(point[0], 6, point[2] + 2); eye.lookAt(new THREE.Vector3(...point)); eye.updateMatrixWorld();
      renderer.setRenderTarget(target); renderer.render(scene, eye);
      renderer.readRenderTargetPixels(target, 400, 400, 1, 1, bytes);
      renderer.setRenderTarget(null);
      return [...bytes];
    }"""
    return tuple(frame.evaluate(script, point)[2::-1])


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_a_phone_and_can_be_used_by_keys_alone(open_viewer, camera, width):
    with open_viewer(camera / "gallery.html", width=width, height=780) as viewer:
        assert viewer.page.evaluate("document.documentElement.scrollWidth") <= width
        reached = set()
        for _ in range(40):
            viewer.page.keyboard.press("Tab")
            reached.add(viewer.page.evaluate("document.activeElement.id"))
            assert viewer.page.evaluate("document.activeElement.matches(':focus-visible')")
        assert {"canvas", "zoomIn", "view3d", "next", "peel", "link", "sort", "reverse"} <= reached
