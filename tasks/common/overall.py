"""How far a whole run is: which stages it has to make, how many are made, about how long the others take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import luigi
from luigi.cmdline_parser import CmdlineParser

# Parts of the time of a whole job: seconds of the small simulated camera quick07 on one core, without rendering it.
# Another camera's differ: how much longer or shorter its finished stages were than these tells about the others.
SHARES = {
    "IngestFrames": 5, "MedianBackground": 4, "DetectObjects": 15, "TrackObjects": 1, "EmptyStreet": 7,
    "MineUnoccluded": 19, "ReconstructVehicles": 2, "ReconstructPeople": 15, "ComposeShards": 5, "GenerateClipArt": 12,
}  # fmt: skip
_USUAL = 5


def in_order(root: luigi.Task) -> list[luigi.Task]:
    """A task and all that it needs, each once, what is needed before what needs it."""
    found: dict[luigi.Task, None] = {}

    def visit(task: luigi.Task) -> None:
        if task not in found:
            for one in luigi.task.flatten(task.requires()):
                visit(one)
            found[task] = None

    visit(root)
    return list(found)


class Overall:
    """The tasks that a run has to make, in their order, and the seconds that those already made took."""

    def __init__(self, todo: Iterable[luigi.Task]) -> None:
        self.todo = {task.task_id: task.task_family for task in todo}
        self.took: dict[str, float] = {}

    def plan(self) -> str:
        """What there is to do; nothing where it is a single task."""
        if len(self.todo) < 2:
            return ""
        families = list(dict.fromkeys(self.todo.values()))
        return f"{len(self.todo)} stages to make: {', '.join(families)}"

    def made(self, task: luigi.Task, seconds: float) -> str:
        """How far the run is now that a task is made, in a few words; nothing where that was all."""
        self.took[task.task_id] = seconds
        left = [family for task_id, family in self.todo.items() if task_id not in self.took]
        if not left or task.task_id not in self.todo:
            return ""
        usual = sum(_share(self.todo[task_id]) for task_id in self.took if task_id in self.todo)
        seconds_left = sum(self.took.values()) / usual * sum(map(_share, left))
        return f"{len(self.took)} of {len(self.todo)} stages, about {_duration(seconds_left)} left"


def _share(family: str) -> float:
    return SHARES.get(family, _USUAL)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds / 10) * 10, 10)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Watch:
    """A stage's clock, and the run that it is a part of; one run a process."""

    _run: Overall | None = None

    def __init__(self, task: luigi.Task, say: Callable[[str], None]) -> None:
        self._task, self._begun = task, time.monotonic()
        if Watch._run is None:
            line = CmdlineParser.get_instance()
            root = line.get_task_obj() if line else task
            Watch._run = Overall(one for one in in_order(root) if not one.complete())
            if plan := Watch._run.plan():
                say(plan)

    def ended(self) -> str:
        """How far the run is now, after a separator."""
        assert Watch._run is not None
        far = Watch._run.made(self._task, time.monotonic() - self._begun)
        return f"; {far}" if far else ""
