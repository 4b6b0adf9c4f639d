"""MOTChallenge: a sequence a split, with img1/, gt/gt.txt and seqinfo.ini, and a seqmap that lists them.

A line is frame, id, left, top, width, height, 1, class, visibility; frames and pixels count from 1, boxes are of whole
objects and may leave the picture, as MOTChallenge has them. A frame is a scene and an id a track: a composed scene is
no moment of a video, so these are for what looks at single frames, as detection with visibility or re-identification;
who moves how is in the camera's own tracks. Regions to ignore are crowds, class 13, which no evaluation counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from pipeline.core import masks
from pipeline.core.storage import write_bytes
from pipeline.export.registry import ExportJob, Format, Written
from pipeline.export.shared.scenes import FLAT, Scene, scenes

# MOT16's classes; a lorry or bus is a car there.
_CLASSES = {"bicycle": 4, "motorbike": 5}
_PERSON, _VEHICLE, _CROWD = 1, 3, 13
# MOTChallenge counts ids from 1, and each has one: objects of no track and regions have some that no track has.
_UNTRACKED, _REGION = 10**9, 2 * 10**9


def write(job: ExportJob) -> Written:
    """A folder a split, below train/."""
    frames, lines, sizes = Counter[str](), 0, {}
    with ExitStack() as held:
        truth: dict[str, IO[str]] = {}
        for scene in scenes(job, FLAT):
            name = f"{job.camera_id}-{scene.split}"
            folder = job.out / "train" / name
            if name not in truth:
                (folder / "gt").mkdir(parents=True)
                truth[name] = held.enter_context((folder / "gt/gt.txt").open("w"))
                sizes[name] = scene.size_hw
            if sizes[name] != scene.size_hw:
                raise ValueError(f"{scene.row['scene_id']}: expected pictures of one size, as a sequence has them")
            frames[name] += 1
            scene.write_picture(folder / f"img1/{frames[name]:06d}.jpg")
            for line in _lines(scene, frames[name]):
                truth[name].write(line + "\n")
                lines += 1
    for name, (height, width) in sizes.items():
        about = {"name": name, "imDir": "img1", "frameRate": 1, "seqLength": frames[name], "imWidth": width,
                 "imHeight": height, "imExt": ".jpg"}  # fmt: skip
        text = "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in about.items())
        write_bytes(job.out / "train" / name / "seqinfo.ini", text.encode())
    write_bytes(job.out / "seqmaps" / "train.txt", "\n".join(["name", *sizes, ""]).encode())
    return Written(
        f"{frames.total()} pictures in {len(frames)} sequences with {lines} boxes",
        "masks, who hides whom, classes finer than MOTChallenge's, keypoints, bodies, poses and everything in metres",
    )


def _lines(scene: Scene, frame: int) -> Iterator[str]:
    for row in scene.objects:
        identity = _UNTRACKED + scene.ids[row["object_id"]] if row["track_id"] < 0 else row["track_id"] + 1
        yield _line(frame, identity, row["bbox_amodal_xywh"], 1, _class_of(row), row["visible_fraction"])
    for number, region in enumerate(scene.ignored):
        yield _line(frame, _REGION + number, masks.decode(region.rle, scene.size_hw)[1], 0, _CROWD, 1.0)


def _line(frame: int, identity: int, box: Any, counts: int, kind: int, visible: float) -> str:
    x, y, w, h = box
    return f"{frame},{identity},{x + 1:.2f},{y + 1:.2f},{w:.2f},{h:.2f},{counts},{kind},{visible:.6f}"


def _class_of(row: dict[str, Any]) -> int:
    return _PERSON if row["category"] == "person" else _CLASSES.get(row["subcategory"], _VEHICLE)


FORMAT = Format("mot", write)
