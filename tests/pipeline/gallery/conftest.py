"""A real browser, for tests of the page as a person sees it."""

import contextlib

import pytest
from gallery_viewer import CHROMIUM, FLAGS, Viewer
from waiting import PATIENCE_S


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the gallery is not tried in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), "--no-first-run"])
        yield browser
        browser.close()


@pytest.fixture
def open_viewer(browser):
    """Opens a page, perhaps at a fragment; it ends with a look at errors and at requests beyond the page's folder."""

    @contextlib.contextmanager
    def opened(path, fragment="", width=1280, height=900, **options):
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.set_default_timeout(1000 * PATIENCE_S)
        viewer = Viewer(page, [], [])
        page.on("request", lambda r: viewer.requests.append(r.url))
        page.on("console", lambda m: viewer.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: viewer.errors.append(str(e)))
        viewer.open(path, fragment)
        yield viewer
        assert viewer.errors == []
        inside = (f"{path.parent.as_uri()}/", "data:")
        assert [r for r in viewer.requests if not r.startswith(inside)] == []
        page.close()

    return opened
