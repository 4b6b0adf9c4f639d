"""YAML of strangers: limited in bytes, in depth and in what its aliases unfold to, before any value of it is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from readers.limits import TooLarge, check, read_bytes
from readers.texts import check_text

_DEEPEST = 40  # a manifest has about six levels
_LONGEST = 64  # characters of a number or a time
_PLAIN = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")


def read_yaml(path: Path, *, opencv: bool = False) -> Any:
    """The values of a file; opencv: with OpenCV's first line and its tags for what are plain mappings.

    Raises ValueError, one line with the file and where in it, for what cannot be read.
    """
    where = str(path)
    try:
        text = read_bytes(path, "yaml_mb").decode("utf-8-sig")
        # OpenCV writes "%YAML:1.0", which is no directive of YAML.
        loader = _OpenCvLoader(re.sub(r"\A%YAML:.*", "", text)) if opencv else _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node, where)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except TooLarge:
        raise
    except RecursionError:
        raise ValueError(f"{where}: not YAML: nested too deep") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not YAML: expected UTF-8 ({error})") from None


class _Loader(yaml.SafeLoader):
    """What makes plain values and nothing else; a value that cannot be made names its line."""

    def fetch_more_tokens(self) -> None:
        """As PyYAML's, whose time grows with the square of the depth: told of at once, not once all is read."""
        super().fetch_more_tokens()
        if self.flow_level + len(self.indents) > _DEEPEST + 1:
            raise yaml.MarkedYAMLError(f"nested deeper than {_DEEPEST} levels", problem_mark=self.get_mark())

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            shown = getattr(node, "value", "")
            raise yaml.MarkedYAMLError(f"{shown!s:.60}: {error}", problem_mark=node.start_mark) from None


class _OpenCvLoader(_Loader):
    """With OpenCV's matrices, which are mappings."""


_OpenCvLoader.add_multi_constructor(
    "tag:yaml.org,2002:opencv-", lambda loader, _, node: loader.construct_mapping(node, deep=True)
)


def _check(root: yaml.Node, where: str) -> None:
    """Raise ValueError for keys that stand twice, for what is too deep, unfolds too far or no text holds."""
    unfolded: dict[int, int] = {}

    def count(node: yaml.Node, depth: int) -> int:
        if id(node) in unfolded:
            if unfolded[id(node)] < 0:
                raise ValueError(f"{where}: not YAML: {_line(node)}: an alias that is part of what it stands for")
            return unfolded[id(node)]
        if depth > _DEEPEST:
            raise ValueError(f"{where}: not YAML: {_line(node)}: nested deeper than {_DEEPEST} levels")
        unfolded[id(node)] = -1
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, where)
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node, where)
        total = 1 + sum(count(child, depth + 1) for child in _children(node))
        check(total, "yaml_values", where, f"{_line(node)}: values that aliases unfold to")
        unfolded[id(node)] = total
        return total

    count(root, 0)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_scalar(node: yaml.ScalarNode, where: str) -> None:
    check_text(node.value, f"{where}: {_line(node)}")
    if node.tag in _PLAIN and len(node.value) > _LONGEST:
        raise ValueError(f"{where}: {_line(node)}: expected a number or a time, got {node.value[:40]}...")


def _check_keys(node: yaml.MappingNode, where: str) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"{where}: {_line(key)}: expected a name as key, got a list or a mapping")
        line, known = key.start_mark.line + 1, (key.tag, key.value)
        if known in lines:
            raise ValueError(
                f"{where}: {key.value:.60}: stands twice, in lines {lines[known]} and {line}; remove one of them"
            )
        lines[known] = line


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
