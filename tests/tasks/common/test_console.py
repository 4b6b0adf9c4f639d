import errno
import logging
import sys

import pytest

from pipeline.core.engine import ShardError
from tasks.common.console import OneLine, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\nlines"), "two lines"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.mp4"), "[Errno 2] No such file: 'a.mp4'"),
        (OSError(errno.ENOSPC, "No space left", "/x"), "disk full: [Errno 28] No space left: '/x'; free some space"),
        (OSError(errno.EROFS, "Read-only", "/x"), "[Errno 30] Read-only: '/x'; make the folder writable or choose"),
        (ShardError({"part-3": "bad"}, 4), "1 of 4 shards failed twice, the others are done: part-3: bad"),
        (KeyError("x"), "KeyError: 'x' (WALT3D_DEBUG=1 shows where)"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero (WALT3D_DEBUG=1"),
    ],
)
def test_errors_read_as_one_line(error, line):
    assert one_line(error).startswith(line)
    assert "\n" not in one_line(error)


def record(message, exc_info=None):
    return logging.LogRecord("luigi-interface", logging.ERROR, __file__, 1, message, (), exc_info)


def test_luigis_tracebacks_become_lines():
    try:
        raise ValueError("no camera 'x'")
    except ValueError:
        assert OneLine().format(record("Worker failed", sys.exc_info())) == "error: no camera 'x'"
    told = "Will not run T due to error in complete():\nTraceback (most recent call last):\n  x\nValueError: bad: worse"
    assert OneLine().format(record(told)) == "error: bad: worse"
    assert OneLine().format(record("something else")) == "error: something else"
