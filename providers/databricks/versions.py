"""Reads which version tables are at: Delta keeps the older ones, and can restore them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from providers.databricks.address import Address
from providers.databricks.connection import Connection
from providers.databricks.errors import reading
from providers.databricks.sql import identifier
from providers.errors import AccessDeniedError, StatementError
from providers.types import Target

_WORD = re.compile(r"\w+")


async def read_versions(
    connection: Connection, target: Target, place: Address, words: Collection[str] | None
) -> Mapping[str, int | None]:
    """Return the newest versions; see `Versioning.versions`."""
    with reading(target.name):
        schema = await _schema(connection, target, place)
        rows = await connection.query(f"SHOW TABLES IN {schema}")
    tables = [str(row[1]) for row in rows if _is_wanted(str(row[1]), target, words)]
    found = {}
    for table in sorted(tables):
        name = f"{schema}.{identifier(table)}"
        found[name] = await _version(connection, target, name)
    return found


async def _schema(connection: Connection, target: Target, place: Address) -> str:
    """Return the target's schema as SQL names it, its catalog too; the session knows it all."""
    names = (place.catalog, target.schema or place.schema)
    if None in names:
        (names,) = await connection.query("SELECT current_catalog(), current_schema()")
    return ".".join(identifier(str(name)) for name in names)


def _is_wanted(table: str, target: Target, words: Collection[str] | None) -> bool:
    """Tell whether a table is the version table, or its name is made up of *words*."""
    name = table.lower()
    if words is None or name == target.version_table.lower():
        return True
    return all(word in words for word in _WORD.findall(name))


async def _version(connection: Connection, target: Target, name: str) -> int | None:
    try:
        with reading(target.name):
            rows = await connection.query(f"DESCRIBE HISTORY {name} LIMIT 1")
    except (AccessDeniedError, StatementError):  # a view, or not ours to read
        return None
    return int(rows[0][0]) if rows else None
