"""Damage every kind of file of a finished job: is it noticed, and do the commands that are named bring the same bytes?

python -m benchmarks.damage [--check] [--quick]

A file is deleted, cut off, emptied, or 400 of its bytes are flipped. The first three are looked for by a dry look at
what is done; the last by Verify. `Verify --mend` removes what is damaged, and the commands that it names are run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.job import MANIFESTS, QUICK_CAMERA, QUICK_OPTIONS, demand, differing, run
from benchmarks.common.report import Bar, Report, main
from benchmarks.pipeline.crash_resume import kept


def flip(data: bytes) -> bytes:
    """400 bytes in the middle are others; all of a smaller file."""
    middle = max(len(data) // 2 - 200, 0)
    return data[:middle] + bytes(b ^ 0xFF for b in data[middle : middle + 400]) + data[middle + 400 :]


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "deleted": lambda data: None,
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "flipped": flip,
}


def kinds_of(camera_dir: Path) -> dict[str, Path]:
    """Of every folder and ending that the job writes one file."""
    found: dict[str, Path] = {}
    for path in sorted(camera_dir.rglob("*")):
        parts = path.relative_to(camera_dir).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and parts[-1] != "settings.json":
            found.setdefault(f"{parts[0]}/{parts[1] if len(parts) > 2 else ''}{path.suffix}", path)
    return found


def report(quick: bool, data: Path) -> Report:
    """Every harm to one file of every kind, one at a time; `data` is not used."""
    options = ["--camera", QUICK_CAMERA, *QUICK_OPTIONS]
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        demand("GenerateClipArt", root, *options)
        expected, kinds = kept(root), kinds_of(root / QUICK_CAMERA)
        chosen = list(kinds.items())[:: max(len(kinds) // 3, 1)] if quick else list(kinds.items())
        for kind, path in chosen:
            row: dict[str, object] = {"file": kind}
            for harm, change in HARMS.items():
                row[harm] = mended(root, path, change(path.read_bytes()), expected)
                failed += row[harm] != "mended"
            rows.append(row)
    return Report(rows, [Bar("damage not mended", failed, at_most=0), Bar("kinds of files", len(rows), at_least=3)])


def mended(root: Path, path: Path, data: bytes | None, expected: dict[str, str]) -> str:
    """What becomes of one damage: "mended", or at which step it was not; the file is put back."""
    before = path.read_bytes()
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    try:
        if not run("Verify", root, "--data-root", str(root)).code:
            return "not noticed"
        said = run("Verify", root, "--mend", "--data-root", str(root))
        for line in dict.fromkeys(re.findall(r"^  (luigi .*)$", said.output, re.MULTILINE)):
            task, *options = shlex.split(line)[3:]
            if run(task, root, *options, "--manifests", str(MANIFESTS)).code:
                return f"{task} failed"
        return "mended" if not differing(expected, kept(root)) else "other bytes"
    finally:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before)
        shutil.rmtree(root / QUICK_CAMERA / ".stages" / "holders", ignore_errors=True)


if __name__ == "__main__":
    main("damage", __doc__, report)
