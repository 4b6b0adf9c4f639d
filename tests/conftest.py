"""Makes the helper modules beside the tests importable, and chance the same in every run.

Laws are tried on the same examples each time, unless `make test-random` asks for new ones. torch's generator starts
anew with every fixture and every test, so that what one draws does not hang on which others ran before it.
"""

import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import settings

HELPERS = ("support", "benchmarks", "calibration", "models", "models/detector", "models/mm", "pipeline", "tasks")
sys.path[:0] = [str(Path(__file__).parent / folder) for folder in HELPERS]

# A loaded machine is slow, not wrong: no deadlines.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef):
    _start_anew(f"{fixturedef.baseid}::{fixturedef.argname}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    _start_anew(item.nodeid)


def _start_anew(name):
    # Its import takes seconds, and many tests do without.
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(zlib.crc32(name.encode()))
