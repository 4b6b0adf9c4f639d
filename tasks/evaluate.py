"""How well a network does: `python -m tasks.evaluate NAME [OPTIONS]`, which `make evaluate MODEL=NAME` runs.

Without options, or for a network without tables of its own, its metrics on what training kept for validation, by the
task Evaluate, whose options it takes. With options the network's own tables, where it has some.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from models.contract import find, load_object


def main(arguments: list[str] | None = None) -> int:
    """The exit code of what was run; 1 and one line for an unknown network."""
    name, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    try:
        spec = find(name)
    except ValueError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    if options and spec.evaluate:
        return load_object(spec.evaluate)(options) or 0
    luigi = str(Path(sys.executable).with_name("luigi"))
    return subprocess.call([luigi, "--module", "tasks", "Evaluate", "--model", name, *options])


if __name__ == "__main__":
    sys.exit(main())
