"""Ctrl-C, and the SIGTERM of a batch system: one line, an exit code that says so, and a luigid that is told.

This module imports nothing heavy: it is in place before the libraries load, which takes seconds.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Any

SAID = "interrupted: what is finished is kept, and the same command goes on from there"


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as Ctrl-C does."""


def register() -> None:
    """Take care of both from now on; for the luigi command alone."""
    sys.excepthook = show
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """sys.excepthook: one line for an interruption, whatever there was before for the rest."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    # A second Ctrl-C must not cut short what is told.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell_scheduler(trace)
    print(f"\n{SAID}", file=sys.stderr)
    raise SystemExit(128 + (signal.SIGTERM if issubclass(kind, Terminated) else signal.SIGINT))


def tell_scheduler(trace: TracebackType | None) -> None:
    """Tell the luigid of the run that was interrupted, if any, that nobody makes its task any more: else its page shows
    it as running for a minute, and who starts it again meanwhile is told that another run makes it."""
    worker = _worker_of(trace)
    if worker is None:
        return
    for task_id in list(worker._running_tasks):
        task = worker._scheduled_tasks[task_id]
        try:
            worker._scheduler.add_task(
                worker=worker._id,
                task_id=task_id,
                status="FAILED",
                expl=SAID,
                family=task.task_family,
                module=task.task_module,
                params=task.to_str_params(),
            )
        except Exception as error:  # the luigid is gone, too: nobody is left to tell
            print(f"warning: luigid was not told of the interruption: {error}", file=sys.stderr)
            return


def _worker_of(trace: TracebackType | None) -> Any:
    """luigi's worker out of the stack that was interrupted: luigi hands it to nobody."""
    if trace is None or "luigi.worker" not in sys.modules:
        return None
    while trace is not None:
        found = trace.tb_frame.f_locals.get("self")
        if isinstance(found, sys.modules["luigi.worker"].Worker):
            return found
        trace = trace.tb_next
    return None
