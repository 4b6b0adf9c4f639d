"""What a stage's outputs were made of, written beside them, and how that differs from what is asked for.

The record of a stage holds its fingerprint and, in plain values, the settings, versions and parts of the manifest that
it is a hash of: its own and those of every stage upstream.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.core.storage import unlike, write_json
from tasks.common.settings import typed_key

STARTED, DONE = "started", "done"
_LONGEST = 400  # characters of a value in a record; a digest takes the place of a longer one
_SHOWN = 4
UNKNOWN = "which ones, the earlier version of the project that made it did not write down"
_NOT_GIVEN = re.compile(r"^\S+ (?:version|data_set|files?|matting): ")  # nobody types these
_Content = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """fingerprint of what was asked for; state: started or done; files: size and hash of each that was written, by its
    name below the camera's folder, or how many there were, which is all that earlier versions wrote down; made_of: by
    stage."""

    fingerprint: str
    state: str = STARTED
    files: dict[str, list[Any]] | int = field(default_factory=dict)
    made_of: dict[str, _Content] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """The same record gives the same bytes."""
        write_json(path, asdict(self))

    def damage(self, folder: Path, there: Sequence[Path], *, hashes: bool = False) -> dict[Path, str]:
        """Which of the files are not what was written, and why; `there`: those that the stage has now."""
        if isinstance(self.files, int):
            return {} if self.files == len(there) else {folder: f"{len(there)} files in place of {self.files}"}
        return unlike(folder, self.files, hashes=hashes)

    def foreign(self, folder: Path, there: Sequence[Path]) -> list[Path]:
        """What is there, but was not written by the stage."""
        if isinstance(self.files, int):
            return []
        return [path for path in there if str(path.relative_to(folder)) not in self.files]


def read_record(path: Path) -> Record | None:
    """None where there is none that can be read."""
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=256)
def _read(path: Path, *_stamp: int) -> Record:
    found = json.loads(path.read_text())
    files = found["files"]
    if not isinstance(files, int | dict):
        raise ValueError("neither a number nor names of files")
    return Record(found["fingerprint"], found["state"], files, found.get("made_of", {}))


def hash_of(content: Any) -> str:
    """Hash of plain values, 16 hex digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def shortened(value: Any) -> Any:
    """A value as a record holds it: as JSON can say it, with digests in place of what is long."""
    if isinstance(value, Mapping):
        return {str(key): shortened(one) for key, one in value.items()}
    text = json.dumps(value, sort_keys=True, default=str)
    return json.loads(text) if len(text) <= _LONGEST else f"digest {hash_of(value)}"


def differences(found: Mapping[str, _Content], asked: Mapping[str, _Content]) -> list[str]:
    """In words, one each: `MineUnoccluded min_area_px: found 500, asked for 400`; what is upstream stands first.

    A part of the manifest that several stages depend on is named once. Where nothing says what was found, that is told.
    """
    if not found:
        return [UNKNOWN]
    told: dict[tuple[str, str], str] = {}
    for stage, content in asked.items():
        ours, theirs = dict(_flat(content)), dict(_flat(found.get(stage, {})))
        for key in sorted(ours.keys() | theirs.keys()):
            values = f"found {_in_short(theirs, key)}, asked for {_in_short(ours, key)}"
            if ours.get(key) != theirs.get(key):
                told.setdefault((key.rpartition(".")[2], values), f"{stage} {typed_key(stage, key)}: {values}")
    return list(told.values())


def in_words(differing: list[str]) -> str:
    """The first few, with a count of the others, as a sentence goes on after `with other settings`."""
    more = f" (and {len(differing) - _SHOWN} more)" if len(differing) > _SHOWN else ""
    return "; ".join(differing[:_SHOWN]) + more


def ways_out(differing: list[str], manifest: Path, last: str) -> str:
    """What to type next: the settings found again, where nothing else differs, or what `last` says."""
    given = not any(one == UNKNOWN or "found none" in one or _NOT_GIVEN.search(one) for one in differing)
    again = f"Give those found again, on the command line or for good under `settings:` in {manifest}; or "
    return (again if given else "To go on, ") + last


def _flat(content: _Content, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; whether they are settings or parts of the manifest is not in the key."""
    for key, value in content.items():
        inside = not prefix and key in ("settings", "depends_on")
        if isinstance(value, Mapping):
            yield from _flat(value, "" if inside else f"{prefix}{key}.")
        elif value is not None or not inside:
            yield prefix + key, value


def _in_short(values: Mapping[str, Any], key: str) -> str:
    text = str(values[key]) if key in values else "none"
    return text if len(text) <= 40 else text[:37] + "..."
