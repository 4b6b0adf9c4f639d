"""Waiting for what another process does."""

import time

PATIENCE_S = 300.0  # for what a loaded machine does late; what never comes is waited for once, by a test that fails


def until(condition):
    """Return when CONDITION() holds; AssertionError when it still does not after PATIENCE_S."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"still not so after {PATIENCE_S:.0f} s"
        time.sleep(0.02)
