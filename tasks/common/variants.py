"""The data sets of a camera, side by side: each variant has a folder of its own and stays what it was made to be.

`clipart` is the default one's folder, `clipart_NAME` that of any other. A folder's settings.json is written before its
first shard and says what it is made of; clipart_manifest.json is written last and makes it whole. What is composed
with other settings needs another name.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.storage import data_set_of, parts_of, unlike, write_json
from pipeline.core.tables import MODES
from tasks.common.locks import Held, holders, lock, shared_lock
from tasks.common.records import differences, in_words, ways_out

DEFAULT, FOLDER = "default", "clipart"
SETTINGS, MANIFEST = "settings.json", "clipart_manifest.json"
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_OF_SEED = re.compile(rf"(?:({'|'.join(MODES[1:])})_?)?(?:seed(\d+))?")


def name_of(mode: str, seed: int) -> str:
    """The name of a data set that was given none: `default`, `seed1`, `walt2d_ordered`, `walt2d_ordered_seed1`."""
    parts = [mode] if mode != MODES[0] else []
    return "_".join([*parts, *([f"seed{seed}"] if seed else [])]) or DEFAULT


def checked_name(given: str) -> str:
    """The name again. Raises ValueError for one that a folder should not have."""
    if not _NAME.fullmatch(given):
        raise ValueError(f"--variant: expected a name of a-z, 0-9, _ and - only, 64 at most, got {given!r}")
    return given


def chosen_name(given: str, mode: str, seed: int) -> str:
    """The name given to a data set that is made, or else that of mode and seed.

    Raises ValueError for a name that promises another mode or seed.
    """
    own = name_of(mode, seed)
    if checked_name(given or own) != own and (given == DEFAULT or _OF_SEED.fullmatch(given)):
        raise ValueError(
            f"--variant {given}: is the name of another mode or seed, got --mode {mode} --seed {seed}; leave --variant "
            "out for the name of these, or choose one of your own"
        )
    return given or own


@dataclass(frozen=True)
class DataSet:
    """One data set of a camera: where it lies, and what it is made of. Whether there is one, its files say."""

    camera_dir: Path
    name: str = DEFAULT

    @property
    def folder(self) -> Path:
        """With images/, objects/, the gallery, and the two files that describe them."""
        return self.camera_dir / (FOLDER if self.name == DEFAULT else f"{FOLDER}_{self.name}")

    @property
    def settings(self) -> dict[str, Any]:
        """What it was begun with: fingerprint, made_of and options by task; empty where nothing says."""
        return _json_of(self.folder / SETTINGS)

    @property
    def manifest(self) -> dict[str, Any]:
        """What describes the whole of it; empty where it is not whole."""
        return _json_of(self.folder / MANIFEST)

    @property
    def parts(self) -> list[Path]:
        """The shards' files that are there."""
        return sorted(p for p in self.folder.glob("*/part-*.parquet") if p.parent.name in ("images", "objects"))

    @property
    def whole(self) -> bool:
        """Described, and every part of it is there and as large as it was written."""
        return bool(self.manifest.get("parts")) and not self.damage()

    def damage(self, *, hashes: bool = False) -> dict[Path, str]:
        """Which of its parts are not what was written, and why, as far as its manifest is there to say."""
        try:
            return unlike(self.folder, parts_of(self.folder), hashes=hashes)
        except (OSError, ValueError, KeyError, TypeError) as error:
            there = (self.folder / MANIFEST).exists()
            return {self.folder / MANIFEST: f"cannot be read ({type(error).__name__})"} if there else {}

    @property
    def command(self) -> str:
        """The line that makes it, or goes on with it, as far as its settings are written down."""
        said = [f"--variant {self.name}"] if self.name != DEFAULT else []
        about = self.settings or self.manifest
        own = {"mode": MODES[0], "seed": 0, "scenes": 240, "scenes_per_shard": 60}
        said += [f"--{k.replace('_', '-')} {about[k]}" for k, usual in own.items() if about.get(k, usual) != usual]
        for task, options in (about.get("options") or {}).items():
            said += [f"--{task}-{key.replace('_', '-')} {shlex.quote(str(v))}" for key, v in options.items()]
        camera, root = self.camera_dir.name, self.camera_dir.parent
        line = ["luigi --module tasks GenerateClipArt", f"--camera {camera}", *said, f"--data-root {root}"]
        return " ".join(line)

    @property
    def begun(self) -> bool:
        """Whether there is anything of it that a run must not take for its own."""
        return (self.folder / MANIFEST).exists() or bool(self.parts)

    def refusal(self, made_of: Mapping[str, Any], manifest: Path) -> str:
        """What to tell who asks for a data set of other settings in this folder; manifest: the camera's YAML."""
        what = "holds" if self.whole else "holds a part of"
        differing, camera = differences(self.settings.get("made_of", {}), made_of), self.camera_dir.name
        others = (
            "name another data set with --variant, or remove this one: luigi --module tasks Remove "
            f"--camera {camera} --variant {self.name}"
        )
        return (
            f"{self.folder} {what} a data set of other settings: {in_words(differing)}. "
            f"{ways_out(differing, manifest, others)}"
        )

    def fits(self, fingerprint: str) -> bool:
        """Whether a data set of this fingerprint may be made here, or is."""
        return self.settings.get("fingerprint") == fingerprint or not self.begun

    @contextmanager
    def claimed(self, settings: Mapping[str, Any], manifest: Path) -> Iterator[None]:
        """Make parts of the data set of these settings here, together with other runs of the same.

        Raises ValueError where the folder is another's.
        """
        with ExitStack() as held:
            with lock(self._lock_of("claim"), _patiently):
                self._claim(settings, manifest)
                held.enter_context(self.read())
            yield

    def _claim(self, settings: Mapping[str, Any], manifest: Path) -> None:
        if not self.fits(settings["fingerprint"]):
            raise ValueError(self.refusal(settings["made_of"], manifest))
        if self.settings.get("fingerprint") != settings["fingerprint"]:
            with self._alone("another run has begun a data set there"):
                write_json(self.folder / SETTINGS, settings)

    @contextmanager
    def read(self) -> Iterator[None]:
        """Nobody removes it meanwhile."""
        with shared_lock(self._lock_of("use"), _patiently):
            yield

    @contextmanager
    def _alone(self, otherwise: str) -> Iterator[None]:
        try:
            with lock(self._lock_of("use")):
                yield
        except Held:
            who = holders(self._lock_of("use"))
            raise ValueError(
                f"{self.folder}: {otherwise}{f': {who}' if who else ''}; run again when it has ended"
            ) from None

    def remove(self) -> None:
        """All of its folder. Raises ValueError where a run makes or reads it, and for a folder that is a link."""
        if self.folder.is_symlink() or not self.folder.resolve().is_relative_to(self.camera_dir.parent.resolve()):
            raise ValueError(f"{self.folder}: leads out of the data root; nothing is removed")
        gone = self.folder.with_name(f".{self.folder.name}.removed")
        with lock(self._lock_of("claim"), _patiently), self._alone("another run makes or reads it"):
            shutil.rmtree(gone, ignore_errors=True)  # of a killed process
            for record in self._records():
                record.unlink()
            self.folder.rename(gone)
            shutil.rmtree(gone)

    def _records(self) -> list[Path]:
        """Those of the stages that made it."""
        mine = re.compile(rf"GenerateClipArt-{re.escape(self.name)}|ComposeShards-{re.escape(self.name)}-\d{{3,}}")
        return [path for path in (self.camera_dir / ".stages").glob("*.json") if mine.fullmatch(path.stem)]

    def _lock_of(self, what: str) -> Path:
        return self.camera_dir / ".stages" / f"{self.folder.name}.{what}.lock"


