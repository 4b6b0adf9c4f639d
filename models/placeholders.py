"""What stands for classes that a checkpoint names and that nothing here needs: nothing of theirs is run."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

# Containers of settings, which training frameworks pickle beside the tensors.
CONFIGS = (
    "yacs.config.CfgNode", "fvcore.common.config.CfgNode", "detectron2.config.config.CfgNode", "argparse.Namespace",
    "mmengine.config.config.ConfigDict", "mmcv.utils.config.ConfigDict", "addict.addict.Dict", "easydict.EasyDict",
    *(f"{module}.AttributeDict" for module in (
        "pytorch_lightning.utilities.parsing", "lightning.pytorch.utilities.parsing", "lightning.fabric.utilities.data",
        "lightning_fabric.utilities.data",
    )),
    *(f"omegaconf.{name}" for name in (
        "dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata", "base.Metadata", "nodes.AnyNode",
        "nodes.IntegerNode", "nodes.FloatNode", "nodes.StringNode", "nodes.BooleanNode",
    )),
    "pathlib.Path", "pathlib.PosixPath", "typing.Any",
)  # fmt: skip


class Placeholder:
    """Stands for an object of a class that is not wanted: takes any arguments and state, and drops them."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Placeholder:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def placeholders() -> list[Any]:
    """For torch.serialization.safe_globals: what stands for each of CONFIGS, by the name that pickles have for it.

    Settings that are dictionaries become ordered ones, the only kind that torch fills without running code.
    """
    plain = ("Config", "Cfg", "Dict")
    sets = [(set, f"{module}.set") for module in ("builtins", "__builtin__")]
    return sets + [
        (OrderedDict if name.rpartition(".")[2].startswith(plain) else Placeholder, name) for name in CONFIGS
    ]
