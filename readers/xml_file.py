"""XML of strangers: limited in bytes, without entities, and nothing that it names is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import parse

from readers.limits import check_file

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def read_xml(path: Path) -> Element:
    """The root of a file. Raises FileNotFoundError, and ValueError, naming the file, for what is not plain XML."""
    check_file(path, "xml_mb")
    try:
        return parse(path).getroot()
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise ValueError(f"{path}: not plain XML: {' '.join(str(error).split())[:200]}") from None
