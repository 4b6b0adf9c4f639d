"""Run the main job as a user does, in a data root of its own, and watch it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pyarrow.parquet as pq

from calibration.camera import Camera, GroundPlane
from data_manifest import CAMERAS, load_camera

CAMERA = "cam07"
CHECKED_CAMERAS = ("cam07", "cam11")
# Cameras that are there to be measured: small simulated ones, and real footage where it is at hand.
_ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = _ROOT / "tests" / "cameras"
REAL = _ROOT.parent / "shared" / "real"  # footage and labels of others, beside the project, where they are at hand
QUICK_CAMERA = "quick07"
QUICK_SCENES = ("--scenes", "100", "--scenes-per-shard", "25")
# What GenerateClipArt says of a data set in its place, with the camera and the variant.
IN_THE_WAY = re.compile(r"a data set of other settings.* Remove --camera (\S+) --variant (\S+)")
_NO_STAGES = {"Train", "Evaluate", "Remove", "Verify"}
QUICK_OPTIONS = ("--manifests", str(MANIFESTS), *QUICK_SCENES)


@dataclass(frozen=True)
class Run:
    """How a luigi line ended: exit code, wall seconds, peak resident bytes summed over its processes, its output."""

    code: int
    wall_s: float
    peak_bytes: int
    output: str


def start(task: str, root: Path, *options: str, log: IO[bytes] | None = None, **environment: str) -> subprocess.Popen:
    """Start `luigi --module tasks TASK OPTIONS` with its data below root, in a process group of its own."""
    command = [str(Path(sys.executable).with_name("luigi")), "--module", "tasks", task, *options]
    return subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, "WALT3D_DATA": str(root), **environment},
        stdout=log or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(task: str, root: Path, *options: str, **environment: str) -> Run:
    """Run it to its end, sampling memory ten times a second.

    A benchmark measures what the code makes now: what is below root of other settings is made again or goes.
    """
    redo = () if task in _NO_STAGES else ("--redo",)
    ended = _run_once(task, root, *options, *redo, **environment)
    if told := IN_THE_WAY.search(ended.output):
        demand("Remove", root, "--camera", told[1], "--variant", told[2])
        ended = _run_once(task, root, *options, *redo, **environment)
    return ended


def _run_once(task: str, root: Path, *options: str, **environment: str) -> Run:
    root.mkdir(parents=True, exist_ok=True)
    begun, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as log:
        process = start(task, root, *options, log=log, **environment)
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.1)
        log.seek(0)
        output = log.read().decode(errors="replace")
    return Run(process.returncode, time.monotonic() - begun, peak, output)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants; shared pages count once for each."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def demand(task: str, root: Path, *options: str) -> None:
    """Run it, or end the benchmark with what it said."""
    ended = run(task, root, *options)
    if ended.code:
        raise SystemExit(f"{task} {' '.join(options)} ended with {ended.code}:\n{ended.output[-2000:]}")


@dataclass(frozen=True)
class Site:
    """A camera to measure: its id, the folder of its manifest, and options of its main job."""

    camera: str
    manifests: Path = CAMERAS
    options: tuple[str, ...] = ()

    def demand(self, task: str, root: Path, *options: str) -> Path:
        """Run a task of it, or end the benchmark with what it said; the camera's folder below root."""
        demand(task, root, "--camera", self.camera, "--manifests", str(self.manifests), *options)
        return root / self.camera

    def job(self, root: Path, mode: str = "walt3d") -> Path:
        """Its folder after its main job, run or resumed."""
        return self.demand("GenerateClipArt", root, "--mode", mode, *self.options)

    def calibrated(self, root: Path) -> tuple[Camera, GroundPlane]:
        """Camera and ground plane for its frames below root."""
        return load_camera(self.camera, self.manifests).calibrated(frame_size_hw(root / self.camera))


QUICK_SITE = Site(QUICK_CAMERA, MANIFESTS, QUICK_SCENES)


def sites(cameras: Sequence[str], manifests: Path | None = None) -> list[Site]:
    """The cameras, each from `manifests` or else from the folder that has it: the project's own, or those that are
    there to be measured. What no folder has is the project's to refuse, which knows what there is."""
    folders = [manifests] if manifests else [CAMERAS, MANIFESTS]
    found = [next((f for f in folders if (f / f"{name}.yaml").exists()), folders[0]) for name in cameras]
    return [
        QUICK_SITE if (name, folder) == (QUICK_CAMERA, MANIFESTS) else Site(name, folder)
        for name, folder in zip(cameras, found, strict=True)
    ]


def clipart_dir(camera_dir: Path, mode: str) -> Path:
    """Where a mode's shards lie."""
    return camera_dir / ("clipart" if mode == "walt3d" else f"clipart_{mode}")


def frame_size_hw(camera_dir: Path) -> tuple[int, int]:
    """Height and width of the camera's frames."""
    first = pq.read_table(camera_dir / "frames" / "index.parquet", columns=["height", "width"]).slice(0, 1).to_pylist()
    return first[0]["height"], first[0]["width"]


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file below root by its relative path."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def differing(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Paths that only one side has or whose bytes differ."""
    return sorted(p for p in first.keys() | second.keys() if first.get(p) != second.get(p))
