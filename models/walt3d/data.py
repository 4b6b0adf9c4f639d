"""What the network learns from: random windows of composed scenes of one or several cameras, as tensors.

A window's objects keep their whole boxes where they leave it: they are truncated, their labels are not. Masks are
rasters over the object's own whole box, so that they need no window to lie in; the network samples its targets there.
All places are edge coordinates of the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from calibration.camera import pixel_to_edge
from models.contract import MASKS, Given, Splits
from models.scenes.objects import CLASSES, KEYPOINTS, MOST_KEYPOINTS, SHAPES, SOLID, Part, Scene, Scenes, Thing
from models.scenes.windows import GREY, augmented, cropped, sampled_corner, sampled_scale, window_matrix
from models.walt3d import Walt3dSettings
from pipeline.core.instances import tight
from pipeline.core.skeletons import OF_CATEGORY
from pipeline.core.tables import KEYPOINT_STATES

MOST = 48  # objects of a window; more are ignored, the smallest first
RASTER = 56  # cells of a mask's raster along each side of the object's whole box
IGNORE_PX = 4  # of the window to a cell of the map of what is ignored
_LEAST_PX = 12  # visible pixels that a window must show of an object,
_LEAST_SEEN = 0.03  # and the least fraction of it: else nothing there tells of it
_OCCLUDED, _TRUNCATED = (KEYPOINT_STATES.index(name) for name in ("occluded", "truncated"))
_FLIPS = {CLASSES.index(name): list(skeleton.flip) for name, skeleton in OF_CATEGORY.items()}


def splits(settings: Walt3dSettings, given: Given, seed: int) -> Splits:
    """Windows of both splits of a camera's clip-art, and of that of `given.cameras`, mixed.

    A sample holds image (3, S, S) uint8 RGB and ignore (S / 4, S / 4) bool; of its first objects, MOST at most, labels
    (48,), -1 beyond them, whole and visible (48, 4) boxes xyxy, masks (48, 2, 56, 56) uint8 of both over the whole box,
    hidden (48,), keypoints (48, 17, 2) NaN where unknown and states (48, 17), -1 where unknown; and of vehicles group
    (48,), -1 without, shape (48, 8), R (48, 3, 3) and t (48, 3) in the camera K (3, 3), distortion (5,), whose frame
    to_frame (2, 3) leads to. Raises ValueError, one line, for data that cannot be used.
    """
    if given.shards is None:
        raise ValueError("walt3d: expected a camera's clip-art, got none; run `luigi --module tasks GenerateClipArt`")
    folders = [given.shards, *(camera.folder / given.shards.name for camera in given.cameras)]
    needed = (*KEYPOINTS, *(SOLID if settings.lift else ()))
    what = "keypoints and the 3D branch" if settings.lift else "keypoints"
    which = given.masks or MASKS[1]
    return Splits(*(
        Windows(Scenes(folders, split, needed, what), settings, seed, which, augment=split == "train")
        for split in Splits._fields
    ))  # fmt: skip


@dataclass(frozen=True)
class _Shown:
    """A thing in a window: its boxes (4,) xyxy and rasters (2, 56, 56) uint8; how much of it is seen, of how much."""

    thing: Thing
    whole: np.ndarray
    visible: np.ndarray
    rasters: np.ndarray
    seen_px: float
    whole_px: float

    @property
    def told(self) -> bool:
        """Whether the window shows enough of it to learn from."""
        return self.seen_px >= max(_LEAST_PX, _LEAST_SEEN * self.whole_px)


class Windows:
    """Window n of the scenes, n as large as one likes, a function of n and the seed.

    masks: "amodal" as composed; "visible" as who labels pictures sees them: what of an object is seen stands for all of
    it, and of what is hidden there is nothing. augment: another illumination, and mirror images.
    """

    def __init__(self, scenes: Scenes, settings: Walt3dSettings, seed: int, masks: str, *, augment: bool) -> None:
        self.source, self.settings, self.seed, self.augment = scenes, settings, seed, augment
        self.modal = masks == MASKS[0]

    @property
    def scenes(self) -> list[str]:
        """The scene_id of every scene."""
        return self.source.scenes

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        turn, place = divmod(number, len(self.source))
        scene = self.source[int(self.source.order(turn, self.seed)[place])]
        return self.window(scene, np.random.default_rng([self.seed, number, 1]))

    def window(self, scene: Scene, rng: np.random.Generator) -> dict[str, Tensor]:
        """A random window of a scene: see `splits` for what it holds."""
        settings = self.settings.window
        scale, side = sampled_scale(settings, rng), settings.side_px
        boxes = [thing.box_xywh for thing in scene.things]
        corner = sampled_corner(scene.size_hw, side / scale, boxes, settings.at_object, rng)
        matrix, flip = window_matrix(scale, corner), bool(self.augment and rng.random() < 0.5)
        if flip:
            matrix[0] = -matrix[0] + (0, 0, side)
        shown = [one for thing in scene.things if (one := _shown(thing, matrix, side, modal=self.modal))]
        told = sorted((one for one in shown if one.told), key=lambda one: -one.seen_px)[:MOST]
        ignore = np.zeros(scene.size_hw, bool) if scene.ignore is None else scene.ignore
        for one in shown:
            if one not in told:
                (x, y), crop = one.thing.visible.xy, one.thing.visible.crop
                ignore[y : y + crop.shape[0], x : x + crop.shape[1]] |= crop
        image = cropped(scene.image_bgr, matrix, side, GREY)
        if self.augment:
            image = augmented(image, settings, rng)
        ignored = cropped(ignore.astype(np.uint8) * 255, matrix / IGNORE_PX, side // IGNORE_PX, 0) >= 128
        inverse = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]
        cameras = {"to_frame": inverse, "K": scene.K, "distortion": scene.distortion}
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))),
            "ignore": torch.from_numpy(ignored),
            **{name: torch.from_numpy(value).float() for name, value in cameras.items()},
            **_tensors(told, matrix, side, flip=flip, modal=self.modal),
        }


def _shown(thing: Thing, matrix: np.ndarray, side: int, *, modal: bool) -> _Shown | None:
    """A thing as a window shows it; None where it shows nothing of it."""
    part = _within(thing.visible, matrix, side)
    if part is None:
        return None
    (x, y), (h, w), area = part.xy, part.crop.shape, abs(matrix[0, 0] * matrix[1, 1])
    seen, whole = (float(x), float(y), float(w), float(h)), part if modal else thing.whole
    box = seen if modal else thing.box_xywh
    rasters = np.stack([_raster(whole, box), _raster(part, box)])
    seen_px, whole_px = (area * np.count_nonzero(p.crop) for p in (part, thing.visible if modal else whole))
    return _Shown(thing, _moved(box, matrix), _moved(seen, matrix), rasters, seen_px, whole_px)


def _within(part: Part, matrix: np.ndarray, side: int) -> Part | None:
    """What of a mask lies in the window, by its pixels' centres; None for nothing."""
    corners = (np.array([[0.0, 0.0], [side, side]]) - matrix[:, 2]) / matrix[[0, 1], [0, 1]]
    first, last = (np.round(edge).astype(int) for edge in (corners.min(axis=0), corners.max(axis=0)))
    x, y = part.xy
    left, top = max(first[0] - x, 0), max(first[1] - y, 0)
    found = tight(part.crop[top : max(last[1] - y, 0), left : max(last[0] - x, 0)], (int(x + left), int(y + top)))
    return None if found is None else Part(*found)