def data_sets(camera_dir: Path) -> list[DataSet]:
    """All of a camera, the default one first, whole or not."""
    found = [folder.name for folder in camera_dir.glob(f"{FOLDER}*") if folder.is_dir()]
    names = [DEFAULT] * (FOLDER in found) + sorted(n.removeprefix(f"{FOLDER}_") for n in found if n != FOLDER)
    listed = [DataSet(camera_dir, name) for name in names if _NAME.fullmatch(name)]
    return [one for one in listed if one.begun or one.settings]


def taken(camera_dir: Path, variant: str = "") -> DataSet | None:
    """The whole data set that a command reads: that of the name, or the only one; None where there is none at all.

    Raises ValueError where there is none of the name, where several are there and none is named, and where shards of
    several are mixed in it: also for a reader that has done its work and would only say so.
    """
    if variant:
        checked_name(variant)
    there = [one for one in data_sets(camera_dir) if one.whole]
    found = [one for one in there if one.name == variant] if variant else there
    names, camera = ", ".join(one.name for one in there) or "none", camera_dir.name
    if len(found) > 1:
        raise ValueError(f"{camera}: has several data sets: {names}; say which with --variant NAME")
    if variant and not found:
        one = DataSet(camera_dir, variant)
        broken = next((f"{path.name}: {reason}; " for path, reason in one.damage().items()), "")
        raise ValueError(
            f"{camera}: has no whole data set {variant}; {broken}there are: {names}. Make it: {one.command}"
        )
    for one in found:
        data_set_of(one.folder)
    return found[0] if found else None


def _json_of(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _patiently() -> None:
    """Others hold these locks for a moment only."""
