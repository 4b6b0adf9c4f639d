"""What luigi itself does not say: which tasks there are, what a task's settings are and mean, what a run would do.

`luigi --module tasks Help` lists the tasks, `luigi --module tasks TASK --help` the settings of one with their defaults,
and `--dry-run` behind any line says which stages it would run, and why.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

import luigi
from luigi.cmdline_parser import CmdlineParser
from luigi.configuration import get_config
from luigi.task_register import Register

from tasks.common.camera_settings import can_set
from tasks.common.camera_task import CameraTask
from tasks.common.overall import in_order
from tasks.common.settings import Setting
from tasks.common.stage import Stage

_KINDS = {bool: "true|false", int: "N", float: "X", str: "TEXT"}
_LUIGI_OWN = (
    "--dry-run says what would run, and why. --workers, --scheduler-url and other options of luigi's own: "
    "luigi --module tasks {task} --help-all"
)


class Help(luigi.Task):
    """This list of tasks."""

    def complete(self) -> bool:
        """Never: it only speaks."""
        return getattr(self, "_said", False)

    def run(self) -> None:
        """Print the list."""
        print(listing(), flush=True)
        self._said = True


def listing() -> str:
    """A line for each task, in two groups: those of a camera, which need each other, and the others."""
    tasks = [Register.get_task_cls(name) for name in Register.task_names()]
    bases = {base for one in tasks for base in one.__mro__[1:]}
    ours = [
        one
        for one in tasks
        if one.__module__.split(".")[0] == "tasks"
        and not issubclass(one, luigi.Config)
        # What others only derive from is no task to run, unless the package offers it.
        and (one not in bases or hasattr(sys.modules["tasks"], one.__name__))
    ]
    groups = {
        "Of a camera (--camera NAME); each runs what it needs first:": [t for t in ours if issubclass(t, CameraTask)],
        "Others:": [t for t in ours if not issubclass(t, CameraTask)],
    }
    lines = ["luigi --module tasks TASK [--help | --dry-run] ..."]
    for title, members in groups.items():
        lines += ["", title]
        lines += [f"  {one.get_task_family():<22} {_first_sentence(one)}" for one in sorted(members, key=_depth)]
    return "\n".join(lines)


def _depth(task: type[luigi.Task]) -> tuple[int, int, str]:
    """In the order of the method, as modules are imported and define them; alphabetical among the others."""
    if not issubclass(task, CameraTask):
        return 0, 0, task.get_task_family()
    defined = list(vars(sys.modules[task.__module__]))
    return list(sys.modules).index(task.__module__), defined.index(task.__name__), ""


def _first_sentence(task: type[luigi.Task]) -> str:
    text = " ".join((task.__doc__ or "").split("\n\n")[0].split())
    return text.split(". ")[0].removesuffix(".") + "."


def of_task(family: str) -> str:
    """The parameters of a task, each once, with what luigi.cfg or the default gives."""
    task = Register.get_task_cls(family)
    params = [(name, one) for name, one in task.get_params() if one.positional]
    plain = [(name, one) for name, one in params if not isinstance(one, Setting)]
    settings = [(name, one) for name, one in params if isinstance(one, Setting)]
    lines = [
        f"luigi --module tasks {family} ...",
        "",
        *textwrap.wrap(" ".join((task.__doc__ or "").split()), _width()),
        "",
    ]
    lines += _described(family, plain)
    if settings:
        lines += ["", f"Settings: on this line, as --{family}-NAME on another task's, under [{family}] in luigi.cfg"]
        if can_set(task):  # a manifest speaks of its own camera's stages alone
            lines += [f"and under `settings: {family}:` in a camera's manifest"]
        lines += _described(family, settings)
    return "\n".join([*lines, "", _LUIGI_OWN.format(task=family)])


def _described(family: str, params: Sequence[tuple[str, luigi.Parameter]]) -> Iterator[str]:
    for name, one in params:
        kind = _KINDS[one.kind] if isinstance(one, Setting) else "" if isinstance(one, luigi.BoolParameter) else "VALUE"
        yield f"  --{name.replace('_', '-')} {kind}".rstrip() + f"  ({_given(family, name, one)})"
        # Luigi ends what has choices with " Choices: {a, b}".
        meaning = re.sub(r" Choices: {(?:, )?(.*)}$", r": one of \1", one.description or "")
        yield from textwrap.wrap(meaning, _width(), initial_indent=" " * 6, subsequent_indent=" " * 6)


def _given(family: str, name: str, one: luigi.Parameter) -> str:
    if get_config().has_option(family, name):
        return f"{get_config().get(family, name)}, as luigi.cfg says"
    if not one.has_task_value(family, name):
        return "needed"
    value = one.task_value(family, name)
    return "not set" if value in ("", None) else f"{value}"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 120)


def plan(root: luigi.Task) -> list[str]:
    """What a run would do: a line for each task that it needs, the farthest upstream first, and why."""
    lines = [f"{one.task_family}: {_why(one)}" for one in in_order(root)]
    return lines or ["nothing to do"]


def _why(task: luigi.Task) -> str:
    return task.outlook() if isinstance(task, Stage) else "is done" if task.complete() else "would run"


def answer(arguments: Sequence[str]) -> None:
    """Answer what luigi would not; else nothing. Ends the process where it answered."""
    parser = CmdlineParser._build_parser()
    known, _ = parser.parse_known_args(list(arguments))
    family = known.root_task
    asks = "--help" in arguments or "-h" in arguments
    if family is None and "--help-all" not in arguments:
        print(listing(), file=sys.stdout if asks else sys.stderr)
        raise SystemExit(0 if asks else "error: no task is named; luigi --module tasks TASK ...")
    if family == Help.__name__:
        print(listing())
        raise SystemExit(0)
    if family in Register.task_names() and asks:
        print(of_task(family))
        raise SystemExit(0)
    if family in Register.task_names() and "--dry-run" in arguments:
        with CmdlineParser.global_instance([one for one in arguments if one != "--dry-run"]) as line:
            print("\n".join(plan(line.get_task_obj())))
        raise SystemExit(0)
