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
from typing import Any

import luigi
from tqdm import tqdm

from pipeline.core.engine import ShardError

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


_EXPECTED: tuple[type[BaseException], ...] = (ValueError, OSError, ImportError, MemoryError, ShardError)
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
    for name in ("luigi", "luigi-interface", "luigi.scheduler"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO if DEBUG else logging.WARNING)
        logger.propagate = False


def show_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """sys.excepthook of the luigi command: what luigi does not catch, such as an unknown task, in one line."""
    if DEBUG or issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {one_line(error)}", file=sys.stderr)


def say(label: str, text: str) -> None:
    """A line of its own, beside whatever bars there are."""
    tqdm.write(f"{label}: {text}", file=sys.stderr)


class Report:
    """Progress of one task as a callable of (done, total)."""

    def __init__(self, task: luigi.Task, label: str, unit: str) -> None:
        self._task, self._label, self._unit = task, label, unit
        self._bar = tqdm(desc=label, unit=unit, leave=False, total=0) if sys.stderr.isatty() else None
        self._start = self._said = self._reported = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Tell the terminal and the scheduler, neither too often."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        elif now - self._said >= _PLAIN_EVERY_S and done < total:
            self.say(f"{done} of {total} {self._unit}")
            self._said = now
        if now - self._reported >= _REPORT_EVERY_S or done == total:
            self._reported = now
            self.tell_scheduler(f"{done} of {total} {self._unit}", round(100 * done / max(total, 1)))

    def say(self, text: str) -> None:
        """A line of its own."""
        say(self._label, text)

    def tell_scheduler(self, message: str, percent: int) -> None:
        """Status message and percentage on luigid's page."""
        if self._task.set_status_message:
            self._task.set_status_message(message)
        if self._task.set_progress_percentage:
            self._task.set_progress_percentage(min(percent, 100))

    def close(self, text: str) -> None:
        """The last line: what was done and how long it took."""
        if self._bar is not None:
            self._bar.close()
        self.say(f"{text} ({time.monotonic() - self._start:.0f} s)")
        self.tell_scheduler(text, 100)
