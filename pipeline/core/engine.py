"""Run one function over many shards on this machine; engines of other kinds register under a name.

A shard is one small picklable value: paths in, paths out, seeds inside, never pixels. An engine makes one attempt at
every shard; `map_shards` retries the failed ones once, lets the others finish and then names those that failed twice.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

Progress = Callable[[int, int], None]
_PLACE_BYTES = 512  # of what a worker says that it is at

# Read by the libraries when they load, hence set before a worker starts.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "OPENCV_FFMPEG_THREADS",
)


@dataclass(frozen=True)
class Outcome:
    """What became of shard number `index`: a result, or the reason of its failure in one line.

    kinds: names of the exception's class and of those it derives from, as `_kinds` has them. The exception itself stays
    where it was raised: not every one can be pickled, and unpickling one may fail or import what is not there.
    """

    index: int
    result: Any = None
    reason: str = ""
    trace: str = ""
    kinds: tuple[str, ...] = ()


class Engine(Protocol):
    """Makes one attempt at every shard on up to `cpus` processes, yielding outcomes in any order."""

    def __call__(self, fn: Callable[[Any], Any], shards: Sequence[Any], cpus: int) -> Iterator[Outcome]: ...


class ShardError(RuntimeError):
    """Some shards failed twice; `failures` maps their names to one-line reasons, `kinds` to the names of the
    classes of what was raised, none where a worker died; `trace` is the first traceback."""

    def __init__(
        self, failures: dict[str, str], total: int, trace: str = "", kinds: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self.failures, self.trace, self.kinds = failures, trace, dict(kinds or {})
        # One cause, such as a full disk, fails many shards: said once, with the names it hit.
        causes: dict[str, list[str]] = {}
        for name, reason in failures.items():
            causes.setdefault(reason, []).append(name)
        listed = "; ".join(f"{_few(names)}: {reason}" for reason, names in causes.items())
        others = ", the others are done" if len(failures) < total else ""
        super().__init__(f"{len(failures)} of {total} shards failed twice{others}: {listed}")

    def any_is(self, kind: type[Exception]) -> bool:
        """Whether some shard failed with an exception of a class, or of one that derives from it."""
        return any(_name_of(kind) in names for names in self.kinds.values())


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _kinds(error: Exception) -> tuple[str, ...]:
    """Full names of the error's class and of those it derives from, its own first."""
    return tuple(_name_of(kind) for kind in type(error).__mro__)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def shard_name(shard: Any) -> str:
    """The shard's `name`, or how it prints."""
    return str(getattr(shard, "name", shard))


def map_shards(
    fn: Callable[[Any], Any],
    shards: Sequence[Any],
    *,
    engine: str = "process",
    cpus: int = 2,
    on_done: Progress | None = None,
) -> list[Any]:
    """Results of fn, a module-level function of one shard, in the shards' order.

    Raises ShardError, after all the others have finished, where a shard failed twice.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine: expected one of {', '.join(sorted(ENGINES))}, got {engine!r}")
    shards, results = list(shards), {}
    failed: list[Outcome] = []
    for attempt in range(2):
        todo = [o.index for o in failed] if attempt else range(len(shards))
        failed = []
        for outcome in ENGINES[engine](fn, [shards[i] for i in todo], cpus):
            index = todo[outcome.index]
            if outcome.reason:
                failed.append(replace(outcome, index=index, result=None))
                continue
            results[index] = outcome.result
            if on_done:
                on_done(len(results), len(shards))
    if failed:
        failed.sort(key=lambda o: o.index)
        names = [shard_name(shards[o.index]) for o in failed]
        reasons = {name: o.reason for name, o in zip(names, failed, strict=True)}
        kinds = {name: o.kinds for name, o in zip(names, failed, strict=True)}
        raise ShardError(reasons, len(shards), failed[0].trace, kinds)
    return [results[i] for i in range(len(shards))]


_place: Any = None  # of a worker: where its parent reads what it was at, should it die


def at(what: str) -> None:
    """Say what is being worked on, a frame or a file: should the process die of it, its shard's failure names it."""
    if _place is not None:
        _place.value = what.encode(errors="replace")[-_PLACE_BYTES + 1 :]


def _attempt(fn: Callable[[Any], Any], index: int, shard: Any) -> Outcome:
    try:
        return Outcome(index, fn(shard))
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        reason = text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"
        return Outcome(index, None, reason, traceback.format_exc(), _kinds(error))


def serial(fn: Callable[[Any], Any], shards: Sequence[Any], cpus: int) -> Iterator[Outcome]:
    """One after another in this process."""
    for index, shard in enumerate(shards):
        yield _attempt(fn, index, shard)


@contextmanager
def _one_thread_environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process that starts here never hears Ctrl-C, which a terminal sends to all: its parent ends it, and says so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # Half-written files keep their hidden names; a re-run must not meet a writer that is still alive.
        os._exit(1)


def _work(pipe: Connection, place: Any) -> None:
    global _place
    _place = place
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    while True:
        try:
            fn, index, shard = pipe.recv()
        except EOFError:
            return
        at("")
        outcome = _attempt(fn, index, shard)
        try:
            pipe.send(outcome)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            pipe.send(Outcome(index, None, f"its result cannot be sent back: {error}"))


class _Worker:
    """A spawned process that does one shard at a time."""

    def __init__(self) -> None:
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.place = context.Array("c", _PLACE_BYTES, lock=False)
        self.process = context.Process(target=_work, args=(theirs, self.place), daemon=True)
        with _one_thread_environment(), _deaf_to_interrupts():
            self.process.start()
        theirs.close()
        self.index = -1

    def give(self, fn: Callable[[Any], Any], index: int, shard: Any) -> None:
        self.index = index
        with suppress(BrokenPipeError):  # it died meanwhile; take() says so
            self.pipe.send((fn, index, shard))

    def take(self) -> Outcome:
        """The outcome of its shard; the worker's own death is an outcome too."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode
            hint = ", as when memory runs out" if code == -9 else ""
            place = self.place.value.decode(errors="replace")
            where = f", at {place}" if place else ""
            return Outcome(self.index, None, f"its worker process died with exit code {code}{hint}{where}")

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def process(fn: Callable[[Any], Any], shards: Sequence[Any], cpus: int) -> Iterator[Outcome]:
    """Up to `cpus` spawned processes whose numeric libraries use one thread each."""
    todo = iter(enumerate(shards))
    workers = [_Worker() for _ in range(min(max(cpus, 1), len(shards)))]
    try:
        busy = []
        for worker in workers:
            worker.give(fn, *next(todo))
            busy.append(worker)
        while busy:
            ready = wait([worker.pipe for worker in busy])
            for worker in [w for w in busy if w.pipe in ready]:
                outcome = worker.take()
                busy.remove(worker)
                yield outcome
                job = next(todo, None)
                if job is None:
                    continue
                if not worker.process.is_alive():
                    worker.stop()
                    workers.remove(worker)
                    worker = _Worker()
                    workers.append(worker)
                worker.give(fn, *job)
                busy.append(worker)
    finally:
        for worker in workers:
            worker.stop()


ENGINES: dict[str, Engine] = {"serial": serial, "process": process}


def register_engine(name: str, engine: Engine) -> None:
    """Add an engine, for instance a cluster's, under the name that settings use."""
    ENGINES[name] = engine
