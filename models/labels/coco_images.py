"""Which of our frames a picture of a COCO file is: by its name, as it stands or as programs are known to respell it.

Never by a guess: names that fit no frame are left out and counted, and where none fits the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

# Label Studio puts 8 hex digits before a name, Roboflow makes `x.jpg` into `x_jpg.rf.<hash>.jpg`.
_LABEL_STUDIO = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")
_ROBOFLOW = re.compile(r"(?P<stem>.+)_(?P<suffix>[A-Za-z]{3,4})\.rf\.[0-9A-Za-z_-]+\.\w+")
_OF_VIDEO = re.compile(r"(?P<stem>.*?)[_-]?(?P<number>\d+)")


@dataclass(frozen=True)
class Frames:
    """Of the FRAMES table, what pictures are found by: images by their file's name, frames of videos by number."""

    by_name: Mapping[str, list[tuple[str, int]]]
    by_stem: Mapping[str, list[tuple[str, int]]]
    by_position: Mapping[tuple[str, int], int]

    @staticmethod
    def of(table: pa.Table) -> Frames:
        """Those of a table with `source`, `frame_id` and `position`."""
        names: dict[str, list[tuple[str, int]]] = {}
        stems: dict[str, list[tuple[str, int]]] = {}
        positions: dict[tuple[str, int], int] = {}
        columns = (table[name].to_pylist() for name in ("source", "frame_id", "position"))
        for source, frame_id, position in zip(*columns, strict=True):
            path = PurePosixPath(source)
            if position >= 0:
                positions[path.stem, position] = frame_id
            else:
                names.setdefault(path.name, []).append((source, frame_id))
                stems.setdefault(path.stem, []).append((source, frame_id))
        return Frames(names, stems, positions)

    @property
    def example(self) -> str:
        """How a frame is spelled, for messages."""
        videos = [f"{stem}_{position:06d}" for stem, position in list(self.by_position)[:1]]
        return next(iter([*self.by_name, *videos]), "nothing")

    def find(self, name: str, where: str) -> tuple[int | None, bool]:
        """The frame_id of a picture's name, and whether the name had to be respelled; None where none is.

        Folders may differ. Raises ValueError for a name that fits several frames.
        """
        for number, spelled in enumerate(_spellings(name)):
            path = PurePosixPath(spelled)
            fitting = self.by_name.get(path.name, [])
            if len(fitting) > 1:
                fitting = [f for f in fitting if f[0].endswith(spelled) or spelled.endswith(f[0])]
                if len(fitting) != 1:
                    raise ValueError(
                        f"{where}: image {name!r} fits {len(fitting)} frames; give its folder in file_name"
                    )
            if fitting:
                return fitting[0][1], number > 0
        for spelled in _spellings(name):
            fitting = self.by_stem.get(PurePosixPath(spelled).stem, [])
            if len(fitting) == 1:
                return fitting[0][1], True
        return self._in_video(PurePosixPath(name).stem), False

    def _in_video(self, stem: str) -> int | None:
        """`gate_000012` is frame 12 of gate.mp4, and so is `frame_000012` where there is one video."""
        found = _OF_VIDEO.fullmatch(stem)
        if not found:
            return None
        number = int(found["number"])
        videos = {video for video, _ in self.by_position}
        if found["stem"] not in videos and (len(videos) != 1 or found["stem"].lower() not in ("", "frame", "image")):
            return None
        return self.by_position.get((found["stem"] if found["stem"] in videos else next(iter(videos)), number))


def _spellings(name: str) -> Iterator[str]:
    """A name as it stands, and what it was before a program respelled it; folders are kept."""
    yield name
    path = PurePosixPath(unquote(name))
    if str(path) != name:
        yield str(path)
    if found := _LABEL_STUDIO.fullmatch(path.name):
        yield found["name"]
    if found := _ROBOFLOW.fullmatch(path.name):
        yield f"{found['stem']}.{found['suffix']}"
