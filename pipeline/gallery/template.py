"""Fill the pages' HTML: one file each, which asks the network for nothing and runs no script but its own.

A page's Content-Security-Policy names a nonce that is a hash of all it shows: what is shown cannot contain it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAGES = Path(__file__).with_name("pages")
_FIELD = re.compile(r"\{\{(\w+)\}\}")


def text(value: Any) -> str:
    """Any value as text of an element or a quoted attribute."""
    return html.escape(str(value), quote=True)


def fill(name: str, *, styles: Sequence[str], scripts: Sequence[str] = (), **values: str) -> str:
    """A page of PAGES with `{{key}}` replaced by HTML, `{{nonce}}`, `{{style}}` and `{{script}}` among the keys.

    `styles` and `scripts` are files of PAGES, joined in this order. Raises KeyError for a key without its value.
    """
    values["style"] = "\n".join(_text_of(file) for file in styles)
    values["script"] = "\n".join(_text_of(file) for file in scripts)
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()
    values["nonce"] = base64.b64encode(digest[:18]).decode("ascii")
    return _FIELD.sub(lambda found: values[found[1]], _text_of(name))


def json_data(value: Any) -> str:
    """JSON for a script element of type application/json."""
    # In a script element only "<" can end the element or open a comment; JSON allows it as an escape.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text_of(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
