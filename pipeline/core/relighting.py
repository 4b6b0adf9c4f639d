"""Frames in the light of their bucket's background, crop by crop, so that both can be compared and mixed.

Boxes are xywh in whole pixels inside the frame; images are BGR, float32 grey levels unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.background import read_backgrounds
from pipeline.core import illumination as light
from pipeline.core import masks
from pipeline.core.frames import FrameReader

Box = tuple[int, int, int, int]
# How far the light may differ between two places of a frame, share of its width.
_LIGHT_REACH = 0.125


@dataclass(frozen=True)
class Placed:
    """One detection's mask (h, w) bool at xy, and its number from 1 in `Relit.owner`."""

    crop: np.ndarray
    xy: tuple[int, int]
    number: int


class Relit:
    """A frame (H, W, 3) uint8 beside its background (H, W, 3) uint8 and the masks of everything found in it."""

    def __init__(self, frame: np.ndarray, background: np.ndarray, rles: Sequence[str]) -> None:
        if frame.shape != background.shape:
            raise ValueError(f"frame is {frame.shape}, its background {background.shape}: run MedianBackground again")
        self.frame, self.background = frame, background
        self.owner = np.zeros(frame.shape[:2], np.uint16)
        self.placed: list[Placed] = []
        for number, rle in enumerate(rles, start=1):
            crop, (x, y, w, h) = masks.decode(rle, frame.shape[:2])
            self.owner[y : y + h, x : x + w][crop] = number
            self.placed.append(Placed(crop, (x, y), number))
        free = cv2.resize((self.owner == 0).astype(np.float32), light.cells(background).shape[1::-1], None, 0, 0, 3)
        reach = _LIGHT_REACH * free.shape[1]
        self.gain = light.smooth_gain(frame, light.cells(background), free > 0.8, reach)

    def crop(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """The frame in the background's light, and the background, (h, w, 3) each, of a box inside the frame."""
        x, y, w, h = box
        gain = light.gain_at(self.gain, self.frame.shape[:2], box)
        place = np.s_[y : y + h, x : x + w]
        return self.frame[place] / gain, self.background[place].astype(np.float32)

    @cached_property
    def noise(self) -> np.ndarray:
        """(256,) spread in grey levels of unchanged pixels, by the background's brightness."""
        flat = self.owner[2::4, 2::4] == 0
        height, width = self.frame.shape[:2]
        gain = light.gain_at(self.gain, (height, width))[2::4, 2::4]
        return light.noise_levels(self.frame[2::4, 2::4] / gain, self.background[2::4, 2::4].astype(np.float32), flat)


def padded(mask: Placed, margin_px: tuple[int, int], size_hw: tuple[int, int]) -> tuple[np.ndarray, Box]:
    """The mask in a box larger by margins (across, up and down), and that box; both end at the frame's border."""
    (x, y), (h, w), (across, up) = mask.xy, mask.crop.shape, margin_px
    left, top = max(x - across, 0), max(y - up, 0)
    right, bottom = min(x + w + across, size_hw[1]), min(y + h + up, size_hw[0])
    crop = np.zeros((bottom - top, right - left), bool)
    crop[y - top : y - top + h, x - left : x - left + w] = mask.crop
    return crop, (left, top, right - left, bottom - top)


def relit_frames(
    index: Path, root: Path, backgrounds: Path, tracks: Path, frame_ids: Sequence[int]
) -> Iterator[tuple[Relit, pa.Table]]:
    """Every readable frame of frame_ids that has detections, with its rows of the TRACKS table in `placed`'s order."""
    wanted = pa.array(sorted(int(i) for i in frame_ids), pa.int64())
    rows = pq.read_table(tracks, filters=pc.field("frame_id").isin(wanted))
    frames = pq.read_table(index, filters=pc.field("frame_id").isin(wanted))
    images = read_backgrounds(backgrounds)
    order = np.argsort(rows["frame_id"].to_numpy(), kind="stable")
    rows = rows.take(order)
    ids = rows["frame_id"].to_numpy()
    for frame_id, image in FrameReader(frames, root).read(np.unique(ids).tolist()):
        start, end = np.searchsorted(ids, [frame_id, frame_id + 1])
        mine = rows.slice(start, end - start)
        bucket = mine["bucket"][0].as_py()
        if bucket not in images:
            raise ValueError(f"{backgrounds}: no background of bucket {bucket}; run MedianBackground first")
        yield Relit(image, images[bucket], mine["mask_rle"].to_pylist()), mine
