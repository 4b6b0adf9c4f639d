"""What `tasks.predict` reads: pictures, folders of them, videos and cameras' jobs, one frame at a time.

What cannot be read is told with its reason, and the next is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from data_manifest import load_camera
from data_manifest.loader import VIDEOS, ManifestError
from models.frames import Frame, read_picture
from pipeline.core.frames import FrameReader, read_backgrounds
from pipeline.core.instances import Instances
from pipeline.core.storage import read_parts, read_table
from pipeline.core.video import Video
from tasks.common.locks import reading


@dataclass(frozen=True)
class Read:
    """A frame, and its number: of its file among the files, of a video's or a job's frame there."""

    number: int
    frame: Frame


@dataclass(frozen=True)
class LeftOut:
    """What was not read, and why."""

    name: str
    reason: str


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and those of the folders by their names, without hidden ones.

    Raises ValueError where nothing of what was named exists.
    """
    if paths and not any(path.exists() for path in paths):
        raise ValueError(f"{paths[0]}: no such file; expected pictures, folders of them or videos that exist")
    files: list[Path] = []
    for path in paths:
        inside = (
            sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else []
        )
        files += inside if path.is_dir() else [path]
    return files


def is_video(path: Path) -> bool:
    """Whether a file's name ends as videos' do."""
    return path.suffix.lower() in VIDEOS


def frames_of(
    files: Sequence[Path], every: int = 1, background: np.ndarray | None = None,
    calibrated: Callable[[tuple[int, int]], tuple[Camera, GroundPlane]] | None = None,
) -> Iterator[Read | LeftOut]:  # fmt: skip
    """Every picture, and every `every`-th frame of videos, without objects; background: of all of them; calibrated:
    the camera and the plane of pictures of a size (height, width), where they are known."""
    for number, path in enumerate(files):
        try:
            found = _video(path, every) if is_video(path) else [(number, path.name, read_picture(path))]
            for place, name, image in found:
                seen_by = calibrated(image.shape[:2]) if calibrated else (None, None)
                yield Read(place, Frame(image, Instances(image.shape[:2], {}), name, background, *seen_by))
        except (ValueError, OSError) as error:
            yield LeftOut(path.name, str(error).removeprefix(f"{path}: "))


def _video(path: Path, every: int) -> Iterator[tuple[int, str, np.ndarray]]:
    """Number, name and image of frames, as the decoder meets them."""
    video = Video(path)
    number = -1
    try:
        for decoded in video:
            number = decoded.position
            if number % every == 0:
                yield number, f"{path.stem}_{number:06d}.png", video.image(decoded)
    finally:
        video.close()
    if number < 0:
        raise ValueError(f"{path}: a video without a frame that can be decoded")


@dataclass(frozen=True)
class Job:
    """A camera's folder of results, and the folder of its YAML. Raises ValueError where it holds no detections."""

    folder: Path
    manifests: Path

    def __post_init__(self) -> None:
        if not (self.folder / "detections").is_dir():
            ask = f"run `luigi --module tasks DetectObjects --camera {self.folder.name}`"
            raise ValueError(f"{self.folder}: holds no detections; {ask}")

    def frames(self, frame_ids: Sequence[int] = ()) -> Iterator[Read | LeftOut]:
        """Frames with the objects that the job detected, their background and calibration; all where none is named.

        Raises ValueError for a frame that the job does not have.
        """
        with reading(self.folder, ("IngestFrames", "MedianBackground", "DetectObjects", "EmptyStreet")):
            yield from self._frames(frame_ids)

    def _frames(self, frame_ids: Sequence[int]) -> Iterator[Read | LeftOut]:
        index = read_table(self.folder / "frames" / "index.parquet")
        rows = {row["frame_id"]: row for row in index.to_pylist()}
        if missing := [number for number in frame_ids if number not in rows]:
            raise ValueError(f"{self.folder}: no frame {missing[0]}; frames are {min(rows)} to {max(rows)}")
        wanted = sorted(frame_ids or rows)
        detected = read_parts(
            self.folder / "detections",
            columns=["frame_id", "category", "subcategory", "score", "bbox_xywh", "mask_rle"],
        )
        made = [one for one in (self.folder / "background", self.folder / "median") if one.is_dir()]
        backgrounds = read_backgrounds(made[0]) if made else {}
        for number in (n for n in wanted if rows[n]["status"] != "ok"):
            yield LeftOut(_frame_name(number), rows[number]["status"])
        calibrated: tuple[Camera | None, GroundPlane | None] | None = None
        for number, image in FrameReader(index, self.folder).read(wanted):
            calibrated = calibrated or self._calibrated(image.shape[:2])
            objects = _objects(detected.filter(pa.compute.equal(detected["frame_id"], number)), image.shape[:2])
            yield Read(
                number, Frame(image, objects, _frame_name(number), backgrounds.get(rows[number]["bucket"]), *calibrated)
            )

    def _calibrated(self, size_hw: tuple[int, int]) -> tuple[Camera | None, GroundPlane | None]:
        """Nothing where the camera's YAML is not at hand: most networks do without."""
        try:
            return load_camera(self.folder.name, self.manifests).calibrated(size_hw)
        except (ManifestError, OSError):
            return None, None


def _frame_name(number: int) -> str:
    return f"frame{number:06d}.png"


def _objects(rows: pa.Table, size_hw: tuple[int, int]) -> Instances:
    columns: dict = {name: rows[name].to_pylist() for name in ("category", "subcategory", "mask_rle")}
    columns["score"] = np.array(rows["score"].to_pylist(), float)
    columns["bbox_xywh"] = np.array(rows["bbox_xywh"].to_pylist(), float).reshape(-1, 4)
    return Instances(size_hw, columns)
