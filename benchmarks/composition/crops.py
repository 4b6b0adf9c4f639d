"""Crops around objects of composed scenes and of a camera's own frames, alike in all but what made them.

A crop is BGR uint8 (SIDE_PX, SIDE_PX, 3) around the visible box with half its size of room, shrunk where that is larger
than SIDE_PX, never enlarged. Both kinds went through the same JPEG encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import simplejpeg
from scipy.optimize import linear_sum_assignment

from benchmarks.common.job import clipart_dir, frame_size_hw
from pipeline.composition.shards import scene_jpeg
from pipeline.core import masks
from pipeline.core.frames import FrameReader, read_backgrounds
from pipeline.core.storage import read_parts

SIDE_PX = 96
_ROOM = 1.5  # side of a crop over the larger side of its box
_LEAST_PX = 16  # a box whose larger side is smaller shows nothing
_PER_CUTOUT, _PER_TRACK = 3, 24  # crops of one cutout in scenes, of one track in frames, at most
_BESIDE_PX = 6  # who is as near to the box, or in it, touches it: a detector may have made one of the two
# Scales on which two crops differ by one: place and logarithm of size, hidden fraction, fraction of others in the crop.
_SCALES = {"x": 0.15, "y": 0.08, "size": 0.25, "hidden": 0.03, "others": 0.05, "touching": 0.02}
_STRANGER = 1.2  # and so much where they show another track: who is seen more often must not tell
_FARTHEST = 2.0  # a pair differs by less


@dataclass(frozen=True)
class Crops:
    """N crops: pictures (N, S, S, 3) uint8 and a table of N rows: track_id, category, bucket, `_SCALES`' columns."""

    pictures: np.ndarray
    about: pd.DataFrame

    def take(self, rows: np.ndarray) -> Crops:
        """Those rows, in their order."""
        return Crops(self.pictures[rows], self.about.iloc[rows].reset_index(drop=True))


def real_crops(camera_dir: Path, jpeg_quality: int) -> Crops:
    """Of the camera's frames: every detection of a track that has a cutout, at most so many a track, evenly spread."""
    tracks = pq.read_table(camera_dir / "tracks.parquet").to_pandas()
    mined = read_parts(camera_dir / "cutouts", columns=["track_id"])["track_id"].to_numpy()
    tracks["wanted"] = tracks["track_id"].isin(mined[mined >= 0])
    spread = tracks[tracks["wanted"]].groupby("track_id").cumcount()
    step = np.ceil(tracks.groupby("track_id")["frame_id"].transform("size") / _PER_TRACK)
    tracks.loc[spread.index, "wanted"] = spread % step[spread.index] == 0
    chosen = tracks[tracks["frame_id"].isin(tracks.loc[tracks["wanted"], "frame_id"])]
    by_frame = dict(tuple(chosen.groupby("frame_id")))
    index = pq.read_table(camera_dir / "frames" / "index.parquet")
    found = []
    for frame_id, frame in FrameReader(index, camera_dir).read(by_frame):
        found += list(_of_picture(recoded(frame, jpeg_quality), by_frame[frame_id], "mask_rle"))
    return _gathered(found)


def composed_crops(camera_dir: Path, pictures: Iterator[tuple[pd.Series, np.ndarray]]) -> Crops:
    """Of composed scenes, rows of `images` and pictures: every object that is seen, at most so many a cutout."""
    objects = read_parts(clipart_dir(camera_dir, "walt3d") / "objects").to_pandas()
    objects["wanted"] = objects.groupby("cutout_id").cumcount() < _PER_CUTOUT
    by_scene = dict(tuple(objects[objects["visible_fraction"] > 0].groupby("scene_id")))
    found = []
    for image, picture in pictures:
        there = by_scene[image["scene_id"]].assign(bucket=image["background"])
        found += list(_of_picture(picture, there, "mask_visible_rle"))
    return _gathered(found)


def our_scenes(camera_dir: Path) -> Iterator[tuple[pd.Series, np.ndarray]]:
    """Rows of `images` and the pictures of the camera's shards."""
    for path in sorted((clipart_dir(camera_dir, "walt3d") / "images").glob("*.parquet")):
        for _, image in pd.read_parquet(path).iterrows():
            yield image, simplejpeg.decode_jpeg(image["image"]["bytes"], colorspace="BGR")


def hard_scenes(camera_dir: Path, jpeg_quality: int) -> Iterator[tuple[pd.Series, np.ndarray]]:
    """The same scenes as WALT pastes them: the pixels of the masks as they were in their frames, on the medians."""
    size_hw = frame_size_hw(camera_dir)
    shards = clipart_dir(camera_dir, "walt3d")
    objects = read_parts(shards / "objects").to_pandas().sort_values("depth_order", ascending=False)
    images = read_parts(shards / "images").drop(["image"]).to_pandas()
    backgrounds = read_backgrounds(camera_dir / "background")
    pixels = dict(_source_pixels(camera_dir, objects.drop_duplicates("cutout_id"), size_hw))
    by_scene = dict(tuple(objects.groupby("scene_id")))
    for _, image in images.iterrows():
        picture = backgrounds[image["background"]].copy()
        for cutout_id in by_scene[image["scene_id"]]["cutout_id"]:
            crop, mask, (x, y, w, h) = pixels[cutout_id]
            picture[y : y + h, x : x + w][mask] = crop[mask]
        yield image, recoded(picture, jpeg_quality)


