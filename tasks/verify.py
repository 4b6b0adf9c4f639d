"""Verify: are all files of the cameras' results what was written? Each is compared with the hash in its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import luigi
import pandas as pd

from pipeline.core.storage import LISTING, parts_of, unlike, unlike_listing
from tasks.common.locks import Held, lock
from tasks.common.records import DONE, Record, read_record
from tasks.common.stage import data_root_of
from tasks.common.variants import data_sets
from tasks.compose import GALLERY


@dataclass
class _Checked:
    """What was found of one stage, data set or folder of training data: how many files there should be, what is wrong
    with which, what makes them again, and the lock under which they may be removed."""

    camera: str
    what: str
    files: int
    bytes: int
    harm: dict[Path, str]
    command: str
    lock: Path | None = None

    def row(self) -> dict[str, Any]:
        """A line of the table."""
        return {"camera": self.camera, "what": self.what, "files": self.files, "MB": round(self.bytes / 1e6, 1),
                "damaged": len(self.harm)}  # fmt: skip


class Verify(luigi.Task):
    """Compare every file of the results with the size and the hash that were written down when it was made; `--mend`
    removes what differs, so that the commands it then names make it again."""

    camera = luigi.Parameter(default="", description="only this camera's")
    data_root = luigi.Parameter(default="", description="folder of all results, else WALT3D_DATA, else data/")
    mend = luigi.BoolParameter(description="remove what is damaged, to be made again")

    def complete(self) -> bool:
        """Never: files are compared whenever it is asked for."""
        return False

    def run(self) -> None:
        """Print what was found. Raises ValueError where something is damaged and stays so."""
        root = data_root_of(self.data_root)
        found = list(_checked(root, self.camera))
        if not found:
            raise ValueError(f"{root}: no finished results of {self.camera or 'any camera'}; expected what luigi made")
        print(pd.DataFrame([one.row() for one in found]).to_string(index=False), flush=True)
        bad = [one for one in found if one.harm]
        for path, reason in (pair for one in bad for pair in one.harm.items()):
            print(f"damaged: {path}: {reason}", flush=True)
        if not bad:
            return
        first, reason = next(iter(bad[0].harm.items()))
        count = sum(len(one.harm) for one in bad)
        if not self.mend:
            where = f" --camera {self.camera}" if self.camera else ""
            raise ValueError(
                f"{count} files are damaged, the first {first}: {reason}; `luigi --module tasks Verify --mend{where} "
                f"--data-root {root}` removes them and says what makes them again"
            )
        for one in bad:
            _remove(one)
        print(f"removed {count} damaged files. These make them again:", flush=True)
        for line in dict.fromkeys(one.command for one in bad):
            print(f"  {line}", flush=True)


def _checked(root: Path, camera: str) -> Iterator[_Checked]:
    """Everything below a data root, or of one camera of it."""
    folders = sorted(path for path in root.glob("[!.]*") if (path / ".stages").is_dir())
    for folder in (one for one in folders if camera in ("", one.name)):
        seen: set[Path] = set()
        sets = {one.name: one for one in data_sets(folder)}
        for path in sorted((folder / ".stages").glob("*.json")):
            record = read_record(path)
            if record is None or record.state != DONE:
                continue
            kind, _, name = path.stem.partition("-")
            name = name.rpartition("-")[0] if kind == "ComposeShards" else name
            line = sets[name].command if kind in ("ComposeShards", "GenerateClipArt") and name in sets else ""
            if not line and kind in ("ComposeShards", "GenerateClipArt"):
                continue  # of a data set that was removed
            line = line or f"luigi --module tasks {kind} --camera {folder.name}{_of(kind, name)} --data-root {root}"
            listing = record.files if isinstance(record.files, dict) else {}
            seen |= {folder / file for file in listing}
            yield _of_record(folder, path, record, listing, line)
        for one in sets.values():
            # Of an earlier version, which wrote the hashes into the data set's manifest alone.
            listing = parts_of(one.folder) if one.manifest.get("parts") else {}
            listing = {file: entry for file, entry in listing.items() if one.folder / file not in seen}
            if listing:
                harm = unlike(one.folder, listing, hashes=True)
                size = sum((one.folder / f).stat().st_size for f in listing if (one.folder / f).is_file())
                yield _Checked(folder.name, f"data set {one.name}", len(listing), size, harm, one.command)
    if not camera:
        yield from _training(root)


def _of(kind: str, name: str) -> str:
    """The options that tell an export from another: its folder is FORMAT or FORMAT_VARIANT."""
    form, _, variant = name.partition("_")
    return (f" --format {form}" + (f" --variant {variant}" if variant else "")) if kind == "Export" else ""


def _of_record(folder: Path, path: Path, record: Record, listing: dict[str, list[Any]], line: str) -> _Checked:
    if isinstance(record.files, int):
        return _Checked(folder.name, f"{path.stem} (no hashes: of an earlier version)", record.files, 0, {}, line)
    harm, size = record.damage(folder, [], hashes=True), sum(entry[0] for entry in listing.values())
    return _Checked(folder.name, path.stem, len(listing), size, harm, line, path.with_suffix(".lock"))


def _training(root: Path) -> Iterator[_Checked]:
    """Folders of training data, which the tasks of the networks' sources made."""
    for about in sorted((root / "training").glob(f"*/{LISTING}")):
        harm = unlike_listing(about.parent, hashes=True)
        files = [path for path in about.parent.iterdir() if path.is_file() and path.suffix == ".parquet"]
        size = sum(path.stat().st_size for path in files)
        line = "luigi --module tasks Train --model NAME, for the network that learns from it"
        yield _Checked("training", about.parent.name, len(files), size, harm, line)


def _remove(one: _Checked) -> None:
    """What is damaged, while nobody makes or reads it."""
    try:
        if one.lock is not None:
            with lock(one.lock):
                _unlink(one)
        else:
            _unlink(one)
    except Held:
        raise ValueError(
            f"{one.what} of {one.camera}: another run makes or reads it; run again when it has ended"
        ) from None


def _unlink(one: _Checked) -> None:
    for path in one.harm:
        path.unlink(missing_ok=True)
        # The scenes of a shard in a gallery are there together or not at all.
        if path.suffix == ".js" and path.parent.parent.name == Path(GALLERY).stem and path.parent.name != "ground":
            for beside in path.parent.glob("*"):
                beside.unlink()
