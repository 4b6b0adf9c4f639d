"""Names that checkpoints have beside their tensors: what stands for them holds nothing and runs nothing."""

from __future__ import annotations

_TORCH = frozenset({
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter", "torch.Size", "torch.device", "torch.storage.UntypedStorage",
    "torch.serialization._get_layout", "collections.OrderedDict", "collections.Counter", "collections.defaultdict",
    "_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor",
    *(f"{module}.{name}" for module in ("builtins", "__builtin__")
      for name in ("set", "frozenset", "object", "dict", "list", "bytearray", "bytes", "complex")),
})  # fmt: skip
_NUMPY = frozenset({
    *(f"numpy.{core}.{name}" for core in ("core", "_core")
      for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")),
    "numpy.ndarray", "numpy.dtype",
})  # fmt: skip
# The history of a run of OpenMMLab's; its methods are pickled as getattr(HistoryBuffer, "min").
_HISTORY = frozenset({
    "mmengine.logging.history_buffer.HistoryBuffer", "mmengine.logging.message_hub.MessageHub", "builtins.getattr",
    "__builtin__.getattr",
})  # fmt: skip
# Containers of settings, which training frameworks pickle beside the tensors.
_CONFIGS = frozenset({
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
})  # fmt: skip
_KNOWN = _TORCH | _NUMPY | _HISTORY | _CONFIGS


def is_known(name: str) -> bool:
    """Whether checkpoints of tensors have a name; the types of values and of storages are names of torch's own."""
    module, _, last = name.rpartition(".")
    return name in _KNOWN or (module == "torch" and last.isidentifier() and not last.startswith("_"))


def is_mapping(name: str) -> bool:
    """Whether what a name stands for is filled as dictionaries are."""
    return name in _CONFIGS or name in ("collections.OrderedDict", "collections.defaultdict", "builtins.dict")