def _source_pixels(camera_dir: Path, sources: pd.DataFrame, size_hw: tuple[int, int]) -> Iterator[tuple]:
    """cutout_id and (crop (h, w, 3), mask (h, w), box xywh) of each cutout in its own frame."""
    of_frame = sources["source_frame"].to_numpy(int)
    index = pq.read_table(camera_dir / "frames" / "index.parquet")
    rles, ids = sources["mask_amodal_rle"].to_list(), sources["cutout_id"].to_list()
    for frame_id, frame in FrameReader(index, camera_dir).read(of_frame.tolist()):
        for row in np.flatnonzero(of_frame == frame_id):
            mask, (x, y, w, h) = masks.decode(rles[row], size_hw)
            yield ids[row], (frame[y : y + h, x : x + w].copy(), mask, (x, y, w, h))


def recoded(picture: np.ndarray, quality: int) -> np.ndarray:
    """The picture as a shard would give it back."""
    return simplejpeg.decode_jpeg(scene_jpeg(picture, quality), colorspace="BGR")


def _of_picture(picture: np.ndarray, there: pd.DataFrame, mask_column: str) -> Iterator[tuple[np.ndarray, dict]]:
    """Crop and row of the table for each wanted object of a picture that does not touch its border."""
    height, width = picture.shape[:2]
    placed = [masks.decode(rle, (height, width)) for rle in there[mask_column]]
    bottoms = np.array([y + h for _, (_, y, _, h) in placed])
    owner = np.zeros((height, width), np.int32)
    for number in np.argsort(bottoms, kind="stable"):
        mask, (x, y, w, h) = placed[number]
        owner[y : y + h, x : x + w][mask] = number + 1
    for number, row in enumerate(there.to_dict("records")):
        x, y, w, h = placed[number][1]
        if not row["wanted"] or max(w, h) < _LEAST_PX or min(x, y) < 2 or x + w > width - 2 or y + h > height - 2:
            continue
        half = int(max(SIDE_PX, _ROOM * max(w, h))) // 2
        left, top = x + w // 2 - half, y + h // 2 - half
        if left < 0 or top < 0 or left + 2 * half > width or top + 2 * half > height:
            continue
        own = owner[y : y + h, x : x + w]
        nearer = (own > 0) & (own != number + 1)
        beside = owner[max(y - _BESIDE_PX, 0) : y + h + _BESIDE_PX, max(x - _BESIDE_PX, 0) : x + w + _BESIDE_PX]
        around = owner[top : top + 2 * half, left : left + 2 * half]
        yield (
            cv2.resize(
                picture[top : top + 2 * half, left : left + 2 * half], (SIDE_PX, SIDE_PX), None, 0, 0, cv2.INTER_AREA
            ),
            {"track_id": row["track_id"], "category": row["category"], "bucket": row["bucket"]}
            | {"x": (x + w / 2) / width, "y": (y + h) / height, "size": float(np.log(max(w, h)))}
            | {"touching": float(((beside > 0) & (beside != number + 1)).mean())}
            | {"hidden": float(nearer.mean()), "others": float(((around > 0) & (around != number + 1)).mean())},
        )


def _gathered(found: list[tuple[np.ndarray, dict]]) -> Crops:
    if not found:
        raise SystemExit("benchmarks.naturalness: no object whose crop lies inside the frame; take more scenes")
    return Crops(np.stack([picture for picture, _ in found]), pd.DataFrame([row for _, row in found]))


def matched(first: Crops, second: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first and of the second that make pairs: one category, one bucket, alike in place, size, hidden
    fraction and fraction of others, of one track where there is one like it; nobody in two pairs, the sum of
    differences least."""
    mine: list[int] = []
    theirs: list[int] = []
    keys = ["category", "bucket"]
    other = dict(tuple(second.about.groupby(keys)))
    scales = np.array(list(_SCALES.values()))
    for key, rows in first.about.groupby(keys):
        if key not in other:
            continue
        a, b = rows[list(_SCALES)].to_numpy() / scales, other[key][list(_SCALES)].to_numpy() / scales
        same = rows["track_id"].to_numpy()[:, None] == other[key]["track_id"].to_numpy()
        apart = np.hypot(np.linalg.norm(a[:, None] - b[None], axis=2), np.where(same, 0.0, _STRANGER))
        # What is farther than a pair may be costs the same however far: nobody is pushed away for its sake.
        i, j = linear_sum_assignment(np.minimum(apart, _FARTHEST))
        near = apart[i, j] < _FARTHEST
        mine += rows.index[i[near]].tolist()
        theirs += other[key].index[j[near]].tolist()
    return np.array(mine, int), np.array(theirs, int)
