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


#: What may hold something that looks like a parameter, and is none: in standard SQL with the
#: additions of Postgres, and in the SQL of Databricks, where a backslash escapes.
STANDARD = r"""(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/"""
DOLLARS = r"(?<![\w$])(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)"
ESCAPED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
NUMBERED = re.compile(rf"{STANDARD}|{DOLLARS}|(?<![\w$])\$(?P<key>\d+)", re.DOTALL)
BARE, TICKED = r"(?P<key>[A-Za-z_]\w*)", r"`(?P<ticked>(?:[^`]|``)+)`"
NAMED = re.compile(rf"{ESCAPED}|(?<!:):(?:{BARE}|{TICKED})", re.DOTALL)


def filled(sql: str, marker: re.Pattern[str], write: Callable[[str], str]) -> str:
    """Return *sql* with each parameter replaced by what *write* makes of its name."""

    def one(found: re.Match[str]) -> str:
        key = found["key"] or (found.groupdict().get("ticked") or "").replace("``", "`")
        return write(key) if key else found[0]

    return marker.sub(one, sql)


def numbered(sql: str, parameters: Any) -> str:  # noqa: ANN401 - a sequence, as drivers take it
    """Return *sql* with ``$1`` and its like filled in: the style of asyncpg."""
    values = list(parameters or ())
    if not values:
        return sql
    return filled(sql, NUMBERED, lambda key: literal(values[int(key) - 1], text=standard))


def named(sql: str, parameters: Any) -> str:  # noqa: ANN401 - a mapping, as drivers take it
    """Return *sql* with ``:name`` and its like filled in: the style of Databricks."""
    values = dict(parameters or {})
    if not values:
        return sql
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
    if isinstance(value, int):
        return signed(int.__repr__(value))  # an Enum may be one
    if isinstance(value, Decimal) and value.is_finite():
        return signed(format(value, "f"))
    written = in_words(value)
    return collection(value, text=text) if written is None else text(written)


def in_words(value: Any) -> str | None:  # noqa: ANN401 - whatever a script has given
    """Return what stands between the quotes; None where *value* is not written in words."""
    if isinstance(value, str):
        return str.__str__(value)  # an Enum may be one
    if isinstance(value, date) and is_endless(value):
        return None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value) if isinstance(value, UUID) else None


def is_endless(day: date) -> bool:
    """Tell whether a driver may take *day*, the first or last of all, for an infinite one."""
    return (day.year, day.month, day.day) in ((1, 1, 1), (9999, 12, 31))


def signed(number: str) -> str:
    """Return a number as an operand: behind a minus it would begin a comment."""
    return f"({number})" if number.startswith("-") else number


def collection(value: Any, *, text: Callable[[str], str]) -> str:  # noqa: ANN401 - whatever a script has given
    """Return what is not a plain value as SQL; see `literal`."""
    if isinstance(value, (bytes, bytearray)) and text is standard:
        return f"'\\x{bytes(value).hex()}'"
    if isinstance(value, (float, Decimal)) and text is standard:
        return f"'{value!s}'"  # quoted, it takes the type that is asked for, and no other
    if isinstance(value, timedelta) and text is standard:
        return f"'{value.days} days {value.seconds} seconds {value.microseconds} microseconds'"
    if isinstance(value, (list, tuple)) and text is standard:
        return array(value)
    raise UnwritableError(value)


def array(values: Any) -> str:  # noqa: ANN401 - a list or a tuple
    """Return an array of Postgres; an empty one has no type of its own, and holds no others."""
    if not values:
        return "'{}'"
    if [] in values or () in values:
        raise UnwritableError(values)
    return f"ARRAY[{', '.join(literal(item, text=standard) for item in values)}]"


def standard(value: str) -> str:
    """Return a string literal of standard SQL."""
    return "'" + value.replace("'", "''") + "'"


def escaped(value: str) -> str:
    """Return a string literal of Databricks SQL, where a backslash escapes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
