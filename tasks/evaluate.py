"""How well a network does: `python -m tasks.evaluate NAME [OPTIONS]`, which `make evaluate MODEL=NAME` runs.

Its metrics on what training kept for validation, by the task Evaluate. Where an option is none of that task's, or names
what the network does not learn from, the network's own tables, which say with --help what they take.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from models.contract import Spec, find, load_object
from tasks.learn.evaluate import Evaluate

_LUIGIS = {"--scheduler-url", "--workers", "--local-scheduler"}


def main(arguments: list[str] | None = None) -> int:
    """The exit code of what was run; 1 and one line for an unknown network."""
    name, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    try:
        spec = find(name, "make evaluate MODEL=matting")
    except ValueError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    if spec.evaluate and asks_for_own(options, spec):
        return load_object(spec.evaluate)(options) or 0
    luigi = str(Path(sys.executable).with_name("luigi"))
    return subprocess.call([luigi, "--module", "tasks", "Evaluate", "--model", name, *options])


def asks_for_own(options: Sequence[str], spec: Spec) -> bool:
    """Whether an option is none of the task Evaluate's, or one of which the network's training has no use; those of
    other tasks begin with their names."""
    names = set(Evaluate.get_param_names()) - set(spec.unread)
    known = {f"--{name.replace('_', '-')}" for name in names} | _LUIGIS
    flags = [option.partition("=")[0] for option in options if option.startswith("-") and len(option) > 2]
    return any(flag not in known and not flag[2].isupper() for flag in flags if not flag[1].isdigit())


if __name__ == "__main__":
    sys.exit(main())
