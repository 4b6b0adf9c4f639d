"""WebDataset: tar files of up to some hundreds of scenes, each a .jpg and a .json of one key, in order.

The JSON is the scene's rows of both tables as they are, masks as COCO's run lengths: nothing is left out. depth and
normals, where the shards have them, are .depth.png and .normals.png. Any program that reads tar files takes them, as
`webdataset.WebDataset("train-{000000..000003}.tar").decode("rgb")` does.
"""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pipeline.core.tables import OBJECTS
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.json_lists import compact
from pipeline.export.shared.scenes import MAPS, Scene, plain, scenes

_READ_ONLY = 0o444


@dataclass(frozen=True)
class WebDatasetSettings:
    """How large a file is."""

    scenes: int = field(default=500, metadata={"help": "scenes a tar file, at most"})

    def __post_init__(self) -> None:
        if self.scenes < 1:
            raise ValueError(f"--webdataset-scenes: expected 1 or more, got {self.scenes}")


def write(job: ExportJob) -> Written:
    """The tar files of each split, train-000000.tar and on."""
    pictures, files, tars = Counter[str](), 0, dict[str, tarfile.TarFile]()
    with ExitStack() as held:
        for scene in scenes(job, OBJECTS.names, MAPS):
            split = scene.split
            number, place = divmod(pictures[split], job.settings.scenes)
            if place == 0:
                if split in tars:
                    tars[split].close()
                path = job.out / f"{split}-{number:06d}.tar"
                tars[split] = held.enter_context(tarfile.open(path, "w", format=tarfile.USTAR_FORMAT))
                files += 1
            pictures[split] += 1
            _add_scene(tars[split], scene)
    pictured = " and ".join(f"{count} {split}" for split, count in pictures.items())
    return Written(f"{pictured} scenes in {files} tar files", "nothing")


def _add_scene(tar: tarfile.TarFile, scene: Scene) -> None:
    row = {key: value for key, value in scene.row.items() if key not in ("image", *MAPS)}
    content = plain({**row, "objects": scene.objects})
    key = PurePosixPath(scene.name).stem.replace(".", "_")
    _add(tar, f"{key}.jpg", scene.jpeg)
    _add(tar, f"{key}.json", compact(content))
    for name in MAPS:
        if png := (scene.row.get(name) or {}).get("bytes"):
            _add(tar, f"{key}.{name}.png", png)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without time or owner: the same shards give the same bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), _READ_ONLY
    tar.addfile(member, io.BytesIO(data))


FORMAT = Format("webdataset", write, WebDatasetSettings)
