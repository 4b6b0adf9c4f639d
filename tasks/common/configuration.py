"""The project's luigi.cfg, found from any folder and checked: a section or key that nothing reads is an error.

Read in this order, later ones winning: the repository's file (or its copy in the wheel), the working folder's, the
one that LUIGI_CONFIG_PATH names. The local scheduler is used unless a luigid is named by `--scheduler-url`,
WALT3D_SCHEDULER or [core] scheduler_url.
"""

from __future__ import annotations

import difflib
import os
import sys
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import fields
from pathlib import Path

import luigi
import luigi.notifications
import luigi.retcodes  # these declare sections of luigi's own
import luigi.scheduler
import luigi.worker
from luigi.configuration import add_config_path, get_config
from luigi.task_register import Register

from data_manifest import REPOSITORY
from readers.limits import Limits, limit, variable
from tasks.common.settings import Setting, declare

CONFIGURATION = Path(__file__).with_name("luigi.cfg").resolve()  # in a repository a link to the file at its top
HOME = REPOSITORY or Path.cwd()  # what data/ and relative paths of luigi.cfg belong to
# Sections and keys that luigi reads without declaring them as parameters.
_UNDECLARED = {
    "core": {"rpc_connect_timeout", "rpc_retry_attempts", "rpc_retry_wait", "rpc_log_retries", "autoload_range"},
    "logging": None,
}
# Settings of an earlier version, by task, and what says the same now.
_REPLACED = {
    "ComposeShards": {
        "clearance_m": "crossing_probability",
        "clearance_share": "crossing_probability",
        "occlusion_share": "hidden_fraction",
        "min_hidden": "hidden_fraction",
        "max_hidden": "hidden_fraction",
    }
}


class walt3d(luigi.Config):
    """[walt3d] in luigi.cfg: where the data lie and how the work is spread."""

    data_root = luigi.Parameter(default="", description="folder of all results, else data/ of the repository")
    manifests = luigi.Parameter(default="", description="folder of the cameras' YAML; data_manifest/cameras by default")
    engine = luigi.Parameter(default="process", description="what runs the shards: serial or process")
    cpus = luigi.IntParameter(default=os.cpu_count() or 1, description="processes that work on shards at a time")


class limits(luigi.Config):
    """[limits] in luigi.cfg: how large what comes from outside may be; readers/limits.py says what each is of."""


declare(limits, Limits)


def register() -> None:
    """Make luigi read the project's luigi.cfg below the user's own."""
    paths = [CONFIGURATION, Path("luigi.cfg"), Path(os.environ.get("LUIGI_CONFIG_PATH", ""))]
    try:
        for path in paths:
            if path.is_file():
                add_config_path(str(path))
    except ConfigError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not text: expected UTF-8 ({error})") from None


def set_limits() -> None:
    """Those of luigi.cfg, for this process and all that it starts; the environment's come first."""
    chosen = limits()
    for one in fields(Limits):
        if (value := getattr(chosen, one.name)) != one.default:
            os.environ.setdefault(variable(one.name), str(value))
        limit(one.name)  # a mistake is told now


def choose_scheduler() -> None:
    """The local scheduler, unless a luigid is named."""
    config = get_config()
    if url := os.environ.get("WALT3D_SCHEDULER"):
        config.set("core", "scheduler_url", url if "://" in url else f"http://{url}")
    flags = ("--scheduler-url", "--scheduler-host", "--core-scheduler-url", "--core-scheduler-host")
    on_command_line = any(argument.split("=")[0] in flags for argument in sys.argv[1:])
    if not on_command_line and not config.has_option("core", "scheduler_url"):
        config.set("core", "local_scheduler", "true")


def check() -> None:
    """Raise ValueError for the first section or key of luigi.cfg that nothing reads, or option that was replaced."""
    for argument in sys.argv[1:]:
        task, _, option = argument.removeprefix("--").partition("=")[0].partition("-")
        if new := _REPLACED.get(task, {}).get(option.replace("-", "_")):
            raise ValueError(f"--{task}-{option} is no more; say --{task}-{new.replace('_', '-')}, see --help")
    known = {family: _keys(family) for family in Register.task_names()}
    for path in (CONFIGURATION, Path(os.environ.get("LUIGI_CONFIG_PATH", ""))):
        if path.is_file():
            _check_sections(path, known)
    ours = {family: keys for family, keys in known.items() if _is_ours(family)}
    for section, keys in ours.items():
        if get_config().has_section(section):
            _check_keys("luigi.cfg", section, set(dict(get_config().items(section, raw=True))), keys)


def _keys(family: str) -> set[str]:
    params = Register.get_task_cls(family).get_params()
    return {name for name, _ in params} | {one.former for _, one in params if isinstance(one, Setting) and one.former}


def _is_ours(family: str) -> bool:
    return Register.get_task_cls(family).__module__.split(".")[0] == "tasks"


def _check_sections(path: Path, known: dict[str, set[str]]) -> None:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    for section in parser.sections():
        if section not in known and section not in _UNDECLARED:
            raise ValueError(f"{path}: no task reads section [{section}]{_guess(section, known)}")
        extra = _UNDECLARED.get(section, set())
        if extra is not None:
            _check_keys(str(path), section, set(parser[section]), known.get(section, set()) | extra)


def _check_keys(path: str, section: str, keys: set[str], known: set[str]) -> None:
    for key in sorted(keys):
        if new := _REPLACED.get(section, {}).get(key.replace("-", "_")):
            raise ValueError(
                f"{path}: [{section}] {key} is no more; say {new}, see `luigi --module tasks {section} --help`"
            )
        if key not in known and key.replace("-", "_") not in known:
            raise ValueError(f"{path}: [{section}] has no key {key!r}{_guess(key, known)}")


def _guess(word: str, known: dict[str, set[str]] | set[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
