"""Query tags as the client writes them: ``key:value,key``, with backslashes before specials."""

from __future__ import annotations

import re

from providers.databricks.warehouse.model import Properties


def read_tags(text: str | None) -> Properties:
    """Return the pairs in *text*; a tag without a value has an empty one."""
    if not text:
        return ()
    return tuple(_pair(part) for part in re.findall(r"(?:\\.|[^,\\])+", text))


def _pair(part: str) -> tuple[str, str]:
    found = re.match(r"((?:\\.|[^:\\])*):?(.*)", part, re.DOTALL)
    key, value = found.groups() if found else (part, "")
    return _plain(key), _plain(value)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
