"""What a user sees: one line for an error, a bar in a terminal, plain lines elsewhere, messages on luigid's page."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from configparser import Error as ConfigError
from typing import Any

import luigi
from tqdm import tqdm

from pipeline.core.engine import ShardError
from tasks.common import interrupt

DEBUG = os.environ.get("WALT3D_DEBUG", "") not in ("", "0")
_PLAIN_EVERY_S = 10.0
_REPORT_EVERY_S = 0.5


def one_line(error: BaseException) -> str:
    """An error as a user should read it."""
    if isinstance(error, luigi.parameter.MissingParameterException):
        return re.sub(r"\[.*\]: requires the '(\w+)' parameter to be set", r": --\1 is missing", str(error))
    if "Error when parsing the default value" in str(error) and error.__cause__:
        return one_line(error.__cause__)  # luigi lists the task's other parameters, the cause names this one
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"disk full: {text}; free some space and run again, finished parts are kept"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{text}; make the folder writable or choose another one with --data-root or WALT3D_DATA"
    if isinstance(error, KeyError) or not isinstance(error, _EXPECTED):
        return f"{type(error).__name__}: {text} (WALT3D_DEBUG=1 shows where)"
    return text


_EXPECTED: tuple[type[BaseException], ...] = (ValueError, OSError, ImportError, MemoryError, ShardError, ConfigError)
_EXPECTED += (luigi.parameter.ParameterException, luigi.task_register.TaskClassException)


class OneLine(logging.Formatter):
    """Errors without their tracebacks, which luigi would print; WALT3D_DEBUG=1 keeps them."""

    def format(self, record: logging.LogRecord) -> str:
        """`error: ...` for anything that carries an exception, `warning: ...` and such for the rest."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            return f"error: {one_line(error)}" + (f"\n{_trace(error)}" if DEBUG else "")
        message = record.getMessage()
        if "Traceback (most recent call last)" in message and not DEBUG:
            last = message.strip().splitlines()[-1]
            # "package.Kind: text" is how a traceback ends.
            return f"error: {last.partition(': ')[2] or last}"
        return f"{record.levelname.lower()}: {message}"


def _trace(error: BaseException) -> str:
    inner = error.trace if isinstance(error, ShardError) else ""
    return "".join(traceback.format_exception(error)) + inner


class OtherRuns(logging.Handler):
    """Says what luigi only counts in its summary: that a task was left to another run, which luigid believes in."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line where the summary tells of another worker."""
        told = re.search(r"being run by another worker:\n((?:\s+- .*\n)+)", record.getMessage() + "\n")
        if told:
            names = ", ".join(re.findall(r"- \d+ (\w+)\(", told[1]))
            say("luigid", f"another run makes {names}: wait for it to end. If it was killed, run again in a minute, "
                "when luigid has given it up")  # fmt: skip


def set_up_logging() -> None:
    """Quieten luigi's own log: only what goes wrong, in one line each."""
    warnings.filterwarnings("ignore", category=luigi.task.UnconsumedParameterWarning)  # an error of ours already
    luigi.configuration.get_config().set("core", "no_configure_logging", "true")
    if not DEBUG:
        # Read when OpenCV loads, which is later: its decoders grumble about files that a stage reports in one line.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    handler.setLevel(logging.INFO if DEBUG else logging.WARNING)
    for name in ("luigi", "luigi-interface", "luigi.scheduler"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO if DEBUG else logging.WARNING)
        logger.propagate = False
    summaries = logging.getLogger("luigi-interface")
    summaries.setLevel(logging.INFO)
    summaries.addHandler(OtherRuns(logging.INFO))


def show_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """sys.excepthook of the luigi command: what luigi does not catch, such as an unknown task, in one line."""
    if issubclass(kind, KeyboardInterrupt):
        interrupt.show(kind, error, trace)
    elif DEBUG:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {one_line(error)}", file=sys.stderr)


def say(label: str, text: str) -> None:
    """A line of its own, beside whatever bars there are."""
    tqdm.write(f"{label}: {text}", file=sys.stderr)


class Report:
    """Progress of one task as a callable of (done, total); `part` gives the callables of a task of several parts."""

    def __init__(self, task: luigi.Task, label: str, unit: str) -> None:
        self._task, self._label, self._unit = task, label, unit
        self._bar = tqdm(desc=label, unit=unit, leave=False, total=0) if sys.stderr.isatty() else None
        self._start = self._said = self._reported = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Tell the terminal and the scheduler, neither too often."""
        self._tell(f"{done} of {total} {self._unit}", done, total, done == total)

    def part(self, begins: float, ends: float, unit: str) -> Callable[[int, int], None]:
        """Progress of a part of the task, from one fraction of the whole to another, that counts things of its own."""

        def tell(done: int, total: int) -> None:
            whole = begins + (ends - begins) * done / max(total, 1)
            self._tell(f"{done} of {total} {unit}", round(1000 * whole), 1000, done == total, unit)

        return tell

    def _tell(self, text: str, done: int, total: int, last: bool, unit: str = "") -> None:
        now = time.monotonic()
        if self._bar is not None:
            self._bar.total = total
            if unit:
                self._bar.bar_format = "{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"
                self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._said >= _PLAIN_EVERY_S and not last:
            self.say(text)
            self._said = now
        if now - self._reported >= _REPORT_EVERY_S or last:
            self._reported = now
            # What is written after the last of them belongs to the task, too.
            self.tell_scheduler(text, min(round(100 * done / max(total, 1)), 99))

    def say(self, text: str) -> None:
        """A line of its own."""
        say(self._label, text)

    def tell_scheduler(self, message: str, percent: int) -> None:
        """Status message and percentage on luigid's page."""
        if self._task.set_status_message:
            self._task.set_status_message(message)
        if self._task.set_progress_percentage:
            self._task.set_progress_percentage(min(percent, 100))

    def close(self, text: str, far: str = "") -> None:
        """The last line: what was done, how long it took, and how far the run is."""
        if self._bar is not None:
            self._bar.close()
        self.say(f"{text} ({time.monotonic() - self._start:.0f} s{far})")
        self.tell_scheduler(text, 100)
