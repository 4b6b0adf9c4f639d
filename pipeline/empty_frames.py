"""Empty frames of a time bucket: its background with the noise of its own frames, nothing else in them.

A median has no noise, so that an object cropped from a frame would give itself away on it. Each cell of an empty frame
takes what some frame, in the background's illumination, has over the background where nobody stands and nothing moves.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from pipeline.core.frames import FrameReader, frames_of_bucket, masks_by_frame, read_backgrounds, spread_evenly
from pipeline.core.illumination import Relit, mean
from pipeline.core.storage import damaged, write_bytes

FOLDER = "empty_frames"
CELL_PX = 16  # a JPEG's unit where colour is halved: what compression does to a cell stays whole
_CLEAR_PX = 8  # of what was found: its soft edge reaches beyond the mask
_TRIES = 5  # frames that are asked for each empty frame
_BLOB_PX = 4  # changes as large as this are more than noise ...
_UNUSUAL = 5.0  # ... where they exceed so many standard deviations of what is usual
_ALIKE = 32  # quiet cells about as bright that one without a quiet frame may take its noise from
_DRIFT_PX = 31  # illumination varies over more than this, noise over less


@dataclass(frozen=True)
class EmptyFramesJob:
    """One bucket: `name` of it, where the FRAMES table, the camera's folder, the backgrounds and the TRACKS table are,
    how many empty frames to make; `out` gets them as (N, H, W, 3) uint8 in NumPy's format."""

    name: str
    index: Path
    root: Path
    backgrounds: Path
    tracks: Path
    count: int
    out: Path


def empty_frames_shard(job: EmptyFramesJob) -> None:
    """Write a bucket's empty frames."""
    background = read_backgrounds(job.backgrounds)[job.name]
    rows, ids = frames_of_bucket(job.index, job.name)
    ids = spread_evenly(ids, job.count * _TRIES)
    masks_of = masks_by_frame(job.tracks, ids)

    def relit(chosen: np.ndarray) -> Iterator[Relit]:
        for frame_id, frame in FrameReader(rows, job.root).read(chosen.tolist()):
            yield Relit(frame, background, masks_of.get(frame_id, []))

    rng = np.random.default_rng(crc32(job.name.encode()))
    made = np.stack([empty_frame(background, relit(ids[first :: job.count]), rng) for first in range(job.count)])
    buffer = io.BytesIO()
    np.save(buffer, made)
    write_bytes(job.out, buffer.getvalue())


def empty_frame(background: np.ndarray, frames: Iterator[Relit], rng: np.random.Generator) -> np.ndarray:
    """The background (H, W, 3) uint8 with noise: each cell's of the first frame that is quiet there, else that of
    another cell about as bright; none where no cell is quiet in any frame."""
    height, width = background.shape[:2]
    below, right = -height % CELL_PX, -width % CELL_PX
    noise = _cells(np.zeros((height + below, width + right, 3), np.float32))
    todo = np.ones(noise.shape[:2], bool)
    for relit in frames:
        found, disturbance = _noise(relit)
        quiet = todo & (_cells(np.pad(disturbance, ((0, below), (0, right)), mode="edge")).max(axis=(2, 3)) <= 1)
        noise[quiet] = _cells(np.pad(found, ((0, below), (0, right), (0, 0))))[quiet]
        todo &= ~quiet
        if not todo.any():
            break
    if todo.any() and not todo.all():
        brightness = _cells(np.pad(mean(background), ((0, below), (0, right)), mode="edge")).mean(axis=(2, 3))
        noise[todo] = noise[~todo][_alike(brightness[todo], brightness[~todo], rng)]
    laid = noise.swapaxes(1, 2).reshape(height + below, width + right, 3)[:height, :width]
    return np.clip(np.rint(background + laid), 0, 255).astype(np.uint8)


def _cells(image: np.ndarray) -> np.ndarray:
    """(rows, columns, CELL_PX, CELL_PX, ...) of an image whose sides CELL_PX divides."""
    height, width = image.shape[:2]
    return image.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX, *image.shape[2:]).swapaxes(1, 2)


def _alike(wanted: np.ndarray, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of N wanted values the index of one of the known ones that are nearest to it."""
    order = np.argsort(known, kind="stable")
    first = np.searchsorted(known[order], wanted) - min(_ALIKE, len(known)) // 2
    picked = first + rng.integers(min(_ALIKE, len(known)), size=len(wanted))
    return order[np.clip(picked, 0, len(known) - 1)]


def _noise(relit: Relit) -> tuple[np.ndarray, np.ndarray]:
    """Of a frame, what it has over its background (H, W, 3) without slow changes of the illumination, and how unusual
    it is (H, W): above 1 more than noise, infinite near what was found."""
    height, width = relit.frame.shape[:2]
    frame, background = relit.crop((0, 0, width, height))
    noise = frame - background
    reach = np.ones((2 * _CLEAR_PX + 1,) * 2, np.uint8)
    free = cv2.dilate((relit.owner > 0).astype(np.uint8), reach) == 0
    known = cv2.blur(free.astype(np.float32), (_DRIFT_PX, _DRIFT_PX))
    slow = cv2.blur(noise * free[..., None], (_DRIFT_PX, _DRIFT_PX)) / np.maximum(known, 1e-3)[..., None]
    noise -= slow
    blobs = np.abs(cv2.blur(mean(noise), (_BLOB_PX, _BLOB_PX)))
    usual = 1.48 * float(np.median(blobs[free])) if free.any() else 0.0
    return noise, np.where(free, blobs / (_UNUSUAL * usual + 1.0), np.inf).astype(np.float32)


def read_empty_frames(camera_dir: Path, bucket: str, size_hw: tuple[int, int]) -> np.ndarray | None:
    """(N, H, W, 3) uint8, read from the disk as they are used; None where mining made none.

    Raises ValueError, which names the command that mends, for a broken file and another size than the camera's.
    """
    path = camera_dir / FOLDER / f"{bucket}.npy"
    if not path.is_file():
        return None
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError) as error:
        raise damaged(path, error) from None
    if frames.ndim != 4 or frames.shape[1:] != (*size_hw, 3) or not len(frames):
        raise damaged(path, f"expected frames of {(*size_hw, 3)}, got {frames.shape}")
    return frames
