"""A real central scheduler of luigi's."""

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from waiting import until


@contextmanager
def luigid(folder):
    """The address of a real central scheduler on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "luigid"), "--address", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--state-path", str(folder / "state")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
