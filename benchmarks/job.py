"""Run the main job as a user does, in a data root of its own, and watch it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Run:
    """How a luigi line ended: exit code, wall seconds, peak resident bytes summed over its processes, its output."""

    code: int
    wall_s: float
    peak_bytes: int
    output: str


def start(task: str, root: Path, *options: str, log: Path | None = None) -> subprocess.Popen:
    """Start `luigi --module tasks TASK OPTIONS` with its data below root, in a process group of its own."""
    command = [str(Path(sys.executable).with_name("luigi")), "--module", "tasks", task, *options]
    environment = {**os.environ, "WALT3D_DATA": str(root)}
    out = log.open("wb") if log else subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
    )


def run(task: str, root: Path, *options: str) -> Run:
    """Run it to its end, sampling memory ten times a second."""
    root.mkdir(parents=True, exist_ok=True)
    log = root / "luigi.log"
    begun = time.monotonic()
    process = start(task, root, *options, log=log)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident_bytes(process.pid))
        time.sleep(0.1)
    output = log.read_text(errors="replace")
    log.unlink()
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


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file below root by its relative path."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def differing(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Paths that only one side has or whose bytes differ."""
    return sorted(p for p in first.keys() | second.keys() if first.get(p) != second.get(p))
