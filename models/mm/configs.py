"""Configs of mmdet and mmpose, by path or by the name that the model zoo gives them, and networks built from them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from models.mm import package_folder, quiet, require
from readers.texts import expanded


def is_zoo_name(config: str) -> bool:
    """Whether a config is given by its name in the model zoo, as `rtmdet-ins_tiny_8xb32-300e_coco`, not by its path."""
    return bool(config) and "/" not in config and not config.endswith(".py")


def resolve_config(name_or_path: str, which: str = "mmdet") -> Path:
    """The .py of a config: a path, or a name among the configs that mmdet or mmpose is installed with.

    Raises ValueError for a config that is not there, with the names that are alike.
    """
    if not is_zoo_name(name_or_path):
        path = expanded(name_or_path, "config")
        if not name_or_path or not path.is_file():
            raise ValueError(f"{which} config {name_or_path!r}: no such file; give a .py or a name of the model zoo")
        return path
    known = {path.stem: path for path in sorted((package_folder(which) / ".mim" / "configs").rglob("*.py"))}
    if name_or_path not in known:
        alike = difflib.get_close_matches(name_or_path, known, 3, cutoff=0.5)
        hint = f"; alike are {', '.join(alike)}" if alike else ""
        raise ValueError(f"{which} config {name_or_path!r}: no config of the model zoo has this name{hint}")
    return known[name_or_path]


def published_url(name: str, which: str = "mmdet") -> str:
    """Where the zoo publishes the weights of a config given by name, as the metafile beside the config says.

    Raises ValueError for a config of which nothing is published.
    """
    config = resolve_config(name, which)
    for metafile in sorted(config.parent.glob("*.yml")):
        content = yaml.safe_load(metafile.read_text())
        for model in content.get("Models", ()) if isinstance(content, dict) else content:
            if Path(str(model.get("Config"))).stem == name and model.get("Weights"):
                return str(model["Weights"])
    raise ValueError(f"{which} config {name!r}: the model zoo publishes no weights of it; give a checkpoint's path")


def read_config(path: Path) -> Any:
    """The mmengine Config of a .py, which runs it; weights that it would download to start from are taken out.

    Raises ValueError, one line, for a file that is no config of a model.
    """
    from mmengine.config import Config

    try:
        with quiet():
            config = Config.fromfile(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not a config that mmengine reads ({type(error).__name__}: {reason})") from None
    if not isinstance(config.get("model"), dict):
        raise ValueError(f"{path}: expected a config with `model = dict(type=...)`, got none")
    for part in _dicts(config.model):
        if "pretrained" in part:
            part["pretrained"] = None
        if _is_download(part.get("init_cfg")):
            part["init_cfg"] = None
    config.load_from = None
    return config


def _dicts(value: Any) -> Iterator[Any]:
    """A tree's dictionaries, outermost first."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for child in list(children):
        yield from _dicts(child)


def _is_download(init: Any) -> bool:
    listed = init if isinstance(init, list | tuple) else [init]
    return any(isinstance(part, dict) and part.get("type") == "Pretrained" for part in listed)


def build_network(config: Any, which: str = "mmdet") -> Any:
    """The torch module that a Config describes, with random weights, on the CPU.

    Raises ValueError, one line, where mmdet or mmpose cannot build it.
    """
    require(which)
    from models.mm.detectors import built

    try:
        return built(config.model, config.get("default_scope", which))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{config.filename}: {which} cannot build this model ({reason})") from None
