"""A gallery's page in a real browser."""

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
from gallery_scenes import SIZE_HW
from waiting import PATIENCE_S

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --use-angle=swiftshader --enable-unsafe-swiftshader"
)


@dataclasses.dataclass
class Viewer:
    """An open page: what it asked the network for, what went wrong, and its canvas."""

    page: object
    requests: list
    errors: list

    def settle(self):
        self.page.wait_for_selector("#canvas[aria-busy=false]")
        return self

    def open(self, path: Path, fragment: str = ""):
        self.page.goto(path.as_uri() + fragment)
        return self.settle()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        return self.settle()

    def picture(self):
        """The canvas as a data address."""
        return self.page.evaluate("canvas.toDataURL()")

    def colour(self, xy):
        """BGR where a pixel of the frame is shown while the whole frame is."""
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


def until(frame, condition):
    """Wait; playwright's own waiting needs eval in the page, which the page forbids."""
    end = time.monotonic() + PATIENCE_S
    while not frame.evaluate(condition):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {condition}"
        frame.wait_for_timeout(20)


def in_3d(viewer):
    """The frame of the 3D view, its scene loaded."""
    viewer.page.wait_for_selector("#space iframe")
    frame = viewer.page.frames[-1]
    until(frame, "typeof controls !== 'undefined' && Boolean(controls)")
    return frame
