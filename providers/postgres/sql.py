"""Quotes names and values for SQL that is sent without parameters."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from providers.types import Target


def identifier(name: str) -> str:
    """Return *name* as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return *text* as a string literal, whatever `standard_conforming_strings` says."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted


def milliseconds(span: timedelta) -> int:
    """Return *span* in whole milliseconds, rounded up: to Postgres zero means no limit."""
    return ceil(span / timedelta(milliseconds=1))


def version_schema(target: Target) -> str | None:
    """Return the schema that holds the version table; None: the search path says."""
    return target.version_table_schema or target.schema


def version_table(target: Target) -> str:
    """Return the version table as SQL names it."""
    schema = version_schema(target)
    table = identifier(target.version_table)
    return table if schema is None else f"{identifier(schema)}.{table}"
