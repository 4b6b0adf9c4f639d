"""Which stages run again after which change, tried on a small camera: docs/reruns.md.

python -m benchmarks.reruns [--check] [--quick]
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks.common.box_street import CALIBRATION, write_street
from benchmarks.common.job import run
from benchmarks.common.report import Bar, Report, main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reruns.md"
OPTIONS = ("--camera", "street", "--ComposeShards-objects-min", "2", "--scenes", "6", "--scenes-per-shard", "3")
STAGES = (
    "IngestFrames", "MedianBackground", "DetectObjects", "TrackObjects", "EmptyStreet", "MineUnoccluded",
    "ReconstructVehicles", "ReconstructPeople", "ComposeShards",
)  # fmt: skip
HEAD = """# What runs again after a change

Tried, not reasoned: `python -m benchmarks.reruns` runs the whole job on a small camera, makes one change, runs it again
with `--redo` and writes down which stages said that they made something. A stage runs again when its own settings, the
parts of the manifest it reads, its version, what its files hold, or what is upstream of it changed. Without `--redo` a
finished stage with other settings stops the run and says which differ; a finished data set is never changed, another
one takes a `--variant` of its own. Detections of networks (`mmdet`, `onnx`, `coco`) do not hang on the calibration and
stay when it is corrected; those of the default motion detector, which measures in metres, are made again.

"""


class House:
    """A camera's video and manifest below a folder, and the data root of the job."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.video, self.data = folder, folder / "street.avi", folder / "data"
        self.manifest = folder / "cameras" / "street.yaml"

    def change(self, **values: object) -> None:
        """Give the manifest other values."""
        content = yaml.safe_load(self.manifest.read_text()) | values
        self.manifest.write_text(yaml.safe_dump(content))

    def settings(self, task: str, **values: object) -> None:
        """Give a stage other settings in the manifest."""
        self.change(settings={task: values})

    def touched(self) -> None:
        """A later time on the video."""
        os.utime(self.video, (2e9, 2e9))

    def copied(self) -> None:
        """The video copied and put back, as out of a backup."""
        shutil.copyfile(self.video, self.folder / "backup.avi")
        (self.folder / "backup.avi").replace(self.video)

    def moved(self) -> None:
        """The video under another name in another folder."""
        (self.folder / "archive").mkdir()
        shutil.move(self.video, self.folder / "archive" / "gate.avi")
        source = yaml.safe_load(self.manifest.read_text())["source"]
        self.change(source=source | {"path": str(self.folder / "archive" / "gate.avi")})

    def later(self) -> None:
        """Another time of the day."""
        source = yaml.safe_load(self.manifest.read_text())["source"]
        self.change(source=source | {"start": "2025-06-03T14:00:00"})


CHANGES: dict[str, Callable[[House], object]] = {
    "nothing": lambda house: None,
    "the video is touched": House.touched,
    "the video is copied, with a new time": House.copied,
    "the video is moved and renamed, the manifest follows": House.moved,
    "`description`": lambda house: house.change(description="Another word for it"),
    "`source.start`": House.later,
    "`IngestFrames: max_gap_s`": lambda house: house.settings("IngestFrames", max_gap_s=1.5),
    "`MedianBackground: max_frames`": lambda house: house.settings("MedianBackground", max_frames=100),
    "`MedianBackground: memory_mb`, a speed knob": lambda house: house.settings("MedianBackground", memory_mb=200),
    "`ignore`, a polygon": lambda house: house.change(ignore=[[[0, 0], [40, 0], [40, 10]]]),
    "`DetectObjects: min_score`": lambda house: house.settings("DetectObjects", min_score=0.01),
    "`TrackObjects: max_person_mps`": lambda house: house.settings("TrackObjects", max_person_mps=7.5),
    "`EmptyStreet: max_frames`": lambda house: house.settings("EmptyStreet", max_frames=90),
    "`MineUnoccluded: min_area_px`": lambda house: house.settings("MineUnoccluded", min_area_px=300),
    "`calibration`, the height": lambda house: house.change(calibration=CALIBRATION | {"height_m": 6.1}),
    "`ReconstructPeople: bodies`": lambda house: house.settings("ReconstructPeople", bodies=False),
    "`ComposeShards: crossing_probability`": lambda house: house.settings("ComposeShards", crossing_probability=0.02),
}
_QUICK = ("the video is touched", "`description`", "`MineUnoccluded: min_area_px`")


def stages_run(house: House) -> list[str]:
    """The stages that said in a run that they made something. Raises SystemExit for a run that failed."""
    ended = run("GenerateClipArt", house.data, *OPTIONS, "--manifests", str(house.manifest.parent))
    if ended.code:
        raise SystemExit(f"benchmarks.reruns: ended with {ended.code}:\n{ended.output[-2000:]}")
    said = set(re.findall(r"^street (\w+)(?:-\S+)?: .*\(\d+ s[;)]", ended.output, re.M))
    return [stage for stage in STAGES if stage in said]


def report(quick: bool, data: Path) -> Report:
    """A whole run, then each change in a copy of it; `data` is not used."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        first = House(Path(folder) / "whole")
        first.manifest.parent.mkdir(parents=True)
        write_street(first.video)
        source = {"kind": "video", "path": "../street.avi", "start": "2025-06-03T12:00:00", "time_zone": "UTC"}
        first.manifest.write_text(yaml.safe_dump({"source": source, "calibration": CALIBRATION}))
        everything = stages_run(first)
        for number, (name, change) in enumerate(CHANGES.items()):
            if quick and name not in _QUICK:
                continue
            house = House(Path(folder) / f"changed{number}")
            shutil.copytree(first.folder, house.folder)
            change(house)
            again = stages_run(house)
            rows.append({"change": name} | {stage: "again" if stage in again else "" for stage in STAGES})
            shutil.rmtree(house.folder)
    none = [row["change"] for row in rows if not any(row[stage] for stage in STAGES)]
    bars = [Bar("stages of a first run", len(everything), at_least=len(STAGES))]
    bars += [Bar("changes of nothing that run nothing", len(none), at_least=2 if quick else 6)]
    if not quick:
        PAGE.write_text(page(rows))
    return Report(rows, bars)


def page(rows: list[dict]) -> str:
    """The table as Markdown."""
    columns = ["change", *STAGES]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row[column] for column in columns)} |" for row in rows]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main("reruns", __doc__, report)
