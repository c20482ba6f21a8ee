"""SQL with its parameters written into it, for drivers that cannot do that themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID


class UnwritableError(Exception):
    """A parameter has no literal form that is sure to mean the same."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - whatever a script has given
        super().__init__(f"a parameter of type {type(value).__name__} has no literal form")


#: What may hold something that looks like a parameter, and is none.
QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
NUMBERED = re.compile(rf"{QUOTED}|\$(?P<key>\d+)", re.DOTALL)
NAMED = re.compile(rf"{QUOTED}|(?<!:):(?P<key>[A-Za-z_]\w*)", re.DOTALL)


def filled(sql: str, marker: re.Pattern[str], write: Callable[[str], str]) -> str:
    """Return *sql* with each parameter replaced by what *write* makes of its name."""
    return marker.sub(lambda found: write(found["key"]) if found["key"] else found[0], sql)


def numbered(sql: str, parameters: Any) -> str:  # noqa: ANN401 - a sequence, as drivers take it
    """Return *sql* with ``$1`` and its like filled in: the style of asyncpg."""
    values = list(parameters or ())
    return filled(sql, NUMBERED, lambda key: literal(values[int(key) - 1], text=standard))


def named(sql: str, parameters: Any) -> str:  # noqa: ANN401 - a mapping, as drivers take it
    """Return *sql* with ``:name`` and its like filled in: the style of Databricks."""
    values = {} if parameters is None else dict(parameters)
    return filled(sql, NAMED, lambda key: literal(values[key], text=escaped))


def literal(value: Any, *, text: Callable[[str], str]) -> str:  # noqa: ANN401 - whatever a script has given
    """Return *value* as SQL; *text* writes a string.

    Raises:
        UnwritableError: Nobody can tell how it has to be written.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, Decimal)):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, (datetime, date, time)):
        return text(value.isoformat(" ") if isinstance(value, datetime) else value.isoformat())
    if isinstance(value, (str, UUID)):
        return text(str(value))
    return collection(value, text=text)


def collection(value: Any, *, text: Callable[[str], str]) -> str:  # noqa: ANN401 - whatever a script has given
    """Return what is not a plain value as SQL; see `literal`."""
    if isinstance(value, (bytes, bytearray)) and text is standard:
        return f"'\\x{bytes(value).hex()}'"
    if isinstance(value, timedelta) and text is standard:
        return f"'{value.days} days {value.seconds} seconds {value.microseconds} microseconds'"
    if isinstance(value, (list, tuple)) and value and text is standard:
        return f"ARRAY[{', '.join(literal(item, text=text) for item in value)}]"
    raise UnwritableError(value)


def standard(value: str) -> str:
    """Return a string literal of standard SQL."""
    return "'" + value.replace("'", "''") + "'"


def escaped(value: str) -> str:
    """Return a string literal of Databricks SQL, where a backslash escapes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
