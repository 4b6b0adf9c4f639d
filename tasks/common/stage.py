"""What all stages share: where a camera's files lie, when a stage is complete, how it resumes, what it never undoes.

A stage is complete when `.stages/<name>.json` in the camera's folder holds its fingerprint, a hash of its settings,
the part of the manifest it depends on, its version and its upstream's fingerprints, with the state "done", and every
file that it lists has the size that was written; the same must hold of all that it was made from. Under the same
fingerprint a stage keeps the parts it finds and makes those that lack or are damaged. What is done under another
one stays: the run stops and says which settings differ, unless `redo` asks for it to be made again. A run that makes a
stage lets no other run change what it reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import luigi

from calibration.camera import Camera, GroundPlane
from pipeline.core.engine import Progress, map_shards
from pipeline.core.storage import damaged, listed
from readers.texts import expanded
from tasks.common.camera_task import CameraTask
from tasks.common.configuration import HOME, walt3d
from tasks.common.console import Report, say
from tasks.common.locks import holders, lock, shared_lock
from tasks.common.overall import Watch
from tasks.common.records import DONE, Record, differences, in_words, read_record, ways_out


class Stage(CameraTask):
    """A stage of one camera. Subclasses say `outputs` and `work`."""

    unit: ClassVar[str] = "parts"
    outputs: ClassVar[tuple[str, ...]] = ()  # glob patterns below the camera's folder

    def work(self, report: Report) -> str:
        """Make the outputs and return what was made, in a few words."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Name of the stage's record; tasks that differ in other parameters have other names."""
        return self.kind

    @cached_property
    def folder(self) -> Path:
        """The camera's folder."""
        return data_root_of(self.data_root) / self.camera

    @property
    def engine(self) -> str:
        """Name of the engine that runs shards."""
        return walt3d().engine

    @property
    def processes(self) -> int:
        """Processes that work on shards at a time."""
        return self.cpus or walt3d().cpus

    @property
    def record(self) -> Path:
        """The file that says whose outputs these are and whether all of them are there."""
        return self.folder / ".stages" / f"{self.name}.json"

    def output(self) -> luigi.LocalTarget:
        """The record, for luigi's pages; `complete` looks into it."""
        return luigi.LocalTarget(str(self.record))

    def complete(self) -> bool:
        """Whether it is done. Raises ValueError where it is done with other settings and nobody asked to redo it."""
        if self._in_the_way() and not any(task._in_the_way() for task in self.upstream):
            raise ValueError(self._refusal())
        return self.done() and all(task.done() for task in self.upstream)

    def done(self) -> bool:
        """Done under the present fingerprint, with every file as large as it was written.

        Raises ValueError where a file lies among them that it did not write.
        """
        found = read_record(self.record)
        if found is None or not self._is_mine(found) or found.state != DONE:
            return False
        there = self.files()
        if foreign := found.foreign(self.folder, there):
            raise ValueError(f"{foreign[0]}: is none of the files that {self.name} wrote; move it elsewhere")
        return not found.damage(self.folder, there)

    def _is_mine(self, record: Record | None) -> bool:
        return record is not None and record.fingerprint == self.fingerprint

    def _in_the_way(self) -> bool:
        """Finished with other settings, and not to be redone; what only shows something is drawn anew."""
        found = read_record(self.record)
        other = found is not None and found.state == DONE and not self._is_mine(found)
        redone = self.shows_only or any(task.redo for task in [*self.upstream, self])
        return other and not redone and bool(self.files())

    def outlook(self) -> str:
        """What a run would do with it, and why: for people, nothing is made."""
        found = read_record(self.record)
        if self.done():
            return "is done"
        if above := [task.kind for task in self.upstream if task._in_the_way()]:
            return f"would not be reached: {above[0]} stops the run"
        waits = [task.kind for task in self._read() if isinstance(task, Stage) and not task.done()]
        if found is None or not self.files():
            return "would run: it was never made" + (f" (after {', '.join(waits)})" if waits else "")
        if not self._is_mine(found):
            differing = in_words(differences(found.made_of, self.made_of))
            return f"would {'stop' if self._in_the_way() else 'run again'}: it is of other settings: {differing}"
        harm = found.damage(self.folder, self.files()) if found.state == DONE else {}
        told = "; ".join(f"{path.name}: {reason}" for path, reason in list(harm.items())[:3])
        return f"would go on: {f'{len(harm)} of its files are damaged ({told})' if harm else 'it was interrupted'}"

    def _refusal(self) -> str:
        record = read_record(self.record)
        differing = differences(record.made_of if record else {}, self.made_of)
        redo = f"add --{self.task_family}-redo to make it and what follows again"
        return (
            f"{self.camera}: {self.kind} is done with other settings: {in_words(differing)}. "
            f"{ways_out(differing, self.entry.path, redo)}"
        )

    def settle(self) -> None:
        """What a finished stage still has to do before another one reads it."""

    def files(self) -> list[Path]:
        """What the stage has written so far."""
        found = {path for pattern in self.outputs for path in self.folder.glob(pattern) if path.is_file()}
        return sorted(path for path in found if not path.name.startswith("."))

    def leftovers(self) -> list[Path]:
        """What goes when the stage starts over."""
        return self.files()

    def half_written(self) -> list[Path]:
        """What a killed run left under hidden names."""
        hidden = [f"{head}{mid}.{name}.part" for head, mid, name in (p.rpartition("/") for p in self.outputs)]
        return sorted(path for pattern in hidden for path in self.folder.glob(pattern))

    def run(self) -> None:
        """Resume or start over, then record that the stage is done."""
        for task in self.upstream:
            task.settle()
        with self._locked():
            if self.complete():
                return
            self._check_upstream()
            self._begin()
            watch = Watch(self, lambda text: say(f"{self.camera} plan", text))
            report = Report(self, self._label, self.unit)
            done = self.work(report)
            self._end()
            report.close(done, watch.ended())

    def fan_out(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[Any], bool], report: Progress
    ) -> None:
        """Run fn on every job that is not done yet."""
        todo = [job for job in jobs if not done(job)]
        before = len(jobs) - len(todo)
        map_shards(
            fn,
            todo,
            engine=self.engine,
            cpus=self.processes,
            on_done=lambda number, _: report(before + number, len(jobs)),
        )

    def calibrated(self, frames: Any) -> tuple[Camera, GroundPlane]:
        """Camera and ground plane for frames as large as those of the FRAMES table; what is doubtful is told once."""
        size_hw = (frames["height"][0].as_py(), frames["width"][0].as_py())
        for doubt in self.entry.doubts(size_hw):
            _say_once(f"{self.camera} calibration", doubt)
        return self.entry.calibrated(size_hw)

    def calibration_if_any(self) -> Any:
        """What depends on the calibration; None where there is none yet and only its settings are asked for, as
        CalibrateFromTraffic does."""
        return self.entry.calibration_identity() if self.entry.manifest.calibration is not None else None

    def _begin(self) -> None:
        """Remove half-written files, and whatever was made under another fingerprint."""
        for part in self.half_written():
            part.unlink()
        found = read_record(self.record)
        if found is not None and self._is_mine(found):
            harm = found.damage(self.folder, self.files())
            self.discard([path for path in dict.fromkeys([*harm, *self._empty()]) if not path.is_dir()])
            return
        # In this order: killed at any point, the next run starts over rather than trusts foreign parts.
        self.record.unlink(missing_ok=True)
        if old := self.leftovers():
            say(self._label, f"starts over: {len(old)} files of other settings are removed")
        for path in old:
            path.unlink()
        Record(self.fingerprint, made_of=self.made_of).write(self.record)

    def discard(self, damaged: Sequence[Path]) -> None:
        """Remove files that are not what was written, so that they are made again."""
        for path in damaged:
            say(self._label, f"{path.name} is damaged and made again")
            path.unlink(missing_ok=True)

    def _empty(self) -> list[Path]:
        """What a machine that lost its power left of files whose names were written before their bytes."""
        return [path for path in self.files() if not path.stat().st_size]

    def _end(self) -> None:
        Record(self.fingerprint, DONE, listed(self.folder, self.files()), self.made_of).write(self.record)

    def _check_upstream(self) -> None:
        """Raises ValueError where another run changed, while this one waited, what is to be read."""
        for task in self.upstream:
            found = read_record(task.record)
            harm = found.damage(task.folder, task.files()) if found and task._is_mine(found) else {}
            for path, reason in harm.items():
                raise damaged(path, reason)
            if not task.done():
                raise ValueError(f"{self.camera}: another run began to make {task.kind} again; run again after it")

    @property
    def _label(self) -> str:
        return f"{self.camera} {self.name}"

    @property
    def lock(self) -> Path:
        """The file that is locked to make the stage, and by who reads it."""
        return self.record.with_suffix(".lock")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One run at a time makes a stage of a camera, and none changes what it reads."""
        with ExitStack() as held:
            for task in self.upstream:
                held.enter_context(shared_lock(task.lock, lambda task=task: self._waits(task)))  # type: ignore[misc]
            held.enter_context(lock(self.lock, lambda: self._waits(self)))
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While it lasts, no run makes the stage again, nor what it was made from; for readers that are no stages."""
        with ExitStack() as held:
            for task in [*self.upstream, self]:
                held.enter_context(shared_lock(task.lock, lambda task=task: self._waits(task)))  # type: ignore[misc]
            yield

    def _waits(self, other: Stage) -> None:
        who = holders(other.lock)
        say(self._label, f"waits for another run, which makes or reads {other.name} of {self.camera}"
            f"{f': {who}' if who else ''}")  # fmt: skip


@cache
def _say_once(label: str, text: str) -> None:
    say(label, text)


def data_root_of(given: str) -> Path:
    """The folder of all results: the given one, else WALT3D_DATA, else luigi.cfg's, else data/ of the repository.

    What was installed from a wheel has no repository: then data/ of the working folder.
    """
    root = given or os.environ.get("WALT3D_DATA") or walt3d().data_root or HOME / "data"
    return expanded(root, "--data-root").resolve()