def _moved(box_xywh: tuple[float, float, float, float], matrix: np.ndarray) -> np.ndarray:
    """A box of the picture as xyxy of the window."""
    x, y, w, h = box_xywh
    ends = np.array([[x, y], [x + w, y + h]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([ends.min(axis=0), ends.max(axis=0)])


def _raster(part: Part, box_xywh: tuple[float, float, float, float]) -> np.ndarray:
    """(56, 56) uint8, 0 to 255: which fraction of each cell of a box the mask covers."""
    x, y, w, h = box_xywh
    left, top = int(np.floor(x)), int(np.floor(y))
    canvas = np.zeros((max(int(np.ceil(y + h)) - top, 1), max(int(np.ceil(x + w)) - left, 1)), np.uint8)
    (px, py), (ph, pw) = part.xy, part.crop.shape
    x0, y0, x1, y1 = max(px, left), max(py, top), min(px + pw, left + canvas.shape[1]), min(py + ph, top + len(canvas))
    if x1 > x0 and y1 > y0:
        canvas[y0 - top : y1 - top, x0 - left : x1 - left] = part.crop[y0 - py : y1 - py, x0 - px : x1 - px] * 255
    smaller = canvas.shape[0] > RASTER and canvas.shape[1] > RASTER
    return np.asarray(
        cv2.resize(canvas, (RASTER, RASTER), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    )


def _tensors(told: list[_Shown], matrix: np.ndarray, side: int, *, flip: bool, modal: bool) -> dict[str, Tensor]:
    """What `splits` says of objects, filled up to MOST of them."""
    labels, group = np.full(MOST, -1, np.int64), np.full(MOST, -1, np.int64)
    boxes, hidden = np.zeros((2, MOST, 4), np.float32), np.zeros(MOST, np.float32)
    rasters = np.zeros((MOST, 2, RASTER, RASTER), np.uint8)
    keypoints, states = np.full((MOST, MOST_KEYPOINTS, 2), np.nan, np.float32), np.full((MOST, MOST_KEYPOINTS), -1)
    shape, R = np.full((MOST, SHAPES), np.nan, np.float32), np.full((MOST, 3, 3), np.nan, np.float32)
    t = np.full((MOST, 3), np.nan, np.float32)
    for k, one in enumerate(told):
        thing = one.thing
        labels[k], boxes[0, k], boxes[1, k], hidden[k] = thing.number, one.whole, one.visible, thing.hidden
        rasters[k] = one.rasters[..., ::-1] if flip else one.rasters
        keypoints[k], states[k] = _keypoints(thing, matrix, side, flip=flip, modal=modal)
        group[k], shape[k], R[k], t[k] = thing.group, thing.shape, thing.R, thing.t
    arrays = {
        "labels": labels, "whole": boxes[0], "visible": boxes[1], "masks": rasters, "hidden": hidden,
        "keypoints": keypoints, "states": states, "group": group, "shape": shape, "R": R, "t": t,
    }  # fmt: skip
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def _keypoints(
    thing: Thing, matrix: np.ndarray, side: int, *, flip: bool, modal: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (17, 2) in the window and their states (17,) there: what lies beyond its edges is truncated."""
    xy, states = pixel_to_edge(thing.keypoints) @ matrix[:, :2].T + matrix[:, 2], thing.states.copy()
    outside = ((xy < 0) | (xy > side)).any(axis=1)
    states[outside & (states >= 0)] = _TRUNCATED
    if modal:
        unseen = (states == _OCCLUDED) | (states == _TRUNCATED)
        xy[unseen], states[unseen] = np.nan, -1
    if flip:
        order = _FLIPS[thing.number]
        xy[: len(order)], states[: len(order)] = xy[order], states[order]
    return xy, states
